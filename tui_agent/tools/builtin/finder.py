"""Walking and searching a directory in a process of its own: `rg` when it is there, else our own program.

Both print the same, so whatever happens to their output afterwards is the same too.
"""

import asyncio
import base64
import os
import stat
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.sandbox.environment import command_environment
from tui_agent.sandbox.programs import find_program
from tui_agent.text.globs import fixed_start, name_globs
from tui_agent.tools.builtin.python_search import Request
from tui_agent.workspace.files import MAX_FILE_BYTES, reason
from tui_agent.workspace.paths import Location, open_beneath
from tui_agent.workspace.putting import kind_of

SEARCH_SECONDS: Final = 60.0
LINE_CHARACTERS: Final = 500
"""Of a longer line only the beginning is kept."""
FIXED_DIRECTORIES: Final = 3
"""So many of the directories that a glob begins with narrow the walk."""
_READ_BYTES: Final = 1 << 16
LONG_RECORD: Final = 1_000_000
_SUBMATCHES: Final = b',"submatches":['
"""Cannot be part of a text in JSON."""

_IGNORE_RULES: Final = ("--no-require-git", "--no-ignore-global", "--no-ignore-exclude", "--no-ignore-dot")
"""Of all the rules that `rg` knows, only those of .gitignore files hold."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; `glob` only narrows the walk, the caller still judges each path by it."""

    pattern: str
    case_sensitive: bool
    context: int
    glob: str
    limit: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file, matching or beside a match; `cut` characters are missing at its end."""

    number: int
    text: str
    cut: int
    matches: bool


@dataclass(frozen=True, slots=True)
class FileRows:
    """What was found in a file; `path` is relative to where the search began."""

    path: str
    rows: list[Row]

    @property
    def matches(self) -> int:
        """How many of the rows match."""
        return sum(row.matches for row in self.rows)


async def list_files(start: Location, pattern: str, *, in_order: bool) -> AsyncGenerator[list[str], None]:
    """The files below a directory, ignored ones left out, as many at a time as have come.

    Hidden ones are left out too, unless a component of `pattern` begins with a dot. Files whose name cannot match
    `pattern` may be missing. They come in order of their paths, or faster.
    """
    hidden = _names_hidden(pattern)
    arguments = ["--files", "--null", *_narrowed(pattern), *_hidden(hidden), "."]
    async with _search(start, arguments, _request(glob=pattern, hidden=hidden), in_order=in_order) as process:
        async for block in _blocks(process, b"\0"):
            names = os.fsdecode(block).removeprefix("./").removesuffix("\0").split("\0./")
            yield [name for name in names if _walked(name, hidden)] if b"/." in block else names
        await process.wait()  # its end is near; killing it now could take its exit code from the event loop


async def matching_files(
    start: Location, query: Query, wanted: Callable[[str], bool], *, walks: bool, in_order: bool
) -> AsyncGenerator[list[FileRows], None]:
    """The matching lines below a directory (`walks`) or in one file, with their context, by file.

    The files are those `wanted` by path, as many at a time as have come, in order of their paths, or faster.

    Raises:
        ToolError: the pattern is no regular expression.
    """
    hidden = _names_hidden(query.glob)
    arguments = [
        "--json",
        "--crlf",
        "--no-mmap",
        "--case-sensitive" if query.case_sensitive else "--ignore-case",
        f"--max-filesize={MAX_FILE_BYTES}",
        f"--max-count={query.limit + 1}",
        f"--context={query.context}",
        *(_narrowed(query.glob) if walks and query.glob else ()),
        *_hidden(hidden),
        f"--regexp={query.pattern}",
        "--",
        "." if walks else "-",
    ]
    request = _request(
        pattern=query.pattern,
        case_sensitive=query.case_sensitive,
        context=query.context,
        glob=query.glob,
        hidden=hidden,
        file="" if walks else start.path.name,
        max_count=query.limit + 1,
    )
    directory = start if walks else replace(start, path=start.path.parent)
    rows: list[Row] = []
    file = None if walks else start
    async with _search(directory, arguments, request, in_order=in_order, file=file) as process:
        async for block in _blocks(process, b"\n"):
            files: list[FileRows] = []
            for message in _MESSAGES.decode_lines(block):
                data = message.data
                if message.type in ("match", "context"):
                    rows.append(_row(data, matches=message.type == "match"))
                elif message.type == "end":
                    path = os.fsdecode(data.path.content().removeprefix(b"./")) if walks else start.path.name
                    if data.binary_offset is None and (not walks or (_walked(path, hidden) and wanted(path))):
                        files.append(FileRows(path, rows))
                    rows = []
            yield files
        if await process.wait() == 2 and (trouble := await _trouble(process)):
            raise ToolError(f"cannot use the pattern {query.pattern!a}: {trouble}")


def find_rg(workspace: Path) -> str:
    """The `rg` on the search path or beside our Python, or ""; never one that lies in the workspace."""
    return find_program("rg", workspace)


def in_threads(start: Location) -> bool:
    """True when there is a faster way to search below it than in order of the paths."""
    return bool(find_rg(start.root.path))


# ---- the process ----


def _request(
    *,
    pattern: str | None = None,
    case_sensitive: bool = True,
    context: int = 0,
    glob: str,
    hidden: bool,
    file: str = "",
    max_count: int = 0,
) -> Request:
    return {
        "pattern": pattern,
        "case_sensitive": case_sensitive,
        "context": context,
        "glob": glob or "*",
        "hidden": hidden,
        "file": file,
        "max_bytes": MAX_FILE_BYTES,
        "max_count": max_count,
    }


def _narrowed(glob: str) -> list[str]:
    """Arguments for `rg` to leave out what cannot match: to walk and to print it costs more."""
    names = name_globs(glob)
    arguments = [*(f"--type-add=chosen:{each}" for each in names), "--type=chosen"] if names else []
    above = ""
    for name in fixed_start(glob)[:FIXED_DIRECTORIES]:
        for end, letter in enumerate(name):  # a glob can say which names not to take only like this
            arguments.append(f"--glob=!{above}/{name[:end]}[!{letter}]*")
            arguments += [f"--glob=!{above}/{name[:end]}"] if end else []
        above += f"/{name}"
        arguments.append(f"--glob=!{above}?*")
    return arguments


def _hidden(hidden: bool) -> list[str]:
    return ["--hidden", "--glob=!.git"] if hidden else []


@asynccontextmanager
async def _search(
    start: Location, arguments: list[str], request: Request, *, in_order: bool, file: Location | None = None
) -> AsyncIterator[Process]:
    """The running search, in the directory that was judged even if its path means another one by now.

    With `file` it reads that and walks nothing.
    """
    environment = command_environment(os.environ)
    if rg := find_rg(start.root.path):
        order = ["--sort=path"] if in_order else []
        command = [rg, "--no-config", "--no-messages", "--color=never", *order, *_IGNORE_RULES, *arguments]
        given = b""
    else:
        command = [sys.executable, "-P", "-m", "tui_agent.tools.builtin.python_search"]
        environment |= {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)), "PYTHONUTF8": "1"}
        given = msgspec.json.encode(request)
    with ExitStack() as opened:
        directory = _opened(opened, start, os.O_DIRECTORY)
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=f"/proc/self/fd/{directory}" if sys.platform == "linux" else start.path,
            env=environment,
            stdin=PIPE if given else DEVNULL if file is None else _opened(opened, file),
            stdout=PIPE,
            stderr=PIPE,
            limit=_READ_BYTES,
        )
    try:
        async with asyncio.timeout(SEARCH_SECONDS):
            if process.stdin is not None:
                process.stdin.write(given)
                process.stdin.close()
            yield process
    except TimeoutError as error:
        raise ToolError(f"the search took longer than {SEARCH_SECONDS:g} s: narrow the pattern or the path") from error
    finally:
        if process.returncode is None:
            try:
                process.kill()
            except ProcessLookupError:
                pass
        await process.communicate()  # `wait` alone would not end while there is output that nobody reads


def _opened(opened: ExitStack, location: Location, flags: int = 0) -> int:
    """A descriptor of a directory or a regular file, closed with `opened`."""
    try:
        descriptor = open_beneath(location, os.O_RDONLY | flags)
    except OSError as error:
        raise WorkspaceError(f"cannot search {location.name}: {reason(error)}") from error
    opened.callback(os.close, descriptor)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISDIR(mode) if flags else stat.S_ISREG(mode)):
        raise WorkspaceError(f"cannot search {location.name}: it is {kind_of(mode)}")
    return descriptor


async def _blocks(process: Process, end: bytes) -> AsyncGenerator[bytes, None]:
    """What the process prints, as many whole records at a time as have come; `end` ends each.

    A long row of `rg --json` comes without its `submatches`, which can be fifty times as long as the line.
    """
    assert process.stdout is not None
    begun = bytearray()
    cut = False
    while data := await process.stdout.read(_READ_BYTES):
        if cut:
            data = data[data.find(end) :] if end in data else b""
            cut = not data
        last = data.rfind(end) + 1
        if last:
            yield bytes(begun + data[:last])
            begun = bytearray(data[last:])
        else:
            begun += data
        if len(begun) > LONG_RECORD:
            at = begun.find(_SUBMATCHES, max(0, len(begun) - len(data) - len(_SUBMATCHES)))
            if at >= 0:
                begun[at:] = b"}}"
                cut = True


async def _trouble(process: Process) -> str:
    assert process.stderr is not None
    text = (await process.stderr.read(20_000)).decode("utf-8", "replace").strip()
    return " ".join(text.rpartition("error: ")[2].split())


# ---- what it prints ----


class _Text(Struct):
    """A text of `rg --json`, encoded if it is not UTF-8."""

    text: str | None = None
    encoded: str = msgspec.field(default="", name="bytes")

    def content(self) -> bytes:
        """As it stands in the file or directory."""
        return base64.b64decode(self.encoded) if self.text is None else self.text.encode()


class _Data(Struct):
    path: _Text = msgspec.field(default_factory=_Text)
    lines: _Text = msgspec.field(default_factory=_Text)
    line_number: int = 0
    binary_offset: int | None = None


class _Message(Struct):
    """A line of `rg --json`, as far as it is read."""

    type: str
    data: _Data


_MESSAGES: Final = msgspec.json.Decoder(_Message)


def _row(data: _Data, *, matches: bool) -> Row:
    text = data.lines.text
    if text is None:
        text = data.lines.content().decode("utf-8", "replace")
    text = text.removesuffix("\n").removesuffix("\r")
    return Row(data.line_number, text[:LINE_CHARACTERS], max(0, len(text) - LINE_CHARACTERS), matches)


def _names_hidden(pattern: str) -> bool:
    return any(part.startswith((".", "{.", "\\.")) and part not in (".", "..") for part in pattern.split("/"))


def _walked(path: str, hidden: bool) -> bool:
    """False for what both must leave out alike: `.git`, and hidden files that nobody named."""
    if not path.startswith(".") and "/." not in path:
        return True
    return hidden and ".git" not in path.split("/")
