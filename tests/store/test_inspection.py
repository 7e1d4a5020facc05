"""Looking at a session log tells its state, and leaves nothing behind."""

import os
import sqlite3
from pathlib import Path

import pytest

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import PromptSubmitted, SessionStarted
from tui_agent.store.inspection import inspect, known_schema, outlines, write_locked
from tui_agent.store.sqlite import SqliteLog

STARTED = SessionStarted(version="0", working_directory="/w", provider="p", model="m", mode="ask")


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    path = tmp_path / "a folder#1%20?" / "sessions.db"
    store = SqliteLog(path)
    for number in range(3):
        record = await store.create(f"s{number}", STARTED, at=100.0 + number)
        await store.append(record, PromptSubmitted(text="a secret question"), at=200.0 + number)
    await store.aclose()
    return path


def test_the_state_of_a_good_log(log: Path) -> None:
    state = inspect(log, seconds=5)
    assert (state.schema, state.known, state.sessions, state.events, state.fault) == (
        known_schema(),
        known_schema(),
        3,
        6,
        "",
    )
    assert not write_locked(log)


def test_outlines_are_newest_first_and_hold_no_text(log: Path) -> None:
    rows = outlines(log, 2)
    assert [row.id for row in rows] == ["s2", "s1"]
    assert (rows[0].started, rows[0].updated, rows[0].turns, rows[0].events) == (102.0, 202.0, 1, 2)
    assert "question" not in repr(rows)


def test_looking_leaves_nothing_behind(log: Path) -> None:
    before = (log.read_bytes(), sorted(os.listdir(log.parent)))
    inspect(log, seconds=5)
    outlines(log, 5)
    write_locked(log)
    assert (log.read_bytes(), sorted(os.listdir(log.parent))) == before


def test_a_log_that_is_open_and_being_written_is_read_and_found_locked(log: Path) -> None:
    writer = sqlite3.connect(log, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM events")
    try:
        assert inspect(log, seconds=5).events == 6
        assert write_locked(log)
        writer.execute("ROLLBACK")
        assert not write_locked(log)
    finally:
        writer.close()


def test_a_newer_schema_is_told(log: Path) -> None:
    with sqlite3.connect(log) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    state = inspect(log, seconds=5)
    assert (state.schema, state.known) == (99, known_schema())


def test_damage_is_named(log: Path) -> None:
    data = bytearray(log.read_bytes())
    page = int.from_bytes(data[16:18], "big")
    for start in range(2 * page, len(data), page):
        data[start : start + 64] = b"\xff" * 64
    log.write_bytes(data)
    try:
        fault = inspect(log, seconds=5).fault
    except StoreError as error:
        fault = error.message
    assert fault


def test_no_time_to_look_for_damage_is_no_damage(log: Path) -> None:
    with sqlite3.connect(log) as db:
        rows = ((f"x{n}", n, 1.0, b"x" * 500, "h") for n in range(20_000))
        db.execute("PRAGMA foreign_keys = OFF")
        db.executemany("INSERT INTO events (session, seq, time, payload, hash) VALUES (?, ?, ?, ?, ?)", rows)
    db.close()
    assert inspect(log, seconds=0).fault is None
    assert inspect(log, seconds=60).fault == ""


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 40, b"SQLite format 3\0"])
def test_another_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sessions.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"sessions\.db"):
        inspect(path, seconds=1)


def test_an_empty_file_is_a_log_without_sessions(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    path.touch()
    state = inspect(path, seconds=1)
    assert (state.schema, state.sessions, state.fault) == (0, 0, "")
