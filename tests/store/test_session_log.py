"""The session log: what was appended is what is read, in order, chained, and never mixed."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.conversation.errors import StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.store.log import StoreConflictError, decode_event, encode_event
from tui_agent.store.sqlite import SqliteLog

STARTED = SessionStarted("/work", "ollama", "qwen", "ask", "1")


def reply(text: str, *calls: ToolCall) -> AssistantReplied:
    return AssistantReplied(text, "", calls, "stop", "ollama", "qwen", Usage(1, 2), 0.5)


async def fill(log: SqliteLog, session: str, *events: LoggedEvent) -> None:
    last = await log.create(session, STARTED, 1.0)
    for place, event in enumerate(events):
        last = await log.append(last, event, 2.0 + place)


async def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "deep" / "sessions.db")
    events = (PromptSubmitted("hi"), reply("hello", ToolCall("c1", "read_file", '{"a":1}')), TurnEnded("done"))
    await fill(log, "s1", *events)
    await log.aclose()

    again = SqliteLog(log.path)
    records = await again.read("s1")
    assert [record.event for record in records] == [STARTED, *events]
    assert [record.seq for record in records] == [1, 2, 3, 4]
    assert await again.verify("s1") == ""
    await again.aclose()


async def test_the_summary_has_the_first_prompt_as_title_and_the_last_model(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", PromptSubmitted("first\nprompt"), ModelSwitched("groq", "llama"), PromptSubmitted("second"))
    await fill(log, "s2")
    rows = {row.id: row for row in await log.sessions("/work")}
    assert rows["s1"].title == "first prompt"
    assert (rows["s1"].provider, rows["s1"].model) == ("groq", "llama")
    assert (rows["s1"].turns, rows["s1"].events) == (2, 4)
    assert rows["s2"].title == ""
    assert [row.id for row in await log.sessions()] == ["s1", "s2"]
    assert await log.sessions("/elsewhere") == []
    await log.aclose()


@pytest.mark.promise("P35")
async def test_a_changed_event_is_found_by_verify(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", PromptSubmitted("pay 1"), TurnEnded("done"))
    await log.aclose()
    with sqlite3.connect(log.path) as db:
        db.execute("UPDATE events SET payload = CAST(replace(payload, 'pay 1', 'pay 9') AS BLOB) WHERE seq = 2")
    again = SqliteLog(log.path)
    assert "event 2 (prompt_submitted, 1970-" in await again.verify("s1")
    await again.aclose()


async def test_a_removed_event_is_found_by_verify(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", PromptSubmitted("a"), TurnEnded("done"))
    await log.aclose()
    with sqlite3.connect(log.path) as db:
        db.execute("DELETE FROM events WHERE seq = 2")
    again = SqliteLog(log.path)
    assert (await again.verify("s1")).startswith("event 2 is missing: event 3 (turn_ended, ")
    await again.aclose()


@pytest.mark.promise("P35")
async def test_in_place_of_an_unreadable_event_stands_a_notice_and_the_session_goes_on(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1", PromptSubmitted("a"), PromptSubmitted("b"))
    await log.aclose()
    with sqlite3.connect(log.path) as db:
        db.execute("UPDATE events SET payload = CAST('{half' AS BLOB) WHERE seq = 3")
    again = SqliteLog(log.path)
    records = await again.read("s1")
    assert [record.seq for record in records] == [1, 2, 3]
    assert isinstance(records[2].event, Noticed) and "cannot be read" in records[2].event.text
    await again.append(records[-1], PromptSubmitted("c"), 9.0)
    assert (await again.read("s1"))[-1].event == PromptSubmitted("c")
    await again.aclose()


async def test_sessions_are_found_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    for session in ("2026-a1", "2026-a2", "2027-%"):
        await fill(log, session)
    assert await log.find("2026-a") == ["2026-a1", "2026-a2"]
    assert await log.find("2027-%") == ["2027-%"]
    assert await log.find("%") == []
    await log.aclose()


@pytest.mark.promise("P34")
async def test_two_writers_on_one_session_cannot_both_continue_it(tmp_path: Path) -> None:
    one, two = SqliteLog(tmp_path / "s.db"), SqliteLog(tmp_path / "s.db")
    start = await one.create("s1", STARTED, 1.0)
    await one.append(start, PromptSubmitted("from one"), 2.0)
    with pytest.raises(StoreConflictError):
        await two.append(start, PromptSubmitted("from two"), 2.0)
    assert [record.event for record in await two.read("s1")] == [STARTED, PromptSubmitted("from one")]
    await one.aclose()
    await two.aclose()


@pytest.mark.promise("P34")
async def test_programs_that_start_at_once_share_one_database(tmp_path: Path) -> None:
    logs = [SqliteLog(tmp_path / "s.db") for _ in range(6)]
    await asyncio.gather(*(fill(log, f"s{place}", PromptSubmitted("x")) for place, log in enumerate(logs)))
    assert len(await logs[0].sessions()) == 6
    assert [await logs[0].verify(f"s{place}") for place in range(6)] == [""] * 6
    for log in logs:
        await log.aclose()


@pytest.mark.promise("P35", "P42")
async def test_a_newer_database_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    log = SqliteLog(path)
    with pytest.raises(StoreError, match=r"newer tui-agent \(schema 99"):
        await log.sessions()
    await log.aclose()
    assert path.read_bytes() == before


@pytest.mark.promise("P35")
async def test_a_file_that_is_no_database_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"this is not a database, it is a note of some length" * 50)
    log = SqliteLog(path)
    with pytest.raises(StoreError, match=r"s\.db") as caught:
        await log.sessions()
    assert "move the file away" in caught.value.hint
    await log.aclose()


async def test_an_unknown_session_is_named(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    with pytest.raises(StoreError, match="no session 'nope'"):
        await log.read("nope")
    await log.aclose()


async def test_the_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    await fill(log, "s1")
    await log.aclose()
    assert log.path.stat().st_mode & 0o077 == 0


any_text = st.text(st.characters(), max_size=40)


@settings(max_examples=60)
@given(any_text, any_text, st.lists(st.tuples(any_text, any_text, any_text), max_size=3))
def test_every_event_survives_encoding(text: str, reasoning: str, calls: list[tuple[str, str, str]]) -> None:
    events: list[LoggedEvent] = [
        PromptSubmitted(text),
        AssistantReplied(
            text, reasoning, tuple(ToolCall(*call) for call in calls), "stop", "p", "m", Usage(None, 3), 1.25
        ),
        ToolFinished("c", "run_command", text, "failed", reasoning, 0.1, exit_code=3),
    ]
    for event in events:
        clean = decode_event(encode_event(event))
        assert decode_event(encode_event(clean)) == clean
        if all(not 0xD800 <= ord(char) <= 0xDFFF for char in text + reasoning + "".join(map("".join, calls))):
            assert clean == event


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert decode_event(encode_event(PromptSubmitted("a\ud800b"))) == PromptSubmitted("a\ufffdb")


@given(sizes=st.lists(st.integers(1, 5), max_size=6), unfinished=st.integers(0, 3), least=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_the_end_of_a_session_is_whole_turns_and_no_more_of_them_than_asked_for(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], unfinished: int, least: int
) -> None:
    turns: list[list[LoggedEvent]] = [
        [*(PromptSubmitted(f"{turn}.{n}") for n in range(size)), TurnEnded("done")] for turn, size in enumerate(sizes)
    ]
    if unfinished or not turns:
        turns.append([PromptSubmitted("left open")] * unfinished)
    turns[0].insert(0, STARTED)

    async def read_end() -> list[LoggedEvent]:
        log = SqliteLog(tmp_path_factory.mktemp("log") / "s.db")
        await fill(log, "s1", *[event for turn in turns for event in turn][1:])
        end, whole = await log.end("s1", least), await log.read("s1")
        assert end == whole[-len(end) :]
        await log.aclose()
        return [record.event for record in end]

    end = asyncio.run(read_end())
    expected: list[LoggedEvent] = []
    while turns and len(expected) < least:
        expected = [*turns.pop(), *expected]
    assert end == expected


async def test_a_session_that_is_not_there_has_no_end(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "s.db")
    for look in (log.end("nobody", 5), log.read("nobody"), log.verify("nobody")):
        with pytest.raises(StoreError, match="no session 'nobody'"):
            await look
    await log.aclose()
