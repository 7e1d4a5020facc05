"""What `rg` does for us, in Python: a program that walks a directory or searches it, and prints as `rg` would.

It runs as a process of its own, so that a slow pattern costs no one else their time and can be killed. The request
is one JSON object on standard input; the answer is either NUL-separated paths or the lines of `rg --json`.
"""

import base64
import codecs
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypedDict

from tui_agent.text.globs import IgnoreRule, judge, parse_gitignore

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_OTHER_DIALECTS: Final = re.compile(r"\(\?(?:<?[=!]|>|\(|P=)|(?<!\\)(?:\\\\)*\\[1-9]")

# Rules with the path of the walk relative to their directory.
Rules = tuple[str, tuple[IgnoreRule, ...]]


class Request(TypedDict):
    """What to do in the current directory; `pattern` is None to list files, `file` is "" to walk."""

    pattern: str | None
    case_sensitive: bool
    context: int
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
        for path, _ in walk(request["hidden"]):
            out.write(os.fsencode(path) + b"\0")
            found = True
        return 0 if found else 1
    try:
        pattern = compile_pattern(request["pattern"], request["case_sensitive"])
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    files: Iterator[tuple[str, int]]
    files = iter([(request["file"], os.open(".", _DIRECTORY))]) if request["file"] else walk(request["hidden"])
    for path, directory in files:
        if rows := list(search(path, directory, pattern, request)):
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


def walk(hidden: bool) -> Iterator[tuple[str, int]]:
    """Regular files below the current directory, sorted, as (path, descriptor of the directory it is in).

    Links are not followed, ignored files and `.git` are left out, hidden ones too unless `hidden`.
    """
    yield from _walk("", os.open(".", _DIRECTORY), [*_rules_above()], hidden)


def _walk(prefix: str, directory: int, rules: Sequence[Rules], hidden: bool) -> Iterator[tuple[str, int]]:
    try:
        names = sorted(os.listdir(directory), key=os.fsencode)
        if ".git" in names:
            rules = []  # a repository of its own; rules from outside it do not reach in
        if ".gitignore" in names:
            rules = [*rules, (prefix, _gitignore(".gitignore", directory))]
        with os.scandir(directory) as entries:
            kinds = {
                entry.name: (entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
                for entry in entries
            }
        for name in names:
            is_directory, is_file = kinds.get(name, (False, False))
            path = prefix + name
            if name == ".git" or (name.startswith(".") and not hidden) or _ignored(path, is_directory, rules):
                continue
            if is_file:
                yield path, directory
            elif is_directory:
                try:
                    inner = os.open(name, _DIRECTORY, dir_fd=directory)
                except OSError:
                    continue
                yield from _walk(f"{path}/", inner, rules, hidden)
    finally:
        os.close(directory)


def _ignored(path: str, is_directory: bool, rules: Sequence[Rules]) -> bool:
    for prefix, each in reversed(rules):
        inside = prefix + path if prefix.startswith("/") else path[len(prefix) :]
        verdict = judge(each, inside.lstrip("/"), is_directory)
        if verdict is not None:
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
            rules.insert(0, (below, _gitignore(path, None)))
    return rules


def _gitignore(path: str, directory: int | None) -> tuple[IgnoreRule, ...]:
    try:
        with os.fdopen(os.open(path, _FILE, dir_fd=directory), "rb") as file:
            return parse_gitignore(file.read(1_000_000).decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
    except OSError:
        return ()


# A row of `rg --json` is an open-ended JSON object.
def search(path: str, directory: int, pattern: re.Pattern[str], request: Request) -> Iterator[dict[str, Any]]:
    """The rows of one file, as `rg --json` prints them; none for a binary or too large file."""
    try:
        with os.fdopen(os.open(os.path.basename(path), _FILE, dir_fd=directory), "rb") as file:  # noqa: PTH119
            if os.fstat(file.fileno()).st_size > request["max_bytes"]:
                return
            data = _transcoded(file.read())
    except OSError:
        return
    if b"\0" in data:
        return
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    hits = []
    for number, line in enumerate(lines):
        if pattern.search(line.removesuffix(b"\r").decode("utf-8", "replace")):
            hits.append(number)
            if len(hits) == request["max_count"]:
                break
    if not hits:
        return
    name = _json_text(os.fsencode(path))
    yield {"type": "begin", "data": {"path": name}}
    wanted = set(hits)
    context = request["context"]
    shown = sorted({n for hit in hits for n in range(max(0, hit - context), min(len(lines), hit + context + 1))})
    for number in shown:
        kind = "match" if number in wanted else "context"
        row = {"path": name, "lines": _json_text(lines[number] + b"\n"), "line_number": number + 1}
        yield {"type": kind, "data": row}
    yield {"type": "end", "data": {"path": name, "binary_offset": None}}


def _transcoded(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def _json_text(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(data).decode()}


if __name__ == "__main__":
    sys.exit(main())
