"""A change reviewed on a real pty: hunks rejected and edited, here and in an editor, and exactly that on the disk."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.terminal.test_journey import COMMAND, submit

LINES = "".join(f"line {number}\n" for number in range(1, 41))
CHANGED = LINES.replace("line 5\n", "five\n").replace("line 20\n", "twenty\n").replace("line 38\n", "thirty-eight\n")

READ = reply_calls([("read_file", {"file_path": "n.txt"})])
WRITE = reply_calls(
    [
        ("write_file", {"file_path": "n.txt", "content": CHANGED}),
        ("write_file", {"file_path": "new.txt", "content": "new\n"}),
    ]
)


def editor(tmp_path: Path, body: str) -> str:
    script = tmp_path / "editor.py"
    script.write_text(f"import pathlib, sys, time\npath = pathlib.Path(sys.argv[-1])\n{body}\n")
    return f"{sys.executable} -I {script}"


def machine(tmp_path: Path, server: ChatServer) -> Machine:
    made = Machine.under(tmp_path, {"alpha": server.url})
    (made.project / "n.txt").write_text(LINES)
    return made


def launch(machine: Machine, visual: str, columns: int = 120, rows: int = 40) -> Terminal:
    environ = {**machine.environ, "VISUAL": visual}
    return Terminal(COMMAND, columns=columns, rows=rows, env=environ, cwd=str(machine.project))


def open_review(terminal: Terminal) -> None:
    submit(terminal, "improve")
    terminal.wait_for(r"\bd (full )?diff")
    terminal.settle(0.6)
    terminal.send("d")
    terminal.wait_for("file 1 of 2")


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_two_files_are_decided_hunk_by_hunk(tmp_path: Path, columns: int, rows: int) -> None:
    body = "path.write_text(path.read_text().replace('twenty', 'a score'))"
    with ChatServer([READ, WRITE, reply_text("All done.")]) as server:
        made = machine(tmp_path, server)
        with launch(made, editor(tmp_path, body), columns, rows) as terminal:
            open_review(terminal)
            terminal.send(" ")
            terminal.wait_for("✗ rejected")
            terminal.send("E")
            terminal.wait_for("✎ edited")
            terminal.wait_for("a score")
            terminal.send("jj")
            terminal.wait_for("hunk 3 of 3")
            terminal.send("e")
            terminal.wait_for(r"ctrl\+s keeps it")
            terminal.send("mine\r\x13")
            terminal.wait_gone(r"ctrl\+s keeps it")
            terminal.wait_for(r"\+ mine")
            terminal.send("]")
            terminal.wait_for("file 2 of 2")
            terminal.send("x")
            terminal.wait_for("write 2 of 4 hunks in 1 of 2 files")
            terminal.settle(0.7)
            terminal.send("y")
            terminal.wait_for("All done")
            assert re.search(r"write_file +n.txt.*edited by you", terminal.text)
            assert re.search(r"write_file +new.txt.*denied", terminal.text)
    wanted = LINES.replace("line 20\n", "a score\n").replace("line 38\n", "thirty-eight\n")
    assert (made.project / "n.txt").read_text() == wanted.replace("line 35\n", "mine\nline 35\n")
    assert not (made.project / "new.txt").exists()
    told = [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]
    assert "Of 3 hunks: 0 applied as proposed, 2 changed by the user, 1 refused" in told[1]
    assert "-line 5\n+five" in told[1] and "+a score" in told[1] and "+mine" in told[1]
    assert "denied by the user" in told[2]


def test_ctrl_c_in_an_editor_is_the_editors_and_the_screen_comes_back(tmp_path: Path) -> None:
    with ChatServer([READ, WRITE, reply_text("All done.")]) as server:
        made = machine(tmp_path, server)
        with launch(made, editor(tmp_path, "print('at work', flush=True); time.sleep(60)")) as terminal:
            open_review(terminal)
            terminal.send("E")
            terminal.wait_for("at work")
            terminal.send("\x03")
            terminal.wait_for("so nothing is taken over")
            terminal.wait_for("write all 3 hunks in 1 of 2 files")
            terminal.settle(0.7)
            terminal.send("n")
            terminal.wait_for("All done")
    assert (made.project / "n.txt").read_text() == LINES
