"""Signals, a terminal that is closed, and terminals that can do little."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.cli.test_stopping import begun, left, logged
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import PROGRAM, Machine
from tests.terminal.test_journey import answer, submit

RUNS = reply_calls([("run_command", {"command": "trap '' TERM; touch begun; sleep 300"})])
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l")
"""Alternate screen off, cursor on, bracketed paste off, mouse off."""


def started(machine: Machine) -> Terminal:
    """The UI with a command running in it."""
    terminal = Terminal([*PROGRAM, "chat"], env=machine.environ, cwd=str(machine.project))
    submit(terminal, "go")
    answer(terminal, "y")
    return terminal


@pytest.mark.promise("P32")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_while_a_command_runs_ends_all_in_three_seconds(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with ChatServer([RUNS]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        with started(machine) as terminal:
            processes = begun(machine)
            began = time.monotonic()
            terminal.process.send_signal(number)
            assert terminal.wait_exit(10) == code
            assert time.monotonic() - began < 3
            assert left(processes) == []
            for mode in RESTORED:
                assert mode in terminal.raw, f"{mode!r} was not sent: the terminal is not restored"
            assert b"Traceback" not in terminal.raw
    assert logged(machine)[-2:] == ["tool_finished", "turn_ended"]


@pytest.mark.promise("P32")
def test_a_terminal_that_is_closed_ends_the_program_and_its_command(tmp_path: Path) -> None:
    with ChatServer([RUNS]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        terminal = started(machine)
        processes = begun(machine)
        began = time.monotonic()
        os.close(terminal._master)
        assert terminal.process.wait(10) == 128 + signal.SIGHUP
        assert time.monotonic() - began < 3
        assert left(processes) == []
    assert logged(machine)[-2:] == ["tool_finished", "turn_ended"]


@pytest.mark.slow
@pytest.mark.promise("P33")
def test_a_storm_of_size_changes_while_an_answer_streams(tmp_path: Path) -> None:
    with ChatServer([reply_text("word " * 2_000 + "the end", chunk=20)], pace=400) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        with Terminal([*PROGRAM, "chat"], env=machine.environ, cwd=str(machine.project)) as terminal:
            submit(terminal, "go")
            terminal.wait_for("word word")
            for number in range(300):
                terminal.resize(*((1, 1), (500, 200), (40, 10), (7, 3), (120, 2), (2, 60))[number % 6])
                terminal.read(0.001)
            terminal.resize(100, 30)
            terminal.wait_for("the end", timeout=30)
            assert b"Traceback" not in terminal.raw


@pytest.mark.promise("P37")
@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"LANG": "C", "LC_ALL": "C"}, id="no utf-8"),
        pytest.param({"NO_COLOR": "1"}, id="no colour", marks=pytest.mark.slow),
        pytest.param({"TERM": "vt100"}, id="vt100", marks=pytest.mark.slow),
    ],
)
def test_a_terminal_that_can_do_little_shows_an_answer_all_the_same(tmp_path: Path, environ: dict[str, str]) -> None:
    with ChatServer([reply_text("Here I am.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        with Terminal([*PROGRAM, "chat"], env={**machine.environ, **environ}, cwd=str(machine.project)) as terminal:
            terminal.wait_for("fake-model")
            terminal.settle(0.3)
            terminal.send("hello\r")
            terminal.wait_for("Here I am")
            terminal.send("\x11")
            assert terminal.wait_exit() == 0
        assert b"Traceback" not in terminal.raw
        if "NO_COLOR" in environ:
            colours = set(re.findall(rb"\x1b\[[0-9;]*[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.raw)))
            assert all(red == green == blue for red, green, blue in colours)
