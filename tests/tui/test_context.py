"""The window in the chat: how full it is, what fills it, making room in it by hand, and editing the summary."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, Reply, Stall, delta, reply_error, reply_steps, reply_text
from tests.fakes.window_server import WindowServer, asks_for_summary
from tests.long_session import events
from tests.project import Machine
from tests.tui.chat_stage import SESSION, chat_app, keep_session, screen_text, submit, until
from tests.tui.test_chat import says, serve
from tui_agent.agent.session import Session
from tui_agent.agent.window import ContextUse
from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import Compacted, TextDelta
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.context import ContextScreen
from tui_agent.tui.screens.summary import SummaryScreen
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import AgentBlock, UserBlock

ANSWER = "The colour is teal-7. " + "It is said at some length, for room is to be made. " * 60


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})


def small_window(answer: str = ANSWER, **rest: Any) -> WindowServer:
    return WindowServer(16_384, lambda body, number: reply_text(answer, chunk=400), **rest)


def opened(machine: Machine, server: ChatServer, monkeypatch: pytest.MonkeyPatch, **settings: object) -> TuiAgent:
    serve(machine, server, **settings)
    return chat_app(machine, monkeypatch)


async def ask(app: TuiAgent, pilot: Pilot[int], *prompts: str) -> None:
    """Send prompts, one after the other."""
    for prompt in prompts:
        await until(pilot, lambda: app.chat.engine.opened and not app.chat.busy, "an idle chat")
        ended = len(rows(app, AgentBlock))
        await submit(pilot, prompt)
        await until(pilot, lambda ended=ended: len(rows(app, AgentBlock)) > ended, "an answer")
        await until(pilot, lambda: not app.chat.busy, "the end of the turn")


def rows(app: TuiAgent, kind: type) -> list[Any]:
    return [block for block in app.chat._transcript.document if isinstance(block, kind)]


def bar(app: TuiAgent) -> str:
    return screen_text(app).splitlines()[0]


async def test_the_bar_follows_each_reply_and_opens_the_screen_by_a_click(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_window() as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: app.chat._room.use is not None, "the first count")
            assert "ctx" not in bar(app)  # nothing was said yet
            await ask(app, pilot, "which colour?")
            await until(pilot, lambda: "ctx" in bar(app) and "%" in bar(app), "the window")
            before = app.chat._status.info.context_used
            await ask(app, pilot, "and again?")
            await until(pilot, lambda: (app.chat._status.info.context_used or 0) > (before or 0) + 500, "a fuller one")
            await pilot.click("StatusBar", offset=(bar(app).index("ctx") + 1, 0))
            await until(pilot, lambda: "largest" in screen_text(app), "the screen")
            seen = screen_text(app)
            assert "of 16,384 tokens" in seen and "from 2 replies" in seen and "in “which colour?”" in seen
            assert "last turn" in seen and "1 request" in seen and "e edit" not in seen
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, ContextScreen), "the chat")


async def test_the_screen_follows_a_turn_that_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    # It ends when the test lets it.
    with ChatServer([reply_steps(delta(content="So "), Stall()), reply_text("Done.")]) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None, "the engine")
            await submit(pilot, "go")
            await until(pilot, says(app, "So"))
            await pilot.press("alt+x")
            await until(pilot, says(app, "a turn runs"))
            assert "the server does not say; set context_length: under providers: fake:" in " ".join(
                screen_text(app).split()
            )
            await pilot.press("c")  # not now
            app.chat.engine.host.session.interrupt()  # type: ignore[union-attr]
            await until(pilot, lambda: "a turn runs" not in screen_text(app), "the end")
            # The keys at the foot are painted on their own.
            await until(pilot, lambda: "last turn" in screen_text(app) and "c make room" in screen_text(app), "its key")


async def test_room_is_made_by_hand_and_the_summary_can_be_read_edited_and_is_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_window() as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await ask(app, pilot, "which colour?", "and again?", "once more?")
            shown = [block.source for block in app.chat._transcript.document]
            full = app.chat._status.info.context_used
            await submit(pilot, "/compact above all the colour")
            await until(pilot, says(app, "became a summary"))
            await until(pilot, lambda: not app.chat.busy, "the end")
            assert "above all the colour" in str(server.bodies[-1]["messages"][-1]["content"])
            # Nothing of the conversation is gone, the summary folds, and the bar knows.
            assert [block.source for block in app.chat._transcript.document][: len(shown)] == shown
            await until(pilot, lambda: (app.chat._status.info.context_used or 0) < (full or 0) / 1.5, "more room")
            await pilot.press("ctrl+o")
            await until(pilot, says(app, "- The colour is teal-7."))
            assert "written by fake · fake-model: you asked for it" in screen_text(app)
            await pilot.press("ctrl+o")
            # The screen knows, and leads to the editor.
            await pilot.press("alt+x")
            await until(pilot, says(app, "stands for"))
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, SummaryScreen), "the editor")
            app.screen.query_one(DocumentArea).load_text("- The colour is ochre-9.\n")
            await until(pilot, says(app, "edited by you"))
            await pilot.press("ctrl+s")
            await until(pilot, says(app, "summary  edited by you"))
            await ask(app, pilot, "which one now?")
            sent = str(server.bodies[-1]["messages"])
            assert "ochre-9" in sent and "teal-7" not in sent.replace(ANSWER.strip(), "")
            assert [b.text for b in rows(app, UserBlock)][:3] == ["which colour?", "and again?", "once more?"]


async def test_while_a_summary_is_written_it_says_so_escape_stops_it_and_what_is_typed_waits(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        if asks_for_summary(body):
            return reply_steps(delta(content="- The"), Stall()) if number < 4 else reply_text("- The colour is teal-7.")
        return reply_text(ANSWER, chunk=400)

    with ChatServer(answer) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await ask(app, pilot, "which colour?", "and again?", "once more?")
            await submit(pilot, "/compact")
            await until(pilot, says(app, "summarising the conversation so far"))
            assert "esc stop" in screen_text(app)
            await submit(pilot, "/compact")
            await until(pilot, says(app, "a turn is running"))
            await submit(pilot, "next")
            await until(pilot, lambda: len(app.chat._outbox.waiting) == 1, "a prompt that waits")
            await pilot.press("escape")
            await until(pilot, says(app, "stopped; all goes on as it was"))
            assert app.chat.query_one(PromptArea).draft == "next"
            host = app.chat.engine.host
            assert host is not None and not any(isinstance(r.event, Compacted) for r in host.session.records)
            await pilot.press("ctrl+a", "delete")
            app.chat.query_one(PromptArea).text = ""
            # And the second time it is written, with a prompt behind it.
            await submit(pilot, "/compact")
            await submit(pilot, "next")
            await until(pilot, says(app, "became a summary"))
            await until(pilot, lambda: [b.text for b in rows(app, UserBlock)][-1] == "next", "the prompt")
            await until(pilot, lambda: not app.chat.busy and not app.chat._outbox.waiting, "its end")
    assert "- The colour is teal-7." in str(server.bodies[-1]["messages"])


async def test_with_nothing_to_sum_up_or_to_edit_it_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_window("Hi.") as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(40, 10)) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            await submit(pilot, "/summary")
            await until(pilot, says(app, "there is no summary yet"))
            await submit(pilot, "/compact")
            await until(pilot, says(app, "there is nothing that a"))
            await submit(pilot, "/context")
            await until(pilot, says(app, "about"))
            assert not server.bodies


async def test_an_error_of_the_server_costs_no_more_than_a_list(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_window(summary=lambda body: reply_error(400)) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await ask(app, pilot, "which colour?", "and again?", "once more?")
            await submit(pilot, "/compact")
            await until(pilot, says(app, "became a list of what was done"))
            await ask(app, pilot, "and now?")


# ---- the editor of the summary ----


class Editing:
    """A chat with a summary, and the screen that edits it."""

    def __init__(self, machine: Machine, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = opened(machine, server, monkeypatch)

    async def open(self, pilot: Pilot[int]) -> SummaryScreen:
        if not any(isinstance(record.event, Compacted) for record in self.records):
            await ask(self.app, pilot, "which colour?", "and again?", "once more?")
            await submit(pilot, "/compact")
            await until(pilot, says(self.app, "became a summary"))
            await until(pilot, lambda: not self.app.chat.busy, "the end")
        await submit(pilot, "/summary")
        await until(pilot, lambda: isinstance(self.app.screen, SummaryScreen), "the editor")
        screen = self.app.screen
        assert isinstance(screen, SummaryScreen)
        return screen

    @property
    def records(self) -> list[Any]:
        host = self.app.chat.engine.host
        return [] if host is None else list(host.session.records)

    @property
    def summaries(self) -> list[str]:
        return [record.event.summary for record in self.records if isinstance(record.event, Compacted)]

    def closed(self) -> Callable[[], bool]:
        return lambda: not isinstance(self.app.screen, SummaryScreen)


async def test_an_empty_summary_is_refused_and_what_was_typed_is_only_thrown_away_when_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_window() as server:
        editing = Editing(machine, server, monkeypatch)
        app = editing.app
        async with app.run_test(size=(80, 24)) as pilot:
            screen = await editing.open(pilot)
            (kept,) = editing.summaries
            area = screen.query_one(DocumentArea)
            area.load_text(" \n")
            await pilot.press("ctrl+s")
            await until(pilot, says(app, "an empty summary says nothing"))
            await pilot.press("escape")
            await until(pilot, says(app, "esc once more leaves it as it was"))
            await pilot.press("x")  # not meant
            await until(pilot, lambda: "esc once more" not in screen_text(app), "more typing")
            await pilot.press("escape")
            assert not editing.closed()()
            await pilot.press("escape")
            await until(pilot, editing.closed(), "the chat")
            assert editing.summaries == [kept]
            # Untouched it closes at once, by either key.
            for key in ("escape", "ctrl+s"):
                await editing.open(pilot)
                await pilot.press(key)
                await until(pilot, editing.closed(), "the chat")
            assert editing.summaries == [kept]
            # What is pasted cannot steer the terminal, neither here nor later.
            screen = await editing.open(pilot)
            screen.query_one(DocumentArea).post_message(Paste("\x1b]0;x\x07Mine: "))
            await until(pilot, says(app, "Mine: "))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: len(editing.summaries) == 2, "the edit")
            assert "Mine: " in editing.summaries[1] and "\x1b" not in editing.summaries[1]


async def test_an_edited_summary_is_not_lost_when_it_is_left_or_cannot_be_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_window() as server:
        editing = Editing(machine, server, monkeypatch)
        app = editing.app
        async with app.run_test(size=(80, 24)) as pilot:
            await editing.open(pilot)
            await until(pilot, lambda: isinstance(app.focused, DocumentArea))
            await pilot.press(*"abc", "escape", "escape")  # as a held key does
            await until(pilot, editing.closed(), "the chat")
            await pilot.press("up")
            assert "abc" in app.chat.query_one(PromptArea).draft
            app.chat.query_one(PromptArea).text = ""

            async def full(self: Session, event: Any) -> Any:
                raise StoreError("the disk is full")

            await editing.open(pilot)
            await until(pilot, lambda: isinstance(app.focused, DocumentArea))
            monkeypatch.setattr(Session, "record", full)
            await pilot.press(*"xyz", "ctrl+s")
            await until(pilot, says(app, "the disk is full"))
            assert "xyz" in app.chat.query_one(PromptArea).draft
            assert len(editing.summaries) == 1


@pytest.mark.parametrize(("left", "said"), [(b"- Mine.\n", "- Mine."), (b"", "left it empty"), (b"\xff", "not UTF-8")])
async def test_the_users_own_editor_edits_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, left: bytes, said: str
) -> None:
    async def edited(app: object, command: list[str], data: bytes, name: str) -> bytes:
        assert (command, name) == ([sys.executable], "summary.md") and b"teal-7" in data
        return left

    monkeypatch.setattr("tui_agent.tui.editor.edited", edited)
    with small_window() as server:
        editing = Editing(machine, server, monkeypatch)
        monkeypatch.setenv("VISUAL", sys.executable)
        async with editing.app.run_test(size=(100, 30)) as pilot:
            screen = await editing.open(pilot)
            await pilot.press("ctrl+o")
            await until(pilot, says(editing.app, said))
            assert screen.text == ("- Mine.\n" if left == b"- Mine.\n" else editing.summaries[0])


# ---- what it costs ----


async def test_a_long_session_is_counted_in_a_thread_and_never_for_pieces_of_an_answer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_session(machine, [*events(3_000)])
    counted: list[bool] = []
    count = Session.context_use

    def counting(session: Session) -> ContextUse:
        counted.append(threading.current_thread() is threading.main_thread())
        return count(session)

    monkeypatch.setattr(Session, "context_use", counting)
    # It ends when the test lets it.
    with ChatServer([reply_steps(*(delta(content="word ") for _ in range(300)), Stall())]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--resume", SESSION)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat._room.use is not None, "the first count")
            await submit(pilot, "go")
            await until(pilot, says(app, "word word word word"))
            before = len(counted)
            for _ in range(1_000):
                app.chat.show(TextDelta("word "))
            await pilot.pause()
            assert len(counted) == before <= 4
            app.chat.engine.host.session.interrupt()  # type: ignore[union-attr]
            await until(pilot, lambda: len(counted) > before, "the end of the turn")
            await until(pilot, lambda: not app.chat._room._looking, "the count")
            assert not any(counted)
