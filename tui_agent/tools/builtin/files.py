"""Tools on files: read, write, edit, list."""

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Any, Final

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import ReadAccess, WriteAccess
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.workspace.apply import apply
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import file_delta
from tui_agent.workspace.edits import find_and_replace
from tui_agent.workspace.files import encode, encode_like, kind_of, read_file
from tui_agent.workspace.paths import Location, open_beneath, quoted

READ_LINES: Final = 2_000
READ_BYTES: Final = 60_000
LINE_CHARACTERS: Final = 2_000
LIST_ENTRIES: Final = 500

_PATH_ALIASES: Final = {"path": "file_path", "filename": "file_path", "file": "file_path"}


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
    argument_aliases = _PATH_ALIASES

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location = self._desk.workspace.resolve(arguments["file_path"])

        async def perform() -> ToolResult:
            if location.path.is_dir():
                raise ToolError(f"{location.name} is a directory: use list_directory")
            file = await in_thread(read_file, location)
            self._desk.note(location.path, file.identity.sha256)
            content = _numbered(file.text, max(1, arguments["offset"]), min(arguments["limit"], READ_LINES))
            if file.encoding != "utf-8":
                content += f"\n[the file's encoding is {file.encoding}]"
            return ToolResult(True, content)

        return Prepared(location.name, ReadAccess((str(location.path),)), perform)


class WriteFile:
    """`write_file`."""

    spec = ToolSpec(
        "write_file",
        "Create a file, or replace all of its content. Read an existing file first.",
        {
            "type": "object",
            "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["file_path", "content"],
        },
    )
    names = ("file_write",)
    argument_aliases = {**_PATH_ALIASES, "text": "content", "contents": "content"}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location = self._desk.workspace.resolve(arguments["file_path"], for_write=True)
        change = await in_thread(self._change, location, arguments["content"], arguments["file_path"])
        return _writing(self._desk, change)

    def _change(self, location: Location, content: str, given: str) -> FileChange:
        if not os.path.lexists(location.path):
            if given.endswith("/"):
                raise ToolError(f"{quoted(given)} names a directory, not a file")
            _check_parents(location)
            return FileChange(str(location.path), location.name, None, encode(content), None)
        file = read_file(location)
        self._desk.require_read(location, file.identity)
        after = encode_like(content, file)
        if after == file.data:
            raise ToolError(f"{location.name} already holds exactly this content; there is nothing to write")
        return FileChange(str(location.path), location.name, file.data, after, file.identity)


class EditFile:
    """`edit_file`."""

    spec = ToolSpec(
        "edit_file",
        "Replace old_string by new_string in a file that was read before. old_string is text of the file, "
        "without line numbers, long enough to be unique.",
        {
            "type": "object",
            "properties": {
                "file_path": {"type": "string"},
                "old_string": {"type": "string"},
                "new_string": {"type": "string"},
                "replace_all": {"type": "boolean", "default": False},
            },
            "required": ["file_path", "old_string", "new_string"],
        },
    )
    names = ()
    argument_aliases = {**_PATH_ALIASES, "old_text": "old_string", "new_text": "new_string"}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location = self._desk.workspace.resolve(arguments["file_path"], for_write=True)
        return _writing(self._desk, await in_thread(self._change, location, arguments))

    def _change(self, location: Location, arguments: Mapping[str, Any]) -> FileChange:
        file = read_file(location)
        self._desk.require_read(location, file.identity)
        old, new = (arguments[name].replace("\r\n", "\n") for name in ("old_string", "new_string"))
        edited = find_and_replace(file.text, old, new, arguments["replace_all"])
        after = encode_like(edited.text, file)
        if after == file.data:
            raise ToolError(f"nothing would change in {location.name}: a file keeps its final newline")
        return FileChange(str(location.path), location.name, file.data, after, file.identity, edited.how)


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
    argument_aliases = {"directory": "path", "dir": "path", "file_path": "path"}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        location = self._desk.workspace.resolve(arguments["path"])

        async def perform() -> ToolResult:
            return ToolResult(True, await in_thread(_listing, location))

        return Prepared(location.name, ReadAccess((str(location.path),)), perform)


def _writing(desk: Desk, change: FileChange) -> Prepared:
    plan = ChangePlan((change,))

    def write() -> ToolResult:
        apply(plan, desk.workspace)
        delta = file_delta(change)
        done = "created" if change.before is None else "changed"
        note = f" ({change.match})" if change.match else ""
        return ToolResult(True, f"{done} {change.name}: +{delta.added} −{delta.removed} lines{note}", (delta,))

    async def perform() -> ToolResult:
        result = await in_thread(write)
        location = desk.workspace.resolve(change.path)
        desk.note(location.path, hashlib.sha256(change.after).hexdigest())
        return result

    return Prepared(change.name, WriteAccess(plan), perform)


def _check_parents(location: Location) -> None:
    for parent in location.path.parents:
        if parent.is_dir():
            return
        if os.path.lexists(parent):
            raise WorkspaceError(f"cannot create {location.name}: {quoted(str(parent))} is not a directory")


def _numbered(text: str, first: int, limit: int) -> str:
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
        row = f"{number}\t{line}"
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
    except NotADirectoryError as error:
        raise WorkspaceError(f"{location.name} is a file, not a directory: use read_file") from error
    except OSError as error:
        raise WorkspaceError(f"cannot list {location.name}: {(error.strerror or str(error)).lower()}") from error
    try:
        with os.scandir(descriptor) as entries:
            rows = sorted(_row(entry) for entry in entries)
    finally:
        os.close(descriptor)
    if not rows:
        return "[the directory is empty]"
    if len(rows) > LIST_ENTRIES:
        note = f"[{len(rows) - LIST_ENTRIES:,} more of {len(rows):,} entries: use glob_files with a pattern]"
        rows = [*rows[:LIST_ENTRIES], note]
    return "\n".join(rows)


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
