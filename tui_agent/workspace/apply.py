"""Carrying out a prepared change: exactly the bytes that were shown are the bytes that are written, or nothing is."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from tui_agent.conversation.errors import RefusedError, WorkspaceError
from tui_agent.workspace.changes import ChangePlan, FileChange, FolderIdentity
from tui_agent.workspace.files import read_bytes, reason, write_atomically
from tui_agent.workspace.paths import Location, Workspace, folder_above, mode_beneath, open_parent


class StaleChange(WorkspaceError):
    """What a change was prepared against is not there any more; nothing was written.

    Why is found out by preparing the change again.
    """


def apply(plan: ChangePlan, workspace: Workspace) -> None:
    """Write exactly the `after` bytes of every change, once each file is known to be the one that was shown.

    All files are checked before the first is written, and each once more when its bytes lie beside it on the disk and
    only have to be put in its place. Directories that a new file needs are made beneath the root.

    Raises:
        StaleChange: a file changed, appeared, vanished or moved since the plan was prepared.
        WorkspaceError: a file cannot be written; its old content is intact. Those before it are written, and named.
    """
    locations = [_checked(change, workspace) for change in plan.changes]
    written: list[str] = []
    for location, change in zip(locations, plan.changes, strict=True):
        try:
            write_atomically(location, change.after, partial(_check_again, change, workspace))
        except WorkspaceError as error:
            if not written:
                raise
            raise WorkspaceError(f"{error.message}; written before that: {', '.join(written)}", error.hint) from error
        written.append(change.name)


def folder_of(location: Location) -> FolderIdentity:
    """Where a change of this file would take place.

    Raises:
        WorkspaceError: something on the way is not a directory, or has become a link.
    """
    try:
        path, status = folder_above(location)
    except OSError as error:
        raise WorkspaceError(f"cannot use {location.name}: {reason(error)}") from error
    return FolderIdentity(str(path), status.st_dev, status.st_ino)


def _check_again(change: FileChange, workspace: Workspace, directory: int) -> None:
    """At the last moment: `directory`, which is written to, is still the one that the path means."""
    location = _checked(change, workspace, again=True)
    try:
        with open_parent(location) as current:
            same = os.path.samestat(os.fstat(current), os.fstat(directory))
    except OSError as error:
        raise StaleChange(f"{change.name} cannot be reached any more") from error
    if not same:
        raise StaleChange(f"the directory of {change.name} has been replaced since the change was prepared")


def _checked(change: FileChange, workspace: Workspace, *, again: bool = False) -> Location:
    """Where it is; `again` when the directories that it needs may have been made for it."""
    try:
        location = workspace.resolve(change.path, for_write=True)
    except (WorkspaceError, RefusedError) as error:
        raise StaleChange(f"{change.name} cannot be used any more") from error
    if location.path != Path(change.path):
        raise StaleChange(f"{change.name} has become a link since the change was prepared")
    if change.folder is not None:
        shown = replace(location, path=Path(change.folder.path, location.path.name)) if again else location
        try:
            folder = folder_of(shown)
        except WorkspaceError as error:
            raise StaleChange(f"{change.name} cannot be reached any more") from error
        if folder != change.folder:
            raise StaleChange(f"the directory of {change.name} has been replaced since the change was prepared")
    if change.identity is None:
        if _is_there(location):
            raise StaleChange(f"{change.name} has appeared since the change was prepared")
        return location
    try:
        _, identity = read_bytes(location)
    except WorkspaceError as error:
        raise StaleChange(f"{change.name} cannot be read any more") from error
    if identity != change.identity:
        raise StaleChange(f"{change.name} has changed since the change was prepared")
    return location


def _is_there(location: Location) -> bool:
    try:
        mode_beneath(location)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StaleChange(f"{location.name} cannot be reached any more") from error
    return True
