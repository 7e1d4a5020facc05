"""Which client the settings make."""

from typing import Any

import pytest

from tests.fakes.chat_server import ChatServer, reply_text
from tests.providers.support import HI, text_of
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ConfigError, ProviderError
from tui_agent.providers.factory import create_provider


def settings(**providers: ProviderSettings) -> Settings:
    return Settings(providers=providers)


async def test_a_configured_provider_answers_with_its_key_from_the_environment() -> None:
    with ChatServer([reply_text("yes")], api_key="right") as server:
        provider = create_provider(
            "mine", settings(mine=ProviderSettings(base_url=server.url)), {"MINE_API_KEY": "right"}
        )
        assert provider.name == "mine"
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        await provider.aclose()


async def test_an_address_without_the_last_slash_works_too() -> None:
    with ChatServer([reply_text("yes")]) as server:
        here = ProviderSettings(base_url=server.url.rstrip("/"), requires_api_key=False)
        provider = create_provider("mine", settings(mine=here), {})
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        await provider.aclose()
        assert server.requests[0].headers["authorization"] == "Bearer not-needed"


async def test_a_missing_key_is_an_error_at_the_first_use_not_before() -> None:
    provider = create_provider("my-cloud", settings(**{"my-cloud": ProviderSettings(base_url="https://x.invalid")}), {})
    with pytest.raises(ProviderError) as caught:
        [event async for event in provider.stream(HI)]
    assert caught.value.kind == "key"
    assert caught.value.message == "API key not found for my-cloud"
    assert "MY_CLOUD_API_KEY" in caught.value.hint
    await provider.aclose()


def test_an_unknown_provider_gets_the_nearest_names() -> None:
    known = settings(ollama=ProviderSettings(base_url="http://x"), openai=ProviderSettings(base_url="http://x"))
    with pytest.raises(ConfigError, match="Unknown provider 'olama'") as caught:
        create_provider("olama", known, {})
    assert caught.value.hint.startswith("there is: ollama")
    with pytest.raises(ConfigError) as caught:
        create_provider("zzz", known, {})
    assert caught.value.hint == "there is: ollama, openai"


@pytest.mark.parametrize("fields", [{"tool_calls": "text"}])
def test_what_this_version_does_not_have_is_refused_by_name(fields: Any) -> None:
    with pytest.raises(ConfigError, match=r"providers\.x\.(api|tool_calls): \w+ is not part of this version"):
        create_provider("x", settings(x=ProviderSettings(base_url="http://x", **fields)), {})
