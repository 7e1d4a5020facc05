"""Putting paths back: only what is as it was left, beneath the roots, no link followed, each file whole or not."""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.files import reason
from tui_agent.workspace.paths import Location, Root, open_parent
from tui_agent.workspace.snapshots.states import ABSENT, Change, Left, State, Step, parents_first
from tui_agent.workspace.snapshots.store import SnapshotError, SnapshotStore

MOST_SYNCED: Final = 200
"""Files up to which each is waited for until it lies on the disk; with more that would take minutes."""

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK: Final = 1 << 20


class Restored(NamedTuple):
    """What was put back, as changes from what was there; and what was left alone, and why."""

    changes: tuple[Change, ...]
    left: tuple[Left, ...]


class _Unfit(Exception):
    """A path cannot be put back; the text says why."""


def restore(steps: Iterable[Step], roots: Sequence[Root], store: SnapshotStore, most_bytes: int) -> Restored:
    """Put back every path that is as it is expected; files above `most_bytes` were never kept."""
    return _Restoring(roots, store, most_bytes).run(list(steps))


def look_at(path: bytes, roots: Sequence[Root], most_bytes: int) -> State:
    """What is at a path now, with the hash of its content.

    Raises:
        WorkspaceError, OSError: it lies outside of the roots, or cannot be read.
    """
    location = location_of(path, roots)
    try:
        with open_parent(location) as directory:
            return _state(directory, location.path.name, most_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def location_of(path: bytes, roots: Sequence[Root]) -> Location:
    """Where a kept path is.

    Raises:
        WorkspaceError: outside of the roots that may be written.
    """
    place = Path(os.fsdecode(path))
    for root in roots:
        if root.writable and place.is_relative_to(root.path) and place != root.path:
            return Location(place, str(place.relative_to(roots[0].path)) if _in(place, roots[0]) else str(place), root)
    raise WorkspaceError("it lies outside of the folders that are worked in")


def _in(place: Path, root: Root) -> bool:
    return place.is_relative_to(root.path)


def _state(directory: int, name: str, most_bytes: int) -> State:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return State("folder", stat.S_IMODE(status.st_mode))
    if stat.S_ISLNK(status.st_mode):
        return State("link", 0, status.st_mtime_ns, os.fsencode(os.readlink(name, dir_fd=directory)))
    if not stat.S_ISREG(status.st_mode):
        return State("file", lost="it is a pipe, a socket or a device")
    if status.st_size > most_bytes:
        return State("file", lost=f"it is larger than {most_bytes // 1_000_000} MB")
    sha = hashlib.sha256()
    with os.fdopen(os.open(name, _FILE, dir_fd=directory), "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            sha.update(block)
    return State("file", stat.S_IMODE(status.st_mode), status.st_mtime_ns, sha.digest())


class _Restoring:
    """Removes first, the deepest first; then makes folders; then files; the modes of folders last."""

    def __init__(self, roots: Sequence[Root], store: SnapshotStore, most_bytes: int) -> None:
        self._roots = roots
        self._store = store
        self._most_bytes = most_bytes
        self._done: dict[bytes, Change] = {}
        self._left: dict[bytes, str] = {}
        self._parent: tuple[bytes, int] | None = None
        self._sync = True

    def run(self, steps: list[Step]) -> Restored:
        """Do all of it; what cannot be done keeps nothing else from being done."""
        fit: dict[bytes, Step] = {}
        try:
            for step in sorted(steps, key=lambda step: step.path):
                with self._account(step.path):
                    if (found := self._fitting(step)) is not None:
                        fit[step.path] = step
                        self._done[step.path] = Change(step.path, found, step.target)
            self._sync = sum(step.target.kind == "file" for step in fit.values()) <= MOST_SYNCED
            order = parents_first(fit)
            self._each(reversed(order), fit, lambda step: step.target.kind == "absent" or _swaps(step), self._remove)
            self._each(order, fit, lambda step: step.target.kind == "folder", self._make_folder)
            self._each(sorted(fit), fit, lambda step: step.target.kind in ("file", "link"), self._put)
            self._each(reversed(order), fit, lambda step: step.target.kind == "folder", self._set_mode)
            for step in steps:
                if step.short and step.path in self._done:
                    self._left[step.path] = step.short
        finally:
            self._close()
        left = tuple(Left(path, self._left[path]) for path in sorted(self._left))
        return Restored(tuple(self._done[path] for path in sorted(self._done)), left)

    def _each(
        self,
        paths: Iterable[bytes],
        fit: dict[bytes, Step],
        wanted: Callable[[Step], bool],
        work: Callable[[int, str, Step], None],
    ) -> None:
        for path in paths:
            step = fit[path]
            if path in self._done and wanted(step):
                with self._account(path), self._directory(path) as (directory, name):
                    work(directory, name, step)

    @contextmanager
    def _account(self, path: bytes) -> Iterator[None]:
        """What goes wrong with a path is the reason for which it is left alone."""
        why = ""
        try:
            yield
        except _Unfit as error:
            why = str(error)
        except (SnapshotError, WorkspaceError) as error:
            why = error.message
        except OSError as error:
            why = "the disk is full" if error.errno == errno.ENOSPC else reason(error)
        if why:
            self._left[path] = why
            self._done.pop(path, None)

    def _fitting(self, step: Step) -> State | None:
        """What is there, if it may be replaced; None when it is already what it should be."""
        lost = step.expected.lost or step.target.lost
        if lost:
            raise _Unfit(f"{lost}, so it is not kept")
        try:
            with self._directory(step.path) as (directory, name):
                now = _state(directory, name, self._most_bytes)
        except (FileNotFoundError, NotADirectoryError):
            now = ABSENT
        if now.same(step.target):
            if step.short:
                raise _Unfit(step.short)
            return None
        if not now.same(step.expected):
            raise _Unfit(_moved_on(now, step.expected))
        if step.target.kind == "file" and _swaps(step):
            self._store.get(step.target.content)  # before a folder is taken away for it
        return now

    # ---- the work ----

    def _remove(self, directory: int, name: str, step: Step) -> None:
        if step.expected.kind != "folder":
            self._still(directory, name, step)
            os.unlink(name, dir_fd=directory)
            return
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise _Unfit("it holds something else") from error
            raise

    def _make_folder(self, directory: int, name: str, step: Step) -> None:
        """With all rights for now, so that it can be filled."""
        if step.expected.kind != "folder":
            os.mkdir(name, 0o700, dir_fd=directory)
        else:
            _change_mode(directory, name, step.target.mode | 0o700)

    def _set_mode(self, directory: int, name: str, step: Step) -> None:
        _change_mode(directory, name, step.target.mode)

    def _put(self, directory: int, name: str, step: Step) -> None:
        temporary = f".{secrets.token_hex(8)}.tmp"
        target = step.target
        try:
            if target.kind == "link":
                os.symlink(os.fsdecode(target.content), temporary, dir_fd=directory)
            else:
                self._write(directory, temporary, target, step.expected.kind == "file" and name)
            with suppress(OSError):  # not every file system keeps the time of a link
                times = (target.mtime, target.mtime)
                os.utime(temporary, ns=times, dir_fd=directory, follow_symlinks=False)
            self._still(directory, name, step)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise

    def _write(self, directory: int, temporary: str, target: State, replaced: str | bool) -> None:
        data = self._store.get(target.content)
        with os.fdopen(os.open(temporary, _NEW, 0o600, dir_fd=directory), "wb") as file:
            file.write(data)
            file.flush()
            if replaced:
                old = os.stat(str(replaced), dir_fd=directory, follow_symlinks=False)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    with suppress(PermissionError):
                        os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), target.mode)
            if self._sync:
                os.fsync(file.fileno())

    def _still(self, directory: int, name: str, step: Step) -> None:
        """At the last moment: what is to be replaced is what was looked at."""
        try:
            now = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            if step.expected.kind != "absent" and not _swaps(step):
                raise _Unfit("it was removed meanwhile") from None
            return
        seen = self._done[step.path].before
        if seen.kind == "absent" or (_swaps(step) and step.target.kind in ("file", "link") and seen.kind == "folder"):
            raise _Unfit("something appeared there meanwhile")
        if seen.kind == "file" and now.st_mtime_ns != seen.mtime:
            raise _Unfit("it was changed meanwhile")

    # ---- where ----

    @contextmanager
    def _directory(self, path: bytes) -> Iterator[tuple[int, str]]:
        """The folder that holds a path, which stays open for the next one in it."""
        above, _, name = path.rpartition(b"/")
        if self._parent is None or self._parent[0] != above:
            self._close()
            with open_parent(location_of(path, self._roots)) as directory:
                self._parent = (above, os.dup(directory))
        yield self._parent[1], os.fsdecode(name)

    def _close(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


def _swaps(step: Step) -> bool:
    """Whether a folder and something else take each other's place."""
    return (step.expected.kind == "folder") != (step.target.kind == "folder") and "absent" not in (
        step.expected.kind,
        step.target.kind,
    )


def _change_mode(directory: int, name: str, mode: int) -> None:
    descriptor = os.open(name, _FOLDER, dir_fd=directory)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _moved_on(now: State, expected: State) -> str:
    if now.lost:
        return now.lost
    if now.kind == "absent":
        return "it was removed since"
    if expected.kind == "absent":
        return "something else is there now"
    if now.kind == expected.kind and now.content == expected.content:
        return "its mode was changed since"
    return "it was changed since"
