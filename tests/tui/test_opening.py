"""Opening long sessions: the end at once, the rest above it, and the user is never kept waiting or moved."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_text
from tests.long_session import write_session
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tui_agent.conversation.errors import ConfigError
from tui_agent.conversation.events import Record
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import Block
from tui_agent.tui.widgets.transcript.projection import blocks_of
from tui_agent.tui.widgets.transcript.view import TranscriptView

EVENTS = 2_000
LONG = "long-1"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1"})


async def keep(machine: Machine, *sizes: int) -> None:
    """Sessions of these lengths, the first one the latest."""
    log = SqliteLog(machine.home / "data" / "sessions.db")
    for number, size in enumerate(sizes, start=1):
        await write_session(log, f"long-{number}", str(machine.project), size, at=1e9 - number)
    await log.aclose()


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The whole log is read when this is set; its end is read at once."""
    allowed = asyncio.Event()
    read = SqliteLog.read

    async def when_allowed(log: SqliteLog, session: str) -> list[Record]:
        await allowed.wait()
        return await read(log, session)

    monkeypatch.setattr(SqliteLog, "read", when_allowed)
    return allowed


def blocks(app: TuiAgent) -> int:
    return len(app.chat.query_one(TranscriptView).document)


def in_transcript(app: TuiAgent, part: str) -> bool:
    return any(part in block.source for block in app.chat.query_one(TranscriptView).document)


async def whole(machine: Machine, session: str = LONG) -> list[Record]:
    log = SqliteLog(machine.home / "data" / "sessions.db")
    records = await log.read(session)
    await log.aclose()
    return records


@pytest.mark.parametrize("words", [("--resume", LONG), ("--continue",)])
async def test_the_end_is_shown_and_keys_are_taken_while_the_rest_is_still_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, reading: asyncio.Event, words: tuple[str, ...]
) -> None:
    await keep(machine, EVENTS, 30)
    app = chat_app(machine, monkeypatch, *words)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: blocks(app) > 100, "the end of the session")
        await pilot.pause()
        last = "\n".join(screen_text(app).splitlines()[5:20])
        assert last.count("\n") == 14 and last.strip(), "the end fills the screen"
        await pilot.press(*"now")
        assert app.chat.query_one(PromptArea).text == "now"
        assert app.chat.engine.host is None or not app.chat.engine.host.session.records
        before = blocks(app)

        reading.set()
        # What it is made of is told once more by the log alone.
        expected = [block.source for block in blocks_of(await whole(machine))]
        await until(pilot, lambda: blocks(app) == len(expected), "the whole session")
        assert before < len(expected)
        assert [block.source for block in app.chat.query_one(TranscriptView).document] == expected
        await pilot.pause(0.1)
        assert "\n".join(screen_text(app).splitlines()[5:20]) == last, "the end is still in view"


async def test_what_is_read_above_does_not_move_the_view(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, reading: asyncio.Event
) -> None:
    await keep(machine, EVENTS)
    app = chat_app(machine, monkeypatch, "--resume", LONG)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: blocks(app) > 100, "the end of the session")
        for _ in range(4):
            await pilot.press("pageup")
        await pilot.pause(0.1)
        looked_at = screen_text(app).splitlines()[2:24]
        before = blocks(app)
        reading.set()
        await until(pilot, lambda: blocks(app) > before, "the rest")
        await pilot.pause(0.1)
        assert screen_text(app).splitlines()[2:24] == looked_at


async def test_a_prompt_sent_meanwhile_belongs_to_the_session_and_the_model_gets_all_of_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, reading: asyncio.Event
) -> None:
    await keep(machine, 900)
    with ChatServer([reply_text("Going on.")]) as server:
        settings = {"base_url": server.url, "default_model": "fake-model", "requires_api_key": False}
        machine.configure({"provider": "fake", "providers": {"fake": settings}})
        app = chat_app(machine, monkeypatch, "--resume", LONG, "--provider", "fake")
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: blocks(app) > 100, "the end of the session")
            await submit(pilot, "thanks")
            await pilot.pause(0.1)
            assert not server.bodies
            reading.set()
            await until(pilot, lambda: in_transcript(app, "Going on."), "the answer")
        sent = server.bodies[0]["messages"]
        assert sent[-1]["content"].endswith("thanks")
        assert sent[1]["content"].startswith("prompt 1:")


async def test_a_chain_that_was_broken_is_told_after_the_session_is_open(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(machine, 900)
    with sqlite3.connect(machine.home / "data" / "sessions.db") as db:
        db.execute("UPDATE events SET payload = CAST(replace(payload, 'prompt 1', 'PROMPT 1') AS BLOB) WHERE seq = 2")
    app = chat_app(machine, monkeypatch, "--resume", LONG)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: in_transcript(app, "the log of this session is damaged: event 2"), "the warning")
        assert in_transcript(app, "PROMPT 1:")


async def test_a_whole_chain_is_checked_without_a_word(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(machine, 900)
    checked: list[str] = []
    verify = SqliteLog.verify

    async def noted(log: SqliteLog, session: str) -> str:
        checked.append(await verify(log, session))
        return checked[-1]

    monkeypatch.setattr(SqliteLog, "verify", noted)
    app = chat_app(machine, monkeypatch, "--resume", LONG)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: bool(checked), "the check")
        assert checked == [""]
        assert not in_transcript(app, "damaged")


@pytest.mark.parametrize("name", ["nobody", ""])
async def test_a_session_that_is_not_there_is_told_on_the_first_screen(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    app = chat_app(machine, monkeypatch, "--resume", name)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: in_transcript(app, "`tui-agent sessions list` shows"), "what to do")
        assert in_transcript(app, "every write and every command asks first")
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        assert app.chat.engine.host is not None and not app.chat.engine.host.session.records


async def test_a_session_that_cannot_be_continued_leaves_the_one_that_is_open(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(machine, 40, 60)
    app = chat_app(machine, monkeypatch, "--resume", LONG)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        shown = [block.source for block in blocks_of(await whole(machine))]
        host = app.chat.engine.host
        assert host is not None

        async def refuse(_beginning: str) -> list[Record]:
            raise ConfigError("that provider is gone", "add it again")

        monkeypatch.setattr(host, "resume", refuse)
        await pilot.press("f3")
        await pilot.pause(0.2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: in_transcript(app, "that provider is gone"), "the error")
        found = [block.source for block in app.chat.query_one(TranscriptView).document]
        assert found == [*shown, "that provider is gone\nadd it again"]
        assert host.session.id == LONG


async def test_another_session_opened_meanwhile_is_not_mixed_with_the_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(machine, EVENTS, 60)
    allowed = threading.Event()

    def when_allowed(
        records: Sequence[Record], thoughts_folded: bool, changes_key: Callable[[], str], currency: Callable[[], str]
    ) -> list[Block]:
        if len(records) > 1000:
            allowed.wait(10)
        return blocks_of(records, thoughts_folded, changes_key, currency)

    monkeypatch.setattr("tui_agent.tui.transcript.blocks_of", when_allowed)
    app = chat_app(machine, monkeypatch, "--resume", LONG)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        await pilot.press("f3")
        await pilot.pause(0.2)
        await pilot.press("down", "enter")
        other = [block.source for block in blocks_of(await whole(machine, "long-2"))]
        shown = app.chat.query_one(TranscriptView).document
        await until(pilot, lambda: [block.source for block in shown] == other, "the other session alone")
        allowed.set()
        await pilot.pause(0.3)
        assert [block.source for block in shown] == other
