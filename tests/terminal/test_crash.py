"""A fault of the screen itself: one line, the log, and the terminal as it was."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.project import ROOT, Machine

SECRET = "hunter2-in-a-variable"

PLANTED = """
import sys
from tui_agent.tui.screens import help

class Told(Exception):
    pass

class Drawn(Exception):
    def __rich__(self):
        return "drawn " + repr(self.args)

def fail(self, *_):
    password = {"value": sys.argv.pop()}
    raise %s(password["value"])

help.HelpScreen.%s = fail
from tui_agent.cli.main import main
sys.exit(main([]))
"""


@pytest.mark.parametrize(("kind", "method"), [("Told", "compose"), ("Drawn", "on_mount"), ("Told", "_text")])
def test_a_fault_of_the_screen_prints_no_value_and_gives_the_terminal_back(
    tmp_path: Path, kind: str, method: str
) -> None:
    machine = Machine.under(tmp_path, {"alpha": "http://localhost:9/v1/"})
    command = [sys.executable, "-P", "-c", PLANTED % (kind, method), SECRET]
    environ = machine.environ | {"PYTHONPATH": str(ROOT)}
    with Terminal(command, env=environ, cwd=str(machine.project)) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.5)
        terminal.send("\x1bOP")  # f1
        assert terminal.wait_exit() == 1
        assert SECRET.encode() not in terminal.raw
        after = terminal.raw.rpartition(b"\x1b[?1049l")[2].decode()
        (log,) = machine.home.rglob("tui-agent.log")
        said = [
            line for line in re.sub(r"\x1b\[[?<>0-9;]*[a-zA-Z]", "", after).replace("\x07", "").splitlines() if line
        ]
        assert said == [f"error: internal error: {kind}; the log says where: {log}"]
        for mode in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1000l"):
            assert mode in terminal.raw, f"{mode!r} was not sent: the terminal is not restored"
    assert "in fail" in log.read_text() and "Traceback" in log.read_text()
