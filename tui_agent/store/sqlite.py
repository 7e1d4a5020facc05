"""The session log in SQLite: WAL, one writer thread, migrations as numbered SQL files."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TypeVar

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    SessionStarted,
    TurnEnded,
)
from tui_agent.store.log import (
    GENESIS,
    SessionSummary,
    StoreConflictError,
    decode_event,
    link,
    seal,
)

T = TypeVar("T")

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that is writing."""

TITLE_LENGTH = 120

_SUMMARY = "id, title, working_directory, provider, model, started, updated, turns, events"
_EVENTS = "SELECT seq, time, payload, hash FROM events WHERE session = ? ORDER BY seq"


class SqliteLog:
    """A `SessionLog` in one file; the connection lives in one thread and is opened at first use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session-log")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def create(self, session: str, started: SessionStarted, at: float) -> Record:
        """See `SessionLog.create`."""
        return await self._run(lambda db: _create(db, session, started, at))

    async def append(self, previous: Record, event: LoggedEvent, at: float) -> Record:
        """See `SessionLog.append`."""
        return await self._run(lambda db: _append(db, previous, event, at))

    async def read(self, session: str) -> list[Record]:
        """See `SessionLog.read`."""
        return await self._run(lambda db: _read(db, session))

    async def end(self, session: str, least: int) -> list[Record]:
        """See `SessionLog.end`."""
        return await self._run(lambda db: _end(db, session, least))

    async def sessions(self, working_directory: str | None = None, limit: int = 500) -> list[SessionSummary]:
        """See `SessionLog.sessions`."""
        return await self._run(lambda db: _sessions(db, working_directory, limit))

    async def find(self, beginning: str) -> list[str]:
        """See `SessionLog.find`."""
        return await self._run(lambda db: _find(db, beginning))

    async def verify(self, session: str) -> str:
        """See `SessionLog.verify`."""
        return await self._run(lambda db: _verify(db, session))

    async def aclose(self) -> None:
        """Close the file; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreError("the session log is closed")
        # Shielded: a cancelled turn must not leave the caller unsure whether its record was written.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._call, work))

    def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = open_database(self.path)
            return work(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"session log {self.path}: {error}", _hint(error)) from None
        except OSError as error:
            raise StoreError(f"session log {self.path}: {error.strerror or error}") from None


def _hint(error: sqlite3.Error) -> str:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return "move the file away; a new one is made at the next start"
    if "full" in text:
        return "free some disk space"
    if "locked" in text:
        return "another tui-agent is writing to it"
    return ""


def open_database(path: Path) -> sqlite3.Connection:
    """Open (and make or migrate) the database file, readable by its owner only.

    Raises:
        StoreError: the file was made by a newer version.
        sqlite3.Error, OSError: it cannot be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        scripts = _migrations()
        version = _version(db, path, len(scripts))  # first, so that a file we do not know is not touched
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        if version < len(scripts):
            _migrate(db, path, scripts)
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    # The switch ignores the busy timeout when two programs make it at once; the loser only has to look again.
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrations() -> list[str]:
    folder = resources.files("tui_agent.store").joinpath("migrations")
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [file.read_text(encoding="utf-8") for file in files]


def _migrate(db: sqlite3.Connection, path: Path, scripts: list[str]) -> None:
    # One transaction for all of it, entered before the version is read again: two programs may start at once.
    with _transaction(db):
        version = _version(db, path, len(scripts))
        if 0 < version < len(scripts):
            shutil.copy2(path, path.with_suffix(f".v{version}.backup"))
        for script in scripts[version:]:
            for statement in _statements(script):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(scripts)}")


def _version(db: sqlite3.Connection, path: Path, known: int) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise StoreError(
            f"session log {path} was written by a newer tui-agent (schema {version}, this one knows {known})",
            "update tui-agent, or set TUI_AGENT_DATA_DIR to another folder",
        )
    return version


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _create(db: sqlite3.Connection, session: str, started: SessionStarted, at: float) -> Record:
    record, payload = seal(session, 1, at, started, GENESIS)
    with _transaction(db):
        db.execute(
            "INSERT INTO sessions (id, working_directory, provider, model, started, updated, events)"
            " VALUES (?, ?, ?, ?, ?, ?, 1)",
            (session, *map(_storable, (started.working_directory, started.provider, started.model)), at, at),
        )
        _insert(db, record, payload)
    return record


def _append(db: sqlite3.Connection, previous: Record, event: LoggedEvent, at: float) -> Record:
    record, payload = seal(previous.session, previous.seq + 1, at, event, previous.hash)
    with _transaction(db):
        last = db.execute(
            "SELECT seq, hash FROM events WHERE session = ? ORDER BY seq DESC LIMIT 1", (previous.session,)
        ).fetchone()
        if last != (previous.seq, previous.hash):
            raise StoreConflictError("another window has continued this session", "open it again to see what it added")
        _insert(db, record, payload)
        db.execute("UPDATE sessions SET updated = ?, events = ? WHERE id = ?", (at, record.seq, record.session))
        if isinstance(event, PromptSubmitted):
            title = _storable(" ".join(event.text.split())[:TITLE_LENGTH])
            db.execute(
                "UPDATE sessions SET turns = turns + 1, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
                (title, record.session),
            )
        elif isinstance(event, ModelSwitched):
            db.execute(
                "UPDATE sessions SET provider = ?, model = ? WHERE id = ?",
                (_storable(event.provider), _storable(event.model), record.session),
            )
    return record


def _storable(text: str) -> str:
    """Text that SQLite can hold: a byte of a folder's name that is not UTF-8, and lone surrogates, become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _insert(db: sqlite3.Connection, record: Record, payload: bytes) -> None:
    db.execute(
        "INSERT INTO events (session, seq, time, payload, hash) VALUES (?, ?, ?, ?, ?)",
        (record.session, record.seq, record.time, payload, record.hash),
    )


class _transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.Error:
                self._rollback()
                raise
        self._rollback()

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _read(db: sqlite3.Connection, session: str) -> list[Record]:
    # Row by row: the payloads of a long session must not be in memory beside their events.
    rows = db.execute(_EVENTS, (session,))
    records = [Record(session, seq, at, _readable(payload), digest) for seq, at, payload, digest in rows]
    if not records:
        raise _no_session(session)
    return records


def _end(db: sqlite3.Connection, session: str, least: int) -> list[Record]:
    records: list[Record] = []
    for seq, at, payload, digest in db.execute(f"{_EVENTS} DESC", (session,)):
        event = _readable(payload)
        if len(records) >= least and isinstance(event, TurnEnded):
            break
        records.append(Record(session, seq, at, event, digest))
    if not records:
        raise _no_session(session)
    records.reverse()
    return records


def _no_session(session: str) -> StoreError:
    return StoreError(f"no session {session!r}", "`tui-agent sessions list` shows the ones there are")


def _readable(payload: bytes) -> LoggedEvent:
    """The event, or a notice in its place: the records around it stay usable and the chain whole."""
    try:
        return decode_event(payload)
    except StoreError as error:
        return Noticed("warning", f"an event of this session cannot be read ({error.message})")


def _sessions(db: sqlite3.Connection, working_directory: str | None, limit: int) -> list[SessionSummary]:
    where, values = "", tuple[str, ...]()
    if working_directory is not None:
        where, values = "WHERE working_directory = ?", (_storable(working_directory),)
    rows = db.execute(
        f"SELECT {_SUMMARY} FROM sessions {where} ORDER BY updated DESC, id DESC LIMIT ?", (*values, limit)
    )
    return [SessionSummary(*row) for row in rows]


def _find(db: sqlite3.Connection, beginning: str) -> list[str]:
    rows = db.execute("SELECT id FROM sessions WHERE substr(id, 1, ?) = ? ORDER BY id", (len(beginning), beginning))
    return [row[0] for row in rows]


def _verify(db: sqlite3.Connection, session: str) -> str:
    previous = GENESIS
    for place, (seq, at, payload, digest) in enumerate(db.execute(_EVENTS, (session,)), start=1):
        if seq != place:
            return f"event {place} is missing"
        if digest != link(previous, session, seq, at, payload):
            return f"event {seq} does not fit the one before it: it was changed after it was written"
        try:
            decode_event(payload)
        except StoreError as error:
            return f"event {seq}: {error.message}"
        previous = digest
    if previous == GENESIS:
        raise _no_session(session)
    return ""
