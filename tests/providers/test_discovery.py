"""Finding servers: their state, their models, and which one to start with."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.chat_server import (
    ChatServer,
    Delay,
    Stall,
    reply_body,
    reply_error,
    reply_html,
    reply_steps,
)
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.discovery import choose_start, probe, probe_all
from tui_agent.providers.model_facts import nearest, read_models
from tui_agent.providers.protocol import ModelInfo, ProbeResult

NOBODY = "http://localhost:1/v1/"


def local(url: str, **fields: Any) -> ProviderSettings:
    return ProviderSettings(base_url=url, requires_api_key=False, **fields)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(models=["a", "b"]) as running:
        yield running


# ---- probing ----


async def test_a_server_that_answers_is_up_with_its_models_and_latency(server: ChatServer) -> None:
    result = await probe("fake", local(server.url), {})
    assert (result.state, result.models) == ("up", (ModelInfo("a"), ModelInfo("b")))
    assert result.latency is not None
    assert 0 < result.latency < 1


async def test_nobody_there_is_down_with_what_starts_it() -> None:
    result = await probe("fake", local(NOBODY, start_hint="fake serve"), {})
    assert (result.state, result.latency, result.models) == ("down", None, ())
    assert result.detail == "Connection refused to localhost:1"
    assert "fake serve" in result.hint


async def test_a_server_that_hangs_is_down_within_the_limit() -> None:
    begun = time.monotonic()
    with ChatServer(models_reply=reply_steps(Stall())) as hanging:
        result = await probe("fake", local(hanging.url), {}, limit=0.2)
    assert time.monotonic() - begun < 2
    assert result.state == "down"
    assert "0.2 s" in result.detail


@pytest.mark.parametrize(
    "answer",
    [
        reply_html(200),
        reply_html(403),
        reply_body(200, "hello", "text/plain"),
        reply_body(200, '{"models": []}'),
        reply_body(200, '{"data": 5}'),
        reply_body(200, "[]"),
        reply_body(200, "[" * 100_000),
        reply_error(500),
        reply_error(404),
        reply_body(200, b" " * 20_000_000),
    ],
)
async def test_what_is_no_model_server_is_an_error(answer: Any) -> None:
    with ChatServer(models_reply=answer) as odd:
        result = await probe("fake", local(odd.url), {}, limit=5)
    assert result.state == "error"
    assert result.detail


async def test_a_server_without_models_is_up_and_says_so() -> None:
    with ChatServer(models_reply=reply_body(200, '{"object": "list", "data": null}')) as empty:
        result = await probe("fake", local(empty.url, fetch_hint="fake pull {model}"), {})
    assert (result.state, result.detail, result.hint) == ("up", "no models", "fake pull MODEL")


async def test_without_its_key_a_server_is_not_contacted(server: ChatServer) -> None:
    settings = ProviderSettings(base_url=server.url)
    result = await probe("my-cloud", settings, {})
    assert result.state == "no key"
    assert "MY_CLOUD_API_KEY" in result.hint
    assert server.connections == 0


async def test_a_key_is_sent_and_a_wrong_one_is_an_error() -> None:
    with ChatServer(api_key="right") as cloud:
        settings = ProviderSettings(base_url=cloud.url)
        assert (await probe("cloud", settings, {"CLOUD_API_KEY": "right"})).state == "up"
        wrong = await probe("cloud", settings, {"CLOUD_API_KEY": "wrong"})
    assert wrong.state == "error"
    assert "CLOUD_API_KEY" in wrong.hint


@pytest.mark.parametrize("api", ["ollama", "embedded"])
async def test_a_protocol_that_is_not_there_yet_is_said_so(api: Any) -> None:
    result = await probe("x", local(NOBODY, api=api), {})
    assert (result.state, result.detail) == ("error", f"`api: {api}` is not part of this version")


async def test_results_come_as_they_are_ready_and_none_is_missing(server: ChatServer) -> None:
    with ChatServer(models_reply=reply_steps(Stall())) as hanging:
        settings = Settings(
            providers={
                "slow": local(hanging.url),
                "up": local(server.url),
                "down": local(NOBODY),
                "cloud": ProviderSettings(base_url="https://cloud.invalid/"),
            }
        )
        order = [(result.provider, result.state) async for result in probe_all(settings, {})]
    assert sorted(order) == [("cloud", "no key"), ("down", "down"), ("slow", "down"), ("up", "up")]
    assert order[-1] == ("slow", "down")


async def test_leaving_early_stops_the_other_probes() -> None:
    with ChatServer(models_reply=reply_steps(Stall())) as hanging:
        results = probe_all(Settings(providers={"down": local(NOBODY), "slow": local(hanging.url)}), {})
        async for result in results:
            assert result.provider == "down"
            break
        await results.aclose()  # type: ignore[attr-defined]  # a generator
        await asyncio.sleep(0)
        assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task() and not t.cancelling()]


# ---- what models say of themselves ----


@pytest.mark.parametrize(
    ("said", "info"),
    [
        ({"context_length": 8192}, ModelInfo("m", 8192)),
        ({"max_model_len": 4096}, ModelInfo("m", 4096)),
        ({"meta": {"n_ctx_train": 131072, "n_ctx": 8192}}, ModelInfo("m", 8192)),
        ({"meta": {"n_ctx_train": 131072}}, ModelInfo("m", 131072)),
        ({"max_context_length": 32768, "loaded_context_length": 4096}, ModelInfo("m", 4096)),
        ({"context_length": -1, "max_model_len": "8192"}, ModelInfo("m")),
        ({"supported_parameters": ["tools", "seed"]}, ModelInfo("m", None, True)),
        ({"supported_parameters": ["seed"]}, ModelInfo("m", None, False)),
        ({"capabilities": ["completion", "tools"]}, ModelInfo("m", None, True)),
        ({"capabilities": ["tool_use"]}, ModelInfo("m", None, True)),
        ({"capabilities": ["completion"]}, ModelInfo("m", None, False)),
        ({"capabilities": {"function_calling": True}}, ModelInfo("m", None, True)),
        ({"capabilities": {"vision": True}}, ModelInfo("m", None, None)),
    ],
)
def test_context_and_tools_are_read_where_servers_say_them(said: dict[str, Any], info: ModelInfo) -> None:
    assert read_models({"data": [{"id": "m", **said}, {"id": "m"}, {"id": ""}, {"id": 5}, None]}) == (info,)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("id", "meta", "capabilities", "supported_parameters", "context_length", "max_model_len")
items = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values))


@given(st.fixed_dictionaries({"data": st.lists(items | json_values, max_size=4) | json_values}) | json_values)
def test_no_answer_is_a_crash(answer: Any) -> None:
    for model in read_models(answer) or ():
        model.id.encode()


async def test_ollama_is_asked_what_its_default_model_really_gets() -> None:
    show = {
        "m": {
            "capabilities": ["tools"],
            "parameters": 'stop "x"\nnum_ctx  16384',
            "model_info": {"a.context_length": 9},
        }
    }
    with ChatServer(models=["m", "n"], show=show) as ollama:
        result = await probe("ollama", local(ollama.url, default_model="m"), {})
        other = await probe("ollama", local(ollama.url, default_model="n"), {})
    assert result.models == (ModelInfo("m", 16384, True), ModelInfo("n"))
    assert other.models == (ModelInfo("m"), ModelInfo("n"))


def test_the_nearest_names_come_first_and_some_name_always() -> None:
    known = tuple(map(ModelInfo, ("llama3.2:latest", "qwen2.5:latest", "qwen2.5-coder:7b", "mistral")))
    assert nearest("qwen2.5", known)[0] == "qwen2.5:latest"
    assert nearest("zzz", known) == ("llama3.2:latest", "qwen2.5:latest", "qwen2.5-coder:7b")
    assert nearest("zzz", ()) == ()


# ---- where to start ----


async def test_an_explicit_choice_is_taken_without_asking_anybody(server: ChatServer) -> None:
    choice = await choose_start(Settings(provider="x", providers={"fake": local(server.url)}), {})
    assert choice.name == "x"
    assert server.connections == 0


async def test_a_local_server_that_answers_wins_over_a_key(server: ChatServer) -> None:
    providers = {
        "cloud": ProviderSettings(base_url="https://cloud.invalid/"),
        "down": local(NOBODY),
        "fake": local(server.url),
    }
    choice = await choose_start(Settings(providers=providers), {"CLOUD_API_KEY": "k"})
    assert choice.name == "fake"
    assert choice.explanation == f"fake answers on 127.0.0.1:{server.port}"


async def test_the_first_of_several_local_servers_wins_unless_it_has_no_models(server: ChatServer) -> None:
    with ChatServer(models=["m"]) as second, ChatServer(models=[]) as empty:
        providers = {"empty": local(empty.url), "one": local(server.url), "two": local(second.url)}
        assert (await choose_start(Settings(providers=providers), {})).name == "one"
        del providers["one"], providers["two"]
        assert (await choose_start(Settings(providers=providers), {})).name == "empty"


async def test_a_server_that_is_slow_to_answer_does_not_hold_up_the_start(server: ChatServer) -> None:
    late = reply_steps(Delay(0.6), b'{"data": [{"id": "m"}]}')
    with ChatServer(models_reply=late) as slow:
        settings = Settings(providers={"slow": local(slow.url), "fake": local(server.url)})
        assert (await choose_start(settings, {})).name == "fake"
        assert (await probe("slow", local(slow.url), {})).state == "up"


async def test_ollama_host_is_followed(server: ChatServer) -> None:
    providers = {"ollama": local("http://localhost:11434/v1/")}
    choice = await choose_start(Settings(providers=providers), {"OLLAMA_HOST": f"127.0.0.1:{server.port}"})
    assert choice.explanation == f"ollama answers on 127.0.0.1:{server.port}"


async def test_a_key_in_the_environment_is_used_and_named() -> None:
    providers = {
        "down": local(NOBODY),
        "one": ProviderSettings(base_url="https://one.invalid/"),
        "two": ProviderSettings(base_url="https://two.invalid/"),
    }
    choice = await choose_start(Settings(providers=providers), {"TWO_API_KEY": "k", "ONE_API_KEY": " "})
    assert choice.name == "two"
    assert "TWO_API_KEY" in choice.explanation


async def test_nothing_at_all_lists_what_was_tried_and_what_to_do() -> None:
    providers = {
        "down": local(NOBODY, start_hint="down serve"),
        "cloud": ProviderSettings(base_url="https://cloud.invalid/"),
        "inner": local("", api="embedded"),
    }
    with pytest.raises(ProviderError) as caught:
        await choose_start(Settings(providers=providers), {})
    error = caught.value
    assert error.kind == "unreachable"
    assert error.message == "No model server answers: tried down (localhost:1)"
    assert "down serve" in error.hint
    assert "CLOUD_API_KEY" in error.hint


async def test_other_machines_are_not_searched() -> None:
    with ChatServer() as far:
        providers = {"far": local(far.url.replace("127.0.0.1", "10.255.255.1"))}
        with pytest.raises(ProviderError):
            await choose_start(Settings(providers=providers), {})
        assert far.connections == 0


def test_probe_results_are_plain_data() -> None:
    import msgspec

    result = ProbeResult("fake", "up", 0.1, (ModelInfo("m", 1, True),))
    assert json.loads(msgspec.json.encode(result))["models"] == [
        {"id": "m", "context_length": 1, "tools": True, "parameters": None}
    ]
