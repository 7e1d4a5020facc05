"""Another provider answers when the present one is down: real servers that refuse, fail, stall or break off."""

import asyncio
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.agent.several import SETTINGS, ask, of, session_of
from tests.fakes.chat_server import (
    ChatServer,
    Close,
    Reply,
    Stall,
    call_chunks,
    delta,
    reply_calls,
    reply_error,
    reply_html,
    reply_nothing,
    reply_reset,
    reply_steps,
    reply_text,
    text,
)
from tui_agent.agent.fallback import Fallback
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import (
    AssistantReplied,
    LoggedEvent,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    RequestStarted,
    SessionStarted,
    TextDelta,
    ToolFinished,
    TurnEnded,
)


@pytest.fixture
def nobody() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1/"


DOWN: dict[str, tuple[Reply, str]] = {
    "overloaded": (reply_error(503, "Service Unavailable"), "first is in trouble (first answered 503: "),
    "overloaded as one vendor says it": (reply_error(529, "Overloaded"), "first is in trouble (first answered 529: "),
    "limited": (reply_error(429, "Rate limit reached"), "first is overloaded (first limits requests (429): "),
    "resets": (reply_reset(), "first cannot be reached (The connection to "),
    "silent": (reply_nothing(), "first does not answer (first (127.0.0.1:"),
    "silent after its headers": (reply_steps(Stall()), "first does not answer (first (127.0.0.1:"),
}


@pytest.mark.parametrize("case", DOWN)
async def test_the_next_provider_answers_when_one_is_down(tmp_path: Path, case: str) -> None:
    reply, said = DOWN[case]
    settings = replace(SETTINGS, timeout=0.3, max_retries=1)
    with ChatServer(reply) as first, ChatServer(reply_text("Hello.")) as second:
        urls = {"first": first.url, "second": second.url}
        async with session_of(tmp_path, urls, ["second"], settings=settings) as session:
            events = await ask(session)
            assert [type(record.event) for record in session.records] == [
                *(SessionStarted, PromptSubmitted, ModelSwitched, Noticed, AssistantReplied, TurnEnded)
            ]
            assert (session.provider.name, session.model) == ("second", "second-model")
            (notice,), (reply_given,) = of(events, Noticed), of(events, AssistantReplied)
            assert notice.level == "warning" and notice.text.startswith(said)
            assert notice.text.endswith("; second · second-model answers from now on")
            assert (reply_given.provider, reply_given.model, reply_given.text) == ("second", "second-model", "Hello.")
            assert of(events, ModelSwitched) == [ModelSwitched("second", "second-model")]
            assert [event.provider for event in of(events, RequestStarted)] == ["first", "second"]
            await ask(session, "more")
        assert len(first.requests) == (1 if "silent" in case else 2)  # a silence is not tried again
        assert len(second.requests) == 2
        assert first.bodies[0]["messages"] == second.bodies[0]["messages"]
        assert second.bodies[0]["model"] == "second-model"


async def test_where_nothing_listens_the_hint_says_how_to_start_it(tmp_path: Path, nobody: str) -> None:
    with ChatServer(reply_text("Hello.")) as second:
        settings = replace(SETTINGS, start_hint="start it")
        urls = {"first": nobody, "second": second.url}
        async with session_of(tmp_path, urls, ["second/big/one"], settings=settings) as session:
            events = await ask(session)
        (notice,) = of(events, Noticed)
        assert notice.text.startswith("first cannot be reached (Connection refused to 127.0.0.1:")
        assert notice.text.endswith("second · big/one answers from now on")
        assert "start it" in notice.hint
        assert second.bodies[0]["model"] == "big/one"


MINE: dict[str, Reply] = {
    "key": reply_error(401, "Incorrect API key"),
    "model": reply_error(404, "The model `first-model` does not exist", code="model_not_found"),
    "context": reply_error(400, "This model's maximum context length is 4096 tokens"),
    "request": reply_error(400, "nonsense"),
    "protocol": reply_html(),
}


@pytest.mark.parametrize("kind", MINE)
async def test_what_the_user_has_to_mend_goes_to_nobody_else(tmp_path: Path, kind: str) -> None:
    with ChatServer(MINE[kind]) as first, ChatServer(reply_text("Hello.")) as second:
        async with session_of(tmp_path, {"first": first.url, "second": second.url}, ["second"]) as session:
            events = await ask(session)
        assert isinstance(events[-1], TurnEnded) and (events[-1].reason, events[-1].cause) == ("error", kind)
        assert not second.requests and not of(events, ModelSwitched)


BROKEN: dict[str, Reply] = {
    "a word": reply_steps(delta(role="assistant"), text("Hel"), Close()),
    "a thought": reply_steps(delta(role="assistant"), delta(reasoning_content="Hm"), Close()),
    "a call": reply_steps(*call_chunks([("read_file", {"file_path": "a.txt"})])[:2], Close()),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_after_something_was_shown_nobody_else_answers(tmp_path: Path, what: str) -> None:
    with ChatServer(BROKEN[what]) as first, ChatServer(reply_text("Hello.")) as second:
        async with session_of(tmp_path, {"first": first.url, "second": second.url}, ["second"]) as session:
            events = await ask(session)
        assert isinstance(events[-1], TurnEnded) and events[-1].reason == "error"
        assert not second.requests and not of(events, ModelSwitched)


async def test_each_is_asked_in_order_and_once_and_those_without_a_key_are_left_out(
    tmp_path: Path, nobody: str
) -> None:
    with ChatServer(reply_error(503)) as second, ChatServer(reply_text("Hello.")) as last:
        urls = {"first": nobody, "second": second.url, "keyless": nobody, "last": last.url}
        fallback = ["first", "second", "first/other", "keyless", "last"]
        async with session_of(tmp_path, urls, fallback, without_key=["keyless"]) as session:
            events = await ask(session)
        one, two = of(events, Noticed)
        assert one.text.endswith("second · second-model answers from now on") and "left out" not in one.hint
        assert two.text.startswith("second is in trouble") and two.text.endswith("last-model answers from now on")
        assert two.hint == "left out: keyless (API key not found for keyless)"
        assert (len(second.requests), len(last.requests)) == (1, 1)


async def test_when_all_fail_the_error_is_that_of_the_first_which_stays(tmp_path: Path, nobody: str) -> None:
    with ChatServer(reply_error(401, "no such key")) as second:
        urls = {"first": nobody, "second": second.url, "keyless": nobody}
        async with session_of(tmp_path, urls, ["second", "keyless"], without_key=["keyless"]) as session:
            events = await ask(session)
            assert (session.provider.name, session.model) == ("first", "first-model")
        assert of(events, ModelSwitched) == [
            ModelSwitched("second", "second-model"),
            ModelSwitched("first", "first-model"),
        ]
        error = of(events, Noticed)[-1]
        assert error.level == "error" and error.text.startswith("Connection refused to 127.0.0.1:")
        assert "nor can its fallback answer: second (second refused the API key (401)" in error.hint
        assert error.hint.endswith("keyless (API key not found for keyless)")
        assert events[-1] == TurnEnded("error", "unreachable")


async def test_without_anybody_else_the_error_is_as_it_was(tmp_path: Path, nobody: str) -> None:
    for fallback in ([], ["first"]):
        async with session_of(tmp_path, {"first": nobody}, fallback) as session:
            events = await ask(session)
        (error,) = of(events, Noticed)
        assert error.hint.startswith("nothing listens for provider first") and "fallback" not in error.hint
        assert not of(events, ModelSwitched)


async def test_in_the_middle_of_a_turn_the_results_of_calls_go_along(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a.txt").write_text("the secret is 42\n")
    read = reply_calls([("read_file", {"file_path": "a.txt"})])
    with ChatServer([read, reply_error(503)]) as first, ChatServer(reply_text("42.")) as second:
        async with session_of(tmp_path, {"first": first.url, "second": second.url}, ["second"]) as session:
            events = await ask(session)
        assert len(of(events, ToolFinished)) == 1
        assert [message["role"] for message in second.bodies[0]["messages"]] == ["system", "user", "assistant", "tool"]
        assert "the secret is 42" in second.bodies[0]["messages"][-1]["content"]


async def test_who_failed_in_a_turn_is_not_asked_again_in_it_but_in_the_next(tmp_path: Path) -> None:
    read = reply_calls([("list_directory", {})])
    with ChatServer(reply_error(503)) as first, ChatServer([read, reply_error(503)]) as second:
        urls = {"first": first.url, "second": second.url}
        async with session_of(tmp_path, urls, ["second", "first/first-model"]) as session:
            events = await ask(session)
            assert isinstance(events[-1], TurnEnded) and events[-1].reason == "error"
            assert (len(first.requests), len(second.requests)) == (1, 2)
            await ask(session, "again")
            assert (len(first.requests), len(second.requests)) == (2, 3)


async def test_what_the_user_chose_meanwhile_answers_instead(tmp_path: Path) -> None:
    with ChatServer(reply_nothing()) as first, ChatServer(reply_text("Mine.")) as mine, ChatServer() as second:
        urls = {"first": first.url, "mine": mine.url, "second": second.url}
        settings = replace(SETTINGS, timeout=0.3)
        async with session_of(tmp_path, urls, ["second"], settings=settings) as session:
            chosen = (await session.substitute("mine")).provider
            turn = asyncio.create_task(ask(session))
            await asyncio.to_thread(first.wait_for_requests, 1, 10)
            await session.switch(chosen, "chosen")
            events = await turn
        assert "".join(event.text for event in of(events, TextDelta)) == "Mine."
        assert not second.requests and mine.bodies[0]["model"] == "chosen"


async def test_a_stop_while_one_fails_ends_the_turn(tmp_path: Path) -> None:
    with ChatServer(reply_nothing()) as first, ChatServer(reply_text("Hello.")) as second:
        async with session_of(tmp_path, {"first": first.url, "second": second.url}, ["second"]) as session:
            turn = asyncio.create_task(ask(session))
            await asyncio.to_thread(first.wait_for_requests, 1, 10)
            session.interrupt()
            assert (await turn)[-1] == TurnEnded("interrupted")
        assert not second.requests


async def test_a_provider_that_fails_after_it_has_shown_something_is_not_asked_anew(tmp_path: Path) -> None:
    async def fail() -> AssistantReplied:
        raise ProviderError("unreachable", "broke off")

    async def log(event: LoggedEvent) -> None:
        raise AssertionError(event)

    with ChatServer() as server:
        async with session_of(tmp_path, {"first": server.url, "second": server.url}, ["second"]) as session:
            fallback = Fallback(session, ["second"], log, lambda event: None)
            with pytest.raises(ProviderError, match="broke off"):
                await fallback.answered(fail, lambda: True)
            assert session.provider.name == "first"


async def test_where_not_even_the_model_can_be_asked_for_another_answers(tmp_path: Path, nobody: str) -> None:
    with ChatServer(reply_text("Hello.")) as second:
        async with session_of(tmp_path, {"first": nobody, "second": second.url}, ["second"]) as session:
            session.model = ""
            events = await ask(session)
            assert events[-1] == TurnEnded("done") and session.model == "second-model"
        assert [event.provider for event in of(events, RequestStarted)] == ["second"]


async def test_who_takes_over_is_sent_what_fits_it(tmp_path: Path) -> None:
    small = {"id": "second-model", "object": "model", "meta": {"n_params": 1_500_000_000}}
    with ChatServer(reply_error(503)) as first, ChatServer(reply_text("Hello."), models=[small]) as second:
        urls = {"first": first.url, "second": second.url}
        async with session_of(tmp_path, urls, ["second"]) as session:
            await ask(session)
            assert session.profile.small
        sizes = [len(seen.bodies[0]["messages"][0]["content"]) for seen in (first, second)]
        tools = [len(seen.bodies[0]["tools"]) for seen in (first, second)]
        assert sizes[1] < sizes[0] and tools[1] < tools[0]
