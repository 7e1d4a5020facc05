"""Replies over real HTTP: whatever a server sends, the right text, calls and end arrive."""

import asyncio
import socket
import threading
from contextlib import aclosing
from typing import Any

import pytest

from tests.fakes.chat_server import (
    ALL_STYLES,
    DONE,
    Call,
    CallStyle,
    ChatServer,
    Close,
    Reset,
    Stall,
    delta,
    finish,
    reasoning,
    reply_body,
    reply_calls,
    reply_error,
    reply_steps,
    reply_text,
    text,
    usage,
)
from tests.fakes.ollama_server import in_lines
from tests.fakes.replies import encode
from tests.providers.support import HI, KEY, READ, ask, end_of, provider_at, reasoning_of, retries_of, text_of
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.events import CallGrowing, TextDelta
from tui_agent.conversation.messages import Message, ToolCall, Usage
from tui_agent.providers.ollama import OllamaProvider
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest, Finished

Fake = type[ChatServer]

ANSWER = "Grüße, 世界 🙂, and a line\nor two."
CALLS: list[Call] = [("read_file", {"file_path": "a.py"}), ("run_command", {"command": "ls 'é'"})]
WRITTEN = [("read_file", '{"file_path": "a.py"}'), ("run_command", '{"command": "ls \'\\u00e9\'"}')]


async def test_text_reasoning_usage_and_finish_arrive(fake: Fake) -> None:
    with fake([reply_text(ANSWER, thought="first this")]) as server:
        events = await ask(server)
    assert text_of(events) == ANSWER
    assert reasoning_of(events) == "first this"
    end = end_of(events)
    assert (end.finish, end.calls, end.usage.prompt_tokens, end.usage.completion_tokens) == ("stop", (), 10, 8)


async def test_the_request_is_what_the_api_documents_and_nothing_about_us() -> None:
    with ChatServer([reply_text("x")]) as server:
        await ask(server)
        (seen,) = server.requests
    assert seen.path == "/v1/chat/completions"
    assert set(seen.body) == {"model", "messages", "tools", "stream", "stream_options"}
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["user-agent"].startswith("tui-agent/")
    assert not [name for name in seen.headers if "os" in name.split("-") or "arch" in name or "runtime" in name]


async def test_what_the_environment_holds_for_openai_is_not_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: secret\nAuthorization: Bearer other")
    with ChatServer([reply_text("x")]) as server:
        await ask(server)
        (seen,) = server.requests
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert not [value for value in seen.headers.values() if "secret" in value.replace(KEY, "") or "org" in value]


async def test_no_tools_means_no_tools_field(fake: Fake) -> None:
    with fake([reply_text("x")]) as server:
        await ask(server, ChatRequest("m", HI.messages))
        await ask(server, HI, tool_calls="off")
    assert all("tools" not in body for body in server.bodies)


@pytest.mark.promise("P17", "P14")
@pytest.mark.parametrize("style", ALL_STYLES)
async def test_calls_of_every_style_arrive_whole(style: CallStyle) -> None:
    with ChatServer([reply_calls(CALLS, style, answer="Let me see.")]) as server:
        events = await ask(server)
    end = end_of(events)
    assert text_of(events) == "Let me see."
    got = [(call.name, call.arguments) for call in end.calls]
    assert got == ([(n, a.replace("\\u00e9", "é")) for n, a in WRITTEN] if style == "object_arguments" else WRITTEN)
    assert end.finish == "tool_calls"
    assert len({call.id for call in end.calls}) == 2
    grown = [event for event in events if isinstance(event, CallGrowing)]
    assert {event.index for event in grown} == {0, 1}


@pytest.mark.parametrize("reason", ["stop", "end_turn"])
async def test_calls_that_end_with_stop_are_calls_all_the_same(reason: str, fake: Fake) -> None:
    with fake([reply_calls(CALLS, reason=reason)]) as server:
        assert end_of(await ask(server)).finish == "tool_calls"


@pytest.mark.promise("P20")
async def test_a_call_that_was_cut_by_length_is_not_handed_over(fake: Fake) -> None:
    with fake([reply_calls([("write_file", '{"content": "half')], reason="length", answer="Here")]) as server:
        end = end_of(await ask(server))
    assert (end.finish, end.calls) == ("length", ())


@pytest.mark.promise("P21")
async def test_a_filtered_reply_ends_as_such_without_a_retry() -> None:
    with ChatServer([reply_text("", reason="content_filter")]) as server:
        events = await ask(server)
    assert end_of(events).finish == "content_filter"
    assert len(server.requests) == 1


@pytest.mark.promise("P19")
async def test_an_empty_reply_is_an_end_without_text(fake: Fake) -> None:
    with fake([reply_text("")]) as server:
        (end,) = await ask(server)
    assert isinstance(end, Finished)
    assert (end.finish, end.calls, end.usage.prompt_tokens) == ("stop", (), 10)


@pytest.mark.promise("P17")
async def test_ids_of_earlier_turns_are_not_used_again(fake: Fake) -> None:
    history = (
        Message("user", "hi"),
        Message("assistant", "", tool_calls=(ToolCall("call_1", "read_file", "{}"),)),
        Message("tool", "text", tool_call_id="call_1"),
    )
    with fake([reply_calls([("read_file", {})])]) as server:
        (call,) = end_of(await ask(server, ChatRequest("m", history, (READ,)))).calls
    assert call.id not in ("", "call_1")


# ---- how bytes arrive ----


@pytest.mark.promise("P8")
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("pieces", [None, 1, 7])
@pytest.mark.parametrize("pretty", [False, True])
async def test_framing_does_not_matter(newline: Any, pieces: int | None, pretty: bool) -> None:
    reply = reply_text(ANSWER, chunk=5).but(newline=newline, pieces=pieces, pretty=pretty)
    with ChatServer([reply]) as server:
        assert text_of(await ask(server)) == ANSWER


@pytest.mark.promise("P8")
async def test_a_cut_at_every_byte_does_not_matter(fake: Fake) -> None:
    chat = fake is ChatServer
    reply = reply_steps(b"\xef\xbb\xbf", b": hello\n\n" if chat else b"\r\n", text("é🙂"), finish(), DONE)
    steps = encode(reply, "fake-model") if chat else in_lines(reply, "fake-model")
    size = sum(len(step) for step in steps if isinstance(step, bytes))
    with fake(lambda body, number: reply.but(split_at=number)) as server:
        provider = provider_at(server.url, api=fake.api)
        for _ in range(size + 1):
            events = [event async for event in provider.stream(HI)]
            assert text_of(events) == "é🙂"
            assert end_of(events).finish == "stop"
        await provider.aclose()


@pytest.mark.promise("P9")
async def test_invalid_utf8_is_shown_as_such() -> None:
    with ChatServer([reply_steps(b'data: {"choices":[{"delta":{"content":"a\xffb"}}]}\n\n', finish(), DONE)]) as server:
        assert text_of(await ask(server)) == "a\ufffdb"


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
async def test_the_content_type_does_not_matter(kind: str, fake: Fake) -> None:
    with fake([reply_text(ANSWER).but(content_type=kind)]) as server:
        assert text_of(await ask(server)) == ANSWER


async def test_a_whole_json_answer_instead_of_a_stream_is_read() -> None:
    call = '{"id":"c","type":"function","function":{"name":"read_file","arguments":"{}"}}'
    message = f'{{"role":"assistant","content":"yes","reasoning":"hm","tool_calls":[{call}]}}'
    whole = (
        f'{{"choices":[{{"index":0,"message":{message},"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":3}}}}'
    )
    with ChatServer([reply_body(200, whole)]) as server:
        events = await ask(server)
    assert (text_of(events), reasoning_of(events)) == ("yes", "hm")
    assert end_of(events) == Finished("tool_calls", (ToolCall("c", "read_file", "{}"),), Usage(prompt_tokens=3))


# ---- how streams end ----


@pytest.mark.promise("P11")
@pytest.mark.parametrize("chunked", [True, False])
async def test_no_done_but_a_finish_reason_is_complete(chunked: bool, fake: Fake) -> None:
    with fake([reply_steps(text("yes"), finish(), usage()).but(chunked=chunked)]) as server:
        end = end_of(await ask(server))
    assert (end.finish, end.usage.completion_tokens) == ("stop", 5)


async def test_done_without_a_finish_reason_is_complete(fake: Fake) -> None:
    with fake([reply_steps(text("yes"), DONE)]) as server:
        assert end_of(await ask(server)).finish == "stop"


@pytest.mark.promise("P6", "P11")
@pytest.mark.parametrize("ending", [(), (Close(),), (Reset(),), (b'data: {"choices": [{"del', Close())])
@pytest.mark.parametrize("chunked", [True, False])
async def test_a_stream_cut_in_the_text_keeps_the_text_and_says_incomplete(
    ending: Any, chunked: bool, fake: Fake
) -> None:
    with fake([reply_steps(text("half an ans"), *ending).but(chunked=chunked)]) as server:
        events = await ask(server)
    assert text_of(events) == "half an ans"
    end = end_of(events)
    assert (end.finish, end.calls) == ("incomplete", ())
    assert "fake" in end.error
    assert len(server.requests) == 1


@pytest.mark.promise("P7")
@pytest.mark.parametrize("ending", [Close(), Reset()])
async def test_a_stream_cut_in_the_arguments_hands_over_no_call(ending: Any) -> None:
    whole = delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "run_command", "arguments": "{}"}}])
    half = delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "run_command", "arguments": '{"comm'}}])
    with ChatServer([reply_steps(whole, half, ending)]) as server:
        end = end_of(await ask(server))
    assert (end.finish, end.calls) == ("incomplete", ())


async def test_a_tag_that_was_held_back_is_not_lost_when_the_stream_is_cut(fake: Fake) -> None:
    with fake([reply_steps(reasoning("hm"), text("<thi"), Close())]) as server:
        assert text_of(await ask(server)) == "<thi"


@pytest.mark.promise("P5")
@pytest.mark.parametrize("chunked", [True, False])
async def test_a_stream_that_ends_before_anything_was_shown_is_asked_again(chunked: bool, fake: Fake) -> None:
    nothing = reply_steps(delta(role="assistant", content="")).but(chunked=chunked)
    with fake([nothing, reply_text("yes")]) as server:
        events = await ask(server)
    assert text_of(events) == "yes"
    (retry,) = retries_of(events)
    assert "stream ended early" in retry.reason


async def test_a_server_that_never_closes_after_the_end_does_not_hold_us_up(fake: Fake) -> None:
    with fake([reply_steps(text("yes"), finish(), DONE, Stall())]) as server:
        async with asyncio.timeout(1.5):
            assert end_of(await ask(server)).finish == "stop"


async def test_a_server_that_goes_on_with_comments_after_the_finish_reason_does_not_either(fake: Fake) -> None:
    with fake([reply_steps(text("yes"), finish(), Stall(comment_every=0.1))]) as server:
        async with asyncio.timeout(4):
            assert end_of(await ask(server)).finish == "stop"


async def test_connections_are_used_again(fake: Fake) -> None:
    with fake([reply_text("yes")]) as server:
        provider = provider_at(server.url, api=fake.api)
        for _ in range(3):
            assert text_of([event async for event in provider.stream(HI)]) == "yes"
        assert server.connections == 1
        await provider.aclose()
        await provider.aclose()
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        await provider.aclose()


# ---- leaving early ----


@pytest.mark.promise("P26")
@pytest.mark.parametrize("before", [(), (text("so"),)])
async def test_a_cancelled_request_closes_its_connection_at_once(before: Any, fake: Fake) -> None:
    with fake([reply_steps(*before, Stall())]) as server:
        provider = provider_at(server.url, api=fake.api)
        stream = provider.stream(HI)
        for _ in before:
            await anext(stream)
        task = asyncio.ensure_future(anext(stream))
        assert await asyncio.to_thread(server.wait_for_requests, 1, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.wait_for_disconnect, 1)
        await provider.aclose()


async def test_leaving_the_stream_closes_its_connection_at_once(fake: Fake) -> None:
    with fake([reply_steps(text("so"), Stall())]) as server:
        provider = provider_at(server.url, api=fake.api)
        async with aclosing(provider.stream(HI)) as events:
            assert await anext(events) == TextDelta("so")
        assert await asyncio.to_thread(server.wait_for_disconnect, 1)
        await provider.aclose()


@pytest.mark.promise("P1")
async def test_a_wait_between_retries_can_be_cancelled(fake: Fake) -> None:
    with fake([reply_error(429, retry_after=50)]) as server:
        provider = provider_at(server.url, asyncio.sleep, api=fake.api)  # type: ignore[arg-type]  # the real thing
        stream = provider.stream(HI)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await provider.aclose()


# ---- finding the server ----


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_in_the_environment_does_not_come_between_us_and_this_machine(
    variable: str, monkeypatch: pytest.MonkeyPatch, fake: Fake
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with fake([reply_text("yes")]) as server:
        for host in ("127.0.0.1", "localhost"):
            assert text_of(await ask(server.url.replace("127.0.0.1", host), api=fake.api)) == "yes"


async def test_localhost_finds_a_server_on_either_address(fake: Fake) -> None:
    with fake([reply_text("yes")]) as server:
        assert text_of(await ask(f"http://localhost:{server.port}/v1/", api=fake.api)) == "yes"
    try:
        six = fake([reply_text("yes")], host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    with six:
        assert text_of(await ask(six)) == "yes"
        if any(family == socket.AF_INET6 for family, *_ in socket.getaddrinfo("localhost", None)):
            assert text_of(await ask(f"http://localhost:{six.port}/v1/", api=fake.api)) == "yes"


async def test_without_a_model_the_configured_or_the_first_one_is_asked(fake: Fake) -> None:
    nameless = ChatRequest("", HI.messages)
    with fake([reply_text("yes")], models=["first", "second"]) as server:
        await ask(server, nameless)
        await ask(server, nameless, default_model="mine")
    assert [body["model"] for body in server.bodies] == ["first", "mine"]


async def test_a_key_that_has_to_be_fetched_is_fetched_once_and_off_the_loop(fake: Fake) -> None:
    threads = []

    def key() -> str:
        threads.append(threading.current_thread())
        return "fetched"

    with fake([reply_text("yes")], api_key="fetched") as server:
        client = OpenAIChatProvider if fake is ChatServer else OllamaProvider
        provider = client("fake", ProviderSettings(base_url=server.url), server.url, key)
        for _ in range(2):
            assert text_of([event async for event in provider.stream(HI)]) == "yes"
        assert [model.id for model in await provider.models()] == ["fake-model"]
        await provider.aclose()
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
