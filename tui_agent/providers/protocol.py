"""What the engine needs of a language-model provider."""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol

from msgspec import Struct

from tui_agent.conversation.events import CallGrowing, ReasoningDelta, Retrying, TextDelta
from tui_agent.conversation.messages import Finish, Message, ToolCall, ToolSpec, Usage


class ChatRequest(Struct, frozen=True):
    """One request: the whole conversation and the tools on offer."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    temperature: float | None = None
    max_tokens: int | None = None


class Finished(Struct, frozen=True):
    """The last event of a stream: why it ended, the whole calls, the usage.

    `error` is set when the stream broke off after something had been shown (`finish == "incomplete"`): the text that
    arrived stands, the calls are dropped.
    """

    finish: Finish
    calls: tuple[ToolCall, ...]
    usage: Usage
    error: str = ""


ProviderEvent = TextDelta | ReasoningDelta | CallGrowing | Retrying | Finished


class ModelInfo(Struct, frozen=True):
    """A model as its server describes it; None means the server does not say."""

    id: str
    context_length: int | None = None
    tools: bool | None = None


ProbeState = Literal["up", "down", "no key", "error"]


class ProbeResult(Struct, frozen=True):
    """The live state of one provider: `latency` in seconds, `detail` and `hint` for people."""

    provider: str
    state: ProbeState
    latency: float | None
    models: tuple[ModelInfo, ...]
    detail: str = ""
    hint: str = ""


class LLMProvider(Protocol):
    """A provider client; every implementation passes the same contract tests."""

    @property
    def name(self) -> str:
        """The name in the settings."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Send the request and yield what comes back; the last event is `Finished`.

        Raises:
            ProviderError: nothing was shown and retrying did not help, or the request is refused.
        """
        ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models the server really serves.

        Raises:
            ProviderError: the server cannot be reached or refuses.
        """
        ...

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""
        ...
