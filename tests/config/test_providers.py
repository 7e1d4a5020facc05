"""A provider's key and address come from settings and environment, and keys stay secret."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.config import providers
from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import base_url, key_variable, resolve_key
from tui_agent.conversation.errors import ProviderError

HOSTED = ProviderSettings(base_url="https://api.example.com/v1")
LOCAL = ProviderSettings(base_url="http://localhost:1234/v1", requires_api_key=False)


def command(code: str) -> ProviderSettings:
    """Settings whose key command is a piece of Python."""
    return ProviderSettings(base_url="https://x/", api_key_command=f'{sys.executable} -c "{code}"')


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("text-generation-webui", "TEXT_GENERATION_WEBUI_API_KEY"),
        ("my.box", "MY_BOX_API_KEY"),
    ],
)
def test_the_variable_is_the_name_in_capitals(name: str, variable: str) -> None:
    assert key_variable(name, HOSTED) == variable


def test_settings_can_name_another_variable() -> None:
    settings = ProviderSettings(base_url="https://x/", api_key_env="AWS_BEARER_TOKEN_BEDROCK")
    assert key_variable("bedrock", settings) == "AWS_BEARER_TOKEN_BEDROCK"
    assert resolve_key("bedrock", settings, {"AWS_BEARER_TOKEN_BEDROCK": "k"}).value == "k"


def test_the_environment_comes_before_the_command_and_the_default() -> None:
    key = resolve_key("mine", command("print('from-command')"), {"MINE_API_KEY": " from-env\n"})
    assert (key.value, key.source) == ("from-env", "environment MINE_API_KEY")
    assert resolve_key("mine", LOCAL, {"MINE_API_KEY": "k"}).value == "k"


def test_a_key_command_gives_its_first_line() -> None:
    key = resolve_key("mine", command("print('the-key'); print('a comment')"), {})
    assert (key.value, key.source) == ("the-key", "command")


def test_a_server_that_takes_any_key_gets_the_default() -> None:
    assert resolve_key("mine", LOCAL, {}).value == "not-needed"
    assert resolve_key("mine", LOCAL, {"MINE_API_KEY": ""}).source == "default"


def test_a_missing_key_says_what_to_export_and_how_to_do_without() -> None:
    with pytest.raises(ProviderError) as caught:
        resolve_key("openai", HOSTED, {})
    error = caught.value
    assert error.kind == "key"
    assert error.message == "API key not found for openai"
    assert "export OPENAI_API_KEY=" in error.hint
    assert "providers:\n  openai:\n    requires_api_key: false" in error.hint


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (command("import sys; print('hush'); sys.exit(3)"), "failed with exit code 3"),
        (command("pass"), "printed nothing"),
        (ProviderSettings(base_url="https://x/", api_key_command="/no/such/program"), "cannot start"),
        (ProviderSettings(base_url="https://x/", api_key_command="'"), "cannot start: it is not a command line"),
        (ProviderSettings(base_url="https://x/", api_key_command="  "), "cannot start: it is not a command line"),
        (command("print('hush hush')"), "has characters that no key has"),
        (command("print('hush\\u00e9')"), "has characters that no key has"),
    ],
)
def test_a_key_command_that_fails_says_how_and_never_shows_its_output(settings: ProviderSettings, reason: str) -> None:
    with pytest.raises(ProviderError) as caught:
        resolve_key("mine", settings, {"PYTHONIOENCODING": "utf-8"})
    assert caught.value.kind == "key"
    assert reason in caught.value.message
    assert "hush" not in caught.value.message + caught.value.hint


def test_a_key_command_is_run_without_a_shell(tmp_path: Path) -> None:
    settings = ProviderSettings(base_url="https://x/", api_key_command=f"echo key; touch {tmp_path / 'made'}")
    with pytest.raises(ProviderError):
        resolve_key("mine", settings, {"PATH": "/usr/bin:/bin"})
    assert not (tmp_path / "made").exists()


def test_a_key_command_that_hangs_is_ended_with_its_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(providers, "COMMAND_SECONDS", 1.0)
    # The pipe ends when nobody is left who could write into it.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    script = tmp_path / "hang.sh"
    script.write_text(f"exec 3>{pipe}\necho started >&3\nsleep 60 &\nwait\n")
    settings = ProviderSettings(base_url="https://x/", api_key_command=f"/bin/sh {script}")
    with pytest.raises(ProviderError, match="did not end within 1 seconds"):
        resolve_key("mine", settings, {"PATH": "/usr/bin:/bin"})
    os.set_blocking(reader, True)
    with open(reader, "rb") as file:
        assert file.read() == b"started\n"


def test_a_key_command_that_never_stops_printing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "COMMAND_SECONDS", 0.5)
    with pytest.raises(ProviderError, match="did not end"):
        resolve_key("mine", ProviderSettings(base_url="https://x/", api_key_command="yes"), {"PATH": "/usr/bin:/bin"})


def test_a_key_is_not_in_reprs() -> None:
    key = resolve_key("mine", HOSTED, {"MINE_API_KEY": "sk-secret"})
    assert "sk-secret" not in f"{key!r} {key}"
    assert "sk-secret" not in repr(ProviderSettings(base_url="https://x/", default_api_key="sk-secret"))


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1", "https://api.example.com/v1/", "https://api.example.com/v1//"]
)
def test_an_address_ends_in_one_slash(url: str) -> None:
    assert base_url(ProviderSettings(base_url=url), {}) == "https://api.example.com/v1/"


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "ap-south-1"}, "ap-south-1"),
        ({"AWS_REGION": "evil.example/"}, "us-east-1"),
    ],
)
def test_the_region_is_filled_in(environ: dict[str, str], region: str) -> None:
    settings = ProviderSettings(base_url="https://bedrock-runtime.{region}.amazonaws.com/openai/v1")
    assert base_url(settings, environ) == f"https://bedrock-runtime.{region}.amazonaws.com/openai/v1/"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://localhost:11434/v1/"),
        ("box", "http://box:11434/v1/"),
        ("box:9000", "http://box:9000/v1/"),
        (":9000", "http://localhost:9000/v1/"),
        ("0.0.0.0", "http://localhost:11434/v1/"),
        ("0.0.0.0:9000", "http://localhost:9000/v1/"),
        ("http://box", "http://box:80/v1/"),
        ("https://box", "https://box:443/v1/"),
        ("https://box:9000/ollama/", "https://box:9000/ollama/v1/"),
        ("[::1]", "http://[::1]:11434/v1/"),
        ("[::1]:9000", "http://[::1]:9000/v1/"),
        ("::1", "http://[::1]:11434/v1/"),
        ("[::]:9000", "http://[::1]:9000/v1/"),
        ("box:99999", "http://box:11434/v1/"),
        ('"box:9000"', "http://box:9000/v1/"),
        ("ftp://box", "http://localhost:11434/v1/"),
    ],
)
def test_ollama_host_counts_for_the_shipped_address(host: str, url: str) -> None:
    assert base_url(ProviderSettings(base_url="http://localhost:11434/v1"), {"OLLAMA_HOST": host}) == url


def test_ollama_host_does_not_touch_an_address_of_your_own() -> None:
    assert base_url(LOCAL, {"OLLAMA_HOST": "box"}) == "http://localhost:1234/v1/"


@given(host=st.text(max_size=30))
def test_any_ollama_host_gives_an_http_address(host: str) -> None:
    url = base_url(ProviderSettings(base_url="http://localhost:11434/v1/"), {"OLLAMA_HOST": host})
    assert url.startswith(("http://", "https://")) and url.endswith("/v1/")


def test_an_embedded_model_has_no_address() -> None:
    assert base_url(ProviderSettings(api="embedded"), {"OLLAMA_HOST": "box"}) == ""
