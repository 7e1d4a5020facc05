"""A question in plain lines: what a call wants to do, shown exactly, why it asks, and what was made of it."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from tui_agent.permissions.approval import (
    ApprovalRequest,
    CommandAccess,
    ForeignAccess,
    ReadAccess,
    Reviewed,
    WriteAccess,
)
from tui_agent.text.sanitize import hidden_count, one_line, sanitize
from tui_agent.workspace.changes import FileChange
from tui_agent.workspace.diff import FileDiff, diff_change, unified

_ALL: Final = 10**9


def head(request: ApprovalRequest, *, edited: bool) -> str:
    """Who wants what, in a line."""
    access, title = request.access, one_line(request.title)
    match access:
        case CommandAccess():
            wants = "wants to run a command"
        case WriteAccess(plan) if len(plan.changes) == 1:
            made = plan.changes[0].before is None
            wants = f"wants to {'create' if made else 'change'} {_shown(plan.changes[0].name)}"
        case WriteAccess(plan):
            wants = f"wants to write {len(plan.changes)} files"
        case ReadAccess():
            wants = f"wants to read {title}"
        case _:
            wants = f"wants to run: {title}"
    place = f"  ({request.position} of {request.total})" if request.total > 1 else ""
    return f"{_shown(request.tool)} {wants}{place}{', edited by you' if edited else ''}"


def body(request: ApprovalRequest, command: str, files: Sequence[Reviewed]) -> list[str]:
    """All of what would be run or written, or handed to a tool: `command` and `files` in place of what was proposed,
    if the user made something of it. Characters that nobody would see are spelled out."""
    match request.access:
        case CommandAccess() as access:
            return _numbered(command or access.command)
        case WriteAccess(plan):
            return [line for diff in _diffs(plan.changes, files) for line in _diff_lines(diff)]
        case ForeignAccess(arguments):
            return _numbered(json.dumps(arguments, indent=2, ensure_ascii=False))
        case ReadAccess(paths):
            return [f"  {_shown(path)}" for path in paths]
        case _:
            return []


def facts(request: ApprovalRequest, command: str, files: Sequence[Reviewed]) -> list[str]:
    """Counts, where it runs, its simple commands with what covers each, and why it asks."""
    return [_shown(line) for line in _facts(request, command, files)]


def _facts(request: ApprovalRequest, command: str, files: Sequence[Reviewed]) -> Iterator[str]:
    access = request.access
    if isinstance(access, CommandAccess):
        yield _measures(command or access.command)
        network = "with" if access.network and not command else "without"
        sandbox = f"runs in {access.sandbox}, {network} network"
        kept = sandbox if access.sandbox else "no sandbox: it can do what you can"
        ends = "runs in the background" if access.background else f"stopped after {access.timeout:g} s"
        yield f"{kept}; in {access.working_directory}; {ends}"
        if command:
            yield "edited by you: what is said of it below is about the proposal"
        for number, part in enumerate(request.parts if len(request.parts) > 1 else (), 1):
            yield f"{number}  {part.text}   {part.covered_by or f'asks: {part.reason}'}"
    elif isinstance(access, ForeignAccess):
        yield "what this tool does cannot be seen from here"
    elif isinstance(access, WriteAccess):
        for change, diff in zip(access.plan.changes, _diffs(access.plan.changes, files), strict=True):
            yield f"writes {change.path}  +{diff.added:,} -{diff.removed:,}"
    for repair in request.repairs:
        yield f"repaired: {repair}"
    reasons = request.further_reasons if isinstance(access, CommandAccess) else request.reasons
    for reason in reasons:
        yield f"ask because: {reason}"
    if request.session_grant:
        yield f"for this session: {request.session_grant}"
    if request.following:
        count = len(request.following)
        yield f"{count:,} more {'change' if count == 1 else 'changes'} of this reply will ask next"


def folded(lines: Sequence[str], width: int) -> list[str]:
    """The lines as a terminal of this width breaks them, so that they can be counted."""
    width = max(20, width)
    return [line[start : start + width] for line in lines for start in range(0, len(line) or 1, width)]


def after(change: FileChange, files: Sequence[Reviewed], place: int) -> bytes:
    """What would be written to a file, as far as the user has left it to be written."""
    made = files[place].after if files else None
    return change.after if made is None else made


def _diffs(changes: Sequence[FileChange], files: Sequence[Reviewed]) -> list[FileDiff]:
    return [diff_change(replace(change, after=after(change, files, place))) for place, change in enumerate(changes)]


def _diff_lines(diff: FileDiff) -> list[str]:
    lines = unified(replace(diff, name=_shown(diff.name)), _ALL, _ALL).split("\n")
    # The sign apart: a tab behind it indents.
    return [*(f"({note})" for note in diff.notes), *(line[:1] + _shown(line[1:]) for line in lines)]


def _numbered(text: str) -> list[str]:
    lines = text.split("\n")
    digits = len(str(len(lines)))
    return [f"  {number:>{digits}}  {_shown(line)}" for number, line in enumerate(lines, 1)]


def _measures(command: str) -> str:
    counts = [_count(command.count("\n") + 1, "line"), _count(len(command), "character")]
    if hidden := hidden_count(command):
        counts.append(f"{hidden:,} hidden")
    return ", ".join(counts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _shown(line: str) -> str:
    return sanitize(line, "approval").replace("\n", "<U+000A>")
