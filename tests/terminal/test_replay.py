"""A session of two thousand turns, used as after a long day: opened, scrolled to its beginning, resized, left."""

import asyncio
import re
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.terminal import Terminal
from tests.long_session import write_session
from tests.project import Machine
from tests.stopwatch import Stopwatch
from tui_agent.store.sqlite import SqliteLog

COMMAND = [str(Path(sys.executable).with_name("tui-agent"))]

EVENTS = 12_000
PAGE_UP, TO_TRANSCRIPT = "\x1b[5~", "\x1b[1;5A"

pytestmark = pytest.mark.slow


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With the session in the log of its project."""
    made = Machine.under(tmp_path, {"alpha": "http://127.0.0.1:9/v1"})

    async def keep() -> None:
        log = SqliteLog(made.home / "data" / "sessions.db")
        await write_session(log, "long-1", str(made.project), EVENTS)
        (row,) = await log.sessions()
        assert (row.turns > 2000, row.events) == (True, EVENTS)
        await log.aclose()

    asyncio.run(keep())
    return made


def top(terminal: Terminal) -> str:
    """The first prompt that begins on the screen: its number."""
    found = re.search(r"prompt (\d+):", terminal.text)
    return found.group(1) if found else ""


def cpu_seconds(terminal: Terminal) -> float:
    times = psutil.Process(terminal.process.pid).cpu_times()
    return float(times.user + times.system)


def test_two_thousand_turns_are_opened_scrolled_jumped_resized_and_left(machine: Machine) -> None:
    with Terminal([*COMMAND, "--continue", "--provider", "alpha"], env=machine.environ, cwd=str(machine.project)) as ui:
        ui.wait_for(r"prompt 2\d\d\d:")
        ui.settle(0.5)

        before, pages = cpu_seconds(ui), 0
        while top(ui) != "1" and pages < 4000:  # held: as fast as a keyboard repeats, or faster
            ui.send(PAGE_UP * 5)
            pages += 5
            ui.read(0.1)
        ui.settle(0.3)
        assert top(ui) == "1" and "prompt 2:" not in ui.text.partition("prompt 1:")[0]
        assert (cpu_seconds(ui) - before) / pages < 0.05, "seconds of CPU for a page"

        ui.send(TO_TRANSCRIPT)
        ui.wait_for("▎")
        ui.send("g")
        ui.wait_for("▎ *you +prompt 1:")
        ui.send("]" * 20)
        ui.wait_for(r"prompt 21:")
        ui.send("[" * 10)
        ui.wait_for(r"you +prompt 11:")
        ui.settle(0.3)

        shown = ui.text.splitlines()[1:30]
        for columns, rows in ((80, 24), (40, 10), (120, 40)):
            ui.resize(columns, rows)
            ui.settle(0.5)
            assert top(ui) in ("11", "12"), f"another place after going to {columns}×{rows}:\n{ui.text}"
        assert ui.text.splitlines()[1:30] == shown

        ui.send("G")
        ui.wait_for(r"prompt 2\d\d\d:")
        assert psutil.Process(ui.process.pid).memory_info().rss < 200e6

        watch = Stopwatch(ui.process.pid)
        ui.send("\x11")
        assert ui.wait_exit() == 0
        assert watch.seconds < 1.5
    assert b"\x1b[?1049l" in ui.raw
