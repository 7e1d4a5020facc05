"""Where snapshots are kept: one SQLite file for each workspace, outside of it, for its owner only.

A database rather than a file for each content: twenty thousand small contents go in with one transaction, a program
that is killed leaves whole ones behind, and what is pruned gives its space back.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from tui_agent.conversation.errors import StoreError
from tui_agent.workspace.snapshots.entries import hashes_in
from tui_agent.workspace.snapshots.states import Record, contents

MOST_BYTES: Final = 1_000_000_000
"""What all workspaces together may take on the disk."""
LEAST_FREE: Final = 100_000_000
"""Bytes that a disk has to have left for anything to be kept on it."""
FORMAT: Final = 1
_FULL: Final = 0.9
_FREED: Final = 0.1
"""From this share on there is little room, and so much is made."""
_PACKED_FROM: Final = 200
_SAMPLE: Final = 4_096
_BUSY_SECONDS: Final = 3.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS blobs (sha BLOB PRIMARY KEY, packed INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS records
    (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, time REAL NOT NULL, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS folders (path BLOB PRIMARY KEY, entries BLOB NOT NULL) WITHOUT ROWID;
"""

T = TypeVar("T")
_record = msgspec.msgpack.Decoder(Record)
_encode = msgspec.msgpack.Encoder().encode


class SnapshotError(StoreError):
    """Snapshots cannot be kept or read."""


class SnapshotStore:
    """Contents by their hash, records by their name, and what is known of folders. One thread at a time gets in.

    `folder` is that of all workspaces; the file lies in one that is named after `root`. Nothing is made before the
    first use.
    """

    def __init__(self, folder: Path, root: str, *, most: int = MOST_BYTES, least_free: int = LEAST_FREE) -> None:
        self.folder = folder
        self._own = folder / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._most = most
        self._least_free = least_free
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._hold = -1
        self.pruned = 0
        """Records that were thrown away to make room, since the beginning."""

    @property
    def path(self) -> Path:
        """The database file."""
        return self._own / "snapshots.db"

    def check(self) -> None:
        """See whether anything can be kept. Takes milliseconds.

        Raises:
            SnapshotError: it cannot, and why.
        """
        with self._using() as db:
            db.execute("SELECT 1 FROM records LIMIT 1").fetchone()
            self._check_space()
            if not os.access(self.path, os.W_OK):
                raise SnapshotError(f"{self.path} cannot be written", "make it writable")

    # ---- contents ----

    def known(self) -> set[bytes]:
        """The hashes of all contents that are there."""
        with self._using() as db:
            return {sha for (sha,) in db.execute("SELECT sha FROM blobs")}

    def put(self, blobs: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep contents (hash, bytes), all or none of them.

        Raises:
            SnapshotError: the disk is full, or the store cannot be written.
        """
        rows = [(sha, *_pack(data)) for sha, data in blobs]
        with self._using() as db:
            self._check_space()
            with db:
                db.executemany("INSERT OR IGNORE INTO blobs (sha, packed, data) VALUES (?, ?, ?)", rows)

    def get(self, sha: bytes) -> bytes:
        """The content of this hash, and no other.

        Raises:
            SnapshotError: it is not there any more, or is damaged.
        """
        with self._using() as db:
            row = db.execute("SELECT packed, data FROM blobs WHERE sha = ?", (sha,)).fetchone()
        if row is None:
            raise SnapshotError("its content is not kept any more")
        try:
            data = zlib.decompress(row[1]) if row[0] else bytes(row[1])
        except zlib.error:
            data = b""
        if hashlib.sha256(data).digest() != sha:
            raise SnapshotError("its kept content is damaged")
        return data

    # ---- records ----

    def save(self, name: str, record: Record) -> None:
        """Keep what a call changed under a name, in place of what that had.

        Raises:
            SnapshotError: it cannot be kept.
        """
        with self._using() as db, db:
            values = (name, time.time(), _encode(record))
            db.execute("INSERT OR REPLACE INTO records (name, time, record) VALUES (?, ?, ?)", values)

    def records(self, names: Sequence[str]) -> dict[str, Record]:
        """Those of the named ones that are there.

        Raises:
            SnapshotError: the store cannot be read.
        """
        found: dict[str, Record] = {}
        if not self.path.exists():
            return found
        with self._using() as db:
            for name in names:
                row = db.execute("SELECT record FROM records WHERE name = ?", (name,)).fetchone()
                if row is not None:
                    with suppress(msgspec.DecodeError):
                        found[name] = _record.decode(row[0])
        return found

    # ---- folders ----

    def folders(self) -> Iterator[tuple[str, bytes]]:
        """What was noted about folders."""
        with self._using() as db:
            rows = db.execute("SELECT path, entries FROM folders").fetchall()
        return ((os.fsdecode(path), entries) for path, entries in rows)

    def note_folders(self, changed: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
        """Take note of folders, for the next time that the program runs."""
        with self._using() as db, db:
            rows = [(os.fsencode(path), entries) for path, entries in changed]
            db.executemany("INSERT OR REPLACE INTO folders (path, entries) VALUES (?, ?)", rows)
            db.executemany("DELETE FROM folders WHERE path = ?", [(os.fsencode(path),) for path in gone])

    def close(self) -> None:
        """Close the file; safe to call twice, and the next use opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
            if self._hold >= 0:
                os.close(self._hold)
                self._hold = -1

    # ---- the file ----

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._db is None:
                    self._db = self._open()
                yield self._db
            except sqlite3.Error as error:
                raise self._trouble(error) from error
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise SnapshotError(f"snapshots in {self._own}: {reason}", "make the folder writable") from error

    def _open(self) -> sqlite3.Connection:
        self._own.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._hold < 0:  # whoever makes room leaves a store alone that is in use
            self._hold = os.open(self._own / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._hold, fcntl.LOCK_SH)
        if not self.path.exists():
            self.path.touch(mode=0o600)
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise
            self.path.replace(self.path.with_suffix(".damaged"))
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self.path.touch(mode=0o600)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise SnapshotError(f"{self.path} was written by a newer tui-agent", "update tui-agent")
            if not version:
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {FORMAT};COMMIT;")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA journal_size_limit = 1000000")
        except BaseException:
            db.close()
            raise
        return db

    def _trouble(self, error: sqlite3.Error) -> SnapshotError:
        text = str(error)
        if "full" in text:
            return SnapshotError("the disk of the snapshots is full", "free some disk space")
        if _is_damaged(error):
            self.close()
            return SnapshotError(f"the snapshots in {self.path} are damaged", "they are put aside at the next start")
        return SnapshotError(f"snapshots in {self.path}: {text}", "make it writable" if "readonly" in text else "")

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._own).free
        if free < self._least_free:
            text = f"the disk of the snapshots is almost full: {free // 1_000_000} MB are left"
            raise SnapshotError(text, "free some disk space")

    # ---- room ----

    def make_room(self) -> int:
        """Throw away what is oldest where there is little room; how many bytes there are then.

        Other workspaces that nobody uses go first, the ones longest unused, then our oldest records. What is needed to
        notice the next change stays.
        """
        with self._using() as db:
            over = size_of(self.folder) - int(_FULL * self._most)
            if over > 0:
                self._prune(db, over + int(_FREED * self._most))
        return max(0, self._most - size_of(self.folder))

    def _prune(self, db: sqlite3.Connection, wanted: int) -> None:
        for other in sorted(self._others(), key=_used):
            if wanted <= 0:
                return
            freed = size_of(other)
            wanted -= freed if _drop(other) else 0
        while wanted > 0:
            count = db.execute("SELECT COUNT(*) FROM records").fetchone()[0]
            if count <= 1:
                return
            before = size_of(self._own)
            with db:
                oldest = "SELECT id FROM records ORDER BY id LIMIT ?"
                self.pruned += db.execute(f"DELETE FROM records WHERE id IN ({oldest})", ((count + 3) // 4,)).rowcount
            self._collect(db)
            wanted -= before - size_of(self._own)

    def _collect(self, db: sqlite3.Connection) -> None:
        """Throw away contents that neither a record nor a noted folder needs."""
        needed = {bytes(sha) for (entries,) in db.execute("SELECT entries FROM folders") for sha in hashes_in(entries)}
        for (record,) in db.execute("SELECT record FROM records"):
            needed |= contents(_record.decode(record).changes)
        gone = [(sha,) for (sha,) in db.execute("SELECT sha FROM blobs") if sha not in needed]
        with db:
            db.executemany("DELETE FROM blobs WHERE sha = ?", gone)
        db.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _others(self) -> list[Path]:
        with suppress(OSError):
            return [path for path in self.folder.iterdir() if path != self._own and (path / "in-use").exists()]
        return []


def size_of(folder: Path) -> int:
    """Bytes that snapshots take below a folder: that of all workspaces, or of one."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


def _drop(folder: Path) -> bool:
    """Remove a workspace's snapshots, unless a program uses them."""
    with suppress(OSError):
        lock = os.open(folder / "in-use", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            return True
        finally:
            os.close(lock)
    return False


def _used(folder: Path) -> float:
    with suppress(OSError):
        return max(path.stat().st_mtime for path in folder.iterdir())
    return 0.0


def _pack(data: bytes) -> tuple[int, bytes]:
    """Compressed where that pays, which the beginning tells."""
    if len(data) < _PACKED_FROM or len(zlib.compress(data[:_SAMPLE], 1)) > 0.9 * min(len(data), _SAMPLE):
        return 0, data
    packed = zlib.compress(data, 1)
    return (1, packed) if len(packed) < len(data) else (0, data)


def _is_damaged(error: sqlite3.Error) -> bool:
    return "malformed" in str(error) or "not a database" in str(error)
