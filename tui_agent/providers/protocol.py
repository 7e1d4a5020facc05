"""What the engine needs of a language-model provider."""

from collections.abc import AsyncGenerator
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from tui_agent.conversation.events import CallGrowing, Noticed, ProviderStatus, ReasoningDelta, Retrying, TextDelta
from tui_agent.conversation.messages import Finish, Message, ToolCall, ToolSpec, Usage


class ChatRequest(Struct, frozen=True):
    """One request: the whole conversation and the tools on offer.

    With `tool_choice` "none" the tools stay in the prompt, so that its beginning is the same bytes as before, but no
    call is taken from the reply. The first `fixed` messages are the same in every request of every session like this
    one, so that a provider may keep what it has read of them. In a `hurry` it is not sent again after a long wait that
    a server asks for, since somebody else may answer; the error says so then (`ProviderError.hasty`).
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none"] = "auto"
    fixed: int = 0
    temperature: float | None = None
    max_tokens: int | None = None
    hurry: bool = False


class Finished(Struct, frozen=True):
    """The last event of a stream: why it ended, the whole calls, the usage.

    `error` is set when the stream broke off after something had been shown (`finish == "incomplete"`): the text that
    arrived stands, the calls are dropped. `notice` is what the user should know of a whole reply, such as that the
    server read only a part of the prompt.
    """

    finish: Finish
    calls: tuple[ToolCall, ...]
    usage: Usage
    error: str = ""
    notice: Noticed | None = None


ProviderEvent = TextDelta | ReasoningDelta | CallGrowing | Retrying | ProviderStatus | Finished


class ModelInfo(Struct, frozen=True):
    """A model as its server describes it; None means the server does not say.

    `context_length` is in tokens, what a request really gets; `parameters` is the number of weights.
    """

    id: str
    context_length: int | None = None
    tools: bool | None = None
    parameters: int | None = None


ProbeState = Literal["up", "down", "no key", "missing", "error"]
"""`missing`: what it needs on this machine is not there yet. `error`: it answers, but not as it should."""


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

    @property
    def local(self) -> bool:
        """The server runs on this machine: asking it about a model costs nothing, and its models may be small."""
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

    async def describe(self, model: str) -> ModelInfo:
        """What the server says about one model; an empty name stands for the one that it would use.

        Raises:
            ProviderError: the server cannot be reached, refuses, or does not have it.
        """
        ...

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""
        ...


@runtime_checkable
class PrimingProvider(Protocol):
    """A provider that can read the beginning of a prompt before the user asks, so that the answer begins sooner."""

    def prime(self, request: ChatRequest) -> AsyncGenerator[ProviderStatus, None]:
        """Get ready for requests that begin with these messages and tools; yields what it is doing meanwhile.

        Raises:
            ProviderError: it cannot be got ready; a later request would fail likewise.
        """
        ...
