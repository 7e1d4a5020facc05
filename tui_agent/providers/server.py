"""A configured server before it is asked anything: where it is, its key, and the model to use when none is named."""

import asyncio
from collections.abc import Awaitable, Callable

from tui_agent.config.model import ProviderSettings
from tui_agent.providers.failures import Endpoint, no_models
from tui_agent.providers.protocol import ModelInfo


class Server:
    """One server. `api_key` may be a function; it is called in a thread at the first use."""

    def __init__(self, name: str, settings: ProviderSettings, base_url: str, api_key: str | Callable[[], str]) -> None:
        self._name = name
        self._settings = settings
        self._base_url = base_url
        self._api_key = api_key
        self._endpoint: Endpoint | None = None

    async def endpoint(self) -> Endpoint:
        """The server with its key.

        Raises:
            ProviderError: of kind "key", when there is none.
        """
        if self._endpoint is None:
            key = self._api_key if isinstance(self._api_key, str) else await asyncio.to_thread(self._api_key)
            self._endpoint = Endpoint(self._name, self._settings, self._base_url, key)
        return self._endpoint

    async def default_model(self, listed: Callable[[], Awaitable[tuple[ModelInfo, ...]]]) -> str:
        """The configured model, else the first one that the server lists.

        Raises:
            ProviderError: it cannot be asked, or has none.
        """
        if model := self._settings.default_model or next(iter(self._settings.models), ""):
            return model
        models = await listed()
        if not models:
            raise no_models(await self.endpoint())
        return models[0].id
