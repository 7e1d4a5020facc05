"""Two models asked the same: nothing is changed by it, one of them goes on, and the history stays valid."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agent.test_session import collect, logged, provider_for, session_with
from tests.fakes.chat_server import (
    ChatServer,
    Close,
    Reply,
    Responder,
    Stall,
    finish,
    history_problems,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
    usage,
)
from tui_agent.agent.comparing import GOING, NOTHING, Comparison, Side, Times, beside, moved, turn_of, why_not
from tui_agent.agent.session import Session
from tui_agent.agent.spending import Limits
from tui_agent.config.model import Price
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    DecisionMade,
    Event,
    LoggedEvent,
    Mode,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    Record,
    SessionStarted,
    TextDelta,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.store.sqlite import SqliteLog
from tui_agent.tools.executor import ToolExecutor

READING = ("read_file", "list_directory", "glob_files", "grep_search")


def by_model(**replies: list[Reply]) -> Responder:
    """Each model has replies of its own, one after the other."""
    left = {name: list(some) for name, some in replies.items()}

    def respond(body: dict[str, Any], number: int) -> Reply:
        some = left[body["model"]]
        return some.pop(0) if len(some) > 1 else some[0]

    return respond


@asynccontextmanager
async def compared(session: Session, root: Path, models: tuple[str, str] = ("m", "n")) -> AsyncIterator[Comparison]:
    """The session's next prompt for two models of its provider."""

    def side(model: str) -> Side:
        executor = ToolExecutor(working_directory=root / "project")
        executor.tell_of(READING)
        return Side(session.reading_copy(session.provider, model, executor))

    comparison = Comparison(session, (side(models[0]), side(models[1])))
    try:
        yield comparison
    finally:
        await comparison.aclose()


async def ask_both(comparison: Comparison, prompt: str, *, wait: tuple[int, ...] = (0, 1)) -> list[list[Event]]:
    """What each showed until those that are waited for have ended."""
    seen: list[list[Event]] = [[], []]
    for side, shown in zip(comparison.sides, seen, strict=True):
        side.start(prompt, shown.append)
    for place in wait:
        await comparison.sides[place].ended()
    return seen


async def shown(seen: list[Event], kind: type[Event]) -> None:
    while not any(isinstance(event, kind) for event in seen):  # noqa: ASYNC110 - nobody tells a list's readers
        await asyncio.sleep(0.005)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kinds(session: Session) -> list[str]:
    return [type(record.event).__name__ for record in session.records]


async def test_the_taken_answer_is_the_turn_and_the_other_is_kept_beside_it(tmp_path: Path) -> None:
    replies = by_model(m=[reply_text("From m.")], n=[reply_text("From n.")])
    with ChatServer(replies) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            async with compared(session, tmp_path) as comparison:
                seen = await ask_both(comparison, "which?")
                assert [why_not(side.records) for side in comparison.sides] == ["", ""]
                assert all(isinstance(events[-1], TurnEnded) for events in seen)
                assert len(session.records) == 4, "nothing is logged before one is taken"
                events = await comparison.take(1)
            assert kinds(session)[4:] == [
                "ModelSwitched",
                "PromptSubmitted",
                "AssistantReplied",
                "TurnEnded",
                "Noticed",
                "AsideAnswered",
            ]
            assert events == [record.event for record in session.records[4:]]
            assert session.model == "n"
            notice, kept = events[-2], events[-1]
            assert isinstance(notice, Noticed) and "fake · m was asked too" in notice.text
            assert isinstance(kept, AsideAnswered)
            assert (kept.question, kept.answer, kept.model, kept.finish) == ("which?", "From m.", "m", "stop")
            await collect(session, "go on")
            sent = server.bodies[-1]
            assert sent["model"] == "n" and "From m." not in json.dumps(sent["messages"][4:])
            assert [message["content"] for message in sent["messages"][1:]] == [
                "hi",
                "From m.",
                "which?",
                "From n.",
                "go on",
            ]
            log = SqliteLog(tmp_path / "sessions.db")
            assert await log.verify(session.id) == ""
            assert [record.event for record in await log.read(session.id)] == [r.event for r in session.records]
            await log.aclose()


async def test_both_are_asked_at_once_with_the_same_conversation(tmp_path: Path) -> None:
    """One answers while the other is silent."""
    with ChatServer(by_model(m=[reply_text("Hello."), Reply(mute=True)], n=[reply_text("From n.")])) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            async with compared(session, tmp_path) as comparison:
                await ask_both(comparison, "which?", wait=(1,))
                assert comparison.sides[0].session.busy and why_not(comparison.sides[1].records) == ""
                assert server.wait_for_requests(3, 5)
                first, second = server.bodies[-2:]
                assert {first["model"], second["model"]} == {"m", "n"}
                assert first["messages"] == second["messages"]
                assert {tool["function"]["name"] for tool in first["tools"]} == set(READING)


async def test_the_present_model_is_taken_without_a_switch(tmp_path: Path) -> None:
    with ChatServer(by_model(m=[reply_text("From m.")], n=[reply_text("From n.")])) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            async with compared(session, tmp_path) as comparison:
                await ask_both(comparison, "which?")
                await comparison.take(0)
            assert "ModelSwitched" not in kinds(session)


async def test_the_first_prompt_of_a_session_can_be_compared(tmp_path: Path) -> None:
    with ChatServer(by_model(m=[reply_text("From m.")], n=[reply_text("From n.")])) as server:
        async with session_with(server, tmp_path) as session:
            async with compared(session, tmp_path) as comparison:
                await ask_both(comparison, "which?")
                await comparison.take(1)
            assert kinds(session)[:3] == ["SessionStarted", "PromptSubmitted", "AssistantReplied"]
            assert isinstance(started := session.records[0].event, SessionStarted) and started.model == "n"


async def test_what_does_more_than_read_is_refused_with_a_word_and_changes_nothing(tmp_path: Path) -> None:
    calls = reply_calls(
        [
            ("read_file", {"file_path": "a.txt"}),
            ("write_file", {"file_path": "new.txt", "content": "x"}),
            ("edit_file", {"file_path": "a.txt", "old_string": "old", "new_string": "new"}),
            ("run_command", {"command": "touch made"}),
        ]
    )
    with ChatServer(by_model(m=[calls, reply_text("I would write it.")], n=[reply_text("No.")])) as server:
        async with session_with(server, tmp_path) as session:
            (tmp_path / "project" / "a.txt").write_text("old\n")
            async with compared(session, tmp_path) as comparison:
                await ask_both(comparison, "change it")
                side = comparison.sides[0]
                results = [r.event for r in side.records if isinstance(r.event, ToolFinished)]
                assert [result.status for result in results] == ["ok", "denied", "denied", "denied"]
                assert all("two models answer this side by side" in result.content for result in results[1:])
                await comparison.take(0)
            assert snapshot(tmp_path / "project") == {"a.txt": b"old\n"}
            # What was read on that side is known from now on.
            assert session.executor._desk._read


async def test_commands_that_only_read_run_where_the_session_lets_them(tmp_path: Path) -> None:
    command = reply_calls([("run_command", {"command": "ls"})])
    for lets, status in ((False, "denied"), (True, "ok")):
        with ChatServer(by_model(m=[command, reply_text("Done.")], n=[reply_text("No.")])) as server:
            async with session_with(server, tmp_path) as session:
                session.executor.grants.reading = lets
                async with compared(session, tmp_path) as comparison:
                    await ask_both(comparison, "look")
                    results = [r.event for r in comparison.sides[0].records if isinstance(r.event, ToolFinished)]
                    assert [result.status for result in results] == [status]


@pytest.mark.parametrize("failure", [reply_error(500, "down"), reply_steps(text("Half"), Close()), Reply(drop=True)])
async def test_one_that_fails_does_not_hurt_the_other(failure: Reply, tmp_path: Path) -> None:
    with ChatServer(by_model(m=[failure], n=[reply_text("From n.")])) as server:
        async with session_with(server, tmp_path) as session, compared(session, tmp_path) as comparison:
            await ask_both(comparison, "which?")
            cut = "Half" in str(failure.steps)
            assert [why_not(side.records) for side in comparison.sides] == ["" if cut else NOTHING, ""]
            events = await comparison.take(1)
            kept = [event for event in events if isinstance(event, AsideAnswered)]
            assert [(aside.answer, aside.finish) for aside in kept] == ([("Half", "incomplete")] if cut else [])
            (notice,) = [event for event in events if isinstance(event, Noticed)]
            assert ("had no answer" in notice.text) != cut


async def test_one_is_stopped_alone_and_can_be_taken_as_far_as_it_came(tmp_path: Path) -> None:
    half = reply_steps(text("Half an"), Stall())
    with ChatServer(by_model(m=[half], n=[half])) as server:
        async with session_with(server, tmp_path) as session, compared(session, tmp_path) as comparison:
            seen = await ask_both(comparison, "which?", wait=())
            for events in seen:
                await shown(events, TextDelta)
            assert [why_not(side.records) for side in comparison.sides] == [GOING, GOING]
            comparison.sides[0].stop()
            await comparison.sides[0].ended()
            assert comparison.sides[1].session.busy
            started = time.monotonic()
            events = await comparison.take(0)
            assert time.monotonic() - started < 2
            assert isinstance(kept := events[-1], AsideAnswered)
            assert (kept.answer, kept.finish, kept.model) == ("Half an", "incomplete", "n")
            assert server.wait_for_disconnect(5)


async def test_dropping_both_keeps_what_they_said_and_no_turn(tmp_path: Path) -> None:
    with ChatServer(by_model(m=[reply_text("From m.")], n=[reply_steps(text("Half"), Stall())])) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            async with compared(session, tmp_path) as comparison:
                seen = await ask_both(comparison, "which?", wait=(0,))
                await shown(seen[1], TextDelta)
                await comparison.drop()
            assert kinds(session)[4:] == ["AsideAnswered", "AsideAnswered"]
            await collect(session, "go on")
            contents = [message["content"] for message in server.bodies[-1]["messages"][1:]]
            assert contents == ["hi", "From m.", "go on"]


async def test_dropping_before_anything_came_leaves_no_session(tmp_path: Path) -> None:
    with ChatServer(Reply(mute=True)) as server:
        async with session_with(server, tmp_path) as session, compared(session, tmp_path) as comparison:
            await ask_both(comparison, "which?", wait=())
            assert await comparison.drop() == []
            assert session.records == []


async def test_other_providers_are_asked_and_taken(tmp_path: Path) -> None:
    with ChatServer([reply_text("Here.")]) as here, ChatServer([reply_text("There.")]) as there:
        async with session_with(here, tmp_path) as session, AsyncExitStack() as stack:
            other = provider_for(there, "other")
            stack.push_async_callback(other.aclose)
            sides = [
                Side(session.reading_copy(provider, "m", ToolExecutor(working_directory=tmp_path / "project")))
                for provider in (session.provider, other)
            ]
            comparison = Comparison(session, (sides[0], sides[1]))
            await ask_both(comparison, "which?")
            await comparison.take(1)
            assert (session.provider.name, comparison.sides[0].name) == ("other", "fake · m")
            await comparison.aclose()


async def test_a_side_neither_falls_back_nor_goes_over_the_limits_of_the_run(tmp_path: Path) -> None:
    answer = reply_steps(text("Hello."), finish(), usage(prompt=100, completion=50))
    with ChatServer([answer]) as server:
        async with session_with(server, tmp_path) as session:
            session._price_for = lambda provider, model: Price(input=1.0, output=2.0)
            await collect(session, "hi")
            session.options = dataclasses.replace(session.options, fallback=("other",), limits=Limits(max_tokens=150))
            async with compared(session, tmp_path) as comparison:
                assert comparison.sides[0].session.options.fallback == ()
                await ask_both(comparison, "which?")
                assert [side.times.reason for side in comparison.sides] == ["limit", "limit"]
            session.options = dataclasses.replace(session.options, limits=Limits())
            async with compared(session, tmp_path) as comparison:
                await ask_both(comparison, "which?")
                await comparison.take(0)
            used = session.spent()
            assert (used.prompt_tokens, used.completion_tokens, used.cost) == (300, 150, pytest.approx(0.0006))


# ---- the steps of choosing ----


def record(seq: int, event: LoggedEvent) -> Record:
    return Record("s", seq, 0.0, event, "")


def replied(answer: str, finish: Any = "stop") -> AssistantReplied:
    return AssistantReplied(answer, "", (), finish, "p", "m", Usage(10, 5, 2), 1.0)


TURN = [
    record(5, ModelSwitched("p", "m")),
    record(6, PromptSubmitted("why?")),
    record(7, replied("First.")),
    record(8, ToolFinished("c", "read_file", "a.py", "ok", "…", 0.1)),
    record(9, replied("Then.")),
    record(10, TurnEnded("done")),
]


def test_a_turn_is_what_a_side_logged_without_where_it_began() -> None:
    assert [record.seq for record in turn_of(TURN)] == [6, 7, 8, 9, 10]


def test_what_can_be_taken() -> None:
    assert why_not(TURN) == ""
    assert why_not(TURN[:-1]) == GOING
    assert why_not([TURN[1], record(7, replied(" ")), TURN[-1]]) == NOTHING


def test_the_other_one_becomes_one_thing_beside() -> None:
    kept = beside(TURN, Times(0.0, 0.5, 4.0, "done"))
    assert kept == AsideAnswered(
        "why?", "First.\n\n[read_file a.py: ok]\n\nThen.", "stop", "p", "m", Usage(20, 10, 4), 4.0, None
    )
    assert beside(TURN[:2], Times(0.0)) is None
    silent = AssistantReplied("More.", "", (), "stop", "p", "m", Usage(), 1.0)
    unknown = beside([*TURN[:4], record(9, silent), TURN[-1]], Times(0.0, 0.5, 4.0, "done"))
    assert unknown is not None and unknown.usage == Usage()
    stopped = beside(TURN[:4], Times(0.0, 0.5, 4.0, "interrupted"))
    assert stopped is not None and stopped.finish == "incomplete"


def test_a_summary_in_a_taken_turn_is_about_the_same_records() -> None:
    summary = Compacted(7, "short", "full")
    assert moved(summary, {6: 8, 7: 9}) == Compacted(9, "short", "full")
    assert moved(Compacted(3, "short", "full"), {6: 8}) == Compacted(3, "short", "full")
    assert moved(TURN[2].event, {7: 9}) == TURN[2].event


# ---- whatever both of them do ----

_CALLS = st.sampled_from(
    [
        ("read_file", {"file_path": "a.txt"}),
        ("list_directory", {"path": "."}),
        ("write_file", {"file_path": "b.txt", "content": "x"}),
        ("write_file", {"file_path": "../out.txt", "content": "x"}),
        ("edit_file", {"file_path": "a.txt", "old_string": "old", "new_string": "new"}),
        ("run_command", {"command": "rm -rf ."}),
        ("run_command", {"command": "touch c.txt", "background": True}),
        ("no_such_tool", {}),
        ("read_file", "{not json"),
    ]
)
_REPLIES = st.one_of(
    st.lists(_CALLS, min_size=1, max_size=3).map(reply_calls),
    st.sampled_from(
        [
            reply_text("An answer."),
            reply_steps(text("Half"), Close()),
            reply_error(500, "down"),
            reply_steps(text("Half a call"), *reply_calls([("read_file", {"file_path": "a.txt"})]).steps[:1], Close()),
            reply_steps(text("too lo"), finish("length")),
        ]
    ),
)
_SCRIPTS = st.lists(_REPLIES, min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(
    before=_SCRIPTS,
    first=_SCRIPTS,
    second=_SCRIPTS,
    place=st.integers(0, 1),
    stop=st.booleans(),
    mode=st.sampled_from(["plan", "ask", "accept-edits", "auto"]),
)
def test_taking_leaves_a_valid_history_and_the_folder_as_it_was(
    before: list[Reply], first: list[Reply], second: list[Reply], place: int, stop: bool, mode: Mode
) -> None:
    done = [reply_text("The end.")]
    script = by_model(m=first + done, n=second + done, old=before + done)

    async def journey(root: Path, server: ChatServer) -> None:
        async with session_with(server, root) as session:
            session.executor.approver = None
            (root / "project" / "a.txt").write_text("old\n")
            session.model = "old"
            await collect(session, "begin")
            await session.set_mode(mode)
            folder = snapshot(root)
            base = len(session.records)
            async with compared(session, root) as comparison:
                await ask_both(comparison, "which?", wait=(place,) if stop else (0, 1))
                if stop:
                    comparison.sides[1 - place].stop()
                problem = why_not(comparison.sides[place].records)
                events = await (comparison.drop() if problem else comparison.take(place))
            assert events == [record.event for record in session.records[base:]]
            assert snapshot(root / "project") == {"a.txt": b"old\n"} and not (root / "out.txt").exists()
            assert set(snapshot(root)) == set(folder)
            decisions = [event for event in logged(session, DecisionMade) if isinstance(event, DecisionMade)]
            assert all(decision.by == "policy" for decision in decisions)
            await collect(session, "go on")
            assert history_problems(server.bodies[-1]["messages"]) == []
            assert not problem or [m["content"] for m in server.bodies[-1]["messages"]].count("which?") == 0
            log = SqliteLog(root / "sessions.db")
            assert await log.verify(session.id) == ""
            await log.aclose()

    with TemporaryDirectory() as folder, ChatServer(script) as server:
        asyncio.run(journey(Path(folder), server))
