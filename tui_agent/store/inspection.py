"""Look at a session log without changing what it holds: nothing is made or migrated, no prompt or reply is read."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from msgspec import Struct

from tui_agent.conversation.errors import StoreError

LOCK_WAIT = 0.3
"""Seconds for which another program may be writing before it is reported."""


class LogState(Struct, frozen=True):
    """What a session log is like.

    `schema` is the version it was written with and `known` the newest one that this program knows. `fault` is the first
    thing that SQLite finds wrong with it; None when there was not time enough to look at all of it.
    """

    schema: int
    known: int
    sessions: int
    events: int
    fault: str | None


class SessionOutline(Struct, frozen=True):
    """A session without a word of it; times in Unix seconds."""

    id: str
    started: float
    updated: float
    turns: int
    events: int


def inspect(path: Path, seconds: float) -> LogState:
    """The state of the log at `path`; looks for damage for at most `seconds`.

    Raises:
        StoreError: it cannot be read.
    """
    with _opened(path) as db:
        schema: int = db.execute("PRAGMA user_version").fetchone()[0]
        fault = _fault(db, seconds)
        sessions = events = 0
        if schema and not fault:
            sessions, events = db.execute("SELECT COUNT(*), COALESCE(SUM(events), 0) FROM sessions").fetchone()
    return LogState(schema, known_schema(), sessions, events, fault)


def outlines(path: Path, limit: int) -> list[SessionOutline]:
    """The latest sessions, newest first.

    Raises:
        StoreError: the log cannot be read.
    """
    with _opened(path) as db:
        rows = db.execute(
            "SELECT id, started, updated, turns, events FROM sessions ORDER BY updated DESC, id DESC LIMIT ?", (limit,)
        )
        return [SessionOutline(*row) for row in rows]


def write_locked(path: Path) -> bool:
    """Whether another program holds the log's write lock for longer than a moment.

    Raises:
        StoreError: it cannot be opened for writing.
    """
    if not _in_use(path):
        return False
    try:
        with _opened(path, "mode=rw") as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
    except StoreError as error:
        if isinstance(error.__cause__, sqlite3.OperationalError) and "locked" in str(error.__cause__):
            return True
        raise
    return False


def known_schema() -> int:
    """The newest schema version that this program knows."""
    folder = resources.files("tui_agent.store").joinpath("migrations")
    return sum(item.name.endswith(".sql") for item in folder.iterdir())


def _in_use(path: Path) -> bool:
    """Whether a program has the log open, or ended without closing it."""
    return path.with_name(path.name + "-wal").exists()


@contextmanager
def _opened(path: Path, access: str = "") -> Iterator[sqlite3.Connection]:
    from urllib.parse import quote

    # Where nobody has it open, "immutable" keeps SQLite from leaving lock files of its own behind.
    access = access or ("mode=ro" if _in_use(path) else "mode=ro&immutable=1")
    try:
        db = sqlite3.connect(f"file:{quote(bytes(path))}?{access}", uri=True, timeout=LOCK_WAIT, isolation_level=None)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(f"session log {path}: {error}") from error


def _fault(db: sqlite3.Connection, seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    db.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        found: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return None
        raise
    finally:
        db.set_progress_handler(None, 0)
    return "" if found == "ok" else " ".join(found.split())
