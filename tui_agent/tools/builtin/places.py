"""Which file or directory a path of a call means, also where it is nearly right; confinement judges every reading."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from tui_agent.conversation.errors import RefusedError, TuiAgentError, WorkspaceError
from tui_agent.workspace.paths import MAX_PATH_BYTES, Location, Workspace, quoted

MAX_READINGS: Final = 32
"""How many readings of one path are looked for."""

_QUOTES: Final = "\"'`"


class Place(NamedTuple):
    """What a path means, and how it was repaired, for people."""

    location: Location
    repairs: tuple[str, ...] = ()


def find_place(workspace: Workspace, text: str, *, for_write: bool = False) -> Place:
    """What `text` means: what it says, if that is there; else the one thing that is there and that it nearly says.

    Nearly is: with quotes or blanks around it, with backslashes for slashes, with a slash after a file, or absolute for
    a path below the working directory (a path that exists as it is written is never read otherwise). A file that is
    to be written need not be there; its directory must be, unless all that is wrong are quotes or blanks.

    Raises:
        WorkspaceError: not a usable path, or the working directory has gone.
        RefusedError: outside the working and allowed directories.
    """
    said: Location | None = None
    trouble: TuiAgentError | None = None
    try:
        said = workspace.resolve(text, for_write=for_write)
    except (WorkspaceError, RefusedError) as error:
        trouble = error
    if said is not None and os.path.lexists(said.path):
        return Place(said)
    found: dict[str, Location] = {}
    for reading in islice(_readings(workspace, text), MAX_READINGS):
        try:
            location = workspace.resolve(reading, for_write=for_write)
        except (WorkspaceError, RefusedError):
            continue
        if os.path.lexists(location.path) or (for_write and _can_hold(workspace, location, reading, text)):
            found[str(location.path)] = location
    if len(found) == 1:
        (location,) = found.values()
        return Place(location, (f"{quoted(text)} → {quoted(location.name)}",))
    if said is None:
        assert trouble is not None
        raise trouble
    return Place(said)


def _readings(workspace: Workspace, text: str) -> Iterator[str]:
    for each in dict.fromkeys((text, _bare(text))):
        for slashed in dict.fromkeys((each, each.replace("\\", "/"))):
            for path in dict.fromkeys((slashed, slashed.rstrip("/"))):
                if path and path != text:
                    yield path
                yield from _below(workspace, path)


def _bare(text: str) -> str:
    """Without quotes and blanks around it."""
    return text.strip().strip(_QUOTES).strip()


def _below(workspace: Workspace, path: str) -> Iterator[str]:
    """An absolute path to nothing, in a directory that is not there, taken as one below the working directory or behind
    that directory's name."""
    if not path.startswith("/") or "\0" in path or len(path) > MAX_PATH_BYTES or _is_real(path):
        return
    parts = [part for part in path.split("/") if part]
    yield "/".join(parts)
    for position, part in enumerate(parts[:-1], start=1):
        if part == workspace.root.path.name:
            yield "/".join(parts[position:])


def _is_real(path: str) -> bool:
    """True when something is there, or could be: its directory is there, and is not the one at the top."""
    parent = path.rstrip("/").rpartition("/")[0]
    try:
        return os.path.lexists(path) or (parent.strip("/") != "" and os.path.lexists(parent))
    except ValueError:  # a lone surrogate
        return True


def _can_hold(workspace: Workspace, location: Location, reading: str, text: str) -> bool:
    """True when a new file may be meant: only what is around the path was wrong, or its directory is there."""
    bare = _bare(text)
    if bare.endswith(("/", "\\")):
        return False
    parent = location.path.parent
    return reading == bare or (parent != workspace.root.path and parent.is_dir())
