"""Sessions as a whole: locked by one window, renamed, copied, deleted for good; and older logs taken over."""

import fcntl
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import PromptSubmitted, SessionStarted, TurnEnded
from tui_agent.store import database
from tui_agent.store.inspection import known_schema
from tui_agent.store.locks import Holder, SessionLocks
from tui_agent.store.log import SessionHeldError
from tui_agent.store.search import SearchIndex
from tui_agent.store.sqlite import SqliteLog

STARTED = SessionStarted("/w", "p", "m", "ask", "1")
SECRET = "xylophone-marmalade-4711"


async def fill(log: SqliteLog, session: str, *prompts: str) -> None:
    last = await log.create(session, STARTED, 1.0)
    for prompt in prompts:
        last = await log.append(last, PromptSubmitted(prompt), 2.0)
        last = await log.append(last, TurnEnded("done"), 3.0)


# ---- who has it open ----


@pytest.mark.promise("P34")
async def test_who_opens_a_session_second_is_told_by_whom_it_is_open(tmp_path: Path) -> None:
    one, two = SqliteLog(tmp_path / "s.db"), SqliteLog(tmp_path / "s.db")
    await fill(one, "s1", "hello")
    with pytest.raises(SessionHeldError, match=rf"open in another window \(process {os.getpid()} since \d\d:\d\d\)"):
        await two.hold("s1")
    await one.hold("s1")  # again is nothing new
    await one.release("s1")
    await two.hold("s1")
    with pytest.raises(SessionHeldError):
        await one.hold("s1")
    await two.aclose()
    await one.hold("s1")
    await one.aclose()
    assert list((tmp_path / "locks").iterdir()) == []


_HOLD = """
import sys, time
from pathlib import Path
from tui_agent.store.locks import SessionLocks
locks = SessionLocks(Path(sys.argv[1]))
assert locks.take("s1") is None
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.promise("P34")
@pytest.mark.promise("P28")
def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        locks = SessionLocks(tmp_path)
        held_by = locks.take("s1")
        assert held_by is not None and held_by.process == holder.pid
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert len(list(tmp_path.iterdir())) == 1  # what a killed one leaves is taken over
    assert locks.take("s1") is None
    locks.release_all()


def test_what_killed_ones_have_left_is_cleared_away_and_what_others_hold_is_not(tmp_path: Path) -> None:
    other, mine = SessionLocks(tmp_path), SessionLocks(tmp_path)
    other.take("s1")
    (tmp_path / "0123.lock").write_text("left behind")
    mine.release_all()
    assert len(list(tmp_path.iterdir())) == 1
    assert mine.take("s1") is not None
    other.release_all()
    assert list(tmp_path.iterdir()) == []


def _take_and_release(folder: Path, times: int, counter: Path) -> None:
    locks = SessionLocks(folder)
    for _ in range(times):
        while locks.take("s1") is not None:
            pass
        assert not counter.exists()
        counter.touch()
        counter.unlink()
        locks.release("s1")


@pytest.mark.promise("P34")
def test_never_two_have_it_while_locks_come_and_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    counter = tmp_path / "inside"
    others = [context.Process(target=_take_and_release, args=(tmp_path / "l", 300, counter)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0]


def test_a_lock_that_was_given_back_while_it_was_taken_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = SessionLocks(tmp_path), SessionLocks(tmp_path)
    real, calls = fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:  # between opening the file and locking it, its holder takes it away
            (path,) = tmp_path.iterdir()
            path.unlink()
        real(descriptor, how)

    monkeypatch.setattr("fcntl.flock", flock)
    assert one.take("s1") is None and len(calls) == 2
    assert two.take("s1") is not None
    one.release_all()


def test_where_there_are_no_locks_that_is_said_and_nothing_is_kept_from_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", without)
    one, two = SessionLocks(tmp_path), SessionLocks(tmp_path)
    assert one.take("s1") is None and two.take("s1") is None
    assert "the file system has no locks" in one.missing
    (tmp_path / "file").write_text("")
    three = SessionLocks(tmp_path / "file" / "locks")
    assert three.take("s1") is None and "Not a directory" in three.missing


@pytest.mark.parametrize("note", [b"", b"{", b"[" * 900, b'{"process": "x"}', b'{"process":1,"since":1e300}', b"\xff"])
def test_any_note_of_a_holder_can_be_told(tmp_path: Path, note: bytes) -> None:
    one, two = SessionLocks(tmp_path), SessionLocks(tmp_path)
    one.take("../../s1")
    (path,) = tmp_path.iterdir()
    path.write_bytes(note)
    holder = two.take("../../s1")
    assert holder is not None and isinstance(holder.describe(), str)
    assert Holder(7, 0.0, "elsewhere").describe() == "process 7 on elsewhere"
    one.release_all()


# ---- renamed, copied ----


async def test_a_name_stays_and_an_empty_one_is_the_first_prompt_again(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", "first prompt")
    await log.rename("s1", "  the\ncart  ")
    records = await log.read("s1")
    await log.append(records[-1], PromptSubmitted("second"), 9.0)
    assert [row.title for row in await log.sessions()] == ["the cart"]
    await log.rename("s1", "")
    assert [row.title for row in await log.sessions()] == ["first prompt"]
    with pytest.raises(StoreError, match="no session"):
        await log.rename("s2", "x")
    await log.aclose()


async def test_a_copy_is_sealed_anew_and_goes_on_by_itself(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", "one", "two")
    records = await log.read("s1")
    copied = await log.put("s2", records[:3], "copy", 20.0)
    assert [record.event for record in copied] == [record.event for record in records[:3]]
    assert await log.verify("s2") == "" and copied[0].hash != records[0].hash
    await log.append(copied[-1], PromptSubmitted("other"), 9.0)
    rows = {row.id: row for row in await log.sessions()}
    assert (rows["s2"].title, rows["s2"].turns, rows["s2"].events) == ("copy", 2, 4)
    assert rows["s2"].updated == 9.0
    assert rows["s1"].events == 5 and rows["s1"].size > rows["s2"].size > 0
    with pytest.raises(StoreError, match="this one does not"):
        await log.put("s3", records[1:], "", 20.0)
    assert len(await log.sessions()) == 2
    await log.aclose()


# ---- deleted ----


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("backup", [False, True])
async def test_a_deleted_session_is_in_no_file_any_more(tmp_path: Path, backup: bool) -> None:
    log = SqliteLog(tmp_path / "sessions.db")
    await fill(log, "kept", "an ordinary question")
    await fill(log, "gone", SECRET, f"and {SECRET}" * 2_000)
    assert len((await log.search(SECRET)).hits) == 1
    if backup:
        database._back_up(log.path, tmp_path / "sessions.v1.backup")
    assert SECRET.encode() in bytes_of(tmp_path) and b"marmalade" in SearchIndex(log.path).path.read_bytes()
    await log.release("gone")
    await log.delete("gone")
    assert b"marmalade" not in bytes_of(tmp_path)
    assert (await log.search("marmalade")).hits == ()
    assert [hit.session for hit in (await log.search("ordinary")).hits] == ["kept"]
    assert [row.id for row in await log.sessions()] == ["kept"] and await log.verify("kept") == ""
    with pytest.raises(StoreError, match="no session 'gone'"):
        await log.delete("gone")
    await log.aclose()


async def test_what_is_open_elsewhere_is_not_deleted(tmp_path: Path) -> None:
    one, two = SqliteLog(tmp_path / "s.db"), SqliteLog(tmp_path / "s.db")
    await fill(one, "s1", "hello")
    with pytest.raises(SessionHeldError):
        await two.delete("s1")
    assert len(await one.read("s1")) == 3
    await one.aclose()
    await two.delete("s1")
    assert await two.sessions() == []
    await two.aclose()


async def test_deleting_without_an_index_or_with_a_damaged_one(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    for session in ("s1", "s2", "s3"):
        await fill(log, session, SECRET)
        await log.release(session)
    await log.delete("s1")
    await log.search(SECRET)
    SearchIndex(log.path).path.write_bytes(b"damaged" * 900)
    await log.delete("s2")
    assert not SearchIndex(log.path).path.exists()
    await log.search(SECRET)
    with sqlite3.connect(SearchIndex(log.path).path) as index:
        index.execute("DROP TABLE words_data")
    await log.delete("s3")
    assert b"marmalade" not in bytes_of(tmp_path)
    await log.aclose()


# ---- an older log ----

FIRST = Path(database.__file__).parent / "migrations" / "0001_sessions_and_events.sql"


def old_log(path: Path) -> None:
    """As the first version wrote it: what was written last is in the write-ahead log only."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.executescript(FIRST.read_text())
    db.execute("PRAGMA user_version = 1")
    for session in ("s1", "s2"):
        rows = [
            (
                1,
                b'{"type":"session_started","working_directory":"/w","provider":"p","model":"m","mode":"ask","version":"1"}',
            ),
            (2, b'{"type":"prompt_submitted","text":"from before"}'),
        ]
        from tui_agent.store.log import GENESIS, link

        db.execute("INSERT INTO sessions VALUES (?, '/w', 'p', 'm', 'from before', 1, 2, 1.0, 2.0)", (session,))
        previous = GENESIS
        for seq, payload in rows:
            previous = link(previous, session, seq, float(seq), payload)
            db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (session, seq, float(seq), payload, previous))
    os.kill(os.getpid(), signal.SIGKILL)  # closing it would move everything into the main file


@pytest.fixture
def old(tmp_path: Path) -> Path:
    process = multiprocessing.get_context("spawn").Process(target=old_log, args=(tmp_path / "sessions.db",))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    return tmp_path / "sessions.db"


@pytest.mark.promise("P42")
async def test_an_older_log_is_taken_over_whole_and_a_copy_is_kept(old: Path) -> None:
    log = SqliteLog(old)
    rows = await log.sessions()
    assert [(row.id, row.title, row.events) for row in rows] == [("s2", "from before", 2), ("s1", "from before", 2)]
    assert rows[0].size > 100
    records = await log.read("s1")
    assert records[1].event == PromptSubmitted("from before") and await log.verify("s1") == ""
    await log.append(records[-1], TurnEnded("done"), 3.0)
    assert [hit.session for hit in (await log.search("before")).hits] == ["s2", "s1"]
    await log.aclose()
    backup = old.with_name("sessions.v1.backup")
    assert backup.stat().st_mode & 0o077 == 0
    with sqlite3.connect(backup) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT COUNT(*) FROM events").fetchone() == (4,)


@pytest.mark.promise("P42")
async def test_a_migration_that_fails_leaves_the_log_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = database._migrations()
    broken = [scripts[0], scripts[1] + "INSERT INTO nowhere VALUES (1);"]
    monkeypatch.setattr(database, "_migrations", lambda: broken)
    log = SqliteLog(old)
    with pytest.raises(StoreError, match="nowhere"):
        await log.sessions()
    monkeypatch.undo()

    def full(path: Path, backup: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database, "_back_up", full)
    with pytest.raises(StoreError, match="No space left"):
        await log.sessions()
    await log.aclose()
    monkeypatch.undo()
    with sqlite3.connect(old) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT COUNT(*) FROM events").fetchone() == (4,)
    log = SqliteLog(old)
    assert len(await log.sessions()) == 2 and known_schema() == 2
    await log.aclose()


def _killed_in_migration(path: Path, statements: int) -> None:
    done: list[str] = []
    real = database._statements

    def counted(script: str) -> Iterator[str]:
        for statement in real(script):
            if len(done) == statements:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(statement)
            yield statement

    database._statements = counted
    database.open_database(path)


@pytest.mark.promise("P42")
@pytest.mark.promise("P28")
@pytest.mark.parametrize("statements", [0, 2, 4])
async def test_a_migration_that_is_killed_begins_again(old: Path, statements: int) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_killed_in_migration, args=(old, statements))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    with sqlite3.connect(old) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT COUNT(*) FROM events").fetchone() == (4,)
    log = SqliteLog(old)
    assert [(row.id, await log.verify(row.id)) for row in await log.sessions()] == [("s2", ""), ("s1", "")]
    await log.aclose()
