"""A key that is held closes a screen over the chat, and nothing else."""

import asyncio

import pytest

from tests.project import Machine
from tests.tui.chat_stage import chat_app, until
from tests.tui.test_chat import machine
from tests.tui.test_review_in_chat import asks, open_review

__all__ = ["machine"]


@pytest.mark.parametrize("key", ["f1", "f2", "f3", "f9", "f12"])
async def test_a_screen_that_is_closed_twice_leaves_the_chat(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        await pilot.press(key)
        await until(pilot, lambda: app.screen is not app.chat, "the screen")
        screen = app.screen
        for _ in range(3):  # as keys do that came before the first of them was read
            screen.dismiss(None)
        await until(pilot, lambda: not screen.is_attached, "its end")
        assert app.screen is app.chat


async def test_a_key_held_in_a_review_leaves_the_question(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1")))
        screen = await open_review(app, pilot)
        for _ in range(3):
            screen.action_close()
        await until(pilot, lambda: not screen.is_attached, "the end of the review")
        assert app.screen is app.chat and not first.done() and app.chat._questions.first is not None
        first.cancel()
