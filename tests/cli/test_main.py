"""The entry point: what a user reads when something is wrong with us."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import Machine
from tui_agent.cli import invoke
from tui_agent.cli.main import main


def test_a_fault_of_ours_is_one_message_and_its_place_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError("of all things")

    machine = Machine.under(tmp_path, {})
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logging.getLogger("tui_agent"), "handlers", [])
    monkeypatch.setattr(invoke, "run", fail)
    assert main(["invoke", "-m", "hi"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0] == "error: internal error: ZeroDivisionError('of all things')"
    assert "Traceback" not in said.err
    (log,) = machine.home.rglob("tui-agent.log")
    assert "in fail" in log.read_text()


def test_the_end_of_the_program_does_not_wait_for_the_garbage_collector() -> None:
    code = "import atexit, gc; from tui_agent.cli.main import main; main(['tools', 'list']); atexit._run_exitfuncs()"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(gc.get_freeze_count() > 1000)"], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "True", done.stderr
