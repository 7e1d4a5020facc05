"""Which client the settings make."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.chat_server import ChatServer, reply_text
from tests.fakes.ollama_server import OllamaServer
from tests.providers.support import HI, end_of, text_of
from tui_agent.config.load import load_settings
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ConfigError, ProviderError
from tui_agent.providers.factory import create_provider
from tui_agent.providers.protocol import PrimingProvider


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


@pytest.mark.parametrize("ending", ["", "v1", "v1/"])
async def test_ollamas_own_protocol_is_spoken_where_it_is_set(ending: str) -> None:
    with OllamaServer([reply_text("yes")]) as server:
        here = ProviderSettings(
            base_url=server.url.removesuffix("v1/") + ending, requires_api_key=False, api="ollama", context_length=8192
        )
        provider = create_provider("mine", settings(mine=here), {})
        assert (provider.name, provider.local) == ("mine", True)
        assert text_of([event async for event in provider.stream(HI)]) == "yes"
        await provider.aclose()
    assert server.requests[0].path == "/api/chat"
    assert server.bodies[0]["options"] == {"num_ctx": 8192}


async def test_the_shipped_ollama_speaks_its_own_protocol_at_an_address_that_a_user_gives(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    with OllamaServer([reply_text("yes")]) as native, ChatServer([reply_text("yes")]) as other:
        for server, path in ((native, "/api/chat"), (other, "/v1/chat/completions")):
            file.write_text(f'providers:\n  ollama:\n    base_url: "{server.url}"\n')
            loaded = load_settings(config_file=file, project_dir=None, environ={}, flags={}).settings
            provider = create_provider("ollama", loaded, {})
            assert text_of([event async for event in provider.stream(HI)]) == "yes"
            assert [seen.path for seen in server.requests] == [path]
            await provider.aclose()


CALL = '```json\n{"name": "read_file", "arguments": {"file_path": "a.py"}}\n```'


@pytest.mark.parametrize(
    ("style", "offered", "taken"), [("auto", True, 1), ("text", False, 1), ("native", True, 0), ("off", False, 0)]
)
async def test_tools_are_offered_and_calls_taken_as_the_settings_say(style: Any, offered: bool, taken: int) -> None:
    with ChatServer([reply_text(CALL)]) as server:
        here = ProviderSettings(base_url=server.url, requires_api_key=False, tool_calls=style)
        provider = create_provider("mine", settings(mine=here), {})
        events = [event async for event in provider.stream(HI)]
        await provider.aclose()
    assert text_of(events) == ("" if taken else CALL)
    assert len(end_of(events).calls) == taken
    assert ("tools" in server.bodies[0]) == offered
    assert ("read_file" in json.dumps(server.bodies[0]["messages"])) == (style == "text")


def test_only_a_provider_that_can_read_ahead_seems_to() -> None:
    here = settings(here=ProviderSettings(api="embedded"), there=ProviderSettings(base_url="http://x"))
    assert isinstance(create_provider("here", here, {}), PrimingProvider)
    assert not isinstance(create_provider("there", here, {}), PrimingProvider)
