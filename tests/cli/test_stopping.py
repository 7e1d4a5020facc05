"""How the program leaves before it is done: signals, readers that go away, disks that are full."""

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import PROGRAM, Machine

ROOT = str(Path(__file__).parents[2])
DEAF = "trap '' TERM; touch begun; sleep 300; sleep 300"
"""A command that does not end when it is asked to."""


def start(machine: Machine, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *words],
        cwd=machine.project,
        env={**machine.environ, "PYTHONPATH": ROOT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def begun(machine: Machine) -> list[psutil.Process]:
    """Wait for the command to run; the processes that work in the project."""
    mark = machine.project / "begun"
    deadline = time.monotonic() + 20
    while not mark.exists():
        assert time.monotonic() < deadline, "the command was not started"
        time.sleep(0.01)
    found = [
        process
        for process in psutil.process_iter(["cwd", "name"])
        if process.info["cwd"] == str(machine.project) and process.info["name"] in ("bash", "sleep")
    ]
    assert found
    return found


def left(processes: list[psutil.Process]) -> list[int]:
    """Those that still run; one that was killed may wait for its parent to notice, or just have been noticed."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            pass
    return found


def in_shell(machine: Machine, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=machine.project,
        env={**machine.environ, "PYTHONPATH": ROOT, "AGENT": " ".join(PROGRAM)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def logged(machine: Machine) -> list[str]:
    """The kinds of the events of the one session."""
    (row,) = json.loads(machine.run("sessions", "list", "--json").stdout)
    shown = machine.run("sessions", "show", row["id"], "--json").stdout
    return [json.loads(line)["event"]["type"] for line in shown.splitlines()]


@pytest.mark.promise("P32")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_tool_call_with_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    machine = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})
    program = start(machine, "tools", "call", "run_command", "--args", json.dumps({"command": DEAF}), "--yes")
    processes = begun(machine)
    program.send_signal(number)
    _, errors = program.communicate(timeout=10)
    assert left(processes) == []
    assert (program.returncode, errors) == (128 + number, b"")


@pytest.mark.promise("P32")
def test_impatient_signals_do_not_leave_commands_behind(tmp_path: Path) -> None:
    with ChatServer([reply_calls([("run_command", {"command": DEAF})])]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        program = start(machine, "invoke", "-m", "go", "--approve", "all")
        processes = begun(machine)
        while program.poll() is None:
            program.send_signal(signal.SIGINT)
            time.sleep(0.1)
        _, errors = program.communicate()
    assert left(processes) == []
    assert (program.returncode, errors) == (130, b"")
    assert logged(machine)[-2:] == ["tool_finished", "turn_ended"]


@pytest.mark.promise("P32")
def test_impatient_keys_in_the_ui_do_not_leave_commands_behind(tmp_path: Path) -> None:
    with ChatServer([reply_calls([("run_command", {"command": DEAF})])]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        with Terminal([*PROGRAM, "chat"], env={**machine.environ, "PYTHONPATH": ROOT}, cwd=str(machine.project)) as ui:
            ui.wait_for("›")
            ui.send("go")
            ui.wait_for("go")
            ui.send("\r")
            ui.wait_for(r"\by (allow )?once")
            ui.settle(0.6)
            ui.send("y")
            processes = begun(machine)
            while ui.process.poll() is None:
                ui.send("\x03")  # a key while the UI is there, a signal once the terminal is given back
                ui.settle(0.1)
            assert ui.wait_exit() == 0
            assert b"Traceback" not in ui.raw
    assert left(processes) == []


def test_when_the_reader_leaves_the_turn_still_ends_in_the_log(tmp_path: Path) -> None:
    with ChatServer([reply_calls([("run_command", {"command": "echo hi; sleep 300"})])]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        done = in_shell(machine, "$AGENT invoke -m go --approve all --output-format stream-json | head -1")
    assert json.loads(done.stdout)["type"] == "session"
    assert done.stderr == ""
    assert logged(machine)[-2:] == ["tool_finished", "turn_ended"]


def test_an_answer_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    with ChatServer([reply_text("hello\n" * 9_000)]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        full = in_shell(machine, "$AGENT invoke -m hi > /dev/full")
        closed = in_shell(machine, "$AGENT invoke -m hi >&- 2>&- <&-")
    assert full.returncode == 1
    assert full.stderr.splitlines() == ["error: cannot go on: [Errno 28] No space left on device"]
    assert closed.returncode == 0


@pytest.mark.promise("P37")
def test_an_output_encoding_that_lacks_letters_gets_escapes(tmp_path: Path) -> None:
    with ChatServer([reply_text("naïve 日本")]) as server:
        done = Machine.under(tmp_path, {"fake": server.url}).run("invoke", "-m", "hi", PYTHONIOENCODING="ascii")
    assert (done.stdout, done.stderr, done.returncode) == ("na\\xefve \\u65e5\\u672c\n", "", 0)


@pytest.mark.promise("P28")
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_command_that_was_cut_off_by_a_kill_has_ended_and_is_not_said_to_have_not_run(
    tmp_path: Path, sandbox: str
) -> None:
    script = [reply_calls([("run_command", {"command": "touch begun; sleep 300"})]), reply_text("ok")]
    with ChatServer(script) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        program = start(machine, "invoke", "-m", "go", "--approve", "all", "--sandbox", sandbox)
        processes = begun(machine)
        program.kill()
        program.communicate()
        deadline = time.monotonic() + 10
        while left(processes) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert left(processes) == []
        (row,) = json.loads(machine.run("sessions", "list", "--json").stdout)
        assert machine.run("invoke", "-m", "and?", "--resume", row["id"]).returncode == 0
    assert "may have been done in part" in server.bodies[1]["messages"][-2]["content"]
