"""`docs/providers.md` says what the program does."""

import re
from pathlib import Path

import yaml

from tui_agent.config.load import load_settings
from tui_agent.config.locations import shipped_config
from tui_agent.config.providers import key_variable
from tui_agent.providers.failures import Endpoint
from tui_agent.providers.ollama_facts import cut_notice

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
SETTINGS = load_settings(config_file=None, project_dir=None, environ={}, flags={}).settings


def test_the_examples_are_valid_settings(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        file = tmp_path / "example.yaml"
        file.write_text(example)
        load_settings(config_file=file, project_dir=None, environ={}, flags={})


def test_every_preset_is_there_with_its_address_and_what_starts_it() -> None:
    presets = yaml.safe_load(shipped_config().read_text())["providers"]
    for name, provider in SETTINGS.providers.items():
        assert f"`{name}`" in PAGE
        if provider.start_hint and "Jan" not in provider.start_hint:
            address = Endpoint(name, provider, provider.base_url, "").address
            assert re.search(rf"\| `{name}` \| `{address}`.* \| `{re.escape(provider.start_hint)}` \|", PAGE)
        if presets[name].get("api_key_env"):
            assert f"`{key_variable(name, provider)}`" in PAGE


def test_the_shown_notice_is_the_one_that_is_given() -> None:
    notice = cut_notice("ollama", 2050, 12_800, 4096, None)
    assert f"{notice.text}\n  {notice.hint}\n" in PAGE


def test_the_shipped_ollama_is_as_described() -> None:
    ollama = SETTINGS.providers["ollama"]
    assert (ollama.api, ollama.context_length) == ("ollama", None)
    assert [name for name, provider in SETTINGS.providers.items() if provider.api == "ollama"] == ["ollama"]


def test_every_row_of_the_test_is_on_the_page() -> None:
    source = (Path(__file__).parents[2] / "tui_agent" / "providers" / "checks.py").read_text()
    rows = set(re.findall(r'Check\(\s*"([a-z ]+)"', source)) | set(re.findall(r'"(tool[a-z ]+)", model', source))
    assert rows >= {"key", "models", "verdict", "tools as text"}
    assert [row for row in sorted(rows) if f"`{row}`" not in PAGE] == []
