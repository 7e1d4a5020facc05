"""Walking and searching a directory in a process of its own: `rg` when it is there, else our own program.

Both print the same, so whatever happens to their output afterwards is the same too.
"""

import asyncio
import base64
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.sandbox.environment import command_environment
from tui_agent.sandbox.programs import find_program
from tui_agent.tools.builtin.python_search import Request
from tui_agent.workspace.files import MAX_FILE_BYTES
from tui_agent.workspace.paths import Location, open_beneath

SEARCH_SECONDS: Final = 60.0
_ROW_BYTES: Final = 16 * MAX_FILE_BYTES
"""The longest row: one line that is all of a file, escaped."""

_IGNORE_RULES: Final = ("--no-require-git", "--no-ignore-global", "--no-ignore-exclude", "--no-ignore-dot")
"""Of all the rules that `rg` knows, only those of .gitignore files hold."""

_NAME_PATTERN: Final = re.compile(r"[\w.*?-]+")


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
    """A line of a file, matching or beside a match; `path` is relative to where the search began."""

    path: str
    number: int
    text: str
    matches: bool


async def list_files(start: Location, pattern: str) -> AsyncGenerator[str, None]:
    """The files below a directory in the order of their paths, ignored ones left out.

    Hidden ones are left out too, unless a component of `pattern` begins with a dot.
    """
    hidden = _names_hidden(pattern)
    arguments = ["--files", "--null", *(["--hidden"] if hidden else []), "."]
    async with _search(start, arguments, _request(hidden=hidden)) as process:
        assert process.stdout is not None
        while name := (await _until(process.stdout, b"\0")).removesuffix(b"\0"):
            path = os.fsdecode(name.removeprefix(b"./"))
            if _walked(path, hidden):
                yield path
        await process.wait()  # its end is near; killing it now could take its exit code from the event loop


async def matching_rows(start: Location, query: Query, *, walks: bool) -> AsyncGenerator[Row, None]:
    """The matching lines below a directory (`walks`) or in one file, with their context, in the order of paths.

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
        *(["--hidden"] if hidden else []),
        *(
            [f"--type-add=chosen:{query.glob}", "--type=chosen"]
            if _NAME_PATTERN.fullmatch(query.glob) and walks
            else []
        ),
        f"--regexp={query.pattern}",
        "--",
        "." if walks else f"./{start.path.name}",
    ]
    request = _request(
        pattern=query.pattern,
        case_sensitive=query.case_sensitive,
        context=query.context,
        hidden=hidden,
        file="" if walks else start.path.name,
        max_count=query.limit + 1,
    )
    directory = start if walks else replace(start, path=start.path.parent)
    held: list[Row] = []
    async with _search(directory, arguments, request) as process:
        assert process.stdout is not None
        while line := await _until(process.stdout, b"\n"):
            message = json.loads(line)
            match message["type"]:
                case "match" | "context":
                    held.append(_row(message))
                case "end":
                    rows, held = held, []
                    if message["data"]["binary_offset"] is None:
                        for row in rows:
                            if not walks or _walked(row.path, hidden):
                                yield row
        if await process.wait() == 2 and (trouble := await _trouble(process)):
            raise ToolError(f"cannot use the pattern {query.pattern!a}: {trouble}")


def _request(
    *,
    pattern: str | None = None,
    case_sensitive: bool = True,
    context: int = 0,
    hidden: bool,
    file: str = "",
    max_count: int = 0,
) -> Request:
    return {
        "pattern": pattern,
        "case_sensitive": case_sensitive,
        "context": context,
        "hidden": hidden,
        "file": file,
        "max_bytes": MAX_FILE_BYTES,
        "max_count": max_count,
    }


@asynccontextmanager
async def _search(start: Location, arguments: list[str], request: Request) -> AsyncIterator[Process]:
    """The running search, in the directory that was judged even if its path means another one by now."""
    try:
        directory = open_beneath(start, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise WorkspaceError(f"cannot search {start.name}: {(error.strerror or str(error)).lower()}") from error
    environment = command_environment(os.environ)
    if rg := find_rg(start.root.path):
        command = [rg, "--no-config", "--no-messages", "--color=never", "--sort=path", *_IGNORE_RULES, *arguments]
        given = b""
    else:
        command = [sys.executable, "-P", "-m", "tui_agent.tools.builtin.python_search"]
        environment |= {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)), "PYTHONUTF8": "1"}
        given = json.dumps(request).encode()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=f"/proc/self/fd/{directory}" if sys.platform == "linux" else start.path,
            env=environment,
            stdin=PIPE if given else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            limit=_ROW_BYTES,
        )
    finally:
        os.close(directory)
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
            await process.wait()


def find_rg(workspace: Path) -> str:
    """The `rg` on the search path or beside our Python, or ""; never one that lies in the workspace."""
    return find_program("rg", workspace)


async def _until(stream: asyncio.StreamReader, end: bytes) -> bytes:
    """Up to and including `end`, or what is left at the end of the stream."""
    try:
        return await stream.readuntil(end)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _trouble(process: Process) -> str:
    assert process.stderr is not None
    text = (await process.stderr.read(20_000)).decode("utf-8", "replace").strip()
    return " ".join(text.rpartition("error: ")[2].split())


# A message of `rg --json` is an open-ended JSON object.
def _row(message: dict[str, Any]) -> Row:
    data = message["data"]
    path = os.fsdecode(_bytes(data["path"]).removeprefix(b"./"))
    text = _bytes(data["lines"]).removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
    return Row(path, data["line_number"], text, message["type"] == "match")


def _bytes(value: dict[str, str]) -> bytes:
    return value["text"].encode() if "text" in value else base64.b64decode(value["bytes"])


def _names_hidden(pattern: str) -> bool:
    return any(part.startswith((".", "{.", "\\.")) and part not in (".", "..") for part in pattern.split("/"))


def _walked(path: str, hidden: bool) -> bool:
    """False for what both must leave out alike: `.git`, and hidden files that nobody named."""
    parts = path.split("/")
    return ".git" not in parts and (hidden or not any(part.startswith(".") for part in parts))
