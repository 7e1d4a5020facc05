"""What the tests of the providers share."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.fakes.chat_server import ChatServer
from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import ReasoningDelta, Retrying, TextDelta
from tui_agent.conversation.messages import Message, ToolSpec
from tui_agent.providers.ollama import OllamaProvider
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest, Finished, ProviderEvent

READ = ToolSpec("read_file", "Read a file.", {"type": "object", "properties": {"file_path": {"type": "string"}}})
HI = ChatRequest("fake-model", (Message("user", "hi"),), (READ,))
KEY = "secret-key-of-the-test"


class Naps:
    """Stands in for sleeping between retries, and remembers for how long it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def provider_at(
    url: str, naps: Naps | None = None, *, jitter: float = 0.0, **settings: Any
) -> OpenAIChatProvider | OllamaProvider:
    """A provider named `fake` for this address; `api` is among the settings."""
    wanted = ProviderSettings(
        base_url=url, **{"start_hint": "fake serve", "fetch_hint": "fake pull {model}", **settings}
    )
    client = OllamaProvider if wanted.api == "ollama" else OpenAIChatProvider
    return client("fake", wanted, url, KEY, sleep=naps or Naps(), jitter=lambda: jitter)


async def ask(
    server: ChatServer | str, request: ChatRequest = HI, naps: Naps | None = None, **settings: Any
) -> list[ProviderEvent]:
    """All events of one request, in the protocol of the server; one that hangs fails."""
    if not isinstance(server, str):
        server, settings = server.url, {"api": server.api, **settings}
    provider = provider_at(server, naps, **settings)
    try:
        async with asyncio.timeout(30):
            return [event async for event in provider.stream(request)]
    finally:
        await provider.aclose()


async def error_of(server: ChatServer | str, request: ChatRequest = HI, **settings: Any) -> ProviderError:
    """The error that one request ends with."""
    try:
        events = await ask(server, request, **settings)
    except ProviderError as error:
        return error
    raise AssertionError(f"no error, but {events}")


def text_of(events: Sequence[ProviderEvent]) -> str:
    """The answer."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def reasoning_of(events: Sequence[ProviderEvent]) -> str:
    """The thinking."""
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def end_of(events: Sequence[ProviderEvent]) -> Finished:
    """The last event, which must be the only one of its kind."""
    ends = [event for event in events if isinstance(event, Finished)]
    assert ends == [events[-1]]
    return ends[0]


def retries_of(events: Sequence[ProviderEvent]) -> list[Retrying]:
    """The announced retries."""
    return [event for event in events if isinstance(event, Retrying)]
