"""What the built-in tools of one session share: workspace, which files were read, what runs in the background."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from tui_agent.permissions.control_files import Lookout
from tui_agent.sandbox.background import BackgroundCommands
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.builtin.places import Place, find_place
from tui_agent.workspace.changes import FileIdentity
from tui_agent.workspace.paths import Location, Workspace

_NUMBER = re.compile(r"^\d+\t", re.MULTILINE)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Desk:
    """One per executor.

    `simple` is for small models, which take line numbers for text, forget to read before they edit, replace a whole
    file where they were to add to it, and write paths that are nearly right: files are shown without numbers, a place
    that is quoted exactly counts as read, a file does not lose most of its lines at the first call, and a path with one
    meaning has it. Others are told what is like what they wrote.
    """

    workspace: Workspace
    background: BackgroundCommands = field(default_factory=BackgroundCommands)
    sandbox: Sandbox = field(default_factory=Sandbox)
    lookout: Lookout = field(default_factory=Lookout)
    simple: bool = False
    _read: dict[Path, str] = field(default_factory=dict)

    def place(self, text: str, *, for_write: bool = False) -> Place:
        """What a path of a call means, and how it was repaired.

        Raises:
            WorkspaceError: not a usable path, or the working directory has gone.
            RefusedError: outside the working and allowed directories.
        """
        if self.simple:
            return find_place(self.workspace, text, for_write=for_write)
        return Place(self.workspace.resolve(text, for_write=for_write))

    def note(self, path: Path, sha256: str) -> None:
        """Remember that the model knows this content of the file."""
        self._read[path] = sha256

    def recall(self, other: "Desk") -> None:
        """Remember what the model knows by way of another desk; it is in the same conversation now."""
        self._read.update(other._read)

    def quoting(self, text: str) -> str:
        """A message that quotes lines, as the model is told it."""
        return _NUMBER.sub("", text) if self.simple else text

    def why_unknown(self, location: Location, identity: FileIdentity) -> str:
        """Why the model does not know the file as it is now, or "" when it does."""
        known = self._read.get(location.path)
        if known is None:
            return "was not read in this session"
        return "" if known == identity.sha256 else "has changed since it was read"


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking file work in a thread; being cancelled waits for it, so that nothing is written afterwards."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
