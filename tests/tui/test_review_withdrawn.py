"""Reviews whose question goes while they are answered, or covered: the chat stays, and nothing is kept."""

import asyncio
import threading
from typing import Any

import pytest
from textual.events import Key

from tests.project import Machine
from tests.tui.chat_stage import chat_app, until
from tests.tui.test_chat import machine
from tests.tui.test_review_in_chat import asks, open_review
from tui_agent.tui.review_list import ReviewList
from tui_agent.tui.screens.help import HelpScreen

__all__ = ["machine"]


async def test_a_question_that_is_withdrawn_while_its_answer_is_worked_out_leaves_the_chat(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked, go = ReviewList.answers, threading.Event(), threading.Event()

    def slow(self: ReviewList, decision: Any) -> Any:
        asked.set()
        go.wait(10)
        return answers(self, decision)

    monkeypatch.setattr(ReviewList, "answers", slow)
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1", asks("b", "b\n", "2"))))
        screen = await open_review(app, pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen._bar is not None and screen._bar.armed, "keys that answer")
        # The pilot would wait for the screen, and so until the answer is worked out.
        app.post_message(Key("y", "y"))
        assert await asyncio.to_thread(asked.wait, 10)
        first.cancel()
        async with asyncio.timeout(5):
            while app.screen is not app.chat:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        go.set()
        await pilot.pause(0.3)
        assert app.screen is app.chat and not app.chat._questions._ahead


async def test_a_review_whose_question_was_withdrawn_behind_another_screen_answers_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1", asks("b", "b\n", "2"))))
        screen = await open_review(app, pilot)
        await pilot.press("right_square_bracket", "f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "help")
        first.cancel()
        await pilot.pause(0.1)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat, "the chat, and no review of what nobody asks")
        assert not screen.is_attached and not app.chat._questions._ahead


async def test_a_comment_that_was_left_is_there_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        first = asyncio.ensure_future(app.chat.approve(asks("a", "a\n", "1", asks("b", "b\n", "2"))))
        screen = await open_review(app, pilot)
        await pilot.press("m", *"why", "escape", "M", *"all", "escape", "right_square_bracket", "m")
        assert screen._comment.value == ""
        await pilot.press("escape", "M")
        assert screen._comment.value == "all"
        await pilot.press("enter", "left_square_bracket", "m")
        assert screen._comment.value == "why"
        await pilot.press("enter")
        assert screen.review is not None and screen._file is not None
        assert (screen.review.comment, screen._file.comment(0)) == ("all", "why")
        first.cancel()
