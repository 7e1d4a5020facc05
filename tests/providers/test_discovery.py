"""Finding servers: their state, their models, and which one to start with."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
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
from tests.fakes.ollama_server import OllamaServer
from tests.stopwatch import Stopwatch
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.discovery import NothingToStart, choose_start, probe, probe_all
from tui_agent.providers.embedded.catalogue import MODELS
from tui_agent.providers.model_facts import as_parameters, nearest, owners, read_lm_studio, read_models, read_props
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
        ({"meta": {"n_ctx_train": 131072, "n_params": 494032768}}, ModelInfo("m", None, None, 494032768)),
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
PROPS_FIELDS = ("default_generation_settings", "chat_template_caps")
items = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values))


@settings(deadline=None)
@given(st.fixed_dictionaries({"data": st.lists(items | json_values, max_size=4) | json_values}) | json_values)
def test_no_answer_is_a_crash(answer: Any) -> None:
    for model in (*(read_models(answer) or ()), *read_lm_studio(answer).values()):
        model.id.encode()
    owners(answer)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(PROPS_FIELDS, json_values)) | json_values)
def test_no_properties_are_a_crash(answer: Any) -> None:
    info = read_props(answer)
    assert info.tools in (True, False, None) and (info.context_length or 1) > 0


@pytest.mark.parametrize(
    ("size", "count"),
    [("1.5B", 1_500_000_000), ("494.03M", 494_030_000), (" 7b ", 7_000_000_000), ("1T", 10**12), ("8x7B", None)]
    + [(odd, None) for odd in ("", "B", "0B", "seven", "1.5", None, 7, "1.5B!")],
)
def test_a_size_is_read_or_it_is_none(size: Any, count: int | None) -> None:
    assert as_parameters(size) == count


PROPS = {"default_generation_settings": {"n_ctx": 8192}, "chat_template_caps": {"supports_tools": True}}
LM_STUDIO = {
    "data": [
        {"id": "a", "state": "loaded", "loaded_context_length": 4096, "max_context_length": 32768, "capabilities": []},
        {"id": "b", "state": "not-loaded", "max_context_length": 32768, "capabilities": ["tool_use"]},
    ]
}


class Asked(ChatServer):
    """A chat server with addresses of its own beside it."""

    def __init__(self, extra: dict[str, Any], models: Any) -> None:
        super().__init__(models=models)
        self.extra = extra

    def _other(self, seen: Any) -> Any:
        if seen.path in self.extra:
            return reply_body(200, json.dumps(self.extra[seen.path]))
        return super()._other(seen)


@pytest.mark.parametrize(
    ("models", "extra", "found", "asked"),
    [
        (
            [{"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 32768, "n_params": 5}}],
            {"/props": PROPS},
            (ModelInfo("m", 8192, True, 5),),
            ["/props"],
        ),
        ([{"id": "m"}], {"/props": PROPS}, (ModelInfo("m", 8192, True),), ["/api/v0/models", "/props"]),
        (["a", "b"], {"/props": PROPS}, (ModelInfo("a"), ModelInfo("b")), ["/api/v0/models"]),
        (
            [{"id": "a", "owned_by": "organization_owner"}, {"id": "b"}],
            {"/api/v0/models": LM_STUDIO},
            (ModelInfo("a", 4096, False), ModelInfo("b", None, True)),
            ["/api/v0/models"],
        ),
        ([{"id": "m", "owned_by": "vllm", "max_model_len": 9}], {}, (ModelInfo("m", 9),), []),
        (
            [{"id": "m", "owned_by": "library"}],
            {"/api/show": {"capabilities": ["tools"], "parameters": "num_ctx 4096"}, "/api/ps": {"models": []}},
            (ModelInfo("m", 4096, True),),
            ["/api/ps", "/api/show"],
        ),
        ([{"id": "m"}], {"/props": [], "/api/v0/models": {"data": 5}}, (ModelInfo("m"),), ["/api/v0/models", "/props"]),
    ],
    ids=["llama.cpp", "an old llama.cpp", "several models", "LM Studio", "vLLM", "Ollama's OpenAI route", "nonsense"],
)
async def test_what_the_list_does_not_say_is_asked_in_the_servers_own_way(
    models: Any, extra: dict[str, Any], found: Any, asked: list[str]
) -> None:
    with Asked(extra, models) as there:
        assert (await probe("x", local(there.url), {})).models == found
        assert sorted(seen.path for seen in there.others if seen.path != "/v1/models") == asked
        begun = len(there.others)
        await probe("x", local(there.url), {}, limit=2)
        assert [seen.path for seen in there.others[begun:]] == ["/v1/models"]


async def test_a_server_that_does_not_answer_the_questions_beside_is_up_all_the_same() -> None:
    class Slow(Asked):
        def _other(self, seen: Any) -> Any:
            return reply_steps(Stall()) if seen.path in self.extra else super()._other(seen)

    with Slow({"/props": 1, "/api/v0/models": 1}, ["m"]) as there:
        result = await probe("x", local(there.url), {})
    assert (result.state, result.models) == ("up", (ModelInfo("m"),))


async def test_ollama_tells_its_own_way_what_each_model_gets() -> None:
    show = {"a": {"parameters": "num_ctx 2048", "capabilities": ["completion"]}}
    with OllamaServer(models=["a", "b"], show=show, loaded={"b": 8192}) as there:
        result = await probe("x", local(there.url, api="ollama"), {})
        wide = await probe("x", local(there.url, api="ollama", context_length=16384), {})
        quick = await probe("x", local(there.url, api="ollama"), {}, limit=2)
    size = 7_600_000_000
    assert result.models == (ModelInfo("a", 2048, False, size), ModelInfo("b", 8192, True, size))
    assert [model.context_length for model in wide.models] == [16384, 16384]
    assert quick.models == (ModelInfo("a", None, None, size), ModelInfo("b", None, None, size))


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
    assert (choice.name, choice.model) == ("fake", "a")
    assert choice.explanation == f"fake answers on 127.0.0.1:{server.port} with 2 models"
    assert [(result.provider, result.state) for result in choice.probes] == [("down", "down"), ("fake", "up")]
    assert choice.keys == (("CLOUD_API_KEY", "cloud"),)
    assert "k" not in repr(choice.keys).replace("CLOUD_API_KEY", "").replace("cloud", "")


async def test_the_first_of_several_local_servers_with_models_wins(server: ChatServer) -> None:
    with ChatServer(models=["m"]) as second, ChatServer(models=[]) as empty:
        providers = {"empty": local(empty.url), "one": local(server.url), "two": local(second.url)}
        assert (await choose_start(Settings(providers=providers), {})).name == "one"


async def test_a_server_without_models_is_the_last_resort_and_that_is_said() -> None:
    with ChatServer(models=[]) as bare:
        providers = {
            "bare": local(bare.url, fetch_hint="bare pull {model}"),
            "cloud": ProviderSettings(base_url="https://cloud.invalid/"),
        }
        keyed = await choose_start(Settings(providers=providers), {"CLOUD_API_KEY": "k"})
        alone = await choose_start(Settings(providers=providers), {})
    assert (keyed.name, keyed.explanation) == ("cloud", "bare has no model; CLOUD_API_KEY is set, the key of cloud")
    assert (alone.name, alone.model) == ("bare", "")
    assert alone.explanation == f"bare answers on 127.0.0.1:{bare.port}, but has no model: bare pull MODEL"


@pytest.mark.parametrize(
    ("models", "wanted", "picked"),
    [
        (("a", "b"), "b", "b"),
        (("a", "b"), "c", "a"),
        (({"id": "a", "capabilities": []}, {"id": "b", "capabilities": ["tools"]}), "", "b"),
        (("text-embedding-x", "b"), "", "b"),
    ],
    ids=["the configured one", "the first", "one with tools", "one that talks"],
)
async def test_the_model_to_start_with_is_one_that_is_served(models: Any, wanted: str, picked: str) -> None:
    with ChatServer(models=models) as there:
        settings = Settings(providers={"x": local(there.url, default_model=wanted)})
        assert (await choose_start(settings, {})).model == picked


async def test_a_model_of_ollama_without_a_tag_is_its_latest() -> None:
    with OllamaServer(models=["b:latest", "a:latest"]) as there:
        settings = Settings(providers={"x": local(there.url, api="ollama", default_model="a")})
        assert (await choose_start(settings, {})).model == "a"


async def test_a_server_that_is_slow_to_answer_does_not_hold_up_the_start(server: ChatServer) -> None:
    late = reply_steps(Delay(0.6), b'{"data": [{"id": "m"}]}')
    with ChatServer(models_reply=late) as slow:
        settings = Settings(providers={"slow": local(slow.url), "fake": local(server.url)})
        assert (await choose_start(settings, {})).name == "fake"
        assert (await probe("slow", local(slow.url), {})).state == "up"


async def test_ollama_host_is_followed_whatever_of_its_lists_the_server_has(server: ChatServer) -> None:
    providers = {"ollama": local("http://localhost:11434/v1/", api="ollama", default_model="m")}
    with OllamaServer(models=["n", "m"]) as ollama, OllamaServer(models=["n"], missing=["/api/tags"]) as bare:
        for there, count, model in ((server, "2 models", "a"), (ollama, "2 models", "m"), (bare, "1 model", "n")):
            choice = await choose_start(Settings(providers=providers), {"OLLAMA_HOST": f"127.0.0.1:{there.port}"})
            assert choice.explanation == f"ollama answers on 127.0.0.1:{there.port} with {count}"
            assert choice.model == model


async def test_a_key_in_the_environment_is_used_and_named() -> None:
    providers = {
        "down": local(NOBODY),
        "one": ProviderSettings(base_url="https://one.invalid/"),
        "two": ProviderSettings(base_url="https://two.invalid/"),
    }
    choice = await choose_start(Settings(providers=providers), {"TWO_API_KEY": "k", "ONE_API_KEY": " "})
    assert (choice.name, choice.keys) == ("two", (("TWO_API_KEY", "two"),))
    assert choice.explanation == "no server answers here; TWO_API_KEY is set, the key of two"


async def test_every_key_that_was_seen_is_named_with_whose_it_is_and_never_shown() -> None:
    providers = {
        "one": ProviderSettings(base_url="https://one.invalid/"),
        "two": ProviderSettings(base_url="https://two.invalid/", api_key_env="SHARED"),
        "three": ProviderSettings(base_url="https://three.invalid/", api_key_env="SHARED"),
        "free": local(NOBODY),
    }
    environ = {"SHARED": "secret-1", "ONE_API_KEY": "secret-2", "FREE_API_KEY": "secret-3"}
    choice = await choose_start(Settings(providers=providers), environ)
    assert choice.name == "one"
    assert choice.keys == (("ONE_API_KEY", "one"), ("SHARED", "two"), ("SHARED", "three"))
    assert "secret" not in repr(choice)


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
    assert isinstance(error, NothingToStart)
    assert error.message == "No model server answers: tried down (localhost:1)"
    assert "down serve" in error.hint
    assert "CLOUD_API_KEY" in error.hint
    assert [(result.provider, result.state) for result in error.probes] == [("down", "down"), ("inner", "missing")]


async def test_a_web_app_on_a_port_of_model_servers_does_not_count_and_is_named() -> None:
    page = reply_html()
    with ChatServer(models_reply=page) as app, ChatServer(models_reply=page.but(status=404)) as other:
        providers = {"llamacpp": local(app.url), "vllm": local(other.url)}
        with pytest.raises(NothingToStart) as caught:
            await choose_start(Settings(providers=providers), {})
    assert f"llamacpp (127.0.0.1:{app.port}): answers, but is no model server: Welcome" in caught.value.message
    assert f"vllm (127.0.0.1:{other.port}): answers, but is no model server (404): Welcome" in caught.value.message
    assert [result.state for result in caught.value.probes] == ["error", "error"]


async def test_servers_that_hang_do_not_hold_up_the_start_together() -> None:
    await choose_or_nothing(Settings(providers={"down": local(NOBODY)}))  # imports what is needed
    with ExitStack() as stack:
        hanging = [stack.enter_context(ChatServer(models_reply=reply_steps(Stall()))) for _ in range(6)]
        providers = {f"number-{place}": local(server.url) for place, server in enumerate(hanging)}
        watch = Stopwatch()
        assert await choose_or_nothing(Settings(providers=providers)) is None
    assert watch.seconds < 1.5


async def choose_or_nothing(settings: Settings) -> str | None:
    try:
        return (await choose_start(settings, {})).name
    except NothingToStart:
        return None


# ---- the embedded model ----


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is installed, as far as can be told without importing it."""
    monkeypatch.setattr("tui_agent.providers.embedded.machine.engine_version", lambda: "1")


def own_folder(folder: Path) -> dict[str, str]:
    return {"TUI_AGENT_CONFIG_DIR": str(folder), "TUI_AGENT_DATA_DIR": str(folder)}


def put_model(folder: Path, name: str, size: int) -> None:
    (folder / "models").mkdir(exist_ok=True)
    with (folder / "models" / f"{name}.gguf").open("wb") as file:
        file.truncate(size)


INNER = local("", api="embedded", default_model=MODELS[0].name, fetch_hint="tui-agent models pull {model}")


async def test_the_embedded_model_is_up_when_engine_and_file_are_there(engine: None, tmp_path: Path) -> None:
    environ = own_folder(tmp_path)
    missing = await probe("embedded", INNER, environ)
    assert (missing.state, missing.detail) == ("missing", "not downloaded")
    assert missing.hint == f"tui-agent models pull {MODELS[0].name}"
    put_model(tmp_path, MODELS[0].name, 5)
    assert (await probe("embedded", INNER, environ)).state == "missing"
    put_model(tmp_path, MODELS[1].name, MODELS[1].size)
    put_model(tmp_path, MODELS[0].name, MODELS[0].size)
    up = await probe("embedded", INNER, environ)
    assert (up.state, [model.id for model in up.models]) == ("up", [MODELS[0].name, MODELS[1].name])
    assert up.models[0].parameters == MODELS[0].parameters
    assert up.models[0].tools is True


async def test_without_the_engine_it_is_missing_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tui_agent.providers.embedded.machine.PACKAGE", "no-such-package")
    put_model(tmp_path, MODELS[0].name, MODELS[0].size)
    result = await probe("embedded", INNER, own_folder(tmp_path))
    assert (result.state, result.detail) == ("missing", "The embedded engine is not installed")
    assert "pip install 'tui-agent[local]'" in result.hint


async def test_a_file_of_ones_own_and_a_wrong_name_are_said_for_what_they_are(engine: None, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    own = msgspec.structs.replace(INNER, model_file=str(file))
    gone = await probe("embedded", own, own_folder(tmp_path))
    assert (gone.state, gone.detail) == ("missing", f"no such file: {file}")
    assert "`model_file:`" in gone.hint
    file.write_bytes(b"GGUF")
    assert [model.id for model in (await probe("embedded", own, own_folder(tmp_path))).models] == ["mine"]
    odd = await probe("embedded", msgspec.structs.replace(INNER, default_model="qwen"), own_folder(tmp_path))
    assert (odd.state, MODELS[0].name in odd.hint) == ("error", True)


async def test_the_embedded_model_comes_after_servers_and_keys(
    engine: None, tmp_path: Path, server: ChatServer
) -> None:
    put_model(tmp_path, MODELS[1].name, MODELS[1].size)
    environ = own_folder(tmp_path)
    providers = {
        "inner": INNER,
        "fake": local(server.url),
        "cloud": ProviderSettings(base_url="https://cloud.invalid/"),
    }
    assert (await choose_start(Settings(providers=providers), environ | {"CLOUD_API_KEY": "k"})).name == "fake"
    del providers["fake"]
    assert (await choose_start(Settings(providers=providers), environ | {"CLOUD_API_KEY": "k"})).name == "cloud"
    choice = await choose_start(Settings(providers=providers), environ)
    assert (choice.name, choice.model) == ("inner", MODELS[1].name)
    assert choice.explanation == "no server answers here; the embedded model is installed"
    assert "xllamacpp" not in sys.modules


async def test_other_machines_are_not_searched() -> None:
    with ChatServer() as far:
        providers = {"far": local(far.url.replace("127.0.0.1", "10.255.255.1"))}
        with pytest.raises(ProviderError):
            await choose_start(Settings(providers=providers), {})
        assert far.connections == 0


def test_probe_results_are_plain_data() -> None:
    result = ProbeResult("fake", "up", 0.1, (ModelInfo("m", 1, True),))
    assert json.loads(msgspec.json.encode(result))["models"] == [
        {"id": "m", "context_length": 1, "tools": True, "parameters": None}
    ]
