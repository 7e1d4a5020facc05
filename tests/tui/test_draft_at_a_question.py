"""Text in the prompt while a question has the keys: it can be corrected and sent, and nothing of that answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.context import ContextScreen
from tui_agent.tui.widgets.prompt import PromptArea

TWICE = [
    reply_calls([("write_file", {"file_path": "a.txt", "content": "x\n"})]),
    reply_text("Written."),
    reply_text("And so."),
]


def draft(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).draft


@asynccontextmanager
async def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[TuiAgent, Pilot[int], Path]]:
    """A question about a.txt that has the keys."""
    with ChatServer(TWICE) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat._questions.armed)
            yield app, pilot, machine.project / "a.txt"


async def armed_again(app: TuiAgent, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: app.chat._questions.armed and app.chat._questions.has_keys)


async def test_enter_sends_what_was_typed_however_long_ago(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press(*"use pnpm")
        assert draft(app) == "use pnpm"
        await armed_again(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: not draft(app))
        await until(pilot, lambda: "after this step  use pnpm" in screen_text(app))
        assert app.chat._questions.first is not None and not made.exists()
        await armed_again(app, pilot)
        await pilot.press("enter")  # with nothing there it does nothing
        await pilot.pause()
        assert app.chat._questions.has_keys and not made.exists()
        await armed_again(app, pilot)  # the second enter may have been the first, held
        await pilot.press("y")
        await until(pilot, made.exists)


async def test_tab_queues_it_and_alt_up_takes_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press(*"then this")
        await armed_again(app, pilot)
        await pilot.press("tab")
        await until(pilot, lambda: "after this turn  then this" in screen_text(app))
        await pilot.press(*"more", "alt+up")
        await until(pilot, lambda: "then this" in draft(app))
        assert app.chat._questions.first is not None and not made.exists()


async def test_it_can_be_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press(*"wai")
        for keys, left in ((["backspace"], "wa"), (["left", "x"], "wxa"), (["ctrl+a", "z"], "zwxa"), (["ctrl+k"], "z")):
            await armed_again(app, pilot)
            await pilot.press(*keys)
            await until(pilot, lambda left=left: draft(app) == left, left)  # type: ignore[misc]
        assert app.chat._questions.first is not None and not made.exists()


async def test_a_command_is_run_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press(*"/context")
        await armed_again(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ContextScreen))
        assert not made.exists()


async def test_keys_of_the_question_stay_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft that stands there takes none of them, and none that scrolls what is asked."""
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press(*"wait")
        await armed_again(app, pilot)
        await pilot.press("down", "up", "pagedown", "home")
        assert app.chat._questions.has_keys and draft(app) == "wait"
        await pilot.press("y")
        await until(pilot, made.exists)
        assert draft(app) == "wait"


async def test_without_a_draft_the_keys_that_edit_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as (app, pilot, made):
        await pilot.press("backspace", "left", "enter", "ctrl+k")
        assert app.chat._questions.has_keys and not made.exists()
