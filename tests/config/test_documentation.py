"""docs/configuration.md tells every key as it is defined, and its example is right."""

import re
from pathlib import Path

import yaml

from tui_agent.config.load import VARIABLES, load_settings
from tui_agent.config.locations import shipped_config
from tui_agent.config.schema import Key, keys

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def row(key: Key) -> str:
    """The line of the page's tables for one key."""
    return f"| `{key.key}` | {key.type} | {f'`{key.default}`' if key.default else ''} | {key.doc} |"


def test_every_key_has_its_row_with_type_default_and_meaning() -> None:
    missing = [row(key) for key in keys() if row(key) not in PAGE.splitlines()]
    assert missing == []


def test_no_row_is_about_a_key_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `([a-zA-Z_.]+)` \|.*\|.*\|.*\|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(key.key for key in keys())


def test_every_key_has_a_meaning() -> None:
    assert all(key.doc.endswith(".") and key.type != "a value" for key in keys())


def test_every_variable_and_preset_is_on_the_page() -> None:
    assert all(f"`{name}`" in PAGE for name in VARIABLES)
    presets = yaml.safe_load(shipped_config().read_text())["providers"]
    assert all(f"`{name}`" in PAGE for name in presets)


def test_the_examples_are_valid_settings(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        file = tmp_path / "example.yaml"
        file.write_text(example)
        load_settings(config_file=file, project_dir=None, environ={}, flags={})
