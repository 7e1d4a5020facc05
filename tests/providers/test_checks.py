"""The checks of `providers test`: what each server is told to do about what fails."""

from typing import Any

import pytest

from tests.fakes.chat_server import ChatServer, reply_body, reply_calls, reply_error, reply_text
from tests.fakes.ollama_server import OllamaServer
from tui_agent.config.model import ProviderSettings
from tui_agent.providers.checks import Check, check_provider


def able(body: dict[str, Any], number: int) -> Any:
    return reply_calls([("report_color", {"color": "blue"})]) if body.get("tools") else reply_text("ready")


def chatty(body: dict[str, Any], number: int) -> Any:
    return reply_text("ready")


async def checks(server: ChatServer, model: str = "", **fields: Any) -> dict[str, Check]:
    """The checks of this server by name."""
    settings = ProviderSettings(base_url=server.url, requires_api_key=False, api=server.api, **fields)  # type: ignore[arg-type]  # one of the words
    return {check.name: check async for check in check_provider("fake", settings, {}, model)}


async def test_every_protocol_passes_when_all_is_well(fake: type[ChatServer]) -> None:
    with fake(able) as server:
        found = await checks(server)
    order = ["key", "connection", "models", "streaming", "first token", "context length", "tool calling", "verdict"]
    assert list(found) == order
    assert [name for name in order if not found[name].passed] == ["context length"]
    assert found["verdict"].detail == "tui-agent will use native tool calls"


@pytest.mark.parametrize(
    ("model", "fix"),
    [
        ({"id": "m", "owned_by": "llamacpp"}, "`llama-server --jinja`"),
        ({"id": "m", "owned_by": "vllm"}, "`--enable-auto-tool-choice --tool-call-parser hermes`"),
        ({"id": "m", "owned_by": "organization_owner"}, "LM Studio marks for tool use"),
        ({"id": "m", "owned_by": "library"}, "ollama pull qwen2.5"),
        ({"id": "m"}, "choose a model that is made for tool calling"),
    ],
)
async def test_a_model_that_does_not_call_gets_the_switch_of_its_server(model: dict[str, Any], fix: str) -> None:
    with ChatServer(chatty, models=[model]) as server:
        row = (await checks(server))["tool calling"]
    assert row.passed is False
    assert "it answered without a call" in row.detail
    assert fix in row.fix


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        (
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            "start vLLM with `--enable-auto-tool-choice --tool-call-parser hermes`",
        ),
        ("tools param requires --jinja flag", "start llama-server with `--jinja`"),
    ],
)
async def test_a_server_that_refuses_tools_gets_its_switch(said: str, fix: str) -> None:
    def refusing(body: dict[str, Any], number: int) -> Any:
        return reply_error(400, said) if body.get("tools") else reply_text("ready")

    with ChatServer(refusing) as server:
        row = (await checks(server))["tool calling"]
    assert (row.passed, fix in row.fix) == (False, True)


async def test_ollama_names_the_models_that_support_tools() -> None:
    show = {"gemma:2b": {"capabilities": ["completion"]}}
    with OllamaServer(chatty, models=["gemma:2b", "qwen3:8b"], show=show) as server:
        assert (await checks(server))["tool calling"].fix == "choose a model that supports tools: qwen3:8b"
    with OllamaServer(refusing, models=["gemma:2b"], show=show) as server:
        row = (await checks(server))["tool calling"]
    assert "has no tool support" in row.detail
    assert "`tool_calls: text`" in row.fix


@pytest.mark.parametrize(
    ("window", "configured", "passed", "detail"),
    [
        (4096, None, None, "4,096 tokens: little for a coding assistant"),
        (4096, 16384, True, "16,384 tokens"),
        (None, None, None, "unknown: the server does not say"),
    ],
)
async def test_the_window_of_ollama_is_asked_once_the_model_is_loaded(
    window: int | None, configured: int | None, passed: bool | None, detail: str
) -> None:
    with OllamaServer(able, window=window) as server:
        row = (await checks(server, context_length=configured))["context length"]
    assert (row.passed, row.detail) == (passed, detail)
    assert ("set `context_length: 16384` under `providers: fake:`" in row.fix) == (passed is None)


async def test_a_small_window_of_another_server_is_made_larger_where_it_was_started() -> None:
    with ChatServer(able, models=[{"id": "m", "owned_by": "llamacpp", "meta": {"n_ctx": 2048}}]) as server:
        assert "llama-server -c 16384" in (await checks(server))["context length"].fix


async def test_a_server_that_is_loading_says_so() -> None:
    loading = reply_error(503, "Loading model")
    with ChatServer(loading, models_reply=loading) as server:
        found = await checks(server, default_model="m")
    assert (found["connection"].passed, found["models"].passed) == (True, False)
    assert "503: Loading model" in found["models"].detail


async def test_what_is_no_model_server_fails_where_it_shows() -> None:
    with ChatServer(models_reply=reply_body(200, "<html><title>Router</title>", "text/html")) as server:
        found = await checks(server)
    assert list(found) == ["key", "connection", "models"]
    assert "answers, but is no model server: Router" in found["models"].detail


BLOCK = '```json\n{"name": "report_color", "arguments": {"color": "blue"}}\n```'


def writing(body: dict[str, Any], number: int) -> Any:
    """A model that writes its calls as text, but only when the prompt asks for that."""
    told = any("report_color" in message["content"] and "# Tools" in message["content"] for message in body["messages"])
    return reply_text(BLOCK if told else "ready")


def refusing(body: dict[str, Any], number: int) -> Any:
    said = "fake-model does not support tools"
    return reply_error(400, said) if body.get("tools") else writing(body, number)


def rescued(body: dict[str, Any], number: int) -> Any:
    return reply_text(BLOCK) if body.get("tools") else writing(body, number)


@pytest.mark.parametrize(
    ("responder", "style", "passed", "verdict"),
    [
        (refusing, "auto", True, "tui-agent will use tool calls written as text"),
        (refusing, "text", True, "tui-agent will use tool calls written as text"),
        (refusing, "native", False, "no tools with `tool_calls: native`: the model answers in words"),
        (rescued, "auto", True, "tui-agent will use tool calls written as text"),
        (writing, "auto", False, "no tools with `tool_calls: auto`: the model answers in words"),
        (writing, "text", True, "tui-agent will use tool calls written as text"),
        (chatty, "auto", False, "no tools: this model can only talk"),
    ],
    ids=["refused", "refused, set", "refused, native", "written unasked", "only when told", "told", "never"],
)
async def test_the_verdict_is_what_will_really_be_used(
    fake: type[ChatServer], responder: Any, style: Any, passed: bool, verdict: str
) -> None:
    with fake(responder) as server:
        found = await checks(server, tool_calls=style)
    assert (found["verdict"].passed, found["verdict"].detail) == (passed, verdict)
    assert ("tool calling" in found) == (style != "text")
    assert found["tools as text"].passed is (responder is not chatty)
    if not passed and responder is not chatty:
        assert found["verdict"].fix == "set `tool_calls: text` under `providers: fake:` in config.yaml"


async def test_switched_off_is_neither_passed_nor_failed() -> None:
    with ChatServer(able) as server:
        found = await checks(server, tool_calls="off")
        assert all("tools" not in body for body in server.bodies)
    assert (found["tool calling"].passed, found["verdict"].passed) == (None, None)


async def test_an_embedded_model_that_is_not_here_is_not_fetched_by_a_test(tmp_path: Any) -> None:
    environ = {"TUI_AGENT_CONFIG_DIR": str(tmp_path), "TUI_AGENT_DATA_DIR": str(tmp_path)}
    settings = ProviderSettings(api="embedded", requires_api_key=False, fetch_hint="tui-agent models pull {model}")
    found = [check async for check in check_provider("inner", settings, environ)]
    assert [(check.name, check.passed) for check in found] == [("key", True), ("connection", False)]
    assert "tui-agent models pull" in found[1].fix or "pip install" in found[1].fix
    assert not list(tmp_path.rglob("*.gguf*"))
