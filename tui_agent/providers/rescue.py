"""A provider whose model may write its tool calls as text."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tui_agent.conversation.events import CallGrowing, Noticed, ProviderStatus, TextDelta
from tui_agent.conversation.messages import ToolCall
from tui_agent.providers.accumulate import new_call_id
from tui_agent.providers.failures import NoTools
from tui_agent.providers.protocol import ChatRequest, Finished, LLMProvider, ModelInfo, PrimingProvider, ProviderEvent
from tui_agent.providers.text_tools import as_text

if TYPE_CHECKING:
    from tui_agent.providers.text_calls import FoundCall

logger = logging.getLogger(__name__)

Style = Literal["auto", "text"]


class TextCalls:
    """Passes everything to and from `inner`, and takes the calls out of the text of its replies.

    `auto` offers tools by the API, looks into the text when no call comes that way, and goes over to text for a model
    that takes no tools. `text` describes the tools in the prompt from the start. It is a `PrimingProvider` if `inner`
    is one.
    """

    def __init__(self, inner: LLMProvider, style: Style) -> None:
        self._inner = inner
        self._style = style
        self._without_tools: set[str] = set()  # models that turned out to take none
        self._said: set[str] = set()  # models of which the user knows it
        if isinstance(inner, PrimingProvider):
            self.prime = partial(self._prime, inner)

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._inner.name

    @property
    def local(self) -> bool:
        """The server runs on this machine."""
        return self._inner.local

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models the server really serves."""
        return await self._inner.models()

    async def describe(self, model: str) -> ModelInfo:
        """What the server says about one model; one that takes no tools gets them as text from then on."""
        info = await self._inner.describe(model)
        if info.tools is False:
            self._without_tools |= {model, info.id}
        return info

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""
        await self._inner.aclose()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        if not self._as_text(request):
            try:
                async with aclosing(self._taken(request, request)) as events:
                    async for event in events:
                        yield event
                return
            except NoTools as error:
                if not request.tools:
                    raise
                logger.info("%s takes no tools (%s)", self.name, error.status)
                self._without_tools.add(request.model)
        async with aclosing(self._taken(request, as_text(request))) as events:
            async for event in events:
                if isinstance(event, Finished) and event.notice is None and self._is_new(request):
                    event = replace(event, notice=self._notice(request.model))
                yield event

    async def _prime(self, inner: PrimingProvider, request: ChatRequest) -> AsyncGenerator[ProviderStatus]:
        async with aclosing(inner.prime(as_text(request) if self._as_text(request) else request)) as statuses:
            async for status in statuses:
                yield status

    def _as_text(self, request: ChatRequest) -> bool:
        return self._style == "text" or request.model in self._without_tools

    def _is_new(self, request: ChatRequest) -> bool:
        """The user does not know yet that this model is not offered tools in the usual way."""
        if self._style == "text" or not request.tools or request.model in self._said:
            return False
        self._said.add(request.model)
        return True

    def _notice(self, model: str) -> Noticed:
        text = f"{model or 'this model'} on {self.name} takes no tools: they are described to it in the prompt instead"
        return Noticed("info", text, f"`tool_calls: text` under `providers: {self.name}:` does so from the start")

    async def _taken(self, request: ChatRequest, sent: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """The reply to `sent`, the calls of its text made real; calls by the API win, and then text is text."""
        from tui_agent.providers.text_calls import TextCallStream, Toolbox  # many patterns: not at the start

        prompt = next((message.content for message in reversed(request.messages) if message.role == "user"), "")
        tools = request.tools if request.tool_choice == "auto" else ()
        text = TextCallStream(Toolbox(tools), prompt)
        async with aclosing(self._inner.stream(sent)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        for shown in text.feed(event.text):
                            yield shown
                        continue
                    case CallGrowing():
                        for shown in text.release():
                            yield shown
                    case Finished() if event.calls or event.finish not in ("stop", "tool_calls"):
                        for shown in text.release():
                            yield shown
                    case Finished():
                        for shown in text.finish():
                            yield shown
                        if text.calls:
                            logger.info("%d calls taken from the text of the reply", len(text.calls))
                            event = replace(event, finish="tool_calls", calls=_calls(text.calls, request))
                    case _:
                        pass
                yield event


def _calls(found: "tuple[FoundCall, ...]", request: ChatRequest) -> tuple[ToolCall, ...]:
    """The calls with ids that the conversation has not used."""
    used = {call.id for message in request.messages for call in message.tool_calls}
    calls = []
    for call in found:
        while (call_id := new_call_id()) in used:
            pass
        used.add(call_id)
        calls.append(ToolCall(call_id, call.name, call.arguments))
    return tuple(calls)
