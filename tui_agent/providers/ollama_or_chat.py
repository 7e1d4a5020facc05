"""Ollama's own protocol where the server speaks it, OpenAI's where it turns out that it does not."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tui_agent.config.model import ProviderSettings
from tui_agent.providers.failures import NoSuchApi
from tui_agent.providers.ollama import OllamaProvider
from tui_agent.providers.ollama_facts import root_of
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest, LLMProvider, ModelInfo, ProviderEvent


class OllamaOrChat:
    """A provider set up for Ollama, at whose address something else may listen: many servers take Ollama's place, and
    `base_url` alone is often changed to theirs."""

    def __init__(self, name: str, settings: ProviderSettings, base_url: str, api_key: str | Callable[[], str]) -> None:
        self._ollama = OllamaProvider(name, settings, base_url, api_key)
        self._chat = OpenAIChatProvider(name, settings, root_of(base_url) + "v1/", api_key)
        self._chosen: LLMProvider = self._ollama

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._ollama.name

    @property
    def local(self) -> bool:
        """The server runs on this machine."""
        return self._ollama.local

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the server has."""
        try:
            return await self._chosen.models()
        except NoSuchApi:
            return await self._chat.models()

    async def describe(self, model: str) -> ModelInfo:
        """What the server says of a model."""
        try:
            return await self._chosen.describe(model)
        except NoSuchApi:
            return await self._chat.describe(model)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        try:
            async with aclosing(self._chosen.stream(request)) as events:
                async for event in events:
                    yield event
            return
        except NoSuchApi:
            pass
        async with aclosing(self._chat.stream(request)) as events:
            async for event in events:
                self._chosen = self._chat
                yield event

    async def aclose(self) -> None:
        """Close the connections."""
        await self._ollama.aclose()
        await self._chat.aclose()
