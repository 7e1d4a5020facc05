"""A plan as a document: found in the log, kept in a file, told to the model."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.conversation.events import (
    AssistantReplied,
    ModeChanged,
    PromptSubmitted,
    Rewound,
    SessionStarted,
    ToolFinished,
)
from tui_agent.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.workspace.paths import Workspace


class FileThere(WorkspaceError):
    """There is a file of this name already."""


def latest_plan(records: "Sequence[Record]") -> str:
    """The Markdown that the latest turn in plan mode ended with, and the steps that it kept; "" when there is none.

    It can be shown: no control characters are in it.
    """
    answer: AssistantReplied | None = None
    steps = ""
    found: tuple[str, str] | None = None  # of turns whose mode is not known yet: the latest one with an answer
    gone = math.inf  # from this event on it was rewound; the modes since then were in force all the same
    for record in reversed(records):
        match record.event:
            case Rewound(before_seq=seq):
                gone = min(gone, seq)
            case AssistantReplied() | ToolFinished() | PromptSubmitted() if record.seq >= gone:
                pass
            case AssistantReplied() as reply if found is None and answer is None and _is_answer(reply):
                answer = reply
            case ToolFinished(tool="update_plan", status="ok", content=content) if answer is not None and not steps:
                steps = content
            case PromptSubmitted() if answer is not None and found is None:
                found = answer.text, steps
            case ModeChanged(mode) | SessionStarted(mode=mode):
                if answer is not None and found is None:
                    found = answer.text, steps  # the mode was changed in the middle of the turn
                if mode == "plan" and found is not None:
                    return _document(*found)
                answer, steps, found = None, "", None
            case _:
                pass
    return ""


def _is_answer(reply: AssistantReplied) -> bool:
    return bool(reply.text.strip()) and not reply.tool_calls and reply.finish != "incomplete"


def _document(answer: str, steps: str) -> str:
    kept = [line for line in sanitize(steps).splitlines() if line.startswith("[")]
    listed = "\n".join("- " + line.replace("[>]", "[ ]", 1) for line in kept)
    return sanitize(answer).strip() + (f"\n\n## Steps\n\n{listed}" if listed else "") + "\n"


def carrying_out_prompt(plan: str, *, edited: bool) -> str:
    """What the model is told when the user accepted a plan."""
    if edited:
        said = "Carry out this plan now. The user edited it: follow it as it stands here, not as you wrote it."
    else:
        said = "Carry out this plan now, as you wrote it."
    return f"{said} Plan mode is over.\n\n<plan>\n{plan.strip()}\n</plan>"


def revising_prompt(comment: str, plan: str) -> str:
    """What the model is told when the user wants another plan; `plan` is what the user made of it, if anything."""
    said = f"Change the plan, and end with all of the new one: {comment.strip()}"
    return f"{said}\n\nThe user has edited it already:\n\n<plan>\n{plan.strip()}\n</plan>" if plan else said


def save_plan(workspace: "Workspace", name: str, text: str, *, replace: bool) -> str:
    """Write a plan to a file of the workspace, whole or not at all; its name as people know it.

    Raises:
        FileThere: there is such a file, and it is not to be replaced.
        TuiAgentError: it cannot be written there, or must not be.
    """
    from tui_agent.conversation.errors import RefusedError
    from tui_agent.permissions.sensitive import is_control, is_secret
    from tui_agent.workspace.apply import apply, folder_of
    from tui_agent.workspace.changes import ChangePlan, FileChange
    from tui_agent.workspace.files import MissingFile, encode, read_bytes

    location = workspace.resolve(name, for_write=True)
    path = str(location.path)
    if is_control(path) or is_secret(path):
        kind = "control" if is_control(path) else "secret"
        raise RefusedError(f"{location.name} is a {kind} file, and no place for a plan", "name another one")
    before = identity = None
    try:
        before, identity = read_bytes(location)
    except MissingFile:
        pass
    if before is not None and not replace:
        raise FileThere(f"{location.name} is there already", "enter once more replaces it")
    change = FileChange(path, location.name, before, encode(text), identity, folder=folder_of(location))
    apply(ChangePlan((change,)), workspace)
    return location.name
