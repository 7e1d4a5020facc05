"""Looking at all that a command may change: the first time everything is read and kept, then only what is new."""

import errno
import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from tui_agent.workspace.paths import Root, open_below, open_root
from tui_agent.workspace.snapshots.entries import Entry, Folder, Ignored, Tree, decoded, encoded, ignored_entry
from tui_agent.workspace.snapshots.ignoring import Chain, Tracked, ignored, read_rules, rules_above, rules_of, top_of
from tui_agent.workspace.snapshots.store import SnapshotStore

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TYPE, _FOLDER, _REGULAR, _LINK = 0o170000, stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK

_SETTLED: Final = 100_000_000
"""Nanoseconds after which a further change shows in the times of a file, on any file system."""
_BATCH_BYTES: Final = 16_000_000
_READS: Final = 3
"""How often a file is read that changes while it is read."""

NONE: Final[frozenset[str]] = frozenset()


class Limits(NamedTuple):
    """How much is kept: bytes of one file, new bytes of one look, entries in all, and seconds of one look."""

    file: int = 20_000_000
    new: int = 500_000_000
    entries: int = 200_000
    seconds: float = 10.0


class Stopped(Exception):
    """Nobody waits for it any more."""


class Index:
    """What is known of the folders that commands may write in; one look at a time.

    `excluded` are absolute paths that are passed over: our own folders.
    """

    def __init__(
        self, store: SnapshotStore, roots: Iterable[Root], excluded: Iterable[str] = (), limits: Limits | None = None
    ) -> None:
        self._store = store
        self._roots = _outermost(roots)
        self.excluded = frozenset(excluded)
        self.limits = limits or Limits()
        self._folders: dict[str, Folder] | None = None
        self._kept: set[bytes] = set()
        self._chains: dict[str, tuple[object, Chain, Chain]] = {}
        self._tracked = Tracked()
        self._pruned = 0

    def look(self, touched: Iterable[str], stopped: Callable[[], bool], seconds: float = 0.0) -> Tree:
        """Everything as it is now, with its content kept. Blocks: for long at the first time, then for what is new.

        `touched` are files that are kept even where they are ignored.

        Raises:
            SnapshotError: the store cannot be used, or the disk is full; nothing is taken note of then.
            Stopped: it was asked to.
        """
        before = self._load()
        look = _Look(self, before, touched, stopped, seconds or self.limits.seconds)
        for root in self._roots:
            look.below(root)
        tree = look.done()
        changed = [(path, encoded(now)) for path, now in tree.folders.items() if before.get(path) is not now]
        # Where a look ended early, what is known of the rest is still worth something for the next one.
        gone = set() if look.short else before.keys() - tree.folders.keys()
        if changed or gone:
            self._store.note_folders(changed, gone)
        self._folders = {**before, **tree.folders} if look.short else tree.folders
        return tree

    def _load(self) -> dict[str, Folder]:
        room_made = self._store.pruned != self._pruned
        if self._folders is not None and not room_made:
            return self._folders
        self._kept = self._store.known()
        self._pruned = self._store.pruned
        folders: dict[str, Folder] = self._folders or {}
        if self._folders is None:
            for path, data in self._store.folders():
                with suppress(msgspec.DecodeError, ValueError, TypeError):
                    folders[path] = decoded(data)
        self._folders = {path: self._still_kept(folder) for path, folder in folders.items()}
        return self._folders

    def _still_kept(self, folder: Folder) -> Folder:
        """Without the files whose content is gone: they are read again."""
        entries = folder.entries
        if all(entry.mode & _TYPE != _REGULAR or entry.content in self._kept for entry in entries.values()):
            return folder
        left = {n: e for n, e in entries.items() if e.mode & _TYPE != _REGULAR or e.content in self._kept}
        return Folder(left, folder.ignored, folder.rules)


class _Look:
    """One look at all folders, the ones nearest to the top first."""

    def __init__(
        self,
        index: Index,
        before: dict[str, Folder],
        touched: Iterable[str],
        stopped: Callable[[], bool],
        seconds: float,
    ) -> None:
        self._index = index
        self._limits = index.limits
        self._before = before
        self._stopped = stopped
        self._deadline = time.monotonic() + seconds
        self._folders: dict[str, Folder] = {}
        self._gaps: list[tuple[str, str]] = []
        self._count = 0
        self._new = 0
        self._most_new = min(self._limits.new, index._store.make_room())
        self._no_more = f"there was more than {self._most_new // 1_000_000:,} MB to keep"
        if self._most_new < self._limits.new:
            self._no_more = "all the room for snapshots is taken"
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0
        self._full = False
        self.short = False
        """Whether it ended before everything was looked at."""
        self._forced: dict[str, set[str]] = {}
        self._forced_above: set[str] = set()
        for path in touched:
            folder, _, name = path.rpartition("/")
            self._force(folder, {name})

    def done(self) -> Tree:
        """What was seen, once its content is in the store."""
        self._flush()
        return Tree(self._folders, tuple(self._gaps), self.short)

    def below(self, root: Root) -> None:
        """Look at a root and all folders in it."""
        top = str(root.path)
        if tracked_in := top_of(top):
            self._track(tracked_in)
        with open_root(root) as descriptor:
            waiting = deque([("", rules_above(top), False)])
            while waiting:
                below, chain, forced_only = waiting.popleft()
                path = f"{top}/{below}" if below else top
                if self._stopped():
                    raise Stopped
                if why := self._exhausted():
                    self._gaps.append((path, why))
                    self.short = True
                    return
                try:
                    folder = open_below(descriptor, tuple(below.split("/")) if below else (), _DIRECTORY)
                except OSError as error:
                    if below and os.path.lexists(path):
                        self._gaps.append((path, (error.strerror or str(error)).lower()))
                    continue
                try:
                    found = _stats(folder, self._limits.entries)
                    seen = self._folder(path, folder, found, root.device, chain, forced_only)
                except OSError as error:
                    self._gaps.append((path, (error.strerror or str(error)).lower()))
                    continue
                finally:
                    os.close(folder)
                inner, chain = seen
                waiting += [(f"{below}/{name}" if below else name, chain, only) for name, only in inner]

    def _exhausted(self) -> str:
        if self._count > self._limits.entries:
            return f"more than {self._limits.entries:,} files"
        return "there was no time left to look at it" if time.monotonic() > self._deadline else ""

    def _folder(
        self,
        path: str,
        descriptor: int,
        found: list[tuple[str, os.stat_result]],
        device: int,
        above: Chain,
        forced_only: bool,
    ) -> tuple[list[tuple[str, bool]], Chain]:
        """Look at one folder; the folders in it to look at (and whether only for what is forced), and their rules."""
        names = {name for name, _ in found}
        if ".git" in names:
            if path not in self._forced:
                self._track(path)
            above = () if above and above[0].folder != path else above
        chain = self._chain(path, descriptor, above, found if ".gitignore" in names else ())
        before = self._before.get(path)
        old = before.entries if before else {}
        same_rules = before is not None and before.rules is chain and not forced_only
        folder = _Within(path, descriptor, device, chain, forced_only, before if same_rules else None)
        inner: list[tuple[str, bool]] = []
        entries: dict[str, Entry] = {}
        passed: dict[str, Ignored] = {}
        for name, status in found:
            known = old.get(name)
            if known is not None and not known.holds(status):
                known, changed = None, known
            else:
                changed = None
            if known is None or not same_rules:
                if name == ".git" or f"{path}/{name}" in self._index.excluded:
                    continue
                out, only = self._left_out(folder, name, status, old.get(name))
                if out:
                    if not forced_only:
                        passed[name] = ignored_entry(status)
                    continue
                if known is None:
                    known = self._looked_at(folder, name, status, changed)
                if known is None:
                    continue
                if status.st_mode & _TYPE == _FOLDER:
                    inner.append((name, only))
            entries[name] = known
        self._count += len(entries)
        fresh = Folder(entries, passed, chain)
        self._folders[path] = before if before is not None and before.same(fresh) else fresh
        return inner, chain

    def _left_out(self, folder: "_Within", name: str, status: os.stat_result, known: Entry | None) -> tuple[bool, bool]:
        """Whether something is ignored and not to be kept all the same; and whether of it, a folder, only that is."""
        inside, kind = f"{folder.path}/{name}", status.st_mode & _TYPE
        is_folder = kind == _FOLDER
        forced_in = is_folder and inside in self._forced_above
        if folder.known is not None and known is not None and known.mode & _TYPE == kind and not forced_in:
            return False, False
        earlier = folder.known.ignored.get(name) if folder.known is not None else None
        if folder.forced_only or (earlier is not None and earlier[0] == is_folder):
            out = True
        else:
            out = ignored(inside, is_folder, folder.chain)
        return out and not forced_in and name not in self._forced.get(folder.path, NONE), out and forced_in

    def _looked_at(self, folder: "_Within", name: str, status: os.stat_result, known: Entry | None) -> Entry | None:
        """What is there, its content kept; None for what is passed over. `known` is what was there, if it still is."""
        kind = status.st_mode & _TYPE
        if kind == _FOLDER:
            if status.st_dev != folder.device:
                self._gaps.append((f"{folder.path}/{name}", "it is another file system"))
                return None
            return (
                known if known is not None and known.mode == status.st_mode else Entry(0, 0, 0, 0, status.st_mode, b"")
            )
        if kind == _REGULAR:
            return self._file(name, folder.descriptor, status, known)
        if kind == _LINK:
            with suppress(OSError):  # it is none any more
                target = os.fsencode(os.readlink(name, dir_fd=folder.descriptor))
                return Entry.of(status, target, time.time_ns() - status.st_ctime_ns > _SETTLED)
        return None

    def _file(self, name: str, folder: int, status: os.stat_result, known: Entry | None) -> Entry:
        """Read a file and keep its content."""
        if self._stopped():
            raise Stopped
        if time.monotonic() > self._deadline:
            self.short = True
            return Entry.of(status, b"", True, "there was no time left to read it")
        settled = False
        lost = "it changed while it was read"
        for _ in range(_READS):
            if status.st_size > self._limits.file:
                lost = f"it is larger than {self._limits.file // 1_000_000} MB"
                break
            now = time.time_ns()
            try:
                descriptor = os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                lost = f"it cannot be read: {(error.strerror or str(error)).lower()}"
                break
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                status = os.fstat(descriptor)
                if status.st_mode & _TYPE != _REGULAR:
                    break
                data = file.read(status.st_size + 1) or b""
                while len(data) < status.st_size and (more := file.read(status.st_size + 1 - len(data))):
                    data += more
                again = os.fstat(descriptor)
            if len(data) != status.st_size or again.st_mtime_ns != status.st_mtime_ns:
                status = again
                continue
            sha = hashlib.sha256(data).digest()
            if not self._keep(sha, data):
                lost = self._no_more
                break
            settled = now - status.st_ctime_ns > _SETTLED
            if known is not None and known[:7] == (*Entry.of(status, sha, settled)[:6], settled) and not known.lost:
                return known
            return Entry.of(status, sha, settled)
        entry = Entry.of(status, b"", True, lost)
        return known if known == entry and known is not None else entry

    def _keep(self, sha: bytes, data: bytes) -> bool:
        """Put a content into the store, if there is room."""
        kept = self._index._kept
        if sha in kept:
            return True
        self._new += len(data)
        if self._new > self._most_new:
            if not self._full:
                self._gaps.append(("", self._no_more))
            self._full = True
            return False
        kept.add(sha)
        self._pending.append((sha, data))
        self._pending_bytes += len(data) + 200
        if self._pending_bytes > _BATCH_BYTES:
            self._flush()
        return True

    def _flush(self) -> None:
        if not self._pending:
            return
        try:
            self._index._store.put(self._pending)
        except BaseException:
            self._index._kept -= {sha for sha, _ in self._pending}
            raise
        self._pending, self._pending_bytes = [], 0

    def _track(self, top: str) -> None:
        for folder, names in self._index._tracked.files(top).items():
            self._force(folder, names)

    def _force(self, folder: str, names: set[str]) -> None:
        self._forced.setdefault(folder, set()).update(names)
        while folder and folder not in self._forced_above:
            self._forced_above.add(folder)
            folder = folder.rpartition("/")[0]

    def _chain(self, path: str, directory: int, above: Chain, found: "Iterable[tuple[str, os.stat_result]]") -> Chain:
        """The rules in force in a folder; the same object as long as nothing of them changes."""
        status = next((status for name, status in found if name == ".gitignore"), None)
        identity = None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size, status.st_ctime_ns)
        known = self._index._chains.get(path)
        if known is not None and known[0] == identity and known[1] == above:
            return known[2]
        own = rules_of(path, read_rules(".gitignore", directory)) if identity else ()
        chain = (*above, *own) if own else above
        self._index._chains[path] = (identity, above, chain)
        return chain


class _Within(NamedTuple):
    """The folder that is looked at; `known` is what is known of it, if the same rules were in force then."""

    path: str
    descriptor: int
    device: int
    chain: Chain
    forced_only: bool
    known: Folder | None


def _stats(descriptor: int, most: int) -> list[tuple[str, os.stat_result]]:
    with os.scandir(descriptor) as entries:
        found: list[tuple[str, os.stat_result]] = []
        for entry in entries:
            if len(found) > most:
                raise OSError(errno.E2BIG, f"more than {most:,} files")
            try:
                found.append((entry.name, entry.stat(follow_symlinks=False)))
            except OSError:
                continue  # gone meanwhile
        return found


def _outermost(roots: Iterable[Root]) -> list[Root]:
    """The writable ones that are not inside another."""
    writable = [root for root in roots if root.writable]
    return [
        root
        for place, root in enumerate(writable)
        if not any(root.path.is_relative_to(other.path) for other in writable[:place])
        and not any(root.path != other.path and root.path.is_relative_to(other.path) for other in writable[place:])
    ]
