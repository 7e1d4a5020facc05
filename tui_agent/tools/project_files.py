"""The files of a project by name, for completion: listed beside the asking, kept, and listed again when that is old."""

import asyncio
import time
from collections import defaultdict
from contextlib import aclosing
from itertools import islice
from typing import Final

from tui_agent.tools.builtin.finder import list_files
from tui_agent.workspace.paths import Location

KEPT_SECONDS: Final = 5.0
"""A list serves so long, or REST times as long as it took to make, whichever is more."""
REST: Final = 20
MAX_FILES: Final = 100_000
"""Names kept, about 100 bytes each; in a larger project some are missing."""


class ProjectFiles:
    """The files below one directory, ignored and hidden ones left out."""

    def __init__(self, start: Location) -> None:
        self._start = start
        self._names: list[tuple[str, str]] | None = None
        self._serves_until = float("-inf")
        self._listing: asyncio.Task[None] | None = None

    async def containing(self, typed: str, most: int) -> list[str]:
        """The first `most` paths that contain `typed` in any case, shortest first.

        Only the first call waits for the list; later ones are answered from the one that there is. Being cancelled does
        not stop a listing that has begun.

        Raises:
            ToolError, WorkspaceError, OSError: there is no list, and none can be made.
        """
        if self._listing is None and time.monotonic() > self._serves_until:
            self._listing = asyncio.create_task(self._list())
            self._listing.add_done_callback(self._listed)
        if self._names is None and self._listing is not None:
            await asyncio.shield(self._listing)
        wanted = typed.lower()
        return list(islice((name for name, lower in self._names or () if wanted in lower), most))

    async def aclose(self) -> None:
        """Stop a listing that is under way."""
        if self._listing is not None:
            self._listing.cancel()
            await asyncio.wait([self._listing])

    async def _list(self) -> None:
        began = time.monotonic()
        names: list[str] = []
        async with aclosing(list_files(self._start, "*", in_order=False)) as blocks:
            async for block in blocks:
                names += block
                if len(names) >= MAX_FILES:
                    break
        self._names = await asyncio.to_thread(_sorted, names[:MAX_FILES])
        ended = time.monotonic()
        self._serves_until = ended + max(KEPT_SECONDS, REST * (ended - began))

    def _listed(self, listing: asyncio.Task[None]) -> None:
        self._listing = None
        failed = listing.cancelled() or listing.exception() is not None
        if failed and self._names is not None:  # they go on serving
            self._serves_until = time.monotonic() + KEPT_SECONDS


def _sorted(names: list[str]) -> list[tuple[str, str]]:
    """Shortest first, each with its lower case; in small steps, for one large one would hold up all threads."""
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for name in names:
        by_length[len(name)].append(name)
    result = []
    for _, same in sorted(by_length.items()):
        for name in sorted(same):
            lower = name.lower()
            result.append((name, name if name == lower else lower))
    return result
