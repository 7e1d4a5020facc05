"""Make the provider client that the settings name."""

from collections.abc import Mapping

from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.config.providers import base_url, resolve_key
from tui_agent.conversation.errors import ConfigError
from tui_agent.providers.ollama_or_chat import OllamaOrChat
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import LLMProvider
from tui_agent.providers.rescue import TextCalls


def find_provider(name: str, settings: Settings) -> ProviderSettings:
    """The settings of the provider `name`.

    Raises:
        ConfigError: there is none; the hint has the nearest names.
    """
    import difflib

    if name in settings.providers:
        return settings.providers[name]
    near = difflib.get_close_matches(name, settings.providers, n=3, cutoff=0.5) or list(settings.providers)
    raise ConfigError(f"Unknown provider {name!r}", f"there is: {', '.join(near)}" if near else "none is configured")


def create_provider(name: str, settings: Settings, environ: Mapping[str, str]) -> LLMProvider:
    """The client for the provider `name`. Nothing is contacted and no key is looked up before its first use.

    Raises:
        ConfigError: there is no such provider.
    """
    provider = find_provider(name, settings)
    client = _client(name, provider, environ)
    return TextCalls(client, provider.tool_calls) if provider.tool_calls in ("auto", "text") else client


def _client(name: str, provider: ProviderSettings, environ: Mapping[str, str]) -> LLMProvider:
    """The client that speaks the provider's protocol."""
    if provider.api == "embedded":
        from tui_agent.providers.embedded.provider import EmbeddedProvider

        return EmbeddedProvider(name, provider, environ)
    address = base_url(provider, environ)

    def key() -> str:
        return resolve_key(name, provider, environ).value

    if provider.api == "ollama":
        return OllamaOrChat(name, provider, address, key)
    return OpenAIChatProvider(name, provider, address, key)
