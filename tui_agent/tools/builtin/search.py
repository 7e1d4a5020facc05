"""Tools that find files by name and text by regular expression."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import ReadAccess
from tui_agent.permissions.sensitive import is_secret
from tui_agent.text.globs import compile_glob
from tui_agent.tools.builtin.confirming import confirm_names, confirm_rows
from tui_agent.tools.builtin.desk import Desk
from tui_agent.tools.builtin.files import DIRECTORY_ALIASES
from tui_agent.tools.builtin.finder import FileRows, Query, in_threads, list_files, matching_files
from tui_agent.tools.builtin.first import Found, first_in_order
from tui_agent.tools.builtin.nearby import missing
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit, whole_number_as_text
from tui_agent.workspace.files import reason
from tui_agent.workspace.paths import Location, Workspace, mode_beneath, quoted
from tui_agent.workspace.putting import kind_of

GLOB_FILES: Final = 500
GREP_MATCHES: Final = 200
FILES_COUNTED: Final = 1_000
"""Up to how many files are counted where nothing was found: it takes a second walk."""
GREP_BYTES: Final = 60_000
MAX_CONTEXT: Final = 10
PROGRESS_SECONDS: Final = 0.5


class GlobFiles:
    """`glob_files`."""

    spec = ToolSpec(
        "glob_files",
        "Find files by name, e.g. *.py or src/**/*.ts. Ignored and hidden files are left out.",
        {
            "type": "object",
            "properties": {
                "pattern": {"type": "string"},
                "path": {"type": "string", "description": "directory to search", "default": "."},
            },
            "required": ["pattern"],
        },
    )
    names = ()
    argument_aliases: Mapping[str, str] = {"glob": "pattern", "query": "pattern", **DIRECTORY_ALIASES}
    argument_fits: Mapping[str, Fit] = {}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        workspace = self._desk.workspace
        path, pattern = _split_absolute(arguments["path"], arguments["pattern"])
        start, repairs = self._desk.place(path)
        start, pattern = _behind_link(workspace, start, pattern)
        accepts = _accepting(pattern)

        async def perform() -> ToolResult:
            await _check_start(workspace, start, files_too=False)

            async def search(in_order: bool) -> AsyncGenerator[list[Found[str]], None]:
                async with aclosing(list_files(start, pattern, in_order=in_order)) as blocks:
                    async for names in blocks:
                        yield [Found(os.fsencode(name), 1, name) for name in filter(accepts, names)]

            names = await first_in_order(search, GLOB_FILES, unordered=in_threads(start))
            there = await asyncio.to_thread(confirm_names, start, names[:GLOB_FILES])
            found = [quoted(workspace.name_of(start.path / name)) for name in there]
            if len(there) < len(names[:GLOB_FILES]):
                found.append(_left_out(len(names[:GLOB_FILES]) - len(there)))
            if len(names) > GLOB_FILES:
                found.append(f"[the first {GLOB_FILES} files; there are more: use a narrower pattern or a path]")
            return ToolResult(True, "\n".join(found) or f"no files match {quoted(pattern)} in {start.name}")

        return Prepared(arguments["pattern"], ReadAccess((str(start.path),)), perform, repairs)


class GrepSearch:
    """`grep_search`."""

    spec = ToolSpec(
        "grep_search",
        "Search file contents for a regular expression. Returns path:line:text.",
        {
            "type": "object",
            "properties": {
                "pattern": {"type": "string"},
                "path": {"type": "string", "description": "file or directory", "default": "."},
                "glob": {"type": "string", "description": "only such files, e.g. *.py"},
                "case_sensitive": {"type": "boolean", "default": True},
                "context": {"type": "integer", "description": "lines around each match", "minimum": 0, "default": 0},
            },
            "required": ["pattern"],
        },
    )
    names = ("grep",)
    argument_aliases: Mapping[str, str] = {
        "query": "pattern",
        "regex": "pattern",
        "search": "pattern",
        "text": "pattern",
        **DIRECTORY_ALIASES,
        "file_path": "path",
        "file": "path",
        "filename": "path",
        "include": "glob",
        "file_pattern": "glob",
        "context_lines": "context",
    }
    argument_fits: Mapping[str, Fit] = {"pattern": whole_number_as_text}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        workspace = self._desk.workspace
        start, repairs = self._desk.place(arguments["path"])
        glob = arguments.get("glob", "")
        pattern = _checked(arguments["pattern"])
        # A small model knows nothing of the flag; what it writes without a capital it means in any case.
        exact_case = arguments["case_sensitive"] and not (self._desk.simple and pattern == pattern.lower())
        query = Query(pattern, exact_case, _context(arguments), glob, GREP_MATCHES)
        accepts = _accepting(glob or "*")

        def wanted(name: str) -> bool:
            return bool(accepts(name)) and not is_secret(name)

        async def perform() -> ToolResult:
            walks = await _check_start(workspace, start, files_too=True)
            so_far = _SoFar()

            async def search(in_order: bool) -> AsyncGenerator[list[Found[FileRows]], None]:
                async with aclosing(matching_files(start, query, wanted, walks=walks, in_order=in_order)) as blocks:
                    async for files in blocks:
                        so_far.add(files)
                        yield [Found(os.fsencode(file.path), file.matches, file) for file in files]

            async with so_far.told(context.emit_output):
                unordered = walks and in_threads(start)
                files = await first_in_order(search, GREP_MATCHES, unordered=unordered)
            left_out = 0
            if walks:
                files, left_out = await asyncio.to_thread(confirm_rows, start, files)
            if files or left_out:
                base = start.path if walks else start.path.parent
                report = _report(files, lambda path: workspace.name_of(base / path), query.context > 0)
                said = _left_out(left_out) if left_out else ""
                return ToolResult(True, "\n".join(filter(None, (report, said))))
            count = await _counted(start, glob, wanted) if walks else "1 file"
            among = f" (files like {quoted(glob)})" if glob and walks else ""
            return ToolResult(True, f"no match for {quoted(query.pattern)} in {start.name}{among}: {count} searched")

        return Prepared(query.pattern, ReadAccess((str(start.path),)), perform, repairs)


class _SoFar:
    """What a search has found until now, told while it runs."""

    def __init__(self) -> None:
        self._matches: dict[str, int] = {}

    def add(self, files: list[FileRows]) -> None:
        """These too; a file that is found twice counts once."""
        self._matches.update((file.path, file.matches) for file in files)

    @asynccontextmanager
    async def told(self, tell: Callable[[str], None]) -> AsyncIterator[None]:
        """Say every PROGRESS_SECONDS how much it is, if it is more than before."""

        async def regularly() -> None:
            files = 0
            while True:
                await asyncio.sleep(PROGRESS_SECONDS)
                if len(self._matches) > files:
                    files = len(self._matches)
                    tell(f"{_number(sum(self._matches.values()), 'match', 'es')} in {_number(files, 'file')} so far\n")

        telling = asyncio.create_task(regularly())
        try:
            yield
        finally:
            telling.cancel()


def _left_out(files: int) -> str:
    return f"[{_number(files, 'file')} changed during the search and left out: search again if it matters]"


def _number(count: int, one: str, more: str = "s") -> str:
    return f"{count:,} {one}{'' if count == 1 else more}"


def _report(files: list[FileRows], name_of: Callable[[str], str], groups: bool) -> str:
    """The result as text, as far as the bounds allow; groups of lines are told apart when there is context."""
    lines: list[str] = []
    matches = 0
    room = GREP_BYTES
    for file in files:
        name = quoted(name_of(file.path))
        last = -1
        for row in file.rows:
            if room <= 0 or (row.matches and matches == GREP_MATCHES):
                lines.append(f"[the first {matches} matches; there are more: narrow the pattern, glob or path]")
                return "\n".join(lines)
            if groups and lines and row.number != last + 1:
                lines.append("--")
            last = row.number
            mark = ":" if row.matches else "-"
            cut = f"[… {row.cut:,} characters cut]" if row.cut else ""
            line = f"{name}{mark}{row.number}{mark}{row.text}{cut}"
            lines.append(line)
            room -= len(line.encode("utf-8", "replace")) + 1
            matches += row.matches
    return "\n".join(lines)


async def _counted(start: Location, glob: str, wanted: Callable[[str], bool]) -> str:
    """How many files there are to search, in words."""
    count = 0
    async with aclosing(list_files(start, glob or "*", in_order=True)) as blocks:
        async for names in blocks:
            count += sum(map(wanted, names))
            if count >= FILES_COUNTED:
                return f"more than {FILES_COUNTED - 1:,} files"
    return _number(count, "file")


def _checked(pattern: str) -> str:
    if not pattern:
        raise ToolError("the pattern is empty")
    if "\n" in pattern or "\0" in pattern:
        raise ToolError("a pattern is matched against single lines: it cannot hold a line end or NUL")
    try:
        pattern.encode()
    except UnicodeEncodeError as error:
        raise ToolError("the pattern holds a lone surrogate, which no file can") from error
    return pattern


def _context(arguments: Mapping[str, Any]) -> int:
    return int(min(arguments["context"], MAX_CONTEXT))


def _accepting(pattern: str) -> Callable[[str], object]:
    if not pattern.isascii() and any("\ud800" <= character <= "\udfff" for character in pattern):
        raise ToolError(f"cannot use the pattern {quoted(pattern)}: it holds a lone surrogate, which no file name can")
    try:
        return compile_glob(pattern)
    except ValueError as error:
        raise ToolError(f"cannot use the pattern {quoted(pattern)}: {error}") from error


def _split_absolute(path: str, pattern: str) -> tuple[str, str]:
    """An absolute pattern, or one in the home, begins with the directory to search."""
    if not pattern.startswith(("/", "~/")):
        return path, pattern
    fixed, rest = _split(pattern)
    return fixed or "/", rest


def _behind_link(workspace: Workspace, start: Location, pattern: str) -> tuple[Location, str]:
    """No search goes through a link; but one that the pattern names says where to search, if that is inside."""
    fixed, rest = _split(pattern)
    named = start.path / fixed
    if not fixed or ".." in named.parts or "\0" in fixed or os.path.realpath(named) == str(named):
        return start, pattern
    return workspace.resolve(str(named)), rest


def _split(pattern: str) -> tuple[str, str]:
    """All components before the first with a wildcard, and the rest, which is never empty."""
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if set(part) & set("*?[{\\")), len(parts) - 1)
    return "/".join(parts[:fixed]), "/".join(parts[fixed:])


async def _check_start(workspace: Workspace, start: Location, *, files_too: bool) -> bool:
    """True for a directory, False for a file.

    Raises:
        ToolError: nothing is there, or it is neither, or it is a file where only a directory will do.
    """
    try:
        mode = mode_beneath(start)
    except FileNotFoundError:
        raise await missing(workspace, start, "file or directory" if files_too else "directory") from None
    except OSError as error:
        raise ToolError(f"cannot search {start.name}: {reason(error)}") from error
    if stat.S_ISDIR(mode):
        return True
    if not stat.S_ISREG(mode):
        raise ToolError(f"cannot search {start.name}: it is {kind_of(mode)}")
    if not files_too:
        raise ToolError(f"{start.name} is a file, not a directory")
    return False
