"""What the user made of proposed changes: the plan that is written instead, and what a model hears of it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from tui_agent.conversation.errors import ToolError
from tui_agent.permissions.approval import Reviewed
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import FileDiff, diff_change, unified
from tui_agent.workspace.hunks import ACCEPTED, REJECTED, assemble, is_one_unit, to_bytes, what_became

MAX_LINES: Final = 200
"""Lines of what the user changed, and again of what was refused, that a model is told of one file."""
MAX_COLUMNS: Final = 300
"""Characters of one of these lines."""
MAX_HEADERS: Final = 40


def as_proposed(plan: ChangePlan, files: Sequence[Reviewed]) -> bool:
    """Whether every file is to be written as it was proposed."""
    return [file.after for file in files] == [change.after for change in plan.changes]


def refuses_all(plan: ChangePlan, files: Sequence[Reviewed]) -> bool:
    """Whether nothing is to be written."""
    return all(_stays(change, file) for change, file in zip(plan.changes, files, strict=False))


def reviewed(plan: ChangePlan, files: Sequence[Reviewed]) -> ChangePlan:
    """The plan with what the user made of each file; files that were refused are not in it.

    Raises:
        ToolError: the answers are not about these files.
    """
    if len(files) != len(plan.changes):
        raise ToolError("the answer is about other files than were proposed")
    return ChangePlan(
        tuple(
            replace(change, after=file.after)
            for change, file in zip(plan.changes, files, strict=True)
            if file.after is not None and not _stays(change, file)
        )
    )


def comments(plan: ChangePlan, files: Sequence[Reviewed], comment: str) -> str:
    """What the user says to the model: of the whole, then of single hunks, which are named by their lines."""
    said = [comment] if comment else []
    for change, file in zip(plan.changes, files, strict=False):
        if not file.comments:
            continue
        hunks = diff_change(change).hunks
        for number, text in file.comments:
            lines = f" ({hunks[number - 1].header})" if 0 < number <= len(hunks) else ""
            said.append(f"on hunk {number}{lines} of {change.name}: {text}" if number else f"on {change.name}: {text}")
    return "; ".join(said)


def _stays(change: FileChange, file: Reviewed) -> bool:
    return file.after is None or file.after == change.before


def what_was_made(plan: ChangePlan, files: Sequence[Reviewed]) -> str:
    """For the model: of each file what was applied, what the user changed, and what was refused; bounded."""
    return "\n".join(line for change, file in zip(plan.changes, files, strict=True) for line in _of_file(change, file))


def _of_file(change: FileChange, file: Reviewed) -> Iterator[str]:
    if _stays(change, file):
        yield f"{change.name}: refused by the user; nothing was written there"
        return
    if file.after is None or file.after == change.after:
        yield f"{change.name}: written as proposed"
        return
    diff = diff_change(change)
    file = _by_hunks(diff, file)
    numbers = range(1, len(diff.hunks) + 1)
    applied = [number for number in numbers if number not in {*file.refused, *file.edited}]
    counts = f"{len(applied)} applied as proposed, {len(file.edited)} changed by the user, {len(file.refused)} refused"
    hunks = "1 hunk" if len(diff.hunks) == 1 else f"{len(diff.hunks):,} hunks"
    yield f"{change.name}: written, but not as proposed. Of {hunks}: {counts}"
    if applied:
        yield f"applied as proposed: {_headers(diff, applied)}"
    if file.edited:
        yield f"changed by the user: {_headers(diff, file.edited)}"
    kept = _kept(change, diff, file)
    if kept != file.after:
        yield "from what you proposed (-) to what was written (+):"
        made = replace(change, before=kept, after=file.after, match="")
        yield unified(diff_change(made), MAX_LINES, MAX_COLUMNS)
    if file.refused:
        yield "refused by the user, so the lines with - are still there and those with + are not:"
        yield from _refused(diff, file.refused)


def _by_hunks(diff: FileDiff, file: Reviewed) -> Reviewed:
    """What became of each hunk; a face that has no hunks says nothing but the bytes, and then it is seen from them.

    Raises:
        ToolError: the answer is about hunks that are not there.
    """
    if not all(0 < number <= len(diff.hunks) for number in (*file.refused, *file.edited)):
        raise ToolError("the answer is about hunks that the proposal does not have")
    if file.after is None or file.refused or file.edited:
        return file
    if diff.encoding == "binary":
        return replace(file, edited=tuple(range(1, len(diff.hunks) + 1)))
    refused, edited = what_became(diff, file.after.decode(diff.encoding, "surrogateescape"))
    return replace(file, refused=refused, edited=edited)


def _kept(change: FileChange, diff: FileDiff, file: Reviewed) -> bytes:
    """What would have been written of the hunks that were not refused, had the user changed nothing in them."""
    if is_one_unit(change, diff) or not file.refused:
        return change.after
    choices = [REJECTED if number in file.refused else ACCEPTED for number in range(1, len(diff.hunks) + 1)]
    return to_bytes(assemble(diff.before, diff.hunks, choices), diff.encoding)


def _headers(diff: FileDiff, numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - MAX_HEADERS:,} more" if len(numbers) > MAX_HEADERS else ""
    some = [f"hunk {number} {diff.hunks[number - 1].header}" for number in numbers[:MAX_HEADERS]]
    return ", ".join(some) + more


def _refused(diff: FileDiff, numbers: Iterable[int]) -> Iterator[str]:
    shown = left_out = 0
    for number in numbers:
        hunk = diff.hunks[number - 1]
        lines = [f"{'+' if row.side == 'added' else '-'}{row.text}" for row in hunk.rows if row.side != "context"]
        if shown >= MAX_LINES:
            left_out += len(lines)
            continue
        yield f"hunk {number} {hunk.header}"
        for line in lines[: MAX_LINES - shown]:
            yield line if len(line) <= MAX_COLUMNS else f"{line[:MAX_COLUMNS]}… {len(line) - MAX_COLUMNS:,} more"
        left_out += max(0, len(lines) - (MAX_LINES - shown))
        shown += len(lines)
    if left_out:
        yield f"… {left_out:,} more lines were refused"
