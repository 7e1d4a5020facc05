"""A question beside the conversation: what is sent for it, what is kept of it, and that nothing else notices."""

import asyncio
import dataclasses
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.agent.test_session import collect, logged, session_with, write
from tests.fakes.chat_server import (
    ChatServer,
    Close,
    Reply,
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
from tui_agent.agent.aside import INSTRUCTION
from tui_agent.agent.session import Session
from tui_agent.agent.spending import Limits
from tui_agent.config.model import Price
from tui_agent.conversation.errors import ProviderError, TuiAgentError
from tui_agent.conversation.events import AsideAnswered, Event, TextDelta, ToolFinished, TurnEnded
from tui_agent.store.search import SearchIndex
from tui_agent.store.sqlite import SqliteLog


def is_aside(body: dict[str, Any]) -> bool:
    return INSTRUCTION in str(body["messages"][-1]["content"])


def served(*turn: Reply, aside: Reply) -> "Any":
    """Replies to the requests of turns in order, and another one to every question beside."""
    left = list(turn)

    def respond(body: dict[str, Any], number: int) -> Reply:
        if is_aside(body):
            return aside
        return left.pop(0) if len(left) > 1 else left[0]

    return respond


async def ask(session: Session, question: str) -> list[Event]:
    return [event async for event in session.aside(question)]


async def take_into(seen: list[Event], session: Session) -> None:
    """What comes before it fails is seen too."""
    async for event in session.aside("why?"):
        seen.append(event)  # noqa: PERF401 - a comprehension would lose what came before the failure


async def test_the_model_sees_the_conversation_and_the_question_but_no_tool_may_be_called(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_text("Because.", chunk=3))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            events = await ask(session, "why is that?")
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Because."
            last = events[-1]
            assert isinstance(last, AsideAnswered)
            assert (last.question, last.answer, last.finish) == ("why is that?", "Because.", "stop")
            assert (last.provider, last.model) == ("fake", "m")
            turn, aside = server.bodies
            assert aside["tool_choice"] == "none" and aside["tools"] == turn["tools"]
            assert aside["messages"][:-2] == turn["messages"]
            assert aside["messages"][-2:] == [
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": f"{INSTRUCTION}\n\nwhy is that?"},
            ]


async def test_the_request_begins_with_the_bytes_of_the_next_one(tmp_path: Path) -> None:
    """What a server has read of the conversation serves the question, and what it read for that serves the turn."""
    with ChatServer(served(write("a.txt"), reply_text("Done."), aside=reply_text("Because."))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "go")
            await ask(session, "why?")
            await collect(session, "further")
    (aside,) = [seen for seen in server.requests if is_aside(seen.body)]
    after = server.requests[-1]
    assert not is_aside(after.body)
    begun = aside.raw.index(b'{"role":"user","content":"[A question')
    assert begun > 1000 and after.raw[:begun] == aside.raw[:begun]
    shared = len(aside.body["messages"]) - 1
    assert after.body["messages"][:shared] == aside.body["messages"][:-1]
    assert after.body["tools"] == aside.body["tools"]


async def test_question_and_answer_are_never_sent_again(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_text("SECRET-ANSWER"))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            await ask(session, "SECRET-QUESTION")
            await ask(session, "another")
            await collect(session, "go on")
            later = [body for body in server.bodies if "SECRET-QUESTION" not in str(body["messages"][-1])]
            assert len(later) == 3 and "SECRET" not in json.dumps(later)


async def test_it_is_answered_while_a_turn_streams_and_the_turn_is_not_disturbed(tmp_path: Path) -> None:
    """The turn hangs in the middle of its answer; the question is answered all the same."""
    released = asyncio.Event()
    with ChatServer(served(reply_steps(text("Half"), Stall()), aside=reply_text("Because."))) as server:
        async with session_with(server, tmp_path) as session:

            async def turn() -> list[Event]:
                events = []
                async with aclosing(session.run("hi")) as happening:
                    async for event in happening:
                        events.append(event)
                        if isinstance(event, TextDelta):
                            released.set()
                return events

            running = asyncio.create_task(turn())
            await released.wait()
            events = await ask(session, "why?")
            assert isinstance(events[-1], AsideAnswered) and session.busy
            question = server.bodies[-1]["messages"][-1]
            assert question == {"role": "user", "content": f"hi\n\n{INSTRUCTION}\n\nwhy?"}
            session.interrupt()
            seen = await running
            assert not any(isinstance(event, AsideAnswered) for event in seen)
            assert isinstance(seen[-1], TurnEnded)
            assert [type(record.event).__name__ for record in session.records] == [
                "SessionStarted",
                "PromptSubmitted",
                "AsideAnswered",
                "AssistantReplied",
                "TurnEnded",
            ]


async def test_open_calls_get_a_result_in_what_is_sent(tmp_path: Path) -> None:
    """A command runs while the question is asked: the server is strict about calls without a result."""
    sleep = reply_calls([("run_command", {"command": "sleep 30"}), ("read_file", {"file_path": "a"})])
    with ChatServer(served(sleep, reply_text("Done."), aside=reply_text("It sleeps."))) as server:
        async with session_with(server, tmp_path) as session:
            async with aclosing(session.run("go")) as happening:
                async for event in happening:
                    if type(event).__name__ == "DecisionMade":
                        break
                events = await ask(session, "what are you doing?")
                assert isinstance(events[-1], AsideAnswered)
            sent = server.bodies[-1]["messages"]
            assert history_problems(sent) == []
            assert [message["role"] for message in sent[-3:]] == ["tool", "tool", "user"]
            results = [event for event in logged(session, ToolFinished) if isinstance(event, ToolFinished)]
            assert [result.status for result in results] == ["cancelled", "cancelled"]


async def test_calls_that_come_anyway_are_not_run(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=write("a.txt"))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            with pytest.raises(ProviderError, match="no answer in words"):
                await ask(session, "write it")
            assert not (tmp_path / "project" / "a.txt").exists()
            assert logged(session, AsideAnswered) == []


async def test_a_refusal_is_raised_and_nothing_is_logged(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_error(400, "no"))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            before = len(session.records)
            with pytest.raises(ProviderError):
                await ask(session, "why?")
            assert len(session.records) == before
            assert isinstance((await collect(session, "go on"))[-1], TurnEnded)


async def test_what_arrived_of_a_broken_answer_is_kept(tmp_path: Path) -> None:
    broken = reply_steps(text("Half an"), Close())
    with ChatServer(served(reply_text("Hello."), aside=broken)) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            seen: list[Event] = []
            with pytest.raises(ProviderError):
                await take_into(seen, session)
            assert isinstance(last := seen[-1], AsideAnswered)
            assert (last.answer, last.finish) == ("Half an", "incomplete")


@pytest.mark.parametrize("how", ["stopped", "left"])
async def test_a_stopped_answer_is_kept_as_far_as_it_came(how: str, tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_steps(text("Half an"), Stall()))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            seen: list[Event] = []
            async with aclosing(session.aside("why?")) as happening:
                async for event in happening:
                    seen.append(event)
                    if isinstance(event, TextDelta):
                        if how == "left":
                            break
                        session.stop_aside()
            (kept,) = logged(session, AsideAnswered)
            assert isinstance(kept, AsideAnswered) and (kept.answer, kept.finish) == ("Half an", "incomplete")
            assert isinstance(seen[-1], AsideAnswered) == (how == "stopped")
            assert server.wait_for_disconnect(5)
            session.stop_aside()  # nothing to stop any more


async def test_one_question_at_a_time(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_steps(text("Half"), Stall()))) as server:
        async with session_with(server, tmp_path) as session, aclosing(session.aside("first")) as first:
            async for event in first:
                if isinstance(event, TextDelta):
                    break
            with pytest.raises(RuntimeError):
                await ask(session, "second")


async def test_nothing_was_said_before_it(tmp_path: Path) -> None:
    """The first thing of a session may be a question beside it."""
    with ChatServer(served(reply_text("Hello."), aside=reply_text("Yes."))) as server:
        async with session_with(server, tmp_path) as session:
            await ask(session, "is it?")
            await collect(session, "hi")
            assert [message["content"] for message in server.bodies[-1]["messages"][1:]] == ["hi"]


async def test_its_cost_counts_and_a_reached_limit_refuses_it(tmp_path: Path) -> None:
    answer = reply_steps(text("Yes."), finish(), usage(prompt=1_000_000, completion=1_000_000))
    with ChatServer(served(reply_text("Hello."), aside=answer)) as server:
        async with session_with(server, tmp_path) as session:
            session._price_for = lambda provider, model: Price(input=1.0, output=2.0)
            await ask(session, "is it?")
            (kept,) = logged(session, AsideAnswered)
            assert isinstance(kept, AsideAnswered) and kept.cost == pytest.approx(3.0)
            assert session.spent().cost == pytest.approx(3.0)
            session.options = dataclasses.replace(session.options, limits=Limits(max_cost=2.0))
            with pytest.raises(TuiAgentError, match="max_cost"):
                await ask(session, "and this?")


async def test_it_is_read_back_and_found_by_its_words(tmp_path: Path) -> None:
    with ChatServer(served(reply_text("Hello."), aside=reply_text("The heron stands in the reeds."))) as server:
        async with session_with(server, tmp_path) as session:
            await collect(session, "hi")
            await ask(session, "which bird?")
            log = SqliteLog(tmp_path / "sessions.db")
            assert [record.event for record in await log.read(session.id)] == [r.event for r in session.records]
            assert await log.verify(session.id) == ""
            await log.aclose()
            for words in ("heron reeds", "which bird"):
                found = SearchIndex(tmp_path / "sessions.db").search(words)
                assert [hit.session for hit in found.hits] == [session.id], words


async def test_a_question_in_the_middle_of_many_turns_leaves_their_requests_alone(tmp_path: Path) -> None:
    """The same turns with questions between them, and without, send the same requests."""
    (tmp_path / "asked").mkdir()
    (tmp_path / "quiet").mkdir()
    replies = [write("a.txt"), reply_text("One."), write("b.txt", first=2), reply_text("Two.")]

    async def requests(root: Path, asking: bool) -> list[str]:
        with ChatServer(served(*replies, aside=reply_text("Because."))) as server:
            async with session_with(server, root) as session:
                for prompt in ("go", "on"):
                    await collect(session, prompt)
                    if asking:
                        await ask(session, "why?")
            return [json.dumps(body["messages"]).replace(str(root), "") for body in server.bodies if not is_aside(body)]

    assert await requests(tmp_path / "asked", True) == await requests(tmp_path / "quiet", False)
