"""What `rg` does for us, in Python: a program that walks a directory or searches it, and prints as `rg` would.

It runs as a process of its own, so that a slow pattern costs no one else their time and can be killed. The request
is one JSON object on standard input; the answer is either NUL-separated paths or the lines of `rg --json`.
"""

import binascii
import codecs
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypedDict

from tui_agent.text.globs import IgnoreRule, compile_glob, fixed_start, judge, parse_gitignore

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_OTHER_DIALECTS: Final = re.compile(r"\(\?(?:<?[=!]|>|\(|P=)|(?<!\\)(?:\\\\)*\\[1-9]")

_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK: Final = 1 << 16
"""Binary files show in their first block, as a rule."""


class Rules(NamedTuple):
    """A .gitignore: `prefix` is its directory in the walk, `any` matches what at least one of its rules does.

    A prefix that begins with `/` is what to put before a path of the walk, for a file above it.
    """

    prefix: str
    any: re.Pattern[str]
    each: tuple[IgnoreRule, ...]


class Request(TypedDict):
    """What to do in the current directory; `pattern` is None to list files, `file` is "" to walk.

    `glob` is for the paths that are wanted.
    """

    pattern: str | None
    case_sensitive: bool
    context: int
    glob: str
    hidden: bool
    file: str
    max_bytes: int
    max_count: int


def main() -> int:
    """Exit code as of `rg`: 0 found, 1 nothing found, 2 trouble."""
    request: Request = json.load(sys.stdin.buffer)
    out = sys.stdout.buffer
    found = False
    if request["pattern"] is None:
        for path, _ in walk(request):
            out.write(b"./" + os.fsencode(path) + b"\0")
            found = True
        return 0 if found else 1
    try:
        pattern = compile_pattern(request["pattern"], request["case_sensitive"])
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    may_match = _prefilter(request["pattern"], request["case_sensitive"])
    files: Iterable[tuple[str, int]] = (
        [(request["file"], os.open(".", _DIRECTORY))] if request["file"] else walk(request)
    )
    for path, directory in files:
        data = _read(path.rpartition("/")[2], directory, request["max_bytes"])
        if data and may_match(data) and (rows := list(search(path, data, pattern, request))):
            found = True
            out.write(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
            out.flush()
    return 0 if found else 1


def compile_pattern(pattern: str, case_sensitive: bool) -> re.Pattern[str]:
    """Raises ValueError for what `rg` would not take either: syntax errors, look-around, back-references."""
    if match := _OTHER_DIALECTS.search(pattern):
        raise ValueError(f"look-around and back-references are not supported: {match[0]}")
    try:
        return re.compile(pattern, 0 if case_sensitive else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _prefilter(pattern: str, case_sensitive: bool) -> Callable[[bytes], bool]:
    """A test of whole files that is quicker than the pattern and false only where that matches nothing."""
    text = required_text(pattern).encode()
    if case_sensitive:
        return lambda data: text in data
    if not text.isascii():
        return lambda data: True
    lower = text.lower()
    return lambda data: not data.isascii() or lower in data.lower()  # beyond ASCII there are more cases than two


def required_text(pattern: str) -> str:
    """A text that every line that matches has in it, to pass over files quickly; "" when none is plain to see."""
    if re.search(r"[|()\[{\ufffd]|\\[^\WbBdDsSwW]", re.sub(r"\\\W", "", pattern)):  # alternatives, sets, flags, codes
        return ""
    texts = [""]
    for sign, repeat in re.findall(r"(\\.|.)([*?+][?+]?)?", pattern):
        plain = sign not in ".^$" and (len(sign) == 1 or not sign[1].isalpha())
        if plain and repeat[:1] in ("", "+"):
            texts[-1] += sign[-1]
        if not plain or repeat:
            texts.append("")
    return max(texts, key=len)


def walk(request: Request) -> Iterator[tuple[str, int]]:
    """Regular files below the current directory, sorted, as (path, descriptor of the directory it is in).

    Links are not followed, ignored files and `.git` are left out, hidden ones too unless `hidden`, and what the glob
    does not match.
    """
    wanted = compile_glob(request["glob"])
    start = os.open(".", _DIRECTORY)
    for found in _walk("", start, [*_rules_above()], fixed_start(request["glob"]), request["hidden"]):
        if wanted(found[0]):
            yield found


def _walk(
    prefix: str, directory: int, rules: Sequence[Rules], inside: Sequence[str], hidden: bool
) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(directory) as entries:
            kinds = {
                entry.name: (entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
                for entry in entries
            }
        if ".git" in kinds:
            rules = []  # a repository of its own; rules from outside it do not reach in
        if ".gitignore" in kinds and (own := _gitignore(prefix, ".gitignore", directory)).each:
            rules = [*rules, own]
        for name in sorted(kinds, key=os.fsencode):
            is_directory, is_file = kinds[name]
            path = prefix + name
            if (inside and name != inside[0]) or name == ".git" or (name[0] == "." and not hidden):
                continue
            if _ignored(path, is_directory, rules):
                continue
            if is_file:
                yield path, directory
            elif is_directory:
                try:
                    inner = os.open(name, _DIRECTORY, dir_fd=directory)
                except OSError:
                    continue
                yield from _walk(f"{path}/", inner, rules, inside[1:], hidden)
    finally:
        os.close(directory)


def _ignored(path: str, is_directory: bool, rules: Sequence[Rules]) -> bool:
    for prefix, one, each in reversed(rules):
        below = (prefix + path)[1:] if prefix[:1] == "/" else path[len(prefix) :]
        if one.fullmatch(below) and (verdict := judge(each, below, is_directory)) is not None:
            return verdict
    return False


def _rules_above() -> list[Rules]:
    """The rules of the directories above, outermost first, up to the top of the repository that we are in.

    Their prefix begins with `/`: it is what to put before a path of the walk.
    """
    rules: list[Rules] = []
    here = os.getcwd()  # noqa: PTH109 - text is what is wanted
    below = "/"
    current = here
    while current != "/" and not os.path.lexists(os.path.join(current, ".git")):  # noqa: PTH118
        current, name = os.path.split(current)
        below = f"/{name}{below}"
        path = os.path.join(current, ".gitignore")  # noqa: PTH118
        if os.path.isfile(path):  # noqa: PTH113
            rules.insert(0, _gitignore(below, path, None))
    return rules


def _gitignore(prefix: str, path: str, directory: int | None) -> Rules:
    try:
        with os.fdopen(os.open(path, _FILE, dir_fd=directory), "rb") as file:
            text = file.read(1_000_000).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    except OSError:
        text = ""
    each = parse_gitignore(text)
    return Rules(prefix, re.compile("|".join(f"(?:{rule.expression.pattern})" for rule in each), re.DOTALL), each)


def _read(name: str, directory: int, max_bytes: int) -> bytes:
    """The text of a file; nothing of a binary or too large one."""
    try:
        file = os.open(name, _FILE, dir_fd=directory)
    except OSError:
        return b""
    try:
        if os.fstat(file).st_size > max_bytes:
            return b""
        blocks = [os.read(file, _BLOCK)]
        if b"\0" in blocks[0] and not blocks[0].startswith(_UTF16):
            return b""
        while blocks[-1]:
            blocks.append(os.read(file, max_bytes))
    except OSError:
        return b""
    finally:
        os.close(file)
    data = transcoded(b"".join(blocks))
    return b"" if b"\0" in data else data


# A row of `rg --json` is an open-ended JSON object.
def search(path: str, data: bytes, pattern: re.Pattern[str], request: Request) -> Iterator[dict[str, Any]]:
    """The rows of a file of this text, as `rg --json` prints them."""
    text = data.decode("utf-8", "replace").removesuffix("\n")
    lines = text.replace("\r\n", "\n").removesuffix("\r").split("\n")
    found = pattern.search
    hits = list(islice((number for number, line in enumerate(lines) if found(line)), request["max_count"]))
    if not hits:
        return
    raw = data.split(b"\n")
    name = _json_text(b"./" + os.fsencode(path))
    yield {"type": "begin", "data": {"path": name}}
    wanted = set(hits)
    context = request["context"]
    shown = sorted({n for hit in hits for n in range(max(0, hit - context), min(len(lines), hit + context + 1))})
    for number in shown:
        kind = "match" if number in wanted else "context"
        row = {"path": name, "lines": _json_text(raw[number] + b"\n"), "line_number": number + 1}
        yield {"type": kind, "data": row}
    yield {"type": "end", "data": {"path": name, "binary_offset": None}}


def transcoded(data: bytes) -> bytes:
    """A text in UTF-8, without its byte-order mark."""
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    if data.startswith(_UTF16):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def _json_text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"bytes": binascii.b2a_base64(data, newline=False).decode()}


if __name__ == "__main__":
    sys.exit(main())
