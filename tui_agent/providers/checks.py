"""Check a provider step by step: key, connection, models, streaming, window, and tool calling in both ways."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings, Settings, ToolCallStyle
from tui_agent.config.providers import base_url, resolve_key
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import CallGrowing, ProviderStatus, ReasoningDelta, TextDelta
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.discovery import listing, probe
from tui_agent.providers.factory import create_provider
from tui_agent.providers.failures import Endpoint
from tui_agent.providers.model_facts import nearest
from tui_agent.providers.model_lists import detailed
from tui_agent.providers.ollama_facts import full_name
from tui_agent.providers.openai_chat import warm_up as warm_up_sdk
from tui_agent.providers.plain_http import warm_up
from tui_agent.providers.protocol import ChatRequest, Finished, LLMProvider, ModelInfo

PROMPT = "Reply with the single word: ready"
TOOL_PROMPT = "Call the tool `report_color` once, with the color of a clear sky. Do not answer in words."
TOOL = ToolSpec(
    "report_color",
    "Report a color.",
    {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]},
)

SMALL_WINDOW = 4096

Server = Literal["llama.cpp", "vLLM", "Ollama", "LM Studio", "embedded", ""]

OWNERS: Mapping[str, Server] = {
    "llamacpp": "llama.cpp",
    "vllm": "vLLM",
    "library": "Ollama",
    "organization_owner": "LM Studio",
}
"""Servers by who they say owns their models."""

TOOL_FIXES: Mapping[Server, str] = {
    "llama.cpp": "start it with `llama-server --jinja`, or choose a model that is made for tool calling",
    "vLLM": "start it with `--enable-auto-tool-choice --tool-call-parser hermes` (the parser is named after the family "
    "of the model), or choose a model that is made for tool calling",
    "LM Studio": "load a model that LM Studio marks for tool use",
    "embedded": "the larger embedded model does (tui-agent models pull qwen2.5-coder-1.5b), and a model server with "
    "one of 7 billion parameters does better",
}
"""What switches tool calling on where it was started."""

WINDOW_FIXES: Mapping[Server, str] = {
    "llama.cpp": "start it with a larger window: `llama-server -c 16384`",
    "vLLM": "start it with a larger window: `--max-model-len 16384`",
    "LM Studio": "load the model with a larger context length",
}


class Check(Struct, frozen=True):
    """One row: `passed` is None when there is nothing to pass or fail; `fix` is what to do unless it passed."""

    name: str
    passed: bool | None
    detail: str
    fix: str = ""
    unreachable: bool = False


class _Known(Struct, frozen=True):
    """What is known of the server once it has answered."""

    server: Server
    models: tuple[ModelInfo, ...]
    answers: str


async def check_provider(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], model: str = ""
) -> AsyncIterator[Check]:
    """The checks of one provider, each given as soon as it is done; a failure that blocks the rest is the last.

    `model` is the one to test; by default the configured one, else the first one listed. Nothing is retried, and
    nothing is downloaded. The last row says how tui-agent will let the model call tools.
    """
    try:
        key = await asyncio.to_thread(resolve_key, name, settings, environ)
    except ProviderError as error:
        yield _failed("key", error)
        return
    yield Check("key", True, f"from {key.source}" if key.source != "default" else "none needed")
    await asyncio.gather(warm_up(), asyncio.to_thread(warm_up_sdk))  # not to be counted as time of the server
    unlisted: ProviderError | None = None
    try:
        known = await _known(name, settings, environ, key.value)
    except ProviderError as error:
        if error.kind in ("unreachable", "timeout") or settings.api == "embedded":
            yield _failed("connection", error)
            return
        unlisted = error
        known = _Known("", (), f"{base_url(settings, environ)} answers")
    yield Check("connection", True, known.answers)
    model = model or settings.default_model or next((info.id for info in known.models), "")
    yield _failed("models", unlisted) if unlisted else _models_check(settings, model, known)
    if not model:
        return

    provider = _client(name, settings, environ, "off" if settings.tool_calls == "off" else "native")
    native: Check | None = None
    try:
        async for check in _streaming(provider, model):
            yield check
            if check.passed is False:
                return
        yield await _window(provider, model, known.server, name)
        if settings.tool_calls == "off":
            yield Check("tool calling", None, "switched off by `tool_calls: off`")
        elif settings.tool_calls != "text":
            native = await _tool_calling(provider, "tool calling", model, _tool_fix(model, known))
            yield native
    finally:
        await provider.aclose()
    if settings.tool_calls == "off":
        yield Check("verdict", None, "no tools, as the settings say")
        return
    if native is not None and native.passed:
        yield Check("verdict", True, "tui-agent will use native tool calls")
        return
    text = await _in_style(name, settings, environ, model, "text")
    yield text
    if not text.passed:
        yield Check("verdict", False, "no tools: this model can only talk", "choose a model that supports tools")
    elif settings.tool_calls == "text" or (await _in_style(name, settings, environ, model, settings.tool_calls)).passed:
        yield Check("verdict", True, "tui-agent will use tool calls written as text")
    else:
        why = f"no tools with `tool_calls: {settings.tool_calls}`: the model answers in words"
        fix = f"set `tool_calls: text` under `providers: {name}:` in config.yaml"
        yield Check("verdict", False, why, fix)


async def _known(name: str, settings: ProviderSettings, environ: Mapping[str, str], key: str) -> _Known:
    """Ask the server for its models.

    Raises:
        ProviderError: it cannot be reached, lists none, or is not installed.
    """
    if settings.api == "embedded":
        result = await probe(name, settings, environ)
        if result.state != "up":
            raise ProviderError("request", result.detail, result.hint)
        return _Known("embedded", result.models, "it runs inside tui-agent: engine and model are installed")
    endpoint = Endpoint(name, settings, base_url(settings, environ), key)
    clock = asyncio.get_running_loop().time
    begun = clock()
    found = await listing(endpoint, settings.timeout)
    answers = f"{endpoint.base_url} answers in {(clock() - begun) * 1000:.0f} ms"
    server: Server = next((OWNERS[owner] for owner in OWNERS if owner in found.owned_by), "")
    return _Known("Ollama" if found.native else server, await detailed(endpoint, found), answers)


def _client(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], tool_calls: ToolCallStyle
) -> LLMProvider:
    wanted = replace(settings, max_retries=0, tool_calls=tool_calls)
    return create_provider(name, Settings(providers={name: wanted}), environ)


def _models_check(settings: ProviderSettings, model: str, known: _Known) -> Check:
    fetch = settings.fetch_hint.replace("{model}", model or "MODEL")
    count = len(known.models)
    if not count:
        return Check("models", False, "the server has none", fetch or "load a model in the server")
    names = {model, full_name(model)} if known.server == "Ollama" else {model}
    if names.isdisjoint(info.id for info in known.models):
        use = f"use {', '.join(nearest(model, known.models))}"
        return Check("models", False, f"{count} served, but not {model}", f"{fetch}, or {use}" if fetch else use)
    return Check("models", True, f"{count} served, {model} among them")


async def _streaming(provider: LLMProvider, model: str) -> AsyncIterator[Check]:
    clock = asyncio.get_running_loop().time
    begun = clock()
    first: float | None = None
    pieces, started = 0, ""
    try:
        async with aclosing(provider.stream(ChatRequest(model, (Message("user", PROMPT),)))) as events:
            async for event in events:
                if isinstance(event, ProviderStatus):
                    started = ", with getting ready"
                elif isinstance(event, TextDelta | ReasoningDelta):
                    first = first if first is not None else clock() - begun
                    pieces += 1
                elif isinstance(event, Finished) and event.error:
                    yield Check("streaming", False, event.error, "look at the log of the server")
                    return
    except ProviderError as error:
        yield _failed("streaming", error)
        return
    if first is None:
        yield Check("streaming", False, f"{model} gave an empty reply", "try another model")
        return
    yield Check("streaming", True, f"{model}, {pieces} pieces in {clock() - begun:.2f} s")
    yield Check("first token", True, f"after {first:.2f} s{started}")


async def _window(provider: LLMProvider, model: str, server: Server, name: str) -> Check:
    """How many tokens a request gets; asked once the model has answered and so is loaded."""
    try:
        window = (await provider.describe(model)).context_length
    except ProviderError:
        window = None
    larger = f"set `context_length: 16384` under `providers: {name}:` in config.yaml"
    if window is None:
        return Check("context length", None, "unknown: the server does not say", f"if you know it, {larger}")
    if window <= SMALL_WINDOW:
        fix = WINDOW_FIXES.get(server, larger)
        return Check("context length", None, f"{window:,} tokens: little for a coding assistant", fix)
    return Check("context length", True, f"{window:,} tokens")


async def _tool_calling(provider: LLMProvider, row: str, model: str, fix: str) -> Check:
    grew = False
    end: Finished | None = None
    try:
        async with aclosing(provider.stream(ChatRequest(model, (Message("user", TOOL_PROMPT),), (TOOL,)))) as events:
            async for event in events:
                grew = grew or isinstance(event, CallGrowing)
                end = event if isinstance(event, Finished) else end
    except ProviderError as error:
        return _failed(row, error)
    if end is not None and any(call.name == TOOL.name for call in end.calls):
        return Check(row, True, f"{model} called the tool it was asked to call")
    why = "its call was cut off" if grew else "it answered without a call"
    return Check(row, False, f"{model}: {why}", fix)


def _tool_fix(model: str, known: _Known) -> str:
    able = [info.id for info in known.models if info.tools and info.id != model]
    if able and known.server != "embedded":
        return f"choose a model that supports tools: {', '.join(able[:3])}"
    if known.server == "Ollama":
        return "choose a model that supports tools: ollama pull qwen2.5"
    return TOOL_FIXES.get(known.server, "choose a model that is made for tool calling")


async def _in_style(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], model: str, style: ToolCallStyle
) -> Check:
    """Whether the model calls a tool when it is offered in this way."""
    provider = _client(name, settings, environ, style)
    try:
        if style == "auto":
            with suppress(ProviderError):
                await provider.describe(model)  # as a session does: what it says decides
        return await _tool_calling(provider, "tools as text", model, "choose a larger model")
    finally:
        await provider.aclose()


def _failed(name: str, error: ProviderError) -> Check:
    return Check(name, False, error.message, error.hint, error.kind in ("unreachable", "timeout"))
