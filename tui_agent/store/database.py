"""The database file of the session log: opened, made, migrated, and read where it cannot be written."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from tui_agent.conversation.errors import StoreError

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that is writing."""

MALFORMED = "database disk image is malformed"


def told(error: sqlite3.Error) -> str:
    """What SQLite says; of text that is no UTF-8, which it would quote, that the file is damaged."""
    return MALFORMED if "decode" in str(error) else str(error)


def open_database(path: Path) -> sqlite3.Connection:
    """Open (and make or migrate) the database file, readable by its owner only; where it cannot be written, to read.

    Raises:
        StoreError: the file was made by a newer version.
        sqlite3.Error, OSError: it cannot be used.
    """
    try:
        return _open_to_write(path)
    except (sqlite3.OperationalError, OSError) as error:
        if not _cannot_write(error) or not path.exists():
            raise
        db = open_to_read(path)
        if db is None:
            raise
        return db


def _open_to_write(path: Path) -> sqlite3.Connection:
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
        db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        if version < len(scripts):
            _migrate(db, path, scripts)
    except BaseException:
        db.close()
        raise
    return db


def _cannot_write(error: Exception) -> bool:
    return isinstance(error, OSError) or any(
        words in str(error) for words in ("readonly database", "unable to open database file")
    )


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open it without writing anything; None when it is of an older schema.

    Raises:
        StoreError: it is of a newer one.
        sqlite3.Error: it cannot be read.
    """
    # Where nobody has it open, "immutable" keeps SQLite from leaving lock files of its own behind.
    access = "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    db = sqlite3.connect(
        f"file:{quote(bytes(path))}?{access}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        known = len(_migrations())
        if _version(db, path, known) == known:
            return db
    except BaseException:
        db.close()
        raise
    db.close()
    return None


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
    with transaction(db):
        version = _version(db, path, len(scripts))
        if 0 < version < len(scripts):
            _back_up(path, path.with_suffix(f".v{version}.backup"))
        for script in scripts[version:]:
            for statement in _statements(script):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(scripts)}")
    if version:
        with suppress(sqlite3.Error):  # gives back the room that the old tables took; not while another window reads
            db.execute("VACUUM")


def _back_up(path: Path, backup: Path) -> None:
    """A copy of what is committed, also of what is not in the main file yet; it is there whole or not at all."""
    unfinished = backup.with_name(backup.name + ".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        unfinished.replace(backup)
    finally:
        unfinished.unlink(missing_ok=True)


def backups(path: Path) -> list[Path]:
    """The copies that migrations of a log have left."""
    return sorted(path.parent.glob(f"{path.stem}.v*.backup"))


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


class transaction:
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
