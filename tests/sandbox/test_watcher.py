"""Commands without a sandbox end with the program, also when that is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio
from pathlib import Path
from tui_agent.sandbox.process import run
from tui_agent.sandbox.background import BackgroundCommands

async def main():
    here = Path({work!r})
    await run("true", here, 10)
    await BackgroundCommands().start("echo $$ > background; exec sleep 600", here)
    command = "echo $$ > shell; setsid bash -c 'echo $$ > session; exec sleep 600' & trap '' TERM HUP; sleep 600; :"
    await run(command, here, 600)

asyncio.run(main())
"""


def pids(work: Path) -> list[int]:
    """The processes of the commands, once all run."""
    until = time.monotonic() + 20
    files = [work / name for name in ("background", "shell", "session")]
    while not all(file.exists() and file.read_text().strip() for file in files):
        assert time.monotonic() < until
        time.sleep(0.02)
    return [int(file.read_text()) for file in files]


def running(found: list[int]) -> list[int]:
    alive = []
    for pid in found:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                alive.append(pid)
        except psutil.NoSuchProcess:
            pass
    return alive


@pytest.mark.promise("P28")
def test_after_kill_9_nothing_runs_any_more_and_neither_does_the_watcher(tmp_path: Path) -> None:
    started = subprocess.Popen([sys.executable, "-c", PROGRAM.format(work=str(tmp_path))], cwd=ROOT)
    found = pids(tmp_path)
    children = [child for child in psutil.Process(started.pid).children() if "watcher" in " ".join(child.cmdline())]
    assert len(children) == 1
    assert running(found) == found
    started.send_signal(signal.SIGKILL)
    started.wait()
    until = time.monotonic() + 10
    found.append(children[0].pid)
    while running(found) and time.monotonic() < until:
        time.sleep(0.02)
    assert running(found) == []
