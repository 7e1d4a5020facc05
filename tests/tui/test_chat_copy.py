"""Copying and opening from the chat: what reaches the clipboard, what is said, and what ctrl+c does not do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, Stall, reply_steps, reply_text, text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.tui import clipboard
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.view import TranscriptView

ANSWER = "Look at **this**:\n\n```py\nx = 1\ny = 2\n```\n\nand https://one.invalid/a."


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})


def says(app: TuiAgent, part: str) -> Callable[[], bool]:
    return lambda: part in screen_text(app)


def served(machine: Machine, monkeypatch: pytest.MonkeyPatch, server: ChatServer) -> TuiAgent:
    providers = {"fake": {"base_url": server.url, "default_model": "fake-model", "requires_api_key": False}}
    machine.configure({"provider": "fake", "providers": providers})
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return chat_app(machine, monkeypatch)


async def test_what_is_copied_reaches_the_clipboard_and_is_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text(ANSWER)]) as server:
        app = served(machine, monkeypatch, server)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "17 out"))  # the line under the turn, which is not what c copies
            await pilot.press("ctrl+up", "c")
            await until(pilot, says(app, f"copied answer, 8 lines, {len(ANSWER)} characters"))
            assert app.clipboard == ANSWER
            await pilot.press("C")
            await until(pilot, says(app, "copied code, 2 lines"))
            assert app.clipboard == "x = 1\ny = 2"
            await pilot.press("o")
            await until(pilot, says(app, "nothing here opens links; copied https://one.invalid/a"))
            assert app.clipboard == "https://one.invalid/a"
            monkeypatch.setattr(clipboard, "SAFE_COPY", 10)
            await pilot.press("c")
            await until(pilot, says(app, "many terminals cut so much"))
            monkeypatch.setattr(clipboard, "LARGEST_COPY", 20)
            await pilot.press("C", "c")
            await until(pilot, says(app, "are more than terminals take"))
            assert app.clipboard == "x = 1\ny = 2"


async def test_ctrl_c_with_a_selection_copies_it_wherever_the_focus_is_and_the_turn_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_steps(text("half an answer\n\n"), Stall())]) as server:
        app = served(machine, monkeypatch, server)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "half an answer"))
            view = app.chat.query_one(TranscriptView)
            view.focus()
            await pilot.press("ctrl+a")
            app.chat.query_one(PromptArea).focus()
            await pilot.press("ctrl+c")
            await until(pilot, lambda: app.clipboard.startswith("hello\n\nhalf an answer"))
            assert app.chat.busy and not view.selecting
            await pilot.press("ctrl+c")
            await until(pilot, lambda: not app.chat.busy)


async def test_escape_leaves_the_selection_first_and_stops_the_turn_then(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_steps(text("half an answer\n\n"), Stall())]) as server:
        app = served(machine, monkeypatch, server)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "half an answer"))
            view = app.chat.query_one(TranscriptView)
            view.focus()
            await pilot.press("v", "down", "escape")
            assert app.chat.busy and not view.selecting
            await pilot.press("escape")
            await until(pilot, lambda: not app.chat.busy)
