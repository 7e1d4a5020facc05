"""The configured providers: their clients, what the settings say of them, and the models that can be fetched."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_agent.config.locations import locations
from tui_agent.config.model import Price, ProfileName, Settings
from tui_agent.config.providers import price_of, resolve_key
from tui_agent.conversation.errors import ConfigError, ProviderError

if TYPE_CHECKING:
    from tui_agent.agent.fallback import Substitute
    from tui_agent.providers.embedded.download import PullProgress
    from tui_agent.providers.protocol import LLMProvider, ProbeResult
    from tui_agent.tui.host import Offer


class Servers:
    """Knows each provider by its name; a client is made once, `first` was before."""

    def __init__(self, settings: Settings, first: "LLMProvider") -> None:
        self.settings = settings
        self._clients: dict[str, LLMProvider] = {first.name: first}
        self._retired: list[LLMProvider] = []
        self._engine_version = ""

    def client(self, name: str) -> "LLMProvider":
        """The client of a configured provider, made once.

        Raises:
            ConfigError: unknown name, or a protocol that this version does not speak.
        """
        from tui_agent.providers.factory import create_provider

        if name not in self._clients:
            self._clients[name] = create_provider(name, self.settings, os.environ)
        return self._clients[name]

    def take_over(self, settings: Settings, present: str) -> "LLMProvider | None":
        """Go by other settings from now on; the new client of the provider in use, if that is another one now.

        Raises:
            ConfigError: the provider in use cannot be used as configured now; its client from before stays.
        """
        before, self.settings = self.settings.providers, settings
        changed = None
        for name in list(self._clients):
            if before.get(name) == settings.providers.get(name):
                continue
            # A turn may still read from the old client: it is closed with the rest.
            self._retired.append(self._clients.pop(name))
            if name == present:
                try:
                    changed = self.client(name)
                except ConfigError:
                    self._clients[name] = self._retired.pop()
                    raise
        return changed

    def profile(self, provider: str) -> ProfileName:
        """The profile that is set for a provider."""
        settings = self.settings.providers.get(provider)
        return settings.profile if settings is not None else "auto"

    def window(self, provider: str) -> int | None:
        """The window that is set for a provider, in tokens."""
        settings = self.settings.providers.get(provider)
        return settings.context_length if settings is not None else None

    def price(self, provider: str, model: str) -> Price | None:
        """What a model costs, where that is known."""
        settings = self.settings.providers.get(provider)
        return price_of(settings, model) if settings is not None else None

    async def substitute(self, entry: str) -> "Substitute":
        """The provider and model of an entry of `fallback`.

        Raises:
            ConfigError: there is no such provider, or its cost could not be counted and has a limit.
            ProviderError: it has no key or no model.
        """
        import asyncio

        from tui_agent.agent.fallback import Substitute

        name, _, model = entry.partition("/")
        provider = self.client(name)
        settings = self.settings.providers[name]
        await asyncio.to_thread(resolve_key, name, settings, os.environ)
        model = model or settings.default_model or (await provider.describe("")).id
        if self.settings.max_cost is not None and price_of(settings, model) is None:
            raise ConfigError("no price is known for it, and there is a max_cost")
        return Substitute(provider, model)

    def probe(self, names: Collection[str]) -> "AsyncIterator[ProbeResult]":
        """The live state of configured providers, as the answers come in."""
        from tui_agent.providers.discovery import probe_all

        asked = {name: provider for name, provider in self.settings.providers.items() if name in names}
        return probe_all(replace(self.settings, providers=asked), os.environ)

    def offers(self) -> "Sequence[Offer]":
        """The models that can be fetched and run on this machine, the configured one first."""
        from tui_agent.providers.embedded.catalogue import MODELS
        from tui_agent.providers.embedded.download import fetched, installed
        from tui_agent.providers.embedded.machine import engine_version
        from tui_agent.tui.host import Offer

        folder = locations().models
        problem = remedy = ""
        try:
            self._engine_version = self._engine_version or engine_version()
        except ProviderError as error:
            problem, remedy = error.message, error.hint
        return [
            Offer(
                provider=name,
                model=model.name,
                title=model.title,
                size=model.size,
                licence=model.licence,
                memory=model.memory,
                good_for=model.good_for,
                installed=installed(model, folder) is not None,
                here=fetched(model, folder),
                problem=problem,
                remedy=remedy,
            )
            for name, provider in self.settings.providers.items()
            if provider.api == "embedded" and not provider.model_file
            for model in sorted(MODELS, key=lambda model: model.name != provider.default_model)
        ]

    def fetch(self, model: str) -> "AsyncGenerator[PullProgress]":
        """Download such a model, or the rest of it; close the generator when leaving it early.

        Raises:
            ConfigError: there is no such model.
        """
        from tui_agent.providers.embedded.catalogue import find_model
        from tui_agent.providers.embedded.download import pull

        return pull(find_model(model), locations().models, os.environ)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in (*self._clients.values(), *self._retired):
            await client.aclose()
