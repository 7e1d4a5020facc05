"""A rule saved from a question, and a command edited before it runs, on a real pty: file, row, log and model agree."""

import sqlite3
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer
from tests.project import Machine
from tests.terminal.test_journey import launch, submit
from tests.terminal.test_questions import answer, run


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_a_rule_covers_the_next_call_of_the_same_turn_and_an_edit_is_told_to_everybody(
    tmp_path: Path, columns: int, rows: int
) -> None:
    with ChatServer(run("make greet LOUD=1", "make greet", "echo one > made.txt")) as server:
        machine = Machine.under(tmp_path, {"alpha": server.url}, sandbox="off")
        (machine.project / "Makefile").write_text("greet:\n\t@echo hello $(LOUD)\n")
        settings = machine.home / "config" / "config.yaml"
        before = "# mine\n" + settings.read_text()
        settings.write_text(before)
        with launch(machine, columns=columns, rows=rows) as terminal:
            submit(terminal, "go")
            answer(terminal, "run it", "make greet LOUD=1")  # a word is no answer
            terminal.wait_for("› run it")
            terminal.settle(1.0)
            terminal.send("r")
            terminal.wait_for("enter save and allow")
            terminal.settle(0.6)
            terminal.send("\r")
            answer(terminal, "e", "echo one > made.txt")  # the second `make greet` did not ask
            terminal.wait_for("enter look at it again")
            terminal.settle(0.3)
            terminal.send("\x7f" * len("one > made.txt") + "two > made.txt")
            terminal.wait_for("echo two > made.txt")
            terminal.send("\r")
            terminal.wait_for("edited by you")
            assert not (machine.project / "made.txt").exists()
            answer(terminal, "y", "proposed was: echo one > made.txt")
            terminal.wait_for("All done")
            seen = terminal.text
            assert "always: make greet" in seen and "edited by you" in seen
            assert "› run it" in seen  # the draft is still there
            terminal.send("\x15/questions\r")
            terminal.wait_for("2 asked")
            terminal.wait_for("by rule")
        assert (machine.project / "made.txt").read_text() == "two\n"
        assert settings.read_text() == before + "permissions:\n  allow:\n    - make greet\n"
    results = [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]
    assert "hello 1" in results[0] and "hello" in results[1]
    assert "the user changed the command before it ran" in results[2] and "echo two > made.txt" in results[2]
    with sqlite3.connect(machine.home / "data" / "sessions.db") as db:
        payloads = [
            row[0] if isinstance(row[0], str) else row[0].decode() for row in db.execute("SELECT payload FROM events")
        ]
    assert any('"rule":"make greet"' in payload for payload in payloads)
    assert any('"edited":true' in payload and "echo two > made.txt" in payload for payload in payloads)
