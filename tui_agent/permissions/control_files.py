"""The control files that are there: so that a sandbox can keep them, and tell which ones a command made or changed."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR
from typing import Final, NamedTuple

from tui_agent.permissions.folders import INSTALLED, nearest_first
from tui_agent.permissions.sensitive import is_control

MOST_FOLDERS: Final = 1_000
"""Folders that are looked at, the ones nearest to the top first."""

_SETTLED_NANOSECONDS: Final = 100_000_000
"""A folder that changed just now may change again without its time telling."""

_IN_GIT: Final = ("config", "config.worktree", "hooks", "commondir")
_IN_WORKTREE: Final = ("gitdir", "commondir", "config.worktree")

_Identity = tuple[int, int, int]


class ControlFiles(NamedTuple):
    """What was found: absolute paths without links.

    `protected` must not be written. `git` are Git's folders, in which commands write but which must stay where they
    are; `elsewhere` those of them that lie outside of what was looked through, because a work tree belongs to them.
    """

    protected: tuple[str, ...] = ()
    git: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    identities: tuple[tuple[str, _Identity], ...] = ()

    def changed_since(self, before: "ControlFiles") -> list[str]:
        """The control files that are new or another now."""
        known = dict(before.identities)
        return [path for path, identity in self.identities if known.get(path) != identity]


class Lookout:
    """Looks for control files; what it has seen of a folder it knows until the folder changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Identity, tuple[str, ...], tuple[str, ...]]] = {}

    def look(self, roots: Iterable[str]) -> ControlFiles:
        """What is in these folders now. Blocks for milliseconds, at the first time for longer."""
        roots = tuple(roots)
        protected: set[str] = set()
        git: set[str] = set()
        watched: list[str] = []
        for root in roots:
            if is_control(f"{root}/x"):
                protected.add(root)
                continue
            for path in self._found(root):
                watched.append(path)
                common = _git_folder(path) if Path(path).name.casefold() == ".git" else None
                if common is not None:
                    git.add(common)
                if common != path:
                    protected |= _held(path, roots)
        elsewhere = {folder for folder in git if not _within(folder, roots)}
        for folder in git:
            inside = list(_of_git(folder))
            watched += inside
            for path in inside:
                protected |= _held(path, (*roots, *elsewhere))
        return ControlFiles(
            tuple(sorted(protected)),
            tuple(sorted(git)),
            tuple(sorted(elsewhere)),
            tuple(_identities(dict.fromkeys(watched))),
        )

    def _found(self, root: str) -> Iterator[str]:
        """Control files and folders below `root`, the ones nearest to it first."""
        return nearest_first((root,), self._entries, MOST_FOLDERS)

    def _entries(self, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ordinary folders in a folder, and the control files and folders."""
        try:
            now = _identity(os.lstat(folder))
            known = self._known.get(folder)
            if known is not None and known[0] == now:
                return known[1:]
            folders, controls = [], []
            above = folder.rpartition("/")[2]  # some are control files only there: `.cargo/config.toml`
            with os.scandir(folder) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if is_control(f"{above}/{entry.name}") or is_control(f"{above}/{entry.name}/x"):
                        controls.append(entry.path)
                    elif is_folder and entry.name not in INSTALLED:
                        folders.append(entry.path)
        except OSError:
            return (), ()
        found = (tuple(sorted(folders)), tuple(sorted(controls)))
        if time.time_ns() - now[1] > _SETTLED_NANOSECONDS:
            self._known[folder] = (now, *found)
        return found


def _held(path: str, roots: Sequence[str]) -> set[str]:
    """What is to be kept for a control file to stay as it is: itself, or what it leads to. A link can be replaced all
    the same, and is only looked after."""
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:
        return set()
    return {real} if _within(real, roots) and real not in roots else set()


def _within(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _git_folder(marker: str) -> str | None:
    """Git's own folder for a `.git`: itself, or of a linked work tree the one that lists it (git-worktree(1)).

    That list is what makes sure that the project may be written into: anyone can write a `.git` file.
    """
    with suppress(OSError, ValueError):
        status = os.lstat(marker)
        if S_ISDIR(status.st_mode):
            return marker
        place = Path(marker).parent / _line(marker).removeprefix("gitdir:").strip()
        own = Path(os.path.realpath(place, strict=True))
        listed = os.path.realpath(own / _line(own / "gitdir"))
        common = Path(os.path.realpath(own / _line(own / "commondir"), strict=True))
        if listed == marker and own.parent == common / "worktrees" and (common / "objects").is_dir():
            return str(common)
    return None


def _of_git(folder: str) -> Iterator[str]:
    """What in Git's folder can make Git run programs, that of submodules and work trees included."""
    with suppress(OSError):
        Path(folder, "hooks").mkdir()  # where it is missing a command could make it, with hooks in it
    for name in _IN_GIT:
        if os.path.lexists(path := f"{folder}/{name}"):
            yield path
    for place in _children(f"{folder}/worktrees"):
        for name in _IN_WORKTREE:
            if os.path.lexists(path := f"{place}/{name}"):
                yield path
    waiting = deque(_children(f"{folder}/modules"))
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        module = waiting.popleft()
        if os.path.lexists(f"{module}/HEAD"):
            yield from _of_git(module)
        else:  # a submodule's name may hold slashes
            waiting += _children(module)


def _children(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _line(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return os.fsdecode(file.read(8192)).partition("\n")[0].strip()


def _identities(paths: Iterable[str]) -> Iterator[tuple[str, _Identity]]:
    for path in paths:
        with suppress(OSError):
            status = os.lstat(path)
            # The time of a folder says that something in it changed, which may be anything.
            yield path, (status.st_ino, 0, 0) if S_ISDIR(status.st_mode) else _identity(status)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_ino, status.st_mtime_ns, status.st_size
