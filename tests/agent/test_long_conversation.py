"""Sixty turns against real servers with small windows, which count tokens by a rule of their own."""

import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agent.test_session import Face, collect, provider_for
from tests.fakes.chat_server import Reply, history_problems, reply_calls, reply_error, reply_text
from tests.fakes.window_server import (
    WindowServer,
    asks_for_summary,
    broken_summary,
    empty_summary,
    endless_summary,
    good_summary,
    tokens_in,
    told_facts,
)
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.config.model import ProfileName
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    Event,
    Noticed,
    ResultsTrimmed,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.tools.executor import ToolExecutor

SENTENCE = "the total of a cart is rounded before tax while every line keeps its own sum in cents and nobody asks why"
TURNS = 60
FACTS = ["The colour is teal-7.", "The port is red-4417.", "The customer is Moss-12."]


def prose(seed: int, words: int) -> str:
    chance, known = random.Random(seed), SENTENCE.split()
    return " ".join(chance.choice(known) for _ in range(words))


def turn_in(body: Mapping[str, Any]) -> int:
    """The number of the turn that a request is about."""
    return int(re.findall(r"Turn (\d+):", str(body["messages"]))[-1])


def scripted(body: dict[str, Any], number: int) -> Reply:
    """Reads a file in two of three turns, and then says something."""
    turn = turn_in(body)
    if body["messages"][-1]["role"] == "user" and turn % 3:
        return reply_calls([("read_file", {"file_path": f"part{turn % 6}.txt"})], first=turn * 10)
    return reply_text(f"In turn {turn}: {prose(turn, 70)}.", chunk=200)


def prompt(turn: int) -> str:
    fact = f" {FACTS[turn // 2]}" if turn in (0, 2, 4) else ""
    return f"Turn {turn}: {prose(1000 + turn, 12)}.{fact}"


@asynccontextmanager
async def session_of(
    server: WindowServer, root: Path, *, profile: ProfileName = "auto", **options: Any
) -> AsyncIterator[Session]:
    project = root / "project"
    project.mkdir(exist_ok=True)
    for part in range(6):
        (project / f"part{part}.txt").write_text("\n".join(prose(part * 100 + line, 12) for line in range(45)))
    provider = provider_for(server)
    executor = ToolExecutor(working_directory=project, approver=Face())
    session = Session(
        log=None,
        executor=executor,
        provider=provider,
        model="fake-model",
        options=TurnOptions(directory=str(project), **options),
        profile_for=lambda name: profile,
        working_directory=str(project),
        version="0",
    )
    try:
        yield session
    finally:
        await executor.aclose()
        await provider.aclose()


def of(session: Session, kind: type[Any]) -> list[Any]:
    return [record.event for record in session.records if isinstance(record.event, kind)]


async def sixty(session: Session) -> None:
    for turn in range(TURNS):
        events = await collect(session, prompt(turn))
        assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done", (turn, events[-3:])
        shown = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert shown.count("In turn") == 1 and "- goal" not in shown  # a summary is not the answer


def check_prefixes(server: WindowServer, session: Session) -> int:
    """Every request begins with the one before it, but where something was decided; returns how often it does not."""
    breaks = 0
    before: list[Any] = []
    for body in server.bodies:
        if asks_for_summary(body):
            continue
        now = body["messages"]
        if now[: len(before)] != before:
            breaks += 1
        before = now
    return breaks


@pytest.mark.promise("P23")
@pytest.mark.parametrize("profile", ["small", "full"])
async def test_sixty_turns_in_a_small_window(tmp_path: Path, profile: ProfileName) -> None:
    with WindowServer(8192, scripted) as server:
        async with session_of(server, tmp_path, profile=profile) as session:
            await sixty(session)
            compacted, trimmed = of(session, Compacted), of(session, ResultsTrimmed)
            assert len(compacted) >= 4 and len(trimmed) >= 4, (len(compacted), len(trimmed))
            assert all(event.trigger == "full" and event.model == "fake-model" for event in compacted)
            assert all(event.after < 0.8 * event.before for event in compacted)
            assert max(server.sizes) <= 8192 and not server.refused
            assert not [problem for body in server.bodies for problem in history_problems(body["messages"])]
            assert told_facts(server.bodies[-1]) == FACTS
            assert check_prefixes(server, session) <= len(compacted) + len(trimmed)
            assert len(server.summaries) == len(compacted)  # each at the first try
            use = session.context_use()
            assert use.window == 8192 and use.source == "server" and use.replies == 3
            assert use.total == pytest.approx(server.sizes[-1], rel=0.15)


@pytest.mark.promise("P23")
@pytest.mark.parametrize("on_overflow", ["refuse", "vaguely"])
async def test_sixty_turns_in_a_window_that_nobody_named(tmp_path: Path, on_overflow: Any) -> None:
    with WindowServer(8192, scripted, on_overflow=on_overflow, unlisted=True) as server:
        async with session_of(server, tmp_path) as session:
            await sixty(session)
            compacted = of(session, Compacted)
            assert compacted[0].trigger == "overflow"
            assert len(server.refused) <= (1 if on_overflow == "refuse" else 2)
            assert told_facts(server.bodies[-1]) == FACTS
            assert not [problem for body in server.bodies for problem in history_problems(body["messages"])]
            if on_overflow == "refuse":
                assert (session.window, session.context_use().source) == (8192, "learned from an error")
            else:
                assert session.window is None  # nobody said, and it is not guessed


@pytest.mark.promise("P23")
async def test_a_server_that_cuts_without_a_word_is_named_once_and_what_fits_is_learned(tmp_path: Path) -> None:
    with WindowServer(8192, scripted, on_overflow="cut", unlisted=True) as server:
        async with session_of(server, tmp_path) as session:
            await sixty(session)
            (notice,) = [event for event in of(session, Noticed) if "without a word" in event.text]
            assert "read only 8,192 of about" in notice.text and notice.level == "warning"
            assert (session.window, session.context_use().source) == (8192, "learned from a cut")
            first = next(place for place, size in enumerate(server.sizes) if size > 8192)
            assert sum(size > 8192 for size in server.sizes) <= 4
            assert max(server.sizes[first + 6 :]) <= 8192
            assert told_facts(server.bodies[-1]) == FACTS


@pytest.mark.promise("P23")
@pytest.mark.parametrize("summary", [broken_summary, empty_summary, endless_summary])
async def test_a_model_that_cannot_summarise_traps_nobody(
    tmp_path: Path, summary: Callable[[dict[str, Any]], Reply]
) -> None:
    with WindowServer(8192, scripted, summary=summary) as server:
        async with session_of(server, tmp_path) as session:
            await sixty(session)
            compacted = of(session, Compacted)
            assert len(compacted) >= 4 and not any(event.model for event in compacted)
            warnings = [event.text for event in of(session, Noticed) if event.level == "warning"]
            assert len(warnings) == len(compacted) and all("a plain list of what happened" in text for text in warnings)
            assert max(server.sizes) <= 8192 and not server.refused
            assert told_facts(server.bodies[-1]) == FACTS
            assert "read_file part" in compacted[-1].summary and "In turn" in compacted[-1].summary


async def test_a_result_larger_than_the_window_is_cut_to_what_fits(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], number: int) -> Reply:
        if body["messages"][-1]["role"] == "user":
            return reply_calls([("read_file", {"file_path": "huge.txt"})])
        return reply_text("It is long.")

    with WindowServer(8192, answer) as server:
        async with session_of(server, tmp_path, profile="full") as session:
            lines = [f"{line} {prose(line, 12)}" for line in range(900)]
            (tmp_path / "project" / "huge.txt").write_text("\n".join(lines))
            events = await collect(session, "Turn 1: what is in huge.txt?")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            (result,) = of(session, ToolFinished)
            (trim,) = of(session, ResultsTrimmed)
            assert not of(session, Compacted)
        told = server.bodies[-1]["messages"][-1]["content"]
        assert tokens_in({"messages": [{"content": result.content}]}) > 8192
        assert max(server.sizes) <= 8192
        assert "characters left out to save room; call the tool again" in told and "0 " in told[:40]
        assert trim.results == 1 and trim.saved > 5000
        assert len(told) > 6500  # half of the room


@pytest.mark.promise("P23")
async def test_a_prompt_that_fits_in_no_way_is_refused_before_it_is_sent_and_the_session_goes_on(
    tmp_path: Path,
) -> None:
    with WindowServer(8192) as server:
        async with session_of(server, tmp_path) as session:
            await collect(session, "Turn 0: hello")
            events = await collect(session, f"Turn 1: {prose(1, 9000)}")
            assert isinstance(events[-1], TurnEnded) and (events[-1].reason, events[-1].cause) == ("error", "context")
            (error,) = [event for event in events if isinstance(event, Noticed)]
            assert "too long for fake-model" in error.text and "it takes 8,192" in error.text
            assert "prompt: Turn 1" in error.text and "tokens fit" in error.hint
            sent = [body for body in server.bodies if not asks_for_summary(body)]
            assert len(sent) == 1 and not server.refused
            events = await collect(session, "Turn 2: and now?")
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            assert max(server.sizes) <= 8192 and not server.refused


async def test_room_is_made_by_hand_only_where_that_is_set(tmp_path: Path) -> None:
    with WindowServer(8192, scripted, unlisted=True) as server:
        async with session_of(server, tmp_path, compact="manual") as session:
            for turn in range(TURNS):
                events = await collect(session, prompt(turn))
                if server.refused:
                    break
            assert isinstance(events[-1], TurnEnded) and (events[-1].cause, events[-1].window) == ("context", 8192)
            error = next(event for event in events if isinstance(event, Noticed))
            assert "/compact" in error.hint
            assert not of(session, Compacted) and not of(session, ResultsTrimmed)
            assert session.window == 8192
            made = [event async for event in session.compact()]
            assert isinstance(made[-1], Compacted) and made[-1].trigger == "user"
            events = await collect(session, prompt(TURNS))
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "done"
            assert server.refused == server.refused[:1]


@pytest.mark.promise("P23")
async def test_a_second_overflow_is_told_plainly(tmp_path: Path) -> None:
    def refusing(body: dict[str, Any], number: int) -> Reply:
        return reply_text("Fine.") if number < 6 else reply_error(400, "prompt is too long")

    with WindowServer(100_000, refusing, unlisted=True) as server:
        async with session_of(server, tmp_path) as session:
            for turn in range(6):
                await collect(session, f"Turn {turn}: {prose(turn, 300)}")
            events = await collect(session, "Turn 7: go on")
            assert isinstance(events[-1], TurnEnded) and (events[-1].reason, events[-1].cause) == ("error", "context")
            assert [event for event in events if isinstance(event, Noticed) and event.level == "error"]
        assert sum(not asks_for_summary(body) for body in server.bodies) == 8
        assert len(of(session, Compacted)) == 1


async def test_the_reply_of_a_stopped_compaction_leaves_nothing(tmp_path: Path) -> None:
    box: list[Session] = []

    def stopping(body: dict[str, Any]) -> Reply:
        box[0].interrupt()
        return good_summary(body)

    with WindowServer(8192, scripted, summary=stopping) as server:
        async with session_of(server, tmp_path) as session:
            box.append(session)
            events: list[Event] = []
            for turn in range(TURNS):
                events = await collect(session, prompt(turn))
                if server.summaries:
                    break
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "interrupted"
            assert not of(session, Compacted)
            assert not isinstance(session.records[-2].event, AssistantReplied)
            count = len(session.records)
            assert [event async for event in session.compact() if isinstance(event, Compacted)] == []
            assert len(session.records) == count and not session.busy
