"""A prepared change: exactly the bytes that were shown are the bytes that are written, or nothing is."""

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tui_agent.conversation.errors import WorkspaceError

if TYPE_CHECKING:
    from tui_agent.workspace.paths import Location, Workspace


class StaleChange(WorkspaceError):
    """What a change was prepared against is not there any more; nothing was written."""


class FileIdentity(Struct, frozen=True):
    """Which file, holding which bytes, a change was prepared against."""

    device: int
    inode: int
    sha256: str


class FileChange(Struct, frozen=True):
    """One file before and after.

    `path` is absolute and resolved; `name` is what people and models see (relative to the working directory where
    possible). `before is None` means the file does not exist yet; then `identity` is None too. `match` says how an
    edit found its place when that was not an exact match (for the row and the model), else "".
    """

    path: str
    name: str
    before: bytes | None
    after: bytes
    identity: FileIdentity | None
    match: str = ""


class ChangePlan(Struct, frozen=True, dict=True):
    """All changes of one call, resolved once; shown, approved and applied as one value."""

    changes: tuple[FileChange, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every path, before and after: what an approval is bound to."""
        sha = hashlib.sha256()
        for change in self.changes:
            for part in (change.path.encode("utf-8", "surrogateescape"), change.before, change.after):
                sha.update(b"-" if part is None else b"%d:" % len(part) + part)
        return sha.hexdigest()


def apply(plan: ChangePlan, workspace: "Workspace") -> None:
    """Write exactly the `after` bytes of every change, once each file is known to be the one that was shown.

    All files are checked before the first is written. Directories that a new file needs are made beneath the root.

    Raises:
        StaleChange: a file changed, appeared, vanished or moved since the plan was prepared.
        WorkspaceError: a file cannot be written; its old content is intact.
    """
    from tui_agent.workspace.files import write_atomically

    locations = [_checked(change, workspace) for change in plan.changes]
    for location, change in zip(locations, plan.changes, strict=True):
        write_atomically(location, change.after)


def _checked(change: FileChange, workspace: "Workspace") -> "Location":
    from tui_agent.workspace.files import read_bytes

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
