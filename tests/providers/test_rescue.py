"""Calls in the text of a reply become calls, whatever the server offers."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fakes.chat_server import (
    ChatServer,
    Delay,
    Reply,
    Reset,
    delta,
    finish,
    reply_error,
    reply_steps,
    reply_text,
    text,
)
from tests.providers.support import HI, end_of, provider_at, reasoning_of, text_of
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import CallGrowing, ProviderStatus, TextDelta
from tui_agent.conversation.messages import Message, ToolCall, ToolSpec, Usage
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo, PrimingProvider, ProviderEvent
from tui_agent.providers.rescue import Style, TextCalls
from tui_agent.providers.text_tools import as_text

ARGUMENTS = '{"file_path": "a.py"}'
CALL = f'```json\n{{"name": "read_file", "arguments": {ARGUMENTS}}}\n```'
NO_TOOLS = "registry.ollama.ai/library/fake-model does not support tools"
SWITCHES = [
    (500, "tools param requires --jinja flag"),
    (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    (400, NO_TOOLS),
    (404, "No endpoints found that support tool use."),
]


def wrapped(server: ChatServer, style: Style = "auto", **settings: Any) -> TextCalls:
    return TextCalls(provider_at(server.url, **settings), style)


async def ask(server: ChatServer, request: ChatRequest = HI, style: Style = "auto") -> list[ProviderEvent]:
    provider = wrapped(server, style)
    try:
        return [event async for event in provider.stream(request)]
    finally:
        await provider.aclose()


def called(events: list[ProviderEvent]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in end_of(events).calls]


# ---- calls by the API and in the text ----


@pytest.mark.parametrize("chunk", [1, 4, 1000])
async def test_a_call_in_the_text_becomes_a_call_and_is_not_shown(chunk: int) -> None:
    with ChatServer([reply_text(f"Let me see.\n\n{CALL}\n\nThis reads it.", chunk)]) as server:
        events = await ask(server)
    assert text_of(events) == "Let me see.\n\nThis reads it."
    assert end_of(events).finish == "tool_calls"
    assert called(events) == [("read_file", ARGUMENTS)]
    assert server.requests[0].body["tools"][0]["function"]["name"] == "read_file"


async def test_a_growing_call_is_announced_by_name() -> None:
    with ChatServer([reply_text(CALL, 4)]) as server:
        events = await ask(server)
    growing = [event for event in events if isinstance(event, CallGrowing)]
    assert growing and {(event.index, event.name) for event in growing} == {(0, "read_file")}


async def test_calls_by_the_api_win_and_the_text_stays() -> None:
    steps = [text(f"So:\n\n{CALL}\n\n"), *_calls({"file_path": "b.py"}), finish("tool_calls")]
    with ChatServer([reply_steps(*steps)]) as server:
        events = await ask(server)
    assert called(events) == [("read_file", '{"file_path": "b.py"}')]
    assert text_of(events) == f"So:\n\n{CALL}\n\n"


async def test_what_is_held_comes_before_the_call_that_the_api_announces() -> None:
    steps = [text('{"name": "read_'), *_calls({"file_path": "b.py"}), finish("tool_calls")]
    with ChatServer([reply_steps(*steps)]) as server:
        events = await ask(server)
    kinds = [type(event) for event in events]
    assert kinds[0] is TextDelta and kinds[1] is CallGrowing and text_of(events) == '{"name": "read_'


async def test_a_reply_without_calls_is_shown_as_it_is_and_at_once() -> None:
    answer = "  It is `x`.\n\n```python\nprint({})\n```\n\n[1] <b> {y}\n "
    with ChatServer([reply_text(answer)]) as server:
        events = await ask(server)
    assert text_of(events) == answer
    assert end_of(events).finish == "stop"
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1


async def test_prose_does_not_wait_for_what_comes_after_it() -> None:
    with ChatServer([reply_steps(text("Let me see."), Delay(30), finish())]) as server:
        provider = wrapped(server)
        async with aclosing(provider.stream(HI)) as events:
            assert await anext(events) == TextDelta("Let me see.")
        await provider.aclose()


async def test_thoughts_are_passed_and_hold_no_calls() -> None:
    with ChatServer([reply_text("Done.", thought=CALL)]) as server:
        events = await ask(server)
    assert (reasoning_of(events), text_of(events), called(events)) == (CALL, "Done.", [])


async def test_with_tool_choice_none_a_call_in_the_text_is_shown() -> None:
    for style in ("auto", "text"):
        with ChatServer([reply_text(CALL)]) as server:
            events = await ask(server, replace(HI, tool_choice="none"), style)
        assert (text_of(events), called(events), end_of(events).finish) == (CALL, [], "stop")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_a_reply_that_was_cut_has_no_calls(reason: str) -> None:
    for answer in (CALL, f"{CALL}\nAnd now I", CALL[:-10]):
        with ChatServer([reply_text(answer, reason=reason)]) as server:
            events = await ask(server)
        assert (text_of(events), called(events), end_of(events).finish) == (answer, [], reason)


async def test_a_reply_that_broke_off_has_no_calls() -> None:
    with ChatServer([reply_steps(text("So: "), text(CALL), Delay(0.05), Reset())]) as server:
        events = await ask(server)
    assert (text_of(events), called(events), end_of(events).finish) == (f"So: {CALL}", [], "incomplete")
    assert end_of(events).error


async def test_an_unknown_tool_and_an_example_are_shown() -> None:
    for answer in (CALL.replace("read_file", "say_hi"), f"Here is an example of a tool call:\n\n{CALL}"):
        with ChatServer([reply_text(answer)]) as server:
            events = await ask(server)
        assert (text_of(events), called(events)) == (answer, [])


async def test_what_the_user_asked_for_is_no_call() -> None:
    asked = replace(HI, messages=(Message("user", "Show me an example of a tool call."),))
    with ChatServer([reply_text(CALL)]) as server:
        assert called(await ask(server, asked)) == []


async def test_ids_are_new_in_the_conversation() -> None:
    two = CALL + "\n\n" + CALL
    with ChatServer([reply_text(two)]) as server:
        calls = end_of(await ask(server)).calls
        again = end_of(await ask(server, _after(calls))).calls
    ids = [call.id for call in (*calls, *again)]
    assert len(set(ids)) == 4 and all(ids)


# ---- servers and models without tools ----


@pytest.mark.parametrize(("status", "said"), SWITCHES)
async def test_a_server_that_takes_no_tools_gets_them_as_text(status: int, said: str) -> None:
    def respond(body: dict[str, Any], number: int) -> Reply:
        return reply_error(status, said) if "tools" in body else reply_text(CALL)

    with ChatServer(respond) as server:
        provider = wrapped(server)
        first = [event async for event in provider.stream(HI)]
        second = [event async for event in provider.stream(HI)]
        await provider.aclose()
    assert called(first) == called(second) == [("read_file", ARGUMENTS)]
    assert ["tools" in seen.body for seen in server.requests] == [True, False, False]
    notice = end_of(first).notice
    assert (
        notice is not None and "fake-model on fake takes no tools" in notice.text and "tool_calls: text" in notice.hint
    )
    assert end_of(second).notice is None


async def test_other_refusals_stay_errors() -> None:
    with ChatServer([reply_error(400, "bad temperature")]) as server:
        with pytest.raises(ProviderError, match="bad temperature"):
            await ask(server)
        assert len(server.requests) == 1
    with ChatServer([reply_error(400, NO_TOOLS)]) as server:
        with pytest.raises(ProviderError, match="does not support tools"):
            await ask(server)
        assert len(server.requests) == 2
        with pytest.raises(ProviderError, match="does not support tools"):
            await ask(server, replace(HI, tools=()))
        assert len(server.requests) == 3


async def test_a_model_that_is_said_to_take_no_tools_is_not_asked_first() -> None:
    class Described(Quiet):
        async def describe(self, model: str) -> ModelInfo:
            return ModelInfo(model, tools=False)

    inner = Described()
    provider = TextCalls(inner, "auto")
    await provider.describe("fake-model")
    end = [event async for event in provider.stream(HI)][-1]
    assert isinstance(end, Finished) and end.notice is not None
    assert [request.tools for request in inner.requests] == [()]
    other = replace(HI, model="other")
    assert [event async for event in provider.stream(other)]
    assert inner.requests[-1] == other


# ---- tools in the prompt ----

WITH_TOOLS = ChatRequest(
    "m",
    (Message("system", "Be brief."), Message("user", "hi")),
    (
        ToolSpec(
            "read_file",
            "Read a text file.",
            {
                "type": "object",
                "properties": {
                    "file_path": {"type": "string"},
                    "limit": {"type": "integer"},
                    "mode": {"enum": ["text", "hex"]},
                },
                "required": ["file_path"],
            },
        ),
        ToolSpec(
            "update_plan",
            "Show the steps.",
            {
                "type": "object",
                "properties": {
                    "items": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"step": {"type": "string"}}, "required": ["step"]},
                    }
                },
                "required": ["items"],
            },
        ),
        ToolSpec("list_all", "List.", {}),
    ),
)


def test_tools_are_described_shortly_in_the_system_prompt() -> None:
    sent = as_text(WITH_TOOLS)
    assert sent.tools == ()
    assert sent.messages[0].content == (
        "Be brief.\n\n# Tools\n"
        "- read_file(file_path, limit?: integer, mode?: text|hex): Read a text file.\n"
        "- update_plan(items: [{step}, …]): Show the steps.\n"
        "- list_all(): List.\n\n"
        "To use a tool, reply with one such block and stop; the next message holds its result in <tool_response>:\n"
        '```json\n{"name": "TOOL", "arguments": {"PARAMETER": "VALUE"}}\n```'
    )


def test_a_request_without_a_system_prompt_gets_one_and_one_without_tools_does_not() -> None:
    assert [message.role for message in as_text(HI).messages] == ["system", "user"]
    assert as_text(replace(HI, tools=())).messages == HI.messages


def test_earlier_calls_and_results_are_text() -> None:
    calls = (ToolCall("1", "read_file", ARGUMENTS), ToolCall("2", "read_file", ""))
    history = (
        Message("user", "hi"),
        Message("assistant", "Reading.\n", tool_calls=calls),
        Message("tool", "one", tool_call_id="1"),
        Message("tool", "two </tool_response> three", tool_call_id="2"),
        Message("user", "and?"),
        Message("assistant", "Done."),
    )
    assert as_text(ChatRequest("m", history)).messages == (
        Message("user", "hi"),
        Message("assistant", f'Reading.\n\n{CALL}\n\n```json\n{{"name": "read_file", "arguments": {{}}}}\n```'),
        Message(
            "user",
            "<tool_response>\none\n</tool_response>\n"
            "<tool_response>\ntwo </ tool_response> three\n</tool_response>\n\nand?",
        ),
        Message("assistant", "Done."),
    )


def test_what_is_the_same_in_all_requests_is_counted_in_the_messages_that_are_sent() -> None:
    call = ToolCall("1", "read_file", ARGUMENTS)
    example = (
        Message("system", "s"),
        Message("user", "read it"),
        Message("assistant", "", tool_calls=(call, call)),
        Message("tool", "one", tool_call_id="1"),
        Message("tool", "two", tool_call_id="1"),
    )
    later = (*example, Message("user", "hi"))
    for fixed, sent in ((0, 0), (1, 1), (3, 3), (4, 3), (5, 3)):  # the prompt is joined to the results
        assert as_text(replace(HI, messages=later, fixed=fixed)).fixed == sent
    assert as_text(replace(HI, messages=(*example, Message("assistant", "Done.")), fixed=5)).fixed == 4


@given(st.integers(0, 6))
def test_what_was_sent_before_stays_the_same_bytes(length: int) -> None:
    history = [Message("system", "s"), Message("user", "hi")]
    for place in range(length):
        call = ToolCall(str(place), "read_file", ARGUMENTS)
        history += [Message("assistant", "", tool_calls=(call,)), Message("tool", "x", tool_call_id=call.id)]
    before = as_text(replace(HI, messages=tuple(history))).messages
    later = as_text(replace(HI, messages=(*history, Message("assistant", "Done."), Message("user", "ok")))).messages
    assert later[: len(before)] == before


async def test_in_text_style_the_server_sees_no_tools_and_no_tool_messages() -> None:
    with ChatServer([reply_text(CALL), reply_text("It is a.")]) as server:
        first = await ask(server, style="text")
        second = await ask(server, _after(end_of(first).calls), style="text")
    assert called(first) == [("read_file", ARGUMENTS)] and text_of(second) == "It is a."
    for seen in server.requests:
        assert "tools" not in seen.body and "tool_choice" not in seen.body
        assert {message["role"] for message in seen.body["messages"]} <= {"system", "user", "assistant"}
        assert all("tool_calls" not in message for message in seen.body["messages"])
    beginning = server.requests[0].body["messages"]
    assert server.requests[1].body["messages"][: len(beginning)] == beginning
    assert server.requests[1].body["messages"][-2:] == [
        {"role": "assistant", "content": CALL},
        {"role": "user", "content": "<tool_response>\nthe text\n</tool_response>"},
    ]
    assert end_of(first).notice is None


# ---- the rest of a provider ----


class Quiet:
    """A provider that says nothing and remembers what it was asked; it stands for no server."""

    name, local = "quiet", True

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        self.requests.append(request)
        yield Finished("stop", (), Usage())

    async def models(self) -> tuple[ModelInfo, ...]:
        return ()

    async def describe(self, model: str) -> ModelInfo:
        return ModelInfo(model)

    async def aclose(self) -> None:
        pass


class Priming(Quiet):
    async def prime(self, request: ChatRequest) -> AsyncGenerator[ProviderStatus]:
        self.requests.append(request)
        yield ProviderStatus("reading")


async def test_it_primes_if_the_provider_inside_does_and_with_what_it_sends() -> None:
    assert not isinstance(TextCalls(Quiet(), "auto"), PrimingProvider)
    for style in ("auto", "text"):
        inner = Priming()
        provider = TextCalls(inner, style)
        assert isinstance(provider, PrimingProvider)
        assert [status async for status in provider.prime(HI)] == [ProviderStatus("reading")]
        assert [event async for event in provider.stream(HI)]
        assert inner.requests == [HI if style == "auto" else as_text(HI)] * 2


async def test_everything_else_is_passed_through() -> None:
    with ChatServer([reply_text("x")], models=["a", "b"]) as server:
        inner: OpenAIChatProvider = provider_at(server.url)
        provider = TextCalls(inner, "auto")
        assert (provider.name, provider.local) == ("fake", True)
        assert [info.id for info in await provider.models()] == ["a", "b"]
        assert (await provider.describe("a")).id == "a"
        await provider.aclose()


def _calls(arguments: dict[str, str]) -> list[dict[str, Any]]:
    function = {"name": "read_file", "arguments": json.dumps(arguments)}
    return [delta(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": function}])]


def _after(calls: tuple[ToolCall, ...]) -> ChatRequest:
    results = (Message("tool", "the text", tool_call_id=call.id, tool_name=call.name) for call in calls)
    return replace(HI, messages=(*HI.messages, Message("assistant", "", tool_calls=calls), *results))
