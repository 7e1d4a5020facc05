"""A run of the program stops at its limits in good order: every call has its result, and one may go on."""

from pathlib import Path

import pytest

from tests.agent.several import ask, of, session_of
from tests.fakes.chat_server import (
    DONE,
    ChatServer,
    Stall,
    delta,
    finish,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
    usage,
)
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.spending import Limits, tokens_written
from tui_agent.config.model import Price
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    Noticed,
    PromptSubmitted,
    TextDelta,
    ToolFinished,
    TurnEnded,
)

PRICE = Price(input=1_000_000, output=2_000_000, cached=500_000)
"""A token of a request costs 1, one that was cached a half, one of a reply 2."""
LOOK = reply_calls([("list_directory", {}), ("list_directory", {"path": "."})])
"""Costs 10 and 5 tokens."""


@pytest.mark.parametrize(
    ("limits", "requests"),
    [
        (Limits(max_turns=1), 1),
        (Limits(max_turns=2), 2),
        (Limits(max_tokens=15), 1),
        (Limits(max_tokens=16), 2),
        (Limits(max_cost=20), 1),
        (Limits(max_cost=20.01), 2),
    ],
)
async def test_a_limit_stops_before_the_next_request_with_every_result_there(
    tmp_path: Path, limits: Limits, requests: int
) -> None:
    with ChatServer(LOOK) as server:
        async with session_of(tmp_path, {"p": server.url}, [], price=PRICE, limits=limits) as session:
            events = await ask(session)
            assert events[-1] == TurnEnded("limit")
            assert len(server.requests) == requests and len(of(events, ToolFinished)) == 2 * requests
            (notice,) = of(events, Noticed)
            assert notice.level == "warning" and notice.text.startswith("stopped by max_")
            assert session.spent_in_turn().requests == session.spent().requests == requests

            # At the limit nothing is sent; raised, the conversation goes on, and a strict server takes it.
            assert (await ask(session, "go on"))[-1] == TurnEnded("limit")
            assert len(server.requests) == requests
            session.options = TurnOptions(max_iterations=1)
            assert (await ask(session, "go on"))[-1] == TurnEnded("max_iterations")
            assert len(server.requests) == requests + 1


async def test_an_answer_that_reaches_the_limit_is_an_answer(tmp_path: Path) -> None:
    with ChatServer(reply_text("Hello.")) as server:
        async with session_of(tmp_path, {"p": server.url}, [], limits=Limits(max_turns=1)) as session:
            assert (await ask(session))[-1] == TurnEnded("done")


async def test_the_history_of_a_resumed_session_does_not_count(tmp_path: Path) -> None:
    with ChatServer(reply_text("Hello.")) as server:
        async with session_of(tmp_path, {"p": server.url}, []) as session:
            await ask(session)
            before, spent = list(session.records), session.spent()
        async with session_of(tmp_path, {"p": server.url}, [], limits=Limits(max_turns=1)) as session:
            session.continue_from(before)
            assert session.spent() == spent and session.spent_in_run().requests == 0
            assert (await ask(session))[-1] == TurnEnded("done")
            assert session.spent_in_run().requests == 1 and session.spent().requests == 2
            assert (await ask(session))[-1] == TurnEnded("limit")


async def test_the_cost_is_logged_with_the_reply_and_counts_the_cache(tmp_path: Path) -> None:
    reply = reply_steps(delta(role="assistant"), text("Hi."), finish(), usage(100, 7, cached=40), DONE)
    with ChatServer(reply) as server:
        async with session_of(tmp_path, {"p": server.url}, [], price=PRICE) as session:
            (replied,) = of(await ask(session), AssistantReplied)
            assert replied.cost == 60 + 40 / 2 + 7 * 2
            assert (session.spent().cost, session.spent().estimated) == (94, False)


async def test_what_was_interrupted_or_not_counted_costs_what_we_count(tmp_path: Path) -> None:
    with ChatServer([reply_text("Hi there.", with_usage=False), reply_steps(text("Hi the"), Stall())]) as server:
        async with session_of(tmp_path, {"p": server.url}, [], price=PRICE) as session:
            (replied,) = of(await ask(session), AssistantReplied)
            assert replied.estimate > 0 and replied.cost == replied.estimate + 2 * tokens_written("Hi there.")
            async for event in session.run("more"):
                if isinstance(event, TextDelta):
                    session.interrupt()
            last = [record.event for record in session.records if isinstance(record.event, AssistantReplied)][-1]
            assert last.cost == last.estimate + 2 * tokens_written("Hi the")
            assert session.spent().estimated and session.spent_in_turn().cost == last.cost


async def test_a_limit_of_cost_that_cannot_be_counted_is_told_once_and_not_taken_for_kept(tmp_path: Path) -> None:
    with ChatServer([LOOK, reply_text("Hello.")]) as server:
        async with session_of(tmp_path, {"p": server.url}, [], limits=Limits(max_cost=1)) as session:
            events = await ask(session)
            (notice,) = of(events, Noticed)
            assert notice.text == "no price is known for p · first-model: max_cost does not count it"
            assert notice.level == "warning" and "prices:" in notice.hint
            assert not of(await ask(session, "more"), Noticed)
            await session.switch(session.provider, "another")
            (notice,) = of(await ask(session, "more"), Noticed)
            assert "p · another" in notice.text


async def test_a_limit_raised_while_a_turn_runs_counts_at_once(tmp_path: Path) -> None:
    with ChatServer([LOOK, reply_text("Hello.")]) as server:
        async with session_of(tmp_path, {"p": server.url}, [], limits=Limits(max_turns=1)) as session:
            async for event in session.run("go"):
                if isinstance(event, AssistantReplied):
                    session.options = TurnOptions(limits=Limits(max_turns=5))
                last = event
            assert last == TurnEnded("done")


async def test_prompts_that_wait_at_a_limit_are_not_lost(tmp_path: Path) -> None:
    with ChatServer([LOOK, reply_text("Hello.")]) as server:
        async with session_of(tmp_path, {"p": server.url}, [], limits=Limits(max_turns=1)) as session:
            async for event in session.run("go"):
                if isinstance(event, AssistantReplied):
                    session.steer("and that")
            assert event == TurnEnded("limit") and session.steered
            prompts = [record.event for record in session.records if isinstance(record.event, PromptSubmitted)]
            assert [prompt.text for prompt in prompts] == ["go"]


async def test_at_a_limit_the_conversation_is_shortened_without_a_request(tmp_path: Path) -> None:
    with ChatServer(reply_text("Hello. " * 400)) as server:
        async with session_of(tmp_path, {"p": server.url}, []) as session:
            for _ in range(4):
                await ask(session, "tell me more " * 50)
            session.options = TurnOptions(limits=Limits(max_tokens=1))
            events = [event async for event in session.compact()]
            (compacted,) = of(events, Compacted)
            assert compacted.model == "" and len(server.requests) == 4
            session.options = TurnOptions()
            assert (await ask(session))[-1] == TurnEnded("done")


async def test_who_takes_over_is_held_to_the_same_limit(tmp_path: Path) -> None:
    with ChatServer(reply_error(503)) as first, ChatServer(LOOK) as second:
        urls = {"first": first.url, "second": second.url}
        limits = Limits(max_tokens=15)
        async with session_of(tmp_path, urls, ["second"], price=PRICE, limits=limits) as session:
            assert (await ask(session))[-1] == TurnEnded("limit")
        assert len(second.requests) == 1
