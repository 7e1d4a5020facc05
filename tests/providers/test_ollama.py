"""Ollama's own protocol over real HTTP: what is sent, what is made of what comes, and what is said of a cut prompt."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.chat_server import (
    ChatServer,
    finish,
    reply_body,
    reply_error,
    reply_html,
    reply_steps,
    reply_text,
    text,
)
from tests.fakes.ollama_server import OllamaServer, call_line, done_line
from tests.providers.support import HI, KEY, READ, ask, end_of, error_of, provider_at, reasoning_of, retries_of, text_of
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import CallGrowing, Noticed
from tui_agent.conversation.messages import Message, ToolCall, Usage
from tui_agent.providers.ollama_facts import (
    Shown,
    cut_notice,
    full_name,
    is_cut,
    read_ps,
    read_show,
    read_tags,
    root_of,
    window,
)
from tui_agent.providers.ollama_or_chat import OllamaOrChat
from tui_agent.providers.ollama_wire import ChunkMapper, LineDecoder, to_ollama
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo
from tui_agent.providers.reply import ErrorFrame, ReplyReader

HISTORY = (
    Message("system", "be brief"),
    Message("user", "read a"),
    Message("assistant", "", "I think", (ToolCall("c1", "read_file", '{"file_path": "a"}'),)),
    Message("tool", "text of a", tool_call_id="c1", tool_name="read_file"),
    Message("assistant", ""),
)


# ---- what is sent ----


async def test_the_request_is_ollamas_own_with_objects_as_arguments_and_without_thinking() -> None:
    with OllamaServer([reply_text("x")]) as server:
        await ask(server, ChatRequest("m", HISTORY, (READ,), temperature=0.0, max_tokens=9), context_length=16384)
        (seen,) = server.requests
    assert seen.path == "/api/chat"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["user-agent"].startswith("tui-agent/")
    assert seen.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "read a"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c1", "function": {"index": 0, "name": "read_file", "arguments": {"file_path": "a"}}}
                ],
            },
            {"role": "tool", "content": "text of a", "tool_name": "read_file", "tool_call_id": "c1"},
        ],
        "stream": True,
        "tools": [
            {
                "type": "function",
                "function": {"name": READ.name, "description": READ.description, "parameters": READ.parameters},
            }
        ],
        "options": {"num_ctx": 16384, "temperature": 0.0, "num_predict": 9},
    }


async def test_what_is_not_set_is_left_to_ollama() -> None:
    with OllamaServer([reply_text("x")]) as server:
        await ask(server)
    assert server.bodies[0].keys() == {"model", "messages", "stream", "tools"}


@pytest.mark.parametrize("written", ["{", "[1]", "nothing", "null"])
def test_malformed_arguments_of_the_past_are_wrapped(written: str) -> None:
    call = ToolCall("c", "a b", written)
    body = to_ollama(ChatRequest("m", (Message("assistant", "", tool_calls=(call,)),)), None)
    function = body["messages"][0]["tool_calls"][0]["function"]
    assert function == {"index": 0, "name": "a_b", "arguments": {"malformed": written}}


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/api", "/api/"])
async def test_the_address_may_be_that_of_either_route(ending: str) -> None:
    with OllamaServer([reply_text("yes")]) as server:
        url = server.url.removesuffix("/v1/") + ending
        assert text_of(await ask(url, api="ollama")) == "yes"
        assert root_of(url) == f"http://127.0.0.1:{server.port}/"


texts = st.text(st.characters(), max_size=8)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    texts,
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    tool_call_id=texts,
    tool_name=texts,
)


@settings(deadline=None)
@given(st.lists(messages, max_size=4))
def test_every_conversation_can_be_sent(conversation: list[Message]) -> None:
    body = to_ollama(ChatRequest("m", tuple(conversation), (READ,)), None)
    assert json.loads(msgspec.json.encode(body)) == body
    for message in body["messages"]:
        for call in message.get("tool_calls", ()):
            assert isinstance(call["function"]["arguments"], dict)


# ---- what is made of what comes ----

TWO = [ToolCall("", "read_file", '{"file_path": "a"}'), ToolCall("", "list_directory", "{}")]


@pytest.mark.parametrize(
    "lines",
    [
        [call_line("read_file", {"file_path": "a"}, 0, "x"), call_line("list_directory", {}, 1, "y")],
        [call_line("read_file", {"file_path": "a"}), call_line("list_directory", {})],
        [call_line("read_file", {"file_path": "a"}, 0), call_line("list_directory", {}, 0)],
        [call_line("read_file", {"file_path": "a"}, 0, "x"), call_line("list_directory", None, 0, "x")],
        [call_line("read_file", '{"file_path": "a"}', 0, ""), call_line("list_directory", "", 7, "")],
    ],
    ids=["as documented", "no ids, no indexes", "one index", "one id", "arguments as text"],
)
@pytest.mark.parametrize("reason", ["stop", "tool_calls", ""])
async def test_calls_arrive_whole_and_each_with_its_own_id(lines: list[bytes], reason: str) -> None:
    with OllamaServer([reply_steps(*lines, done_line(reason))]) as server:
        events = await ask(server)
    end = end_of(events)
    assert end.finish == "tool_calls"
    assert [(call.name, call.arguments or "{}") for call in end.calls] == [(call.name, call.arguments) for call in TWO]
    assert len({call.id for call in end.calls} - {""}) == 2
    assert [event.name for event in events if isinstance(event, CallGrowing)] == ["read_file", "list_directory"]


async def test_the_same_call_twice_is_made_twice_unless_it_is_one_told_again() -> None:
    line = call_line("read_file", {"file_path": "a"})
    with OllamaServer([reply_steps(line, line, done_line())]) as server:
        assert len(end_of(await ask(server)).calls) == 2
    again = call_line("read_file", {"file_path": "a"}, 0, "x")
    with OllamaServer([reply_steps(again, again, done_line())]) as server:
        assert len(end_of(await ask(server)).calls) == 1


async def test_where_no_call_is_wanted_none_is_taken_and_the_prompt_begins_as_before() -> None:
    reply = reply_steps(text("So be it."), call_line("read_file", {"file_path": "a"}), done_line())
    with OllamaServer([reply]) as server:
        await ask(server, HI)
        events = await ask(server, ChatRequest("fake-model", HI.messages, HI.tools, "none"))
    assert text_of(events) == "So be it."
    assert (end_of(events).finish, end_of(events).calls) == ("stop", ())
    assert not [event for event in events if isinstance(event, CallGrowing)]
    assert server.bodies[0] == server.bodies[1]


async def test_thinking_is_reasoning_whether_it_has_a_field_or_tags() -> None:
    with OllamaServer([reply_text("yes", thought="hm"), reply_text("<think>hm</think>yes")]) as server:
        for _ in range(2):
            events = await ask(server)
            assert (reasoning_of(events), text_of(events)) == ("hm", "yes")


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 7, "eval_count": 3}, Usage(7, 3)),
        ({"eval_count": 3}, Usage(None, 3)),
        ({}, Usage()),
        ({"prompt_eval_count": None, "eval_count": -1}, Usage()),
    ],
)
async def test_counts_may_be_missing(counts: dict[str, Any], usage: Usage) -> None:
    with OllamaServer([reply_steps(text("yes"), done_line(**counts))]) as server:
        assert end_of(await ask(server)) == Finished("stop", (), usage)


@pytest.mark.parametrize("reason", ["stop", "load", "unload", "new one"])
async def test_an_unknown_end_is_a_plain_one(reason: str) -> None:
    with OllamaServer([reply_steps(text("yes"), done_line(reason))]) as server:
        assert end_of(await ask(server)).finish == "stop"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
functions = st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "arguments", "index"), json_values))
called = st.fixed_dictionaries({}, optional={"id": json_values, "function": functions | json_values})
spoken = st.fixed_dictionaries(
    {},
    optional={
        "content": json_values,
        "thinking": json_values,
        "tool_calls": st.lists(called | json_values, max_size=3) | json_values,
    },
)
FIELDS = ("done_reason", "prompt_eval_count", "eval_count", "error")
lines = st.fixed_dictionaries(
    {},
    optional={
        "message": spoken | json_values,
        "done": st.booleans() | json_values,
        **dict.fromkeys(FIELDS, json_values),
    },
)


@settings(deadline=None)
@given(st.lists(lines | json_values, max_size=5))
def test_no_line_is_a_crash_and_calls_have_ids_of_their_own(reply: list[Any]) -> None:
    mapper, reader = ChunkMapper(), ReplyReader()
    for line in reply:
        try:
            reader.feed(mapper.chunk(line))
        except (ErrorFrame, ValueError):
            continue
    end = reader.end()
    assert len({call.id for call in end.calls} - {""}) == len(end.calls)
    msgspec.json.encode(end)


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=6), st.lists(st.integers(0, 80))
)
def test_any_cutting_gives_the_same_lines(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"{" + b"\n".join(parts)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    once, often = LineDecoder(), LineDecoder()
    got = [line for a, b in itertools.pairwise(places) for line in often.feed(whole[a:b])]
    assert got + often.finish() == once.feed(whole) + once.finish()


# ---- faults of its own ----


@pytest.mark.parametrize("error", ["an error was encountered while running the model: EOF", {"message": "EOF"}])
async def test_an_error_in_the_stream_ends_it(error: Any) -> None:
    line = json.dumps({"error": error}).encode() + b"\n"
    with OllamaServer([reply_steps(line), reply_text("yes")]) as server:
        events = await ask(server)
        assert ("EOF" in retries_of(events)[0].reason, text_of(events)) == (True, "yes")
    with OllamaServer([reply_steps(text("so"), line)]) as server:
        events = await ask(server)
    assert text_of(events) == "so"
    assert (end_of(events).finish, "EOF" in end_of(events).error) == ("incomplete", True)


async def test_a_line_that_is_none_after_text_ends_the_reply_too() -> None:
    with OllamaServer([reply_steps(text("so"), b"overloaded\n", finish())]) as server:
        events = await ask(server)
    assert (text_of(events), end_of(events).finish) == ("so", "incomplete")
    assert "not JSON: overloaded" in end_of(events).error


async def test_a_missing_model_gets_the_command_that_fetches_it_and_what_is_there() -> None:
    with OllamaServer(models=["qwen2.5:latest", "llama3.2:latest"], refuse_unknown=True) as server:
        wanted = ChatRequest("qwen2.6", HI.messages)
        error = await error_of(server, wanted, fetch_hint="ollama pull {model}")
    assert (error.kind, error.message) == ("model", "Unknown model qwen2.6 on fake")
    assert error.hint == "fetch it: ollama pull qwen2.6; it has: qwen2.5:latest"


async def test_what_its_runner_refused_is_said_in_its_words_with_the_line_that_helps() -> None:
    inner = {
        "error": {
            "code": 400,
            "message": "request (26528 tokens) exceeds the available context size (16384 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 26528,
            "n_ctx": 16384,
        }
    }
    with OllamaServer([reply_body(400, json.dumps({"error": json.dumps(inner)}))]) as server:
        error = await error_of(server)
    assert error.kind == "context"
    assert "request (26528 tokens) exceeds" in error.message and "{" not in error.message
    assert error.hint == "set `context_length: 65536` under `providers: fake:` in config.yaml, or start a new session"


# ---- what it says of its models ----

SHOW = {
    "capabilities": ["completion", "tools", "thinking"],
    "parameters": 'stop                           "<|im_end|>"\nnum_ctx                        16384',
    "model_info": {
        "general.architecture": "qwen2",
        "qwen2.context_length": 32768,
        "general.parameter_count": 1543714304,
    },
    "details": {"parameter_size": "1.5B"},
}


@pytest.mark.parametrize(
    ("show", "loaded", "configured", "context"),
    [
        (SHOW, None, None, 16384),
        (SHOW, 8192, None, 8192),
        (SHOW, 8192, 20000, 20000),
        (SHOW, None, 65536, 32768),
        ({**SHOW, "parameters": ""}, None, None, None),
        ({**SHOW, "parameters": "num_ctx many"}, 4096, None, 4096),
    ],
    ids=["of the Modelfile", "as loaded", "as asked for", "no more than it can take", "unknown", "as loaded without"],
)
async def test_the_window_is_what_a_request_gets(
    show: Any, loaded: int | None, configured: int | None, context: Any
) -> None:
    windows = {"m:latest": loaded} if loaded else {}
    with OllamaServer(models=["m:latest"], show={"m:latest": show}, loaded=windows) as server:
        provider = provider_at(server.url, api="ollama", context_length=configured)
        expected = ModelInfo("m:latest", context, True, 1543714304)
        assert await provider.describe("m:latest") == expected
        assert await provider.describe("") == expected
        assert await provider.models() == (expected,)
        await provider.aclose()


async def test_a_model_that_it_does_not_have_is_an_error_with_the_nearest() -> None:
    with OllamaServer(models=["qwen2.5:latest"]) as server:
        provider = provider_at(server.url, api="ollama")
        with pytest.raises(ProviderError) as caught:
            await provider.describe("qwen")
    assert caught.value.kind == "model"
    assert "fake pull qwen; it has: qwen2.5:latest" in caught.value.hint


async def test_models_that_cannot_chat_are_not_offered() -> None:
    tags = [
        {"name": "embed", "capabilities": ["embedding"], "details": {"parameter_size": "137M"}},
        {"name": "old", "details": {"parameter_size": "8.0B"}},
        {"name": "talks", "capabilities": ["completion"]},
    ]
    assert read_tags({"models": tags}) == (ModelInfo("old", None, None, 8 * 10**9), ModelInfo("talks", None, False))


@pytest.mark.parametrize(
    "answer", [None, [], {"models": 5}, {"data": [], "models": []}, {"error": "Unexpected endpoint"}]
)
def test_what_is_no_list_of_ollama_is_none(answer: Any) -> None:
    assert read_tags(answer) is None
    assert read_tags({"models": None}) == ()


@settings(deadline=None)
@given(json_values, st.lists(json_values, max_size=3))
def test_no_answer_is_a_crash(value: Any, several: list[Any]) -> None:
    for answer in (value, {"models": several}, {"models": [{"name": "m", "details": value, "context_length": value}]}):
        read_tags(answer)
        read_ps(answer)
        read_show(answer)
    shown = read_show({"model_info": value, "parameters": value, "capabilities": value, "details": value})
    assert shown.most is None or shown.most > 0


@pytest.mark.parametrize(
    ("name", "full"), [("a", "a:latest"), ("a:7b", "a:7b"), ("host:5000/a", "host:5000/a:latest"), ("b/a:x", "b/a:x")]
)
def test_a_name_without_a_tag_means_the_latest(name: str, full: str) -> None:
    assert full_name(name) == full
    assert window(None, read_ps({"models": [{"name": full, "context_length": 9}]}).get(full_name(name)), Shown()) == 9


# ---- a prompt that was cut ----

LONG = ChatRequest("m", (Message("system", "be brief"), Message("user", "some words of a long text " * 1500)))


def notice_of(events: Any) -> Noticed | None:
    return end_of(events).notice


async def test_a_cut_prompt_is_told_with_figures_and_the_line_that_helps() -> None:
    with OllamaServer([reply_text("yes")], models=["m"], window=4096) as server:
        notice = notice_of(await ask(server, LONG))
    assert notice == Noticed(
        "warning",
        "fake read only 2,050 of about 9,000 tokens: the prompt was cut",
        "set `context_length: 16384` under `providers: fake:` in config.yaml",
    )


async def test_with_room_enough_nothing_is_told() -> None:
    with OllamaServer([reply_text("yes")], models=["m"], window=4096) as server:
        assert notice_of(await ask(server, LONG, context_length=16384)) is None
        assert notice_of(await ask(server, ChatRequest("m", HI.messages))) is None


async def test_it_is_told_once_until_a_prompt_fits_or_a_shorter_conversation_is_cut() -> None:
    longer = ChatRequest("m", (*LONG.messages, Message("assistant", "so"), Message("user", "go on")))
    short = ChatRequest("m", (Message("user", "word " * 1700),))
    with OllamaServer([reply_text("yes")], models=["m"], window=4096) as server:
        provider = provider_at(server.url, api="ollama")
        told = [
            notice_of([event async for event in provider.stream(request)]) is not None
            for request in (longer, longer, LONG, short, longer)
        ]
        await provider.aclose()
    assert told == [True, False, True, False, True]


async def test_a_model_that_can_take_no_more_is_said_so() -> None:
    small = {"m": {"model_info": {"general.architecture": "x", "x.context_length": 4096}}}
    with OllamaServer([reply_text("yes")], models=["m"], window=4096, show=small) as server:
        notice = notice_of(await ask(server, LONG))
    assert notice is not None
    assert notice.hint == "4,096 is all this model takes: start a new session, or choose another model"


async def test_without_knowing_the_window_nothing_is_claimed() -> None:
    reply = reply_steps(text("yes"), done_line(prompt_eval_count=30))
    with OllamaServer([reply], missing=["/api/ps"]) as server:
        assert notice_of(await ask(server, LONG)) is None


async def test_the_window_that_was_asked_for_counts_when_ollama_does_not_say() -> None:
    with OllamaServer([reply_text("yes")], models=["m"], window=4096, missing=["/api/ps"]) as server:
        notice = notice_of(await ask(server, LONG, context_length=4096))
    assert notice is not None and "read only 2,050" in notice.text


@pytest.mark.parametrize(
    ("read", "estimate", "window", "cut"),
    [
        (4096, 9300, 4096, True),  # all of the window, as old versions do
        (2050, 9300, 4096, True),  # half of it, as new ones do
        (2050, 4000, 4096, True),  # half of it, and our estimate was low
        (2050, 2600, 4096, False),  # half of it by chance
        (3000, 5000, 4096, True),  # the oldest messages were dropped
        (3900, 5000, 4096, False),  # our estimate was high
        (300, 4500, 4096, False),  # the rest was in the cache
        (300, 9000, 4096, True),  # whatever the cache held, this cannot fit
        (4090, 4000, 4096, False),  # it just fitted
        (9000, 9300, 4096, False),  # the window is another one meanwhile
    ],
)
def test_only_what_evidently_did_not_fit_is_cut(read: int, estimate: int, window: int, cut: bool) -> None:
    assert is_cut(read, estimate, window) is cut


@settings(deadline=None)
@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(256, 10**6))
def test_a_notice_asks_for_more_than_there_was_and_never_contradicts_itself(read: int, size: int, got: int) -> None:
    if is_cut(read, size, got):
        assert read < size
        notice = cut_notice("x", read, size, got, None)
        asked = int(notice.hint.split("context_length: ")[1].split("`")[0])
        assert asked > got and asked >= 1.29 * size


@settings(deadline=None)
@given(st.floats(1 / 1.3, 1.3), st.integers(256, 10**6), st.integers(1, 10**6))
def test_a_prompt_that_fits_is_never_called_cut(error: float, got: int, size: int) -> None:
    if size < got - max(8, got // 50) and abs(size - got / 2) > 8:
        assert not is_cut(size, round(size * error), got)


# ---- what is no Ollama ----


def either(url: str, **fields: Any) -> OllamaOrChat:
    return OllamaOrChat("ollama", ProviderSettings(base_url=url, api="ollama", **fields), url, KEY)


@pytest.mark.parametrize("ending", ["", "v1/"])
async def test_a_server_that_takes_its_place_is_spoken_to_in_openais_way(ending: str) -> None:
    models: list[dict[str, Any]] = [{"id": "m", "max_model_len": 9000}]
    with ChatServer([reply_text("yes")], models=models) as server:
        provider = either(server.url.removesuffix("v1/") + ending)
        for _ in range(2):
            assert text_of([event async for event in provider.stream(HI)]) == "yes"
        assert [seen.path for seen in server.others] == ["/api/chat"]
        assert await provider.models() == (ModelInfo("m", 9000),)
        assert await provider.describe("m") == ModelInfo("m", 9000)
        await provider.aclose()


async def test_lm_studio_says_so_with_status_200() -> None:
    said = reply_body(200, json.dumps({"error": "Unexpected endpoint or method. (POST /api/chat)"}))
    with OllamaServer([said]) as server, pytest.raises(ProviderError) as caught:
        await ask(server)
    assert (type(caught.value).__name__, len(server.requests)) == ("NoSuchApi", 1)


async def test_an_ollama_without_some_routes_is_an_ollama() -> None:
    with OllamaServer([reply_text("yes")], missing=["/api/tags", "/api/show", "/chat/completions"]) as server:
        provider = either(server.url)
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        assert [model.id for model in await provider.models()] == ["fake-model"]
        assert (await provider.describe("fake-model")).id == "fake-model"
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        assert len(server.requests) == 2
        await provider.aclose()


@pytest.mark.parametrize("reply", [reply_error(400, "no"), reply_error(404, "model not found"), reply_error(401)])
async def test_a_refusal_of_ollama_is_not_taken_for_another_server(reply: Any) -> None:
    with OllamaServer([reply]) as server:
        provider = either(server.url)
        with pytest.raises(ProviderError):
            [event async for event in provider.stream(HI)]
        assert not [seen for seen in server.others if "chat/completions" in seen.path]
        await provider.aclose()


async def test_a_page_is_neither() -> None:
    with ChatServer(lambda body, number: reply_html(200), models_reply=reply_html(200)) as server:
        provider = either(server.url)
        with pytest.raises(ProviderError) as caught:
            [event async for event in provider.stream(HI)]
        with pytest.raises(ProviderError, match="answers, but is no model server"):
            await provider.models()
        await provider.aclose()
    assert "base_url" in caught.value.hint


async def test_nobody_there_is_told_once() -> None:
    provider = either("http://localhost:1/v1/", start_hint="ollama serve")
    with pytest.raises(ProviderError) as caught:
        [event async for event in provider.stream(HI)]
    assert caught.value.message == "Connection refused to localhost:1"
    assert "ollama serve" in caught.value.hint
    await provider.aclose()


# ---- the fake itself ----


async def test_the_client_of_ollama_understands_the_fake() -> None:
    ollama = pytest.importorskip("ollama")
    steps = (text("Let me "), text("see."), call_line("read_file", {"file_path": "a"}, 0, "x"), done_line(eval_count=4))
    with OllamaServer([reply_steps(*steps)], models=["m:latest"], window=4096, refuse_unknown=True) as server:
        client = ollama.AsyncClient(server.url.removesuffix("v1/"))
        parts = [part async for part in await client.chat("m:latest", [{"role": "user", "content": "x"}], stream=True)]
        assert "".join(part.message.content for part in parts) == "Let me see."
        assert [call.function.arguments for part in parts for call in part.message.tool_calls or ()] == [
            {"file_path": "a"}
        ]
        assert (parts[-1].done, parts[-1].eval_count) == (True, 4)
        assert [model.model for model in (await client.list()).models] == ["m:latest"]
        assert (await client.show("m:latest")).capabilities == ["completion", "tools"]
        assert [model.context_length for model in (await client.ps()).models] == [4096]
        with pytest.raises(ollama.ResponseError, match="not found, try pulling it first"):
            await client.show("n")
