"""What was typed and not sent when the program ends: the up key has it at the next start."""

import asyncio
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, Delay, finish, reply_calls, reply_steps, reply_text, text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.history import KEPT, LARGEST, PromptHistory
from tui_agent.tui.screens.beside import BesideScreen, QuestionArea
from tui_agent.tui.screens.queued import QueuedScreen
from tui_agent.tui.screens.summary import SummaryScreen
from tui_agent.tui.unsent import keep
from tui_agent.tui.widgets.command_editor import CommandArea
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.prompt import PromptArea

SLOW = reply_steps(text("Thinking about it"), Delay(60), finish("stop"))
RUN = reply_calls([("run_command", {"command": "make all"})])


def written(machine: Machine) -> list[str]:
    past = PromptHistory(machine.home / "history.jsonl")
    past.load()
    return list(past.entries)


async def in_draft(pilot: Pilot[int], app: TuiAgent) -> str:
    app.chat.query_one(PromptArea).insert("half a thought")
    return "half a thought"


async def in_a_question_beside(pilot: Pilot[int], app: TuiAgent) -> str:
    await pilot.press("alt+a")
    await until(pilot, lambda: isinstance(app.screen, BesideScreen) and isinstance(app.focused, QuestionArea))
    await pilot.press(*"why")
    return "/btw why"


async def in_a_queued_prompt(pilot: Pilot[int], app: TuiAgent) -> str:
    app.chat._outbox.add("one", "turn")
    await pilot.press("alt+u")
    await until(pilot, lambda: isinstance(app.screen, QueuedScreen))
    await pilot.press("e", *"!!")
    return "one!!"


async def in_a_summary(pilot: Pilot[int], app: TuiAgent) -> str:
    app.push_screen(SummaryScreen("all that was", "a model", directory=Path(), busy=lambda: False))
    await until(pilot, lambda: isinstance(app.focused, DocumentArea))
    await pilot.press("x")
    return app.screen.query_one(DocumentArea).text


async def in_a_command(pilot: Pilot[int], app: TuiAgent) -> str:
    await until(pilot, lambda: app.chat._questions.armed)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.focused, CommandArea))
    await pilot.press("x")
    return "make allx"


@pytest.mark.parametrize("code", [0, 129])
@pytest.mark.parametrize("place", [in_draft, in_a_question_beside, in_a_queued_prompt, in_a_summary, in_a_command])
async def test_leaving_keeps_what_stands_anywhere(
    place: object, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(place)
    with ChatServer([RUN if place is in_a_command else SLOW]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        said: list[object] = []
        leave = app.exit
        monkeypatch.setattr(app, "exit", lambda result, code, message: (said.append(message), leave(result, code)))
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, lambda: app.chat.busy)
            typed = await place(pilot, app)
            await asyncio.gather(app.leave(code), app.leave(code))
        assert written(machine)[-1] == typed and "go" in written(machine)
        if code:
            assert said == [None], "nobody reads it"
        else:
            assert len(said) == 1 and "up key brings" in str(said[0])


async def test_nothing_is_said_where_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("Hello.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, lambda: "Hello." in screen_text(app))
            await pilot.press("up")
            assert await app.chat.keep_typed() == "", "it is in the history"


async def test_what_is_too_long_is_told_apart(tmp_path: Path) -> None:
    past = PromptHistory(tmp_path / "history.jsonl")
    said = await keep(["one", "x" * LARGEST, "y" * (LARGEST + 1), "  "], past)
    lines = ["2 prompts were not sent; the up key brings them back", "1 prompt was not sent and is too long to be kept"]
    assert said.splitlines() == lines
    assert await keep(["one"], past) == "1 prompt was not sent; the up key brings it back"
    again = PromptHistory(tmp_path / "history.jsonl")
    again.load()
    assert again.entries == ("one", "x" * LARGEST)


def test_a_history_of_long_texts_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    past = PromptHistory(path)
    for number in range(40):
        past.add(f"{number}" + "x" * (LARGEST - 3))
        past.save()
    before = path.stat().st_size
    again = PromptHistory(path)
    again.load()
    assert path.stat().st_size < before / 2 and again.entries[-1].startswith("39x") and len(again.entries) < KEPT
