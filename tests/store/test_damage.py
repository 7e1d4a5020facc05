# ruff: noqa: ASYNC221, ASYNC240 - these tests are about files
"""Damaged, read-only and full: said clearly, nothing overwritten, and the good sessions are still listed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.long_session import write_session
from tests.project import ROOT
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import Noticed, SessionStarted
from tui_agent.store.sqlite import SqliteLog

PAGE = 4096
ALL = {"s0", "s1", "s2", "s3"}

pytestmark = pytest.mark.promise("P35")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sessions, closed in order."""
    import asyncio

    path = tmp_path_factory.mktemp("sound") / "sessions.db"

    async def write() -> None:
        log = SqliteLog(path)
        for number in range(4):
            await write_session(log, f"s{number}", "/w", 200, at=1e9 + number)
        await log.aclose()

    asyncio.run(write())
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "sessions.db"))


async def tell(path: Path) -> tuple[dict[str, str], str]:
    """Each listed session and what verify says of it (or that it cannot be read); or why none can be listed."""
    log = SqliteLog(path)
    try:
        rows = await log.sessions()
        states = {}
        for row in rows:
            states[row.id] = await log.verify(row.id)
            salvaged = await log.salvage(row.id)
            if not states[row.id]:
                assert not any(isinstance(record.event, Noticed) for record in salvaged)
            if states[row.id]:
                try:
                    await log.read(row.id)
                except StoreError as error:
                    assert "fork ID" in error.hint, error.hint
        return states, ""
    except StoreError as error:
        assert str(path) in error.message and error.hint, error.message
        return {}, error.message
    finally:
        await log.aclose()


async def test_one_bad_page_costs_one_session_at_most(path: Path) -> None:
    sound = path.read_bytes()
    costs = []
    for page in range(1, len(sound) // PAGE, 2):
        path.write_bytes(sound[: page * PAGE] + b"\xa5" * PAGE + sound[(page + 1) * PAGE :])
        before = path.read_bytes()
        states, why = await tell(path)
        assert path.read_bytes() == before
        for left in path.parent.glob("sessions.db-*"):
            left.unlink()
        # The pages at the root of a table or index are for all sessions.
        costs.append(4 if why else sum(bool(problem) for problem in states.values()) + len(ALL - states.keys()))
    assert sum(cost > 1 for cost in costs) < len(costs) / 10, costs
    assert sum(cost == 1 for cost in costs) > len(costs) * 0.8, costs


async def test_of_a_damaged_list_the_rest_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    log = SqliteLog(path)
    for number in range(150):
        await log.create(f"{number:03} {'x' * 150}", SessionStarted("/w", "p", "m", "ask", "1"), float(number))
    await log.aclose()
    with sqlite3.connect(path) as db:
        if not db.execute(
            "SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'"
        ).fetchone():
            pytest.skip("this SQLite does not tell which pages are whose")
        pages = db.execute("SELECT pageno FROM dbstat WHERE name = 'sessions' AND pagetype = 'leaf'").fetchall()
    damaged = bytearray(path.read_bytes())
    at = (pages[len(pages) // 2][0] - 1) * PAGE
    damaged[at : at + PAGE] = b"\xa5" * PAGE
    path.write_bytes(damaged)
    log = SqliteLog(path)
    rows = [int(row.id[:3]) for row in await log.sessions()]
    assert 120 < len(rows) < 150 and rows == sorted(rows, reverse=True) and {0, 149} <= {*rows}
    assert len(await log.sessions(limit=5)) == 5 and await log.sessions("/elsewhere") == []
    await log.aclose()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
async def test_a_truncated_log_lists_what_was_whole(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share) // PAGE * PAGE)
    before = path.read_bytes()
    states, why = await tell(path)
    assert why or set(states) <= ALL
    if not why:
        assert states["s0"] == "" or share < 0.5
        assert states["s3"], "what is gone must not be called whole"
    assert path.read_bytes() == before


async def test_the_readable_part_of_a_damaged_session_can_be_copied(path: Path) -> None:
    data = path.read_bytes()
    at = data.rindex(b"prompt 20") // PAGE
    path.write_bytes(data[: at * PAGE] + b"\xa5" * PAGE + data[(at + 1) * PAGE :])
    log = SqliteLog(path)
    (damaged,) = [row.id for row in await log.sessions() if await log.verify(row.id)]
    assert "cannot be read" in await log.verify(damaged)
    records = await log.salvage(damaged)
    assert 100 < len(records) < 200
    (notice,) = [record.event for record in records if isinstance(record.event, Noticed)]
    assert "cannot be read: database disk image is malformed" in notice.text
    await log.put("copy", records, "", 2e9)
    assert await log.verify("copy") == "" and len(await log.read("copy")) == len(records)
    await log.aclose()


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.5, 0.9, 1.0])
async def test_of_a_half_written_write_ahead_log_whole_records_stay(path: Path, kept: float) -> None:
    """As after a crash of the machine: the log grew, and not all of it reached the disk."""
    log = SqliteLog(path)
    last = (await log.read("s3"))[-1]
    for number in range(40):
        last = await log.append(last, Noticed("info", f"note {number} " * 30), 2e9)
    wal = path.with_name(path.name + "-wal")
    data, main = wal.read_bytes(), path.read_bytes()
    crashed = path.parent / "crashed"
    crashed.mkdir()
    (crashed / path.name).write_bytes(main)
    cut = int(len(data) * kept)
    (crashed / wal.name).write_bytes(data[:cut] + (b"\0" * 999 if 0 < kept < 1 else b""))
    again = SqliteLog(crashed / path.name)
    records = await again.read("s3")
    assert await again.verify("s3") == "" and 200 <= len(records) <= 240
    assert (len(records) == 240) == (kept == 1.0) and (len(records) > 200) == (kept > 0.1)
    assert {row.id for row in await again.sessions()} == ALL
    await again.aclose()
    await log.aclose()


_READING = """
import asyncio, sys
from pathlib import Path
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import PromptSubmitted, SessionStarted
from tui_agent.store.sqlite import SqliteLog

async def main():
    log = SqliteLog(Path(sys.argv[1]))
    print(len(await log.sessions()), len(await log.read("s1")), repr(await log.verify("s1")))
    print([hit.session for hit in (await log.search("cart")).hits])
    for work in (log.create("new", SessionStarted("/w", "p", "m", "ask", "1"), 1.0), log.rename("s1", "x")):
        try:
            await work
            print("written")
        except StoreError as error:
            print(error.message, "|", error.hint)
    await log.hold("s1")
    print(log.unguarded)
    await log.aclose()

asyncio.run(main())
"""


# root may write everywhere, unless that right is taken from it
_PLAIN_USER = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.getuid() == 0 else ()


@pytest.mark.skipif(bool(_PLAIN_USER) and not shutil.which("setpriv"), reason="root's rights cannot be taken away here")
@pytest.mark.promise("P31")
@pytest.mark.parametrize("open_elsewhere", [False, True])
async def test_a_folder_that_cannot_be_written_is_read(path: Path, open_elsewhere: bool) -> None:
    writer = SqliteLog(path)
    if open_elsewhere:
        await writer.sessions()
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    before = sorted((file.name, file.read_bytes()) for file in path.parent.iterdir() if file.is_file())
    done = subprocess.run(
        [*_PLAIN_USER, sys.executable, "-c", _READING, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    path.parent.chmod(0o755)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "4 200 ''" and lines[1] == "['s3', 's2', 's1', 's0']"
    for line in lines[2:4]:
        assert "attempt to write a readonly database | its folder cannot be written" in line
    assert "Permission denied" in lines[4]
    assert sorted((file.name, file.read_bytes()) for file in path.parent.iterdir() if file.is_file()) == before
    await writer.aclose()


_ON_A_FULL_DISK = """
import asyncio, os, shutil, sys
from pathlib import Path
from tests.long_session import write_session
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import Noticed, SessionStarted
from tui_agent.store.sqlite import SqliteLog

async def main(folder):
    log = SqliteLog(folder / "sessions.db")
    last = (await log.read("s3"))[-1]
    written = len(await log.read("s3"))
    filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(filler, b"x" * 4096)
    except OSError:
        pass
    try:
        while True:
            last = await log.append(last, Noticed("info", "note " * 200), 2e9)
            written += 1
    except StoreError as error:
        print(error.message, "|", error.hint)
    for work in (log.put("copy", await log.read("s0"), "", 2e9), log.search("cart"), log.hold("s0")):
        try:
            print(type(await work).__name__)
        except StoreError as error:
            print("no:", error.message)
    os.close(filler)
    os.unlink(folder / "filler")
    await log.append(last, Noticed("info", "there is room again"), 2e9)
    print([(row.id, await log.verify(row.id)) for row in await log.sessions()])
    print(len(await log.read("s3")) == written + 1)
    await log.aclose()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.promise("P30")
def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_when_there_is_room(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    script = 'mount -t tmpfs -o size=8m none "$1" && cp "$2" "$1" && shift 2 && exec "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", place, path, sys.executable, "-c", _ON_A_FULL_DISK, place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("a small file system cannot be mounted here")
    assert done.stderr == ""
    first, put, found, held, states, whole = done.stdout.splitlines()
    assert "disk is full | free some disk space" in first
    assert "disk is full" in put
    assert found == "Found" and held == "NoneType"
    assert states == str([("s3", ""), ("s2", ""), ("s1", ""), ("s0", "")]) and whole == "True"
