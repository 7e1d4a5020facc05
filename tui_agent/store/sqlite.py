"""The session log in SQLite: WAL, one writer thread, migrations as numbered SQL files."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import LoggedEvent, Record, SessionStarted
from tui_agent.store import rows
from tui_agent.store.database import MALFORMED, backups, open_database, told
from tui_agent.store.locks import SessionLocks
from tui_agent.store.log import Found, SessionHeldError, SessionSummary
from tui_agent.store.search import SearchIndex

T = TypeVar("T")

_WORTH = 8 * 1024 * 1024
"""Bytes of free room in the file that are worth giving back."""


class SqliteLog:
    """A `SessionLog` in one file; the connection lives in one thread and is opened at first use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session-log")
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._locks = SessionLocks(path.parent / "locks")
        self._index = SearchIndex(path)
        self._searches = 0

    async def create(self, session: str, started: SessionStarted, at: float) -> Record:
        """See `SessionLog.create`."""

        def create(db: sqlite3.Connection) -> Record:
            record = rows.create(db, session, started, at)
            self._locks.take(session)
            return record

        return await self._run(create)

    async def append(self, previous: Record, event: LoggedEvent, at: float) -> Record:
        """See `SessionLog.append`."""
        return await self._run(lambda db: rows.append(db, previous, event, at))

    async def read(self, session: str) -> list[Record]:
        """See `SessionLog.read`."""
        return await self._run(lambda db: rows.read(db, session))

    async def end(self, session: str, least: int) -> list[Record]:
        """See `SessionLog.end`."""
        return await self._run(lambda db: rows.end(db, session, least))

    async def sessions(self, working_directory: str | None = None, limit: int = 500) -> list[SessionSummary]:
        """See `SessionLog.sessions`."""
        return await self._run(lambda db: rows.sessions(db, working_directory, limit))

    async def summary(self, session: str) -> SessionSummary:
        """See `SessionLog.summary`."""
        return await self._run(lambda db: rows.summary(db, session))

    async def find(self, beginning: str) -> list[str]:
        """See `SessionLog.find`."""
        return await self._run(lambda db: rows.find(db, beginning))

    async def verify(self, session: str) -> str:
        """See `SessionLog.verify`."""
        return await self._run(lambda db: rows.verify(db, session))

    @property
    def unguarded(self) -> str:
        """See `SessionLog.unguarded`."""
        return self._locks.missing

    async def hold(self, session: str) -> None:
        """See `SessionLog.hold`."""
        await self._run(lambda db: self._hold(session))

    def _hold(self, session: str) -> None:
        if (holder := self._locks.take(session)) is not None:
            raise SessionHeldError(session, holder)

    async def release(self, session: str) -> None:
        """See `SessionLog.release`."""
        await self._run(lambda db: self._locks.release(session))

    async def rename(self, session: str, title: str) -> None:
        """See `SessionLog.rename`."""
        await self._run(lambda db: rows.rename(db, session, title))

    async def salvage(self, session: str) -> list[Record]:
        """See `SessionLog.salvage`."""
        return await self._run(lambda db: rows.salvage(db, session))

    async def put(self, session: str, records: Sequence[Record], title: str, at: float) -> list[Record]:
        """See `SessionLog.put`."""
        return await self._run(lambda db: rows.put(db, session, records, title, at))

    async def delete(self, session: str) -> None:
        """See `SessionLog.delete`."""
        await self._run(lambda db: self._delete(db, session))

    def _delete(self, db: sqlite3.Connection, session: str) -> None:
        if session not in rows.find(db, session):
            raise rows.no_session(session)
        self._hold(session)
        try:
            self._index.forgetting(lambda: rows.payloads(db, session), lambda: rows.delete(db, session))
            for backup in backups(self.path):
                _delete_from_backup(backup, session)
            # What was deleted is still in the write-ahead log, and its room in the file is empty but not given back.
            (free,), (page,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
            if free * page > _WORTH:
                with suppress(sqlite3.OperationalError):  # another window reads
                    db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._locks.release(session)

    async def search(self, words: str, working_directory: str | None = None) -> Found:
        """See `SessionLog.search`; what was searched for before and is not found yet comes back as far as it is."""
        self._searches += 1
        mine = self._searches
        # Not in the thread that writes: a turn may be running.
        return await asyncio.to_thread(
            self._guarded, lambda: self._index.search(words, working_directory, lambda: mine != self._searches)
        )

    async def aclose(self) -> None:
        """Close the file; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        self._locks.release_all()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreError("the session log is closed")
        # Shielded: a cancelled turn must not leave the caller unsure whether its record was written.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._call, work))

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def call() -> T:
            if self._connection is None:
                self._connection = open_database(self.path)
            return work(self._connection)

        return self._guarded(call)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise StoreError(f"session log {self.path}: {told(error)}", _hint(error)) from None
        except OSError as error:
            raise StoreError(f"session log {self.path}: {error.strerror or error}") from None


def _delete_from_backup(backup: Path, session: str) -> None:
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(backup, isolation_level=None)) as db:
        db.execute("PRAGMA secure_delete = ON")
        rows.delete(db, session)


def _hint(error: sqlite3.Error) -> str:
    text = told(error)
    if text == MALFORMED:
        return (
            "`tui-agent sessions fork ID` copies what can be read of a session; `tui-agent doctor` says what is wrong"
        )
    if "not a database" in text:
        return "move the file away; a new one is made at the next start"
    if "readonly" in text or "unable to open" in text:
        return "its folder cannot be written; sessions can be read, but not kept"
    if "full" in text:
        return "free some disk space"
    if "locked" in text:
        return "another tui-agent is writing to it"
    return ""
