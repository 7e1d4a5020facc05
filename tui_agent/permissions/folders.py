"""Going through folders, the ones nearest to the top first, and never through too many."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from tui_agent.permissions.read_only.verdict import Search

INSTALLED: Final = frozenset({"node_modules", ".venv", "venv", "__pycache__"})
"""Folders of what was installed or made: nothing in them is the user's."""

MOST_ENTRIES: Final = 3_000
"""Entries that are looked at to find out what a search would read."""
SECONDS: Final = 0.02
"""How long that may take."""

Listed = tuple[Sequence[str], Sequence[str]]


def nearest_first(roots: Iterable[str], listed: Callable[[str], Listed], most: int) -> Iterator[str]:
    """What is found in these folders and below. `listed` gives the folders to go on with, and what is found in one;
    it is asked about `most` folders at most."""
    waiting = deque(roots)
    for _ in range(most):
        if not waiting:
            return
        folders, found = listed(waiting.popleft())
        yield from found
        waiting += folders


def read_by(search: Search, wanted: Callable[[str], bool]) -> str:
    """The first file that a search (its folders absolute) reads and that is wanted, or "".

    Bounded by `MOST_ENTRIES` and `SECONDS`: what lies behind is not found.
    """
    walk = _Walk(search, wanted)
    return next(nearest_first(search.folders, walk.listed, MOST_ENTRIES), "")


class _Walk:
    def __init__(self, search: Search, wanted: Callable[[str], bool]) -> None:
        self._search = search
        self._wanted = wanted
        self._only = [glob.casefold() for glob in search.only]
        self._left = MOST_ENTRIES
        self._end = time.monotonic() + SECONDS
        self._seen: set[str] = set()

    def listed(self, folder: str) -> Listed:
        folders: list[str] = []
        if folder in self._seen:
            return (), ()
        self._seen.add(folder)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0 or time.monotonic() > self._end:
                        return (), ()
                    if found := self._looked_at(entry, folders):
                        return (), (found,)
        except OSError:  # a file, or a folder that cannot be read: nothing below it is
            return (), ()
        return (folders, ()) if self._search.deep else ((), ())

    def _looked_at(self, entry: "os.DirEntry[str]", folders: list[str]) -> str:
        search, name, path = self._search, entry.name, entry.path
        if not search.hidden and name.startswith("."):
            return ""
        if entry.is_symlink():
            if not search.links:
                return ""
            path = os.path.realpath(path)
        if entry.is_dir():
            if name not in INSTALLED and name != ".git" and name not in search.without:
                folders.append(path)
            return ""
        if self._only and not any(fnmatchcase(name.casefold(), glob) for glob in self._only):
            return ""
        return path if self._wanted(path) else ""
