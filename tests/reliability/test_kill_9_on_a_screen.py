"""`kill -9` of the UI: at a question, right behind an answer to it, and while replies stream."""

import random
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer
from tests.project import PROGRAM, Machine
from tests.reliability.killing import NEW, Zygote, check_after_kill, records, scene, script, tree
from tests.terminal.test_journey import answer, submit
from tui_agent.conversation.events import DecisionMade

QUESTIONS = 3
"""Two writes and a command."""


def killed(machine: Machine, answers: int, wait: float, key: str = "") -> None:
    """Run the turn in the UI, answer so many questions, press `key` at the next one, wait, and kill."""
    with Terminal([*PROGRAM, "chat"], env=machine.environ, cwd=str(machine.project)) as terminal:
        submit(terminal, "go")
        for place in range(answers):
            answer(terminal, "y")
            if place + 1 < QUESTIONS:
                terminal.wait_gone(r"\by (allow )?once")
        if key:
            terminal.wait_for(r"\by (allow )?once")
            terminal.settle(0.6)
            terminal.send(key)
        terminal.settle(wait, wait)
        terminal.process.kill()
        terminal.process.wait()
    (machine.home / "out").touch()


def check(machine: Machine, server: ChatServer, runner: Zygote) -> None:
    before = tree(machine)
    check_after_kill(machine, server, 0, runner)
    allowed = [
        r.event for r in records(machine)[1] if isinstance(r.event, DecisionMade) and r.event.outcome == "allowed"
    ]
    changed = ("made.txt" in before) + (before["kept.txt"] == NEW)
    assert changed <= len([event for event in allowed if event.tool == "write_file"]), "changed without an answer"


@pytest.mark.promise("P28", "P29", "P41")
def test_killed_at_a_question_nothing_is_done_and_the_answer_is_asked_for_again(tmp_path: Path, runner: Zygote) -> None:
    with ChatServer(script) as server:
        machine = scene(tmp_path / "0", server)
        killed(machine, answers=1, wait=0.2)
        assert tree(machine).keys() == {"kept.txt", "made.txt"}
        check(machine, server, runner)


@pytest.mark.slow
@pytest.mark.promise("P28", "P29")
@pytest.mark.parametrize("answers", range(QUESTIONS))
def test_killed_right_behind_an_answer(tmp_path: Path, runner: Zygote, answers: int) -> None:
    rng = random.Random(answers)
    for number in range(8):
        with ChatServer(script) as server:
            machine = scene(tmp_path / str(number), server)
            killed(machine, answers, wait=rng.uniform(0.001, 0.15), key="y")
            check(machine, server, runner)


@pytest.mark.slow
@pytest.mark.promise("P28", "P29")
def test_killed_while_the_ui_waits_for_the_first_reply(tmp_path: Path, runner: Zygote) -> None:
    rng = random.Random(4)
    for number in range(8):
        with ChatServer(script, pace=30) as server:
            machine = scene(tmp_path / str(number), server)
            killed(machine, 0, wait=rng.uniform(0.001, 0.5))
            check(machine, server, runner)
