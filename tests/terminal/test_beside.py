"""Questions beside the conversation and two models side by side, on a real pty."""

import re
import time
from pathlib import Path

from tests.agent.test_aside import served
from tests.fakes.chat_server import ChatServer, Stall, reply_calls, reply_steps, reply_text, text
from tests.project import Machine
from tests.terminal.test_journey import launch, submit

WRITE = reply_calls([("write_file", {"file_path": "hello.py", "content": "x\n"})])


def test_a_question_while_the_turn_waits_for_an_answer(tmp_path: Path) -> None:
    hostile = "Because.\x1b]52;c;aGF4\x07\x1b[2J \x9b31m"
    with ChatServer(served(WRITE, reply_text("It is written."), aside=reply_text(hostile, chunk=4))) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        with launch(made, columns=80, rows=24) as terminal:
            submit(terminal, "write hello")
            terminal.wait_for(r"\by (allow )?once")
            terminal.send("\x1ba")  # alt+a
            terminal.wait_for("what do you want to know")
            terminal.send("why?\r")
            terminal.wait_for("Because")
            terminal.wait_for("waits for your")
            terminal.send("\x1b")
            terminal.wait_for(r"\by (allow )?once")
            terminal.settle(1.0)  # esc would deny there: a key that is held is not read as another one
            terminal.send("y")
            terminal.wait_for("It is written")
            assert (made.project / "hello.py").exists()
            terminal.send("\x11")
            assert terminal.wait_exit() == 0
        assert b"\x1b]52" not in terminal.raw and b"\x9b31m" not in terminal.raw
        (session,) = made.run("sessions", "list").stdout.splitlines()[:1]
        done = made.run("sessions", "verify", session.split()[0])
        assert done.returncode == 0, done.stdout + done.stderr
        assert "beside: why?" in made.run("sessions", "show", session.split()[0]).stdout


def test_leaving_while_it_is_answered_keeps_what_had_come(tmp_path: Path) -> None:
    half = reply_steps(text("Half an answer"), Stall())
    with ChatServer(served(reply_text("Hello."), aside=half)) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        with launch(made) as terminal:
            submit(terminal, "hi")
            terminal.wait_for("Hello")
            submit(terminal, "/btw why?")
            terminal.wait_for("Half an answer")
            began = time.monotonic()
            terminal.send("\x11")
            assert terminal.wait_exit() == 0 and time.monotonic() - began < 5
        name = made.run("sessions", "list").stdout.split()[0]
        assert "Half an answer" in made.run("sessions", "show", name).stdout


def test_two_models_and_the_conversation_goes_on_with_one(tmp_path: Path) -> None:
    with (
        ChatServer([WRITE, reply_text("Alpha would write.")]) as alpha,
        ChatServer([reply_text("Beta says no."), reply_text("Beta goes on.")]) as beta,
    ):
        made = Machine.under(tmp_path, {"alpha": alpha.url, "beta": beta.url})
        with launch(made) as terminal:
            submit(terminal, "/compare beta")
            terminal.wait_for("side by|both only read")
            submit(terminal, "write hello")
            terminal.wait_for("Alpha would")
            terminal.wait_for("Beta says no")
            terminal.settle(0.6)
            terminal.send("2")
            terminal.wait_for("was asked too|beside the conversation")
            submit(terminal, "go on")
            terminal.wait_for("Beta goes on")
            terminal.send("\x11")
            assert terminal.wait_exit() == 0
        assert not (made.project / "hello.py").exists()
        sent = str(beta.bodies[-1]["messages"])
        assert "Beta says no." in sent and "Alpha" not in sent
        name = made.run("sessions", "list").stdout.split()[0]
        shown = made.run("sessions", "show", name).stdout
        assert re.search(r"model   beta.*you: write hello.*agent: Beta says no.*beside: write hello", shown, re.DOTALL)
        assert made.run("sessions", "verify", name).returncode == 0
