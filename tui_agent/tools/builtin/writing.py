"""Tools that write files: whole, or one place of them."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.conversation.messages import ToolSpec
from tui_agent.permissions.approval import ReadAccess, Reviewed, WriteAccess
from tui_agent.permissions.sensitive import is_secret
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.builtin.files import FILE_ALIASES, LINE_CHARACTERS, shown_lines
from tui_agent.tools.builtin.nearby import missing
from tui_agent.tools.builtin.places import Place
from tui_agent.tools.protocol import Prepared, ToolContext, ToolResult
from tui_agent.tools.repair import Fit, whole_number_as_text
from tui_agent.tools.reviewing import reviewed, what_was_made
from tui_agent.workspace.apply import apply, folder_of
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import file_delta
from tui_agent.workspace.edits import find_and_replace
from tui_agent.workspace.files import FileText, MissingFile, encode, encode_like, read_file
from tui_agent.workspace.paths import Location, quoted
from tui_agent.workspace.quoting import changed_lines, count_lines, left_over

SHOWN_BYTES: Final = 4_000
"""A file of at most this size is shown at once to a model that would change it without having read it."""


REPLACING: Final = "To replace all of it, make the same call again."
CHANGING: Final = (
    "To change a part or to add something, call edit_file: old_string is a line of the file, new_string is that line "
    "with the change or with the new lines."
)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A change, and what the model is told when it is made."""

    change: FileChange
    report: str
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unread:
    """The model does not know the file as it is; `why` says so behind the name."""

    why: str


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
    argument_aliases = {
        **FILE_ALIASES,
        "text": "content",
        "contents": "content",
        "file_content": "content",
        "file_text": "content",
        "data": "content",
        "code": "content",
    }
    argument_fits: Mapping[str, Fit] = {"content": whole_number_as_text}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        place = self._desk.place(arguments["file_path"], for_write=True)
        given = place.location.name if place.repairs else arguments["file_path"]
        planned = await in_thread(self._plan, place.location, arguments["content"], given)
        if isinstance(planned, _Unread):
            return _showing(self._desk, place, planned, lambda file: CHANGING if self._desk.simple else REPLACING)
        return _writing(self._desk, planned, place.repairs)

    def _plan(self, location: Location, content: str, given: str) -> _Planned | _Unread:
        if not os.path.lexists(location.path):
            if given.endswith("/"):
                raise ToolError(f"{quoted(given)} names a directory, not a file")
            return _creation(location, content)
        file = read_file(location)
        if unread := _unread(self._desk, location, file, "write_file"):
            return unread
        if self._desk.simple and _loses_most(file.text, content):
            most = f"this would take most of the lines out of {location.name}, so nothing was changed"
            raise ToolError(f"{most}. {CHANGING}")
        after = encode_like(content, file)
        if after == file.data:
            raise ToolError(f"{location.name} already holds exactly this content; nothing to do")
        change = _change(location, file, after)
        return _Planned(change, f"replaced all of {location.name}: it holds {count_lines(content)} now")


class EditFile:
    """`edit_file`."""

    spec = ToolSpec(
        "edit_file",
        "Replace old_string by new_string in a file. Read it first; old_string is text of it, without line numbers, "
        "long enough to be unique.",
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
    argument_aliases = {
        **FILE_ALIASES,
        "old_text": "old_string",
        "new_text": "new_string",
        "old_str": "old_string",
        "new_str": "new_string",
        "old_content": "old_string",
        "new_content": "new_string",
        "old_code": "old_string",
        "new_code": "new_string",
        "old": "old_string",
        "new": "new_string",
        "search": "old_string",
        "find": "old_string",
        "replace": "new_string",
        "replacement": "new_string",
    }
    argument_fits: Mapping[str, Fit] = {"old_string": whole_number_as_text, "new_string": whole_number_as_text}

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """As `Tool.prepare`."""
        desk = self._desk
        place = desk.place(arguments["file_path"], for_write=True)
        old, new = (arguments[name].replace("\r\n", "\n") for name in ("old_string", "new_string"))
        replace_all: bool = arguments["replace_all"]
        try:
            planned = await in_thread(self._plan, place.location, old, new, replace_all)
        except MissingFile:
            raise await missing(desk.workspace, place.location, "file", "To create it, use write_file.") from None
        except WorkspaceError as error:
            raise WorkspaceError(desk.quoting(error.message), error.hint) from None
        if isinstance(planned, _Unread):
            return _showing(desk, place, planned, lambda file: _what_next(file, old, new, replace_all, place))
        return _writing(desk, planned, place.repairs)

    def _plan(self, location: Location, old: str, new: str, replace_all: bool) -> _Planned | _Unread:
        if not old and not os.path.lexists(location.path):
            return _creation(location, new, ("empty old_string → new file",))
        file = read_file(location)
        known = self._desk.simple and not is_secret(location.name) and bool(old.strip()) and file.text.count(old) == 1
        if not known and (unread := _unread(self._desk, location, file, "edit_file")):
            return unread
        everywhere = self._desk.simple and old.isidentifier() and new.isidentifier()
        edited = find_and_replace(file.text, old, new, replace_all or everywhere, location.name)
        after = encode_like(edited.text, file)
        if after == file.data:
            raise ToolError(f"nothing would change in {location.name}: a file keeps its final newline")
        change = _change(location, file, after, edited.how)
        count = f"{edited.count:,} replacement{'' if edited.count == 1 else 's'}"
        how = f" ({edited.how})" if edited.how else ""
        report = f"edited {location.name}: {count}{how}. It now reads:\n{changed_lines(file.text, edited.text)}"
        report = self._desk.quoting(report) + left_over(old, new, edited.text)
        return _Planned(change, report, (edited.how,) if edited.how else ())


def _loses_most(before: str, after: str) -> bool:
    """Fewer than half of the lines that hold something are left."""
    held = [line.strip() for line in before.splitlines() if line.strip()]
    left = {line.strip() for line in after.splitlines()}
    return len(held) > 2 and sum(line in left for line in held) * 2 < len(held)


def _creation(location: Location, content: str, repairs: tuple[str, ...] = ()) -> _Planned:
    for parent in location.path.parents:
        if parent.is_dir():
            break
        if os.path.lexists(parent):
            raise WorkspaceError(f"cannot create {location.name}: {quoted(str(parent))} is not a directory")
    folder = folder_of(location)
    change = FileChange(str(location.path), location.name, None, encode(content), None, folder=folder)
    return _Planned(change, f"created {location.name}: {count_lines(content)}", repairs)


def _change(location: Location, file: FileText, after: bytes, match: str = "") -> FileChange:
    folder = folder_of(location)
    return FileChange(str(location.path), location.name, file.data, after, file.identity, match, folder)


def _writing(desk: Desk, planned: _Planned, repairs: tuple[str, ...]) -> Prepared:
    repairs = (*repairs, *planned.repairs)
    plan = ChangePlan((planned.change,))

    def on_review(files: Sequence[Reviewed]) -> Prepared:
        return _performing(desk, reviewed(plan, files), what_was_made(plan, files), repairs)

    return replace(_performing(desk, plan, planned.report, repairs), on_review=on_review)


def _performing(desk: Desk, plan: ChangePlan, report: str, repairs: tuple[str, ...]) -> Prepared:
    def write() -> ToolResult:
        apply(plan, desk.workspace)
        return ToolResult(True, report, tuple(map(file_delta, plan.changes)))

    async def perform() -> ToolResult:
        result = await in_thread(write)
        for change in plan.changes:
            desk.note(Path(change.path), hashlib.sha256(change.after).hexdigest())
        return result

    return Prepared(plan.changes[0].name, WriteAccess(plan), perform, repairs)


def _unread(desk: Desk, location: Location, file: FileText, tool: str) -> _Unread | None:
    """None when the model knows the file as it is now.

    Raises:
        ToolError: it does not, and the file is too large to be shown by the way.
    """
    why = desk.why_unknown(location, file.identity)
    if not why:
        return None
    if len(file.data) <= SHOWN_BYTES and all(len(line) <= LINE_CHARACTERS for line in file.text.split("\n")):
        return _Unread(why)
    call = json.dumps({"file_path": location.name})
    raise ToolError(f"{location.name} {why}, so nothing was changed. Call read_file with {call}, then {tool} again")


def _showing(desk: Desk, place: Place, unread: _Unread, what_next: Callable[[FileText], str]) -> Prepared:
    """In place of the change: read the file to the model. It is a read, and the policy decides on it as such."""
    location = place.location

    async def perform() -> ToolResult:
        file = await in_thread(read_file, location)
        desk.note(location.path, file.identity.sha256)
        shown = shown_lines(file.text, numbers=not desk.simple)
        lead = f"{location.name} {unread.why}, so nothing was changed yet. It holds:"
        return ToolResult(False, f"{lead}\n{shown}\n{what_next(file)}")

    return Prepared(location.name, ReadAccess((str(location.path),)), perform, place.repairs)


def _what_next(file: FileText, old: str, new: str, replace_all: bool, place: Place) -> str:
    try:
        find_and_replace(file.text, old, new, replace_all, place.location.name)
    except WorkspaceError as error:
        return f"{error.message}. {error.hint}" if error.hint else error.message
    return "The edit fits: make the same call again."
