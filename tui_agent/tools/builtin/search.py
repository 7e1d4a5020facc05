"""Tools that find files by name and text by regular expression."""

import stat
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from tui_agent.conversation.errors import ToolError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import ReadAccess
from tui_agent.permissions.sensitive import is_secret
from tui_agent.text.globs import compile_glob
from tui_agent.tools.builtin.desk import Desk
from tui_agent.tools.builtin.files import DIRECTORY_ALIASES
from tui_agent.tools.builtin.finder import Query, Row, list_files, matching_rows
from tui_agent.tools.builtin.nearby import missing
from tui_agent.tools.builtin.places import find_place
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit, whole_number_as_text
from tui_agent.workspace.files import kind_of
from tui_agent.workspace.paths import Location, Workspace, quoted

GLOB_FILES: Final = 500
GREP_MATCHES: Final = 200
FILES_COUNTED: Final = 10_000
"""Up to how many files are counted where nothing was found."""
GREP_BYTES: Final = 60_000
LINE_CHARACTERS: Final = 500
MAX_CONTEXT: Final = 10


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
        start, repairs = find_place(workspace, path)
        accepts = _accepting(pattern)

        async def perform() -> ToolResult:
            await _check_start(workspace, start, files_too=False)
            found: list[str] = []
            note: list[str] = []
            async with aclosing(list_files(start, pattern)) as names:
                async for name in names:
                    if not accepts(name):
                        continue
                    if len(found) == GLOB_FILES:
                        note = [f"[the first {GLOB_FILES} files; there are more: use a narrower pattern or a path]"]
                        break
                    found.append(quoted(workspace.name_of(start.path / name)))
            return ToolResult(True, "\n".join(found + note) or f"no files match {quoted(pattern)} in {start.name}")

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
        start, repairs = find_place(workspace, arguments["path"])
        glob = arguments.get("glob", "")
        pattern = _checked(arguments["pattern"])
        # A small model knows nothing of the flag; what it writes without a capital it means in any case.
        exact_case = arguments["case_sensitive"] and not (self._desk.simple and pattern == pattern.lower())
        query = Query(pattern, exact_case, _context(arguments), glob, GREP_MATCHES)
        accepts = _accepting(glob) if glob else lambda name: True

        async def perform() -> ToolResult:
            walks = await _check_start(workspace, start, files_too=True)
            report = _Report(workspace.name_of, start.path if walks else start.path.parent, query.context > 0)
            async with aclosing(matching_rows(start, query, walks=walks)) as rows:
                async for row in rows:
                    wanted = not walks or (accepts(row.path) and not is_secret(row.path))
                    if wanted and not report.take(row):
                        break
            if found := report.text():
                return ToolResult(True, found)
            count = await _counted(start, glob, accepts) if walks else "1 file"
            among = f" (files like {quoted(glob)})" if glob and walks else ""
            return ToolResult(True, f"no match for {quoted(query.pattern)} in {start.name}{among}: {count} searched")

        return Prepared(query.pattern, ReadAccess((str(start.path),)), perform, repairs)


class _Report:
    """The result as text, as far as the bounds allow; groups of lines are told apart when there is context."""

    def __init__(self, name_of: Callable[[Path], str], start: Path, groups: bool) -> None:
        self._name_of = name_of
        self._start = start
        self._groups = groups
        self._lines: list[str] = []
        self._matches = 0
        self._room = GREP_BYTES
        self._last: Row | None = None

    def take(self, row: Row) -> bool:
        """Add a row; False when there is no room for it, which is then noted."""
        if self._room <= 0 or (row.matches and self._matches == GREP_MATCHES):
            self._lines.append(f"[the first {self._matches} matches; there are more: narrow the pattern, glob or path]")
            return False
        last, self._last = self._last, row
        if self._groups and last is not None and (last.path, last.number + 1) != (row.path, row.number):
            self._lines.append("--")
        mark = ":" if row.matches else "-"
        text = row.text
        if len(text) > LINE_CHARACTERS:
            text = f"{text[:LINE_CHARACTERS]}[… {len(text) - LINE_CHARACTERS:,} characters cut]"
        line = f"{quoted(self._name_of(self._start / row.path))}{mark}{row.number}{mark}{text}"
        self._lines.append(line)
        self._room -= len(line.encode("utf-8", "replace")) + 1
        self._matches += row.matches
        return True

    def text(self) -> str:
        """All of it; "" when there was nothing."""
        return "\n".join(self._lines)


async def _counted(start: Location, glob: str, accepts: Callable[[str], bool]) -> str:
    """How many files there are to search, in words."""
    count = 0
    async with aclosing(list_files(start, glob or "*")) as names:
        async for name in names:
            count += accepts(name) and not is_secret(name)
            if count == FILES_COUNTED:
                return f"more than {count - 1:,} files"
    return f"{count:,} file{'' if count == 1 else 's'}"


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


def _accepting(pattern: str) -> Callable[[str], bool]:
    try:
        return compile_glob(pattern)
    except ValueError as error:
        raise ToolError(f"cannot use the pattern {quoted(pattern)}: {error}") from error


def _split_absolute(path: str, pattern: str) -> tuple[str, str]:
    """An absolute pattern begins with the directory to search: all components before the first with a wildcard."""
    if not pattern.startswith("/"):
        return path, pattern
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if set(part) & set("*?[{\\")), len(parts) - 1)
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


async def _check_start(workspace: Workspace, start: Location, *, files_too: bool) -> bool:
    """True for a directory, False for a file.

    Raises:
        ToolError: nothing is there, or it is neither, or it is a file where only a directory will do.
    """
    try:
        mode = start.path.lstat().st_mode
    except FileNotFoundError:
        raise await missing(workspace, start, "file or directory" if files_too else "directory") from None
    except OSError as error:
        raise ToolError(f"cannot search {start.name}: {(error.strerror or str(error)).lower()}") from error
    if stat.S_ISDIR(mode):
        return True
    if not stat.S_ISREG(mode):
        raise ToolError(f"cannot search {start.name}: it is {kind_of(mode)}")
    if not files_too:
        raise ToolError(f"{start.name} is a file, not a directory")
    return False
