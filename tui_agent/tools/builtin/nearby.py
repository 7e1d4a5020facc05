"""What a missing path may have meant: names of the workspace that are like it."""

import asyncio
import os
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Final, Literal

from tui_agent.conversation.errors import ToolError, WorkspaceError
from tui_agent.tools.builtin.finder import list_files
from tui_agent.workspace.paths import Location, Workspace, mode_beneath, quoted

NAMES: Final = 20_000
SECONDS: Final = 2.0
SHOWN: Final = 3
_LIKE: Final = 70
"""How alike two names have to be, in percent."""


Kind = Literal["file", "directory", "file or directory"]


async def missing(workspace: Workspace, location: Location, kind: Kind, more: str = "") -> ToolError:
    """The error for a path where nothing is, with the names that are most like it, in other directories too.

    `more` is said at the end.
    """
    near = await _near(workspace, location, kind)
    hint = f"Did you mean {' or '.join(near)}?" if near else "list_directory shows what is there."
    return ToolError(f"no such {kind}: {location.name}", f"{hint} {more}".rstrip())


async def _near(workspace: Workspace, location: Location, kind: Kind) -> list[str]:
    from rapidfuzz import fuzz

    wanted = location.path.name.casefold()
    parent = location.path.parent
    ranked: dict[str, tuple[float, bool, str]] = {}
    for path in await _paths(location, kind):
        found = location.root.path / path
        likeness = 100.0 if found.name.casefold() == wanted else fuzz.ratio(found.name.casefold(), wanted)
        name = workspace.name_of(found)
        if likeness >= _LIKE and name.isprintable():
            ranked[quoted(name)] = (-likeness, found.parent != parent, name)
    there = (
        shown for shown in sorted(ranked, key=ranked.__getitem__) if _is_there(location, workspace, ranked[shown][2])
    )
    return list(islice(there, SHOWN))


def _is_there(location: Location, workspace: Workspace, name: str) -> bool:
    """Reached without a link: the search may have been led outside by one."""
    try:
        mode_beneath(replace(location, path=workspace.root.path / name))
    except (OSError, WorkspaceError):
        return False
    return True


async def _paths(location: Location, kind: Kind) -> set[str]:
    """What there is of the kind below the root, as far as it is found in time."""
    root = Location(location.root.path, ".", location.root)
    found: set[str] = set()
    pattern = "{.*,*}" if location.path.name.startswith(".") else "*"
    try:
        async with asyncio.timeout(SECONDS), aclosing(list_files(root, pattern, in_order=False)) as blocks:
            async for names in blocks:
                if kind != "directory":
                    found.update(names)
                if kind != "file":
                    found.update(str(parent) for name in names for parent in PurePosixPath(name).parents)
                if len(found) >= NAMES:
                    break
    except (TimeoutError, ToolError, WorkspaceError, OSError):
        pass  # a message that helps less
    found.discard(os.curdir)
    return found
