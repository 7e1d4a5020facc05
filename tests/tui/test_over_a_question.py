"""A question that comes while another screen is open: seen there, answered by no key of that, answered afterwards."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key

from tests.agent.test_aside import served
from tests.fakes.chat_server import ChatServer, Stall, finish, reply_calls, reply_steps, reply_text, text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.agent.undo import Prompt
from tui_agent.config.themes import find_theme
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.arming import HELD, SILENCE
from tui_agent.tui.screens.beside import BesideScreen
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.screens.context import ContextScreen
from tui_agent.tui.screens.help import HelpScreen
from tui_agent.tui.screens.queued import QueuedScreen
from tui_agent.tui.screens.rewind import RewindScreen
from tui_agent.tui.screens.summary import SummaryScreen
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.view import TranscriptView

WRITE = reply_calls([("write_file", {"file_path": "a.txt", "content": "x\n"})])
TWICE = [WRITE, reply_text("Written.")]
SIZES = [(120, 40), (40, 10)]


def draft(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).draft


def queue(app: TuiAgent) -> ClosingScreen[str]:
    app.chat._outbox.add("one", "turn")
    app.chat._outbox.add("two", "turn")
    return QueuedScreen(app.chat._outbox, lambda text: None)


SCREENS: dict[str, Callable[[TuiAgent], ClosingScreen[object]]] = {
    "context": lambda app: ContextScreen(),  # type: ignore[dict-item]
    "summary": lambda app: SummaryScreen("what was", "a model", directory=Path(), busy=lambda: True),  # type: ignore[dict-item]
    "rewind": lambda app: RewindScreen([Prompt(1, 1.0, "hello")]),  # type: ignore[dict-item]
    "queued": queue,  # type: ignore[dict-item]
    "help": lambda app: HelpScreen({}, ()),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_it_is_seen_there_and_only_answered_where_it_is_shown(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(TWICE) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        made = machine.project / "a.txt"
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            app.push_screen(SCREENS[name](app))
            await until(pilot, lambda: isinstance(app.screen, ClosingScreen))
            app.chat.send("write it")
            await until(pilot, lambda: app.chat._questions.first is not None, "the question")
            await until(pilot, lambda: "waits for you" in screen_text(app).splitlines()[-1], "a word of it")
            assert "esc " in screen_text(app).splitlines()[-1]
            assert "write_file" in screen_text(app).splitlines()[-1] or size[0] < 70
            await pilot.pause(SILENCE + 0.1)
            await pilot.press(*"yYnsr1")
            await pilot.pause()
            assert app.chat._questions.first is not None and not made.exists()
            assert not app.chat._questions.armed
            while app.screen is not app.chat:
                left = time.monotonic()
                await pilot.press("escape")
                await pilot.pause()
            assert app.chat._questions.first is not None, "escape was for the screen"
            await until(pilot, lambda: app.chat._questions.armed)
            assert time.monotonic() - left > SILENCE
            await pilot.press("y")
            await until(pilot, made.exists)


async def test_one_that_is_there_already_is_told_on_what_is_opened_over_it_until_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(TWICE) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat._questions.armed)
            await pilot.press("alt+x")
            await until(pilot, lambda: isinstance(app.screen, ContextScreen))
            await until(pilot, lambda: "write_file waits for you" in screen_text(app))
            app.chat.stop()
            await until(pilot, lambda: "waits for you" not in screen_text(app))


@pytest.mark.parametrize("key", ["alt+a", "alt+x"])
async def test_an_escape_that_is_held_in_a_screen_does_not_deny_what_is_below(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(TWICE) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat._questions.armed)  # and has the focus
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, BesideScreen | ContextScreen))
            pressed = time.monotonic()
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat)
            await pilot.pause(max(0.0, pressed + SILENCE + 0.2 - time.monotonic()))  # where a keyboard begins to repeat
            await pilot.press("escape")
            if time.monotonic() - pressed < HELD:
                assert app.chat._questions.first is not None
                await until(pilot, lambda: app.chat._questions.armed)
                assert time.monotonic() - pressed >= HELD


@pytest.mark.parametrize("key", ["alt+x", "alt+u", "f3", "f2"])
async def test_a_key_that_is_pressed_twice_at_once_opens_one_screen(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("Hello.")]) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            app.chat._outbox.add("one", "turn")
            what = app.chat.active_bindings[key].binding.action.partition("'")[2].strip("')")
            for _ in range(3):
                app.chat.action_do(what)
            await until(pilot, lambda: app.screen is not app.chat)
            await pilot.pause(0.1)
            assert len(app.screen_stack) == 2


async def test_what_is_typed_between_two_presses_of_the_key_for_asking_beside_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(served(aside=reply_steps(text("It is"), Stall()))) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            prompt = app.chat.query_one(PromptArea)
            prompt.insert("why?")
            app.chat.action_do("beside")
            await app.chat._beside.ask("how?") if app.chat._beside._screen else None
            prompt.insert("abc")
            app.chat.action_do("beside")
            await until(pilot, lambda: isinstance(app.screen, BesideScreen))
            await app.chat._beside.ask("how?")  # as a command that was sent just before
            await pilot.pause(0.1)
            texts = draft(app) + getattr(app.screen, "draft", "")
            assert "abc" in texts and "why?" in texts and "/btw how?" in texts and len(app.screen_stack) == 2


async def test_a_theme_is_taken_over_by_what_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(served(aside=reply_steps(text("It is"), finish()))) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw why?")
            await until(pilot, lambda: "It is" in screen_text(app))
            app.apply_theme(find_theme("ember", app.launch.themes[:1]))
            await pilot.pause()
            assert app.screen.query_one(TranscriptView).palette is app.palette


async def test_no_letter_of_a_word_is_overtaken_by_those_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a letter may still be with the question when those behind it could be with the prompt."""
    on_key = AnswerBar.on_key

    async def slowly(self: AnswerBar, event: Key) -> None:
        if event.key == "n":
            await asyncio.sleep(0.1)
        on_key(self, event)
        if event.key == "u":
            self.app.post_message(Key("n", "n"))

    monkeypatch.setattr(AnswerBar, "on_key", slowly)
    with ChatServer(TWICE) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat._questions.armed)
            for letter in "ru":
                app.post_message(Key(letter, letter))
            await until(pilot, lambda: draft(app) == "ru")
            for key, letter in (("space", " "), ("i", "i"), ("t", "t")):
                app.post_message(Key(key, letter))
            await until(pilot, lambda: len(draft(app)) == len("run it"))
            assert draft(app) == "run it"
            assert app.chat._questions.first is not None
