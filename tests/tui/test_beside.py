"""Questions beside the conversation, as the user asks them: while nothing runs, and while a turn does."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from tests.agent.test_aside import served
from tests.fakes.chat_server import (
    ChatServer,
    Delay,
    Reply,
    Stall,
    delta,
    finish,
    reply_error,
    reply_steps,
    reply_text,
    text,
)
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    PromptSubmitted,
    Record,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.arming import SILENCE
from tui_agent.tui.screens.beside import BesideScreen, QuestionArea
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import Document, ToolBlock
from tui_agent.tui.widgets.transcript.projection import Projector, blocks_of

SIZES = [(120, 40), (80, 24), (40, 10)]
WRITE = {"name": "write_file", "arguments": '{"file_path": "a.txt", "content": "x\\n"}'}
SLOW = reply_steps(
    text("It is "), *[step for word in range(120) for step in (Delay(0.01), text(f"w{word} "))], finish()
)


def flat(app: TuiAgent) -> str:
    return " ".join(screen_text(app).split())


def prompt(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).text


def asides(app: TuiAgent) -> list[AsideAnswered]:
    assert app.chat.engine.host is not None
    return [r.event for r in app.chat.engine.host.session.records if isinstance(r.event, AsideAnswered)]


def blocks(app: TuiAgent) -> list[ToolBlock]:
    found = app.chat._transcript.document.blocks
    return [block for block in found if isinstance(block, ToolBlock) and block.name == "beside the conversation"]


async def beside(pilot: Pilot[int], app: TuiAgent) -> BesideScreen:
    await until(pilot, lambda: isinstance(app.screen, BesideScreen), "the screen of the question")
    assert isinstance(app.screen, BesideScreen)
    return app.screen


def write_later(seconds: float) -> Reply:
    """A call that comes when the user is elsewhere."""
    call = delta(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": WRITE}])
    return reply_steps(Delay(seconds), call, finish("tool_calls"))


@pytest.mark.parametrize("size", SIZES)
async def test_the_answer_comes_on_a_screen_and_stands_folded_in_the_transcript(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = served(reply_text("Hello."), aside=reply_text("Because of **this**.", chunk=3))
    with ChatServer(answers) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=size) as pilot:
            await submit(pilot, "hi")
            await until(pilot, lambda: "Hello." in flat(app))
            await submit(pilot, "/btw why is that?")
            await beside(pilot, app)
            await until(pilot, lambda: "Because of this." in flat(app))
            assert "why is that?" in flat(app) and "beside the conversation" in flat(app)
            await until(pilot, lambda: len(asides(app)) == 1)
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat)
            await until(pilot, lambda: "beside the conversation" in flat(app))
            (block,) = blocks(app)
            assert (block.title, block.folded, block.content) == ("why is that?", True, "Because of **this**.")
            assert "Because" not in flat(app) and prompt(app) == ""
            app.chat._transcript.toggle_details()
            await until(pilot, lambda: "Because of **this**." in flat(app))
            await submit(pilot, "go on")
            await until(pilot, lambda: len(server.bodies) == 3)
            assert "why is that?" not in json.dumps(server.bodies[-1])


@pytest.mark.parametrize("size", SIZES[1:])
async def test_a_question_of_the_turn_is_seen_and_answered_while_the_answer_goes_on(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(served(write_later(0.5), reply_text("Written."), aside=SLOW)) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=size) as pilot:
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat.busy)
            await submit(pilot, "/btw what is it?")
            screen = await beside(pilot, app)
            await until(pilot, lambda: "write_file waits for your answer: alt+a goes there" in flat(app))
            assert app.chat._questions.first is not None
            panel, left = app.chat._questions._panel, time.monotonic()
            assert panel is not None
            screen.action_leave()  # as a click does: no key says that the user is back
            await until(pilot, lambda: app.screen is app.chat)
            await until(
                pilot, lambda: panel._bar.guard.opens_at() > left + SILENCE, "a question that is new to the eye"
            )
            assert not (machine.project / "a.txt").exists()
            await until(pilot, lambda: app.chat._questions.armed)
            await pilot.press("y")
            await until(pilot, lambda: (machine.project / "a.txt").exists())
            await until(pilot, lambda: len(blocks(app)) == 1)
            assert asides(app)[0].finish == "stop" and asides(app)[0].answer.endswith("w119 ")
            await until(pilot, lambda: not app.chat.busy)


async def test_it_can_be_looked_at_again_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = reply_steps(text("It is w0 "), Stall())
    with ChatServer(served(write_later(0.1), reply_text("Written."), aside=half)) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw what is it?")
            await beside(pilot, app)
            await until(pilot, lambda: "It is w0" in flat(app))
            await pilot.press("alt+a")
            await until(pilot, lambda: app.screen is app.chat)
            await submit(pilot, "/btw another")
            await beside(pilot, app)
            assert "what is it?" in flat(app) and prompt(app) == "/btw another"
            await pilot.press("alt+a")
            await until(pilot, lambda: app.screen is app.chat)
            app.chat.query_one(PromptArea).text = ""
            await submit(pilot, "write it")
            await until(pilot, lambda: app.chat._questions.armed)
            await pilot.press("alt+a")  # also where a question has the keys
            await beside(pilot, app)
            assert prompt(app) == "" and "what is it?" in flat(app)
            await pilot.press("escape")
            await until(pilot, lambda: len(blocks(app)) == 1)
            assert blocks(app)[0].status == "cancelled" and asides(app)[0].answer.startswith("It is w0")
            assert app.chat._questions.first is not None, "the turn still waits"
            assert app.screen is app.chat


async def test_it_stays_with_its_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = reply_steps(text("It is w0 "), Stall())
    with ChatServer(served(reply_text("Hello."), aside=half)) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw what is it?")
            await beside(pilot, app)
            await until(pilot, lambda: "It is w0" in flat(app))
            assert app.chat.engine.host is not None
            first = app.chat.engine.host.session
            await pilot.press("alt+a")
            await until(pilot, lambda: app.screen is app.chat)
            await submit(pilot, "/new")
            await until(pilot, lambda: app.chat.engine.host is not None and app.chat.engine.host.session is not first)
            await pilot.press("alt+a")
            await beside(pilot, app)
            await pilot.press("escape")
            await until(pilot, lambda: [type(r.event) for r in first.records][1:] == [AsideAnswered])
            assert blocks(app) == [] and asides(app) == []


async def test_stopped_before_anything_came_the_question_is_back_in_the_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(served(reply_text("Hello."), aside=Reply(mute=True))) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw why?")
            await beside(pilot, app)
            await until(pilot, lambda: "waiting for fake" in flat(app) and len(server.requests) == 1)
            await pilot.press("escape")
            await until(pilot, lambda: prompt(app) == "/btw why?")
            assert app.screen is app.chat and asides(app) == [] and blocks(app) == []
            await asyncio.to_thread(server.wait_for_disconnect, 5)
            assert server.left_early == 1


async def test_an_error_is_said_there_and_the_question_can_be_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [reply_error(400, "too \x1b[31mmany"), reply_text("Because.")]

    def respond(body: dict[str, Any], number: int) -> Reply:
        return replies.pop(0)

    with ChatServer(respond) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw why?")
            screen = await beside(pilot, app)
            await until(pilot, lambda: "too" in flat(app) and "many" in flat(app))
            assert "\x1b" not in flat(app)
            assert screen.query_one(QuestionArea).text == "why?"
            await pilot.press("end", "!", "enter")
            await until(pilot, lambda: len(asides(app)) == 1)
            assert "Because." in flat(app)
            assert asides(app)[0].question == "why?!" and not screen.has_class("-said")


@pytest.mark.parametrize("left", ["left", "typed"])
async def test_what_was_not_answered_is_given_back(left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = reply_steps(Delay(0.4), *reply_error(500, "down").steps)
    with ChatServer(
        served(reply_text("Hello."), aside=failing.but(drop=True) if left == "typed" else failing)
    ) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw why?")
            screen = await beside(pilot, app)
            if left == "left":
                await pilot.press("alt+a")
                await until(pilot, lambda: prompt(app) == "/btw why?")
                assert "✗" in screen_text(app), "the error is in the transcript"
            else:
                await until(pilot, lambda: screen.has_class("-typing"))
                await pilot.press("escape")
                await until(pilot, lambda: prompt(app) == "/btw why?")
            assert app.screen is app.chat and prompt(app) == "/btw why?"


@pytest.mark.parametrize("left", [False, True])
async def test_a_fault_of_ours_loses_no_question(left: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = asyncio.Event()

    async def broken(*_: object) -> None:
        await reached.wait()
        raise RuntimeError("torn")

    monkeypatch.setattr("tui_agent.agent.session.ask", broken)
    with ChatServer(reply_text("Hello.")) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/btw why?")
            await beside(pilot, app)
            if left:
                await pilot.press("alt+a")
                await until(pilot, lambda: app.screen is app.chat)
            reached.set()
            await until(pilot, lambda: "torn" in flat(app))
            if not left:
                await pilot.press("escape")
            await until(pilot, lambda: prompt(app) == "/btw why?")


async def test_the_key_asks_what_stands_in_the_prompt_or_for_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_text("Because."))) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            app.chat.query_one(PromptArea).insert("/btw why?\nand how?")
            await pilot.press("alt+a")
            await beside(pilot, app)
            await until(pilot, lambda: len(asides(app)) == 1)
            assert asides(app)[0].question == "why?\nand how?" and prompt(app) == ""
            await pilot.press("escape")
            await until(pilot, lambda: len(blocks(app)) == 1)
            assert blocks(app)[0].content == "why?\nand how?\n\nBecause."
            await pilot.press("alt+a")
            await beside(pilot, app)
            await pilot.press(*"who?", "enter")
            await until(pilot, lambda: len(asides(app)) == 2)
            assert asides(app)[1].question == "who?"
            await pilot.press("escape", "escape")
            await until(pilot, lambda: app.screen is app.chat)
            await submit(pilot, "/btw")
            await beside(pilot, app)
            await pilot.press(*"not yet", "escape")
            await until(pilot, lambda: prompt(app) == "/btw not yet")


async def test_while_nobody_answers_the_question_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"}, start="auto")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.host is not None)
        await submit(pilot, "/btw why?")
        await until(pilot, lambda: prompt(app) == "/btw why?")
        assert "no model answers yet" in flat(app) and app.screen is app.chat


async def test_it_is_in_what_is_read_of_the_session_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_text("The heron."))) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "hi")
            await until(pilot, lambda: "Hello." in flat(app))
            await submit(pilot, "/btw which bird?")
            await until(pilot, lambda: len(asides(app)) == 1)
            assert app.chat.engine.host is not None
            name = app.chat.engine.host.session.id
    for words in (
        ("sessions", "show", name),
        ("sessions", "show", name, "--json"),
        ("sessions", "export", name, "--format", "markdown"),
        ("sessions", "export", name, "--format", "html"),
        ("sessions", "replay", name, "--speed", "1000"),
    ):
        done = await asyncio.to_thread(machine.run, *words)
        assert done.returncode == 0, (words, done.stderr)
        assert "which bird?" in done.stdout and "The heron." in done.stdout, words
    found = await asyncio.to_thread(machine.run, "sessions", "list", "heron")
    assert name in found.stdout, found.stdout + found.stderr


def test_the_picture_is_the_same_live_and_from_the_log() -> None:
    """An answer that comes in the middle of a reply, and of a call, stands where the log has it."""
    call = ToolCall("c1", "read_file", '{"file_path": "a"}')
    aside = AsideAnswered("why?", "Because.", "stop", "p", "m", Usage(), 1.0)
    reply = AssistantReplied("Half and half", "", (call,), "tool_calls", "p", "m", Usage(), 1.0)
    result = ToolFinished("c1", "read_file", "a", "ok", "text", 0.1)
    logged = [PromptSubmitted("go"), aside, reply, aside, result, TurnEnded("done")]
    live = Document()
    projector = Projector(live)
    for event in [logged[0], TextDelta("Half "), aside, TextDelta("and half"), *logged[2:]]:
        projector.apply(event)
    stored = blocks_of([Record("s", seq, 0.0, event, "") for seq, event in enumerate(logged, 1)])
    assert [(type(block), block.source) for block in live] == [(type(block), block.source) for block in stored]
    assert [block.source for block in live][:3] == ["go", "beside the conversation why?\nBecause.", "Half and half"]


async def test_a_pasted_question_is_asked_whole_and_what_is_typed_behind_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = reply_steps(text("It is w0 "), Stall())
    with ChatServer(served(aside=half)) as server:
        app = chat_app(Machine.under(tmp_path, {"fake": server.url}), monkeypatch)
        async with app.run_test(size=(60, 20)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            await pilot.press("alt+a")
            screen = await beside(pilot, app)
            await until(pilot, lambda: isinstance(app.focused, QuestionArea))
            area = screen.query_one(QuestionArea)
            app.post_message(events.Paste("why does\r\n    this\x1b[2J fail?"))
            await until(pilot, lambda: "fail?" in area.text)
            for key in ("enter", *"abc"):
                area.post_message(events.Key(key, key if len(key) == 1 else None))
            await until(pilot, lambda: "It is w0" in flat(app))
            asked = server.bodies[-1]["messages"][-1]["content"]
            assert "why does\n    this" in asked and "fail?" in asked and "\x1b" not in asked
            assert "abc" not in asked and area.text == "abc"
            await pilot.press("alt+a")
            await until(pilot, lambda: prompt(app) == "/btw abc", "what was typed behind it")
