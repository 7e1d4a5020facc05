"""Tools that read files and list directories."""

import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import ReadAccess
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.builtin.nearby import missing
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit
from tui_agent.workspace.files import MissingFile, read_file, reason
from tui_agent.workspace.paths import Location, mode_beneath, open_beneath, quoted
from tui_agent.workspace.putting import kind_of

READ_LINES: Final = 2_000
READ_BYTES: Final = 60_000
LINE_CHARACTERS: Final = 2_000
LIST_ENTRIES: Final = 500

DIRECTORY_ALIASES: Final = {"directory": "path", "dir": "path", "folder": "path"}
FILE_ALIASES: Final = {
    "path": "file_path",
    "filename": "file_path",
    "file": "file_path",
    "target_file": "file_path",
}


class ReadFile:
    """`read_file`."""

    spec = ToolSpec(
        "read_file",
        "Read a text file. Returns its lines, each with its number and a tab before it.",
        {
            "type": "object",
            "properties": {
                "file_path": {"type": "string"},
                "offset": {"type": "integer", "description": "first line, from 1", "minimum": 0, "default": 1},
                "limit": {"type": "integer", "description": "how many lines", "minimum": 1, "default": READ_LINES},
            },
            "required": ["file_path"],
        },
    )
    names = ("file_read",)
    argument_aliases = {**FILE_ALIASES, "start_line": "offset", "max_lines": "limit"}
    argument_fits: Mapping[str, Fit] = {}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location, repairs = self._desk.place(arguments["file_path"])

        async def perform() -> ToolResult:
            try:
                file = await in_thread(read_file, location)
            except MissingFile:
                raise await missing(self._desk.workspace, location, "file") from None
            self._desk.note(location.path, file.identity.sha256)
            first, limit = max(1, arguments["offset"]), min(arguments["limit"], READ_LINES)
            content = shown_lines(file.text, first, limit, numbers=not self._desk.simple)
            if file.encoding != "utf-8":
                content += f"\n[the file's encoding is {file.encoding}]"
            return ToolResult(True, content)

        return Prepared(location.name, ReadAccess((str(location.path),)), perform, repairs)


class ListDirectory:
    """`list_directory`."""

    spec = ToolSpec(
        "list_directory",
        "List a directory.",
        {
            "type": "object",
            "properties": {"path": {"type": "string", "default": "."}},
            "required": ["path"],
        },
    )
    names = ("list_files", "file_list")
    argument_aliases = {**DIRECTORY_ALIASES, "file_path": "path", "directory_path": "path", "folder_path": "path"}
    argument_fits: Mapping[str, Fit] = {}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location, repairs = self._desk.place(arguments["path"])

        async def perform() -> ToolResult:
            try:
                return ToolResult(True, await in_thread(_listing, location))
            except MissingFile:
                raise await missing(self._desk.workspace, location, "directory") from None

        return Prepared(location.name, ReadAccess((str(location.path),)), perform, repairs)


def shown_lines(text: str, first: int = 1, limit: int = READ_LINES, *, numbers: bool = True) -> str:
    """Lines with their numbers, as many as fit; says what is missing and how to get it."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        return "[the file is empty]"
    if first > len(lines):
        raise ToolError(f"the file has only {len(lines)} lines; offset {first} is beyond its end")
    rows: list[str] = []
    room = READ_BYTES
    for number, line in enumerate(lines[first - 1 : first - 1 + limit], start=first):
        if len(line) > LINE_CHARACTERS:
            line = f"{line[:LINE_CHARACTERS]}[… {len(line) - LINE_CHARACTERS:,} characters cut]"
        row = f"{number}\t{line}" if numbers else line
        room -= len(row.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        rows.append(row)
    last = first + len(rows) - 1
    if first > 1 or last < len(lines):
        more = f"; read on with offset {last + 1}" if last < len(lines) else ""
        rows.append(f"[lines {first} to {last} of {len(lines):,}{more}]")
    return "\n".join(rows)


def _listing(location: Location) -> str:
    try:
        descriptor = open_beneath(location, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise MissingFile(f"no such directory: {location.name}") from error
    except NotADirectoryError as error:
        raise _no_directory(location) from error
    except OSError as error:
        raise WorkspaceError(f"cannot list {location.name}: {reason(error)}") from error
    try:
        with os.scandir(descriptor) as entries:
            rows = sorted(_row(entry) for entry in entries)
    finally:
        os.close(descriptor)
    if not rows:
        return "(empty)"
    if len(rows) > LIST_ENTRIES:
        note = f"[{len(rows) - LIST_ENTRIES:,} more of {len(rows):,} entries: use glob_files with a pattern]"
        rows = [*rows[:LIST_ENTRIES], note]
    return "\n".join(rows)


def _no_directory(location: Location) -> WorkspaceError:
    try:
        mode = mode_beneath(location)
    except OSError as error:
        return WorkspaceError(f"cannot list {location.name}: {reason(error)}")
    if stat.S_ISREG(mode):
        return WorkspaceError(f"{location.name} is a file, not a directory: use read_file")
    return WorkspaceError(f"cannot list {location.name}: it is {kind_of(mode)}, not a directory")


def _row(entry: "os.DirEntry[str]") -> str:
    name = quoted(entry.name)
    if entry.is_symlink():
        return f"{name} [link]"
    if entry.is_dir(follow_symlinks=False):
        return f"{name}/"
    if entry.is_file(follow_symlinks=False):
        return name
    return f"{name} [{kind_of(_mode(entry)).split()[-1]}]"


def _mode(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return stat.S_IFREG
