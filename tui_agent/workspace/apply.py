"""Carrying out a prepared change: exactly the bytes that were shown are the bytes that are written, or nothing is."""

import os
from pathlib import Path

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.files import read_bytes, write_atomically
from tui_agent.workspace.paths import Location, Workspace


class StaleChange(WorkspaceError):
    """What a change was prepared against is not there any more; nothing was written."""


def apply(plan: ChangePlan, workspace: Workspace) -> None:
    """Write exactly the `after` bytes of every change, once each file is known to be the one that was shown.

    All files are checked before the first is written. Directories that a new file needs are made beneath the root.

    Raises:
        StaleChange: a file changed, appeared, vanished or moved since the plan was prepared.
        WorkspaceError: a file cannot be written; its old content is intact.
    """
    locations = [_checked(change, workspace) for change in plan.changes]
    for location, change in zip(locations, plan.changes, strict=True):
        write_atomically(location, change.after)


def _checked(change: FileChange, workspace: Workspace) -> Location:
    try:
        location = workspace.resolve(change.path, for_write=True)
    except WorkspaceError as error:
        raise StaleChange(f"{change.name} cannot be used any more: {error.message}") from error
    if location.path != Path(change.path):
        raise StaleChange(f"{change.name} has become a link since the change was prepared")
    if change.identity is None:
        if os.path.lexists(location.path):
            raise StaleChange(f"{change.name} has appeared since the change was prepared")
        return location
    try:
        _, identity = read_bytes(location)
    except WorkspaceError as error:
        raise StaleChange(f"{change.name} cannot be read any more: {error.message}") from error
    if identity != change.identity:
        raise StaleChange(f"{change.name} has changed since the change was prepared")
    return location
