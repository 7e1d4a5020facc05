"""Check a provider step by step: key, connection, models, streaming, tool calling."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import base_url, resolve_key
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import CallGrowing, ReasoningDelta, TextDelta
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.model_facts import nearest
from tui_agent.providers.openai_chat import OpenAIChatProvider, warm_up
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo

PROMPT = "Reply with the single word: ready"
TOOL_PROMPT = "Call the tool `report_color` once, with the color of a clear sky. Do not answer in words."
TOOL = ToolSpec(
    "report_color",
    "Report a color.",
    {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]},
)


class Check(Struct, frozen=True):
    """One row: `passed` is None when the check could not be made; `fix` is what to do when it failed."""

    name: str
    passed: bool | None
    detail: str
    fix: str = ""
    unreachable: bool = False


async def check_provider(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], model: str = ""
) -> AsyncIterator[Check]:
    """The checks of one provider, each given as soon as it is done; a failure that blocks the rest is the last.

    `model` is the one to test; by default the configured one, else the first one listed. Nothing is retried.
    """
    try:
        key = await asyncio.to_thread(resolve_key, name, settings, environ)
    except ProviderError as error:
        yield _failed("key", error)
        return
    yield Check("key", True, f"from {key.source}" if key.source != "default" else "none needed")
    provider = OpenAIChatProvider(name, replace(settings, max_retries=0), base_url(settings, environ), key.value)
    try:
        await asyncio.to_thread(warm_up)  # not to be counted as time of the server
        clock = asyncio.get_running_loop().time
        begun = clock()
        known: tuple[ModelInfo, ...] = ()
        listing: ProviderError | None = None
        try:
            known = await provider.models()
        except ProviderError as error:
            if error.kind in ("unreachable", "timeout"):
                yield _failed("connection", error)
                return
            listing = error
        yield Check("connection", True, f"{base_url(settings, environ)} answers in {(clock() - begun) * 1000:.0f} ms")
        model = model or settings.default_model or next((info.id for info in known), "")
        yield _failed("models", listing) if listing else _models_check(settings, model, known)
        if not model:
            return
        async for check in _streaming(provider, model):
            yield check
            if check.passed is False:
                return
        yield await _tool_calling(provider, model, settings)
    finally:
        await provider.aclose()


def _models_check(settings: ProviderSettings, model: str, known: tuple[ModelInfo, ...]) -> Check:
    fetch = settings.fetch_hint.replace("{model}", model or "MODEL")
    if not known:
        return Check("models", False, "the server has none", fetch or "load a model in the server")
    if model not in (info.id for info in known):
        fix = (
            f"{fetch}, or use {', '.join(nearest(model, known))}"
            if fetch
            else f"use {', '.join(nearest(model, known))}"
        )
        return Check("models", False, f"{len(known)} served, but not {model}", fix)
    return Check("models", True, f"{len(known)} served, {model} among them")


async def _streaming(provider: OpenAIChatProvider, model: str) -> AsyncIterator[Check]:
    clock = asyncio.get_running_loop().time
    begun = clock()
    first: float | None = None
    pieces = 0
    try:
        async with aclosing(provider.stream(ChatRequest(model, (Message("user", PROMPT),)))) as events:
            async for event in events:
                if isinstance(event, TextDelta | ReasoningDelta):
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
    yield Check("first token", True, f"after {first:.2f} s")


async def _tool_calling(provider: OpenAIChatProvider, model: str, settings: ProviderSettings) -> Check:
    if settings.tool_calls == "off":
        return Check("tool calling", None, "switched off by `tool_calls: off`")
    request = ChatRequest(model, (Message("user", TOOL_PROMPT),), (TOOL,))
    grew = False
    end: Finished | None = None
    try:
        async with aclosing(provider.stream(request)) as events:
            async for event in events:
                grew = grew or isinstance(event, CallGrowing)
                end = event if isinstance(event, Finished) else end
    except ProviderError as error:
        return _failed("tool calling", error)
    if end is not None and any(call.name == TOOL.name for call in end.calls):
        return Check("tool calling", True, f"{model} called the tool it was asked to call")
    why = "its call was cut off" if grew else "it answered without a call"
    return Check("tool calling", False, f"{model}: {why}", "choose a model that is made for tool calling")


def _failed(name: str, error: ProviderError) -> Check:
    return Check(name, False, error.message, error.hint, error.kind in ("unreachable", "timeout"))
