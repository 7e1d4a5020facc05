"""What the user made of proposed changes: the plan that is written instead, and what a model hears of it."""

from collections.abc import Sequence

from msgspec.structs import replace

from tui_agent.conversation.errors import ToolError
from tui_agent.permissions.approval import Reviewed
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import diff_change, unified

MAX_LINES = 200


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


def comments(files: Sequence[Reviewed], comment: str) -> str:
    """What the user says to the model: of the whole, then of single hunks."""
    of_hunks = [f"on hunk {hunk}: {text}" if hunk else text for file in files for hunk, text in file.comments]
    return "; ".join([*([comment] if comment else []), *of_hunks])


def _stays(change: FileChange, file: Reviewed) -> bool:
    return file.after is None or file.after == change.before


def what_was_made(plan: ChangePlan, files: Sequence[Reviewed]) -> str:
    """For the model: of each file what was applied, refused and changed, and where what was written differs."""
    return "\n".join(_of_file(change, file) for change, file in zip(plan.changes, files, strict=True))


def _of_file(change: FileChange, file: Reviewed) -> str:
    diff = diff_change(change)
    lines = []
    if _stays(change, file):
        lines.append(f"{change.name}: refused by the user; the file is as it was")
    elif file.after is None or file.after == change.after:
        lines.append(f"{change.name}: written as proposed")
    else:
        said = [f"{len(diff.hunks)} hunk{'' if len(diff.hunks) == 1 else 's'} proposed"]
        said += [f"{what}: {', '.join(map(str, some))}" for what, some in _sorted(file) if some]
        lines.append(f"{change.name}: the user changed the proposal before it was written ({'; '.join(said)})")
        made = replace(change, before=change.after, after=file.after, match="")
        lines.append("from what you proposed to what was written:")
        lines.append(unified(diff_change(made), MAX_LINES))
    return "\n".join(lines)


def _sorted(file: Reviewed) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return (("refused", file.refused), ("changed by the user", file.edited))
