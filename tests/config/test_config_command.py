"""`tui-agent config` tells what is in force, where it came from, and what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Command:
    """The command line as a user runs it, with folders of its own."""

    def __init__(self, root: Path) -> None:
        self.config = root / "config"
        self.project = root / "project"
        self.config.mkdir()
        self.project.mkdir()
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("TUI_AGENT_")} | {
            "TUI_AGENT_CONFIG_DIR": str(self.config),
            "TUI_AGENT_DATA_DIR": str(root / "data"),
            "PYTHONPATH": str(ROOT),
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tui_agent.cli.main", "config", *words],
            cwd=self.project,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def config(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_show_tells_value_and_origin_of_every_key_and_hides_keys(config: Command) -> None:
    long = "x" * 200
    (config.config / "config.yaml").write_text(
        f"providers:\n  ollama:\n    default_api_key: sk-secret\n    timeout: 90\nsystem_prompt: {long}\n"
    )
    done = config("show")
    assert done.returncode == 0
    assert "sk-secret" not in done.stdout
    rows = dict(line.rsplit("  # ", 1) for line in done.stdout.splitlines())
    origins = {row.strip(): origin for row, origin in rows.items()}
    assert origins["providers.ollama.timeout: 90"] == f"{config.config / 'config.yaml'}:4"
    assert origins["providers.ollama.default_api_key: (hidden)"] == f"{config.config / 'config.yaml'}:3"
    assert origins["mode: ask"] == "shipped"
    assert origins["ui.mouse: true"] == "default"
    assert f"system_prompt: {long}" in origins


def test_show_as_json_is_for_programs(config: Command) -> None:
    (config.config / "config.yaml").write_text("providers: {ollama: {default_api_key: sk-secret, timeout: 90}}\n")
    done = config("show", "--json")
    shown = json.loads(done.stdout)
    assert shown["providers.ollama.timeout"]["value"] == 90
    assert shown["providers.ollama.models"] == {"value": [], "origin": "default"}
    assert "sk-secret" not in done.stdout


def test_show_of_a_broken_file_is_one_clear_message(config: Command) -> None:
    (config.config / "config.yaml").write_text("modee: ask\n")
    done = config("show")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"{config.config / 'config.yaml'}:1: modee: unknown key; did you mean mode?" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_of_right_files_says_so(config: Command) -> None:
    done = config("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "settings are right" in done.stdout


def test_check_finds_the_mistakes_of_settings_project_and_themes_at_once(config: Command) -> None:
    (config.config / "config.yaml").write_text("modee: ask\n")
    (config.project / ".tui-agent").mkdir()
    (config.project / ".tui-agent" / "config.yaml").write_text("permissions: {deny: rm}\n")
    (config.config / "themes").mkdir()
    (config.config / "themes" / "mine.yaml").write_text("name: mine\n")
    done = config("check")
    assert done.returncode == 2
    assert "config.yaml:1: modee: unknown key; did you mean mode?" in done.stderr
    assert "config.yaml:1: permissions.deny: expected a list, found rm" in done.stderr
    assert "mine.yaml:1: accent: this key is missing" in done.stderr
    assert done.stdout == ""
    told = json.loads(config("check", "--json").stdout)
    assert told["ok"] is False
    assert {"source", "line", "key", "problem"} == told["problems"][0].keys()
    assert len(told["problems"]) > 20


def test_what_a_project_asks_for_and_does_not_get_is_named(config: Command) -> None:
    (config.project / ".tui-agent").mkdir()
    (config.project / ".tui-agent" / "config.yaml").write_text("mode: plan\nmodel: x\n")
    done = config("check")
    assert done.returncode == 0
    assert "this project asks for 1 setting that is not in force: model" in done.stderr
    assert "model" in json.loads(config("check", "--json").stdout)["held_back"]
    shown = config("show")
    assert "not in force: model" in shown.stderr
    (line,) = (line for line in shown.stdout.splitlines() if line.startswith("# not in force"))
    assert line.startswith("# not in force: model: x ") and line.endswith("config.yaml:2")


def test_check_names_a_theme_that_is_not_there(config: Command) -> None:
    (config.config / "config.yaml").write_text("ui:\n  theme: slat\n")
    done = config("check")
    assert done.returncode == 2
    assert f"{config.config / 'config.yaml'}:2: ui.theme: no theme is called slat; did you mean slate?" in done.stderr


def test_config_and_working_dir_flags_choose_other_files(config: Command, tmp_path: Path) -> None:
    other, project = tmp_path / "other.yaml", tmp_path / "elsewhere"
    other.write_text("model: from-other\n")
    (project / ".tui-agent").mkdir(parents=True)
    (project / ".tui-agent" / "config.yaml").write_text("max_iterations: 7\n")
    shown = json.loads(config("show", "--json", "--config", str(other), "-w", str(project)).stdout)
    assert shown["model"]["origin"] == f"{other}:1"
    assert shown["max_iterations"]["value"] == 7


def test_path_tells_where_everything_is_and_makes_nothing(config: Command, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    told = json.loads(config("path", "--json").stdout)
    assert told["settings"] == {"path": str(config.config / "config.yaml"), "exists": False}
    assert told["shipped settings"]["exists"] is True
    assert str(config.config / "config.yaml") in config("path").stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_schema_explains_every_key_and_is_a_json_schema_with_json(config: Command) -> None:
    text = config("schema").stdout
    assert "providers.NAME.timeout: 60\n    a number of seconds above 0" in text
    schema = json.loads(config("schema", "--json").stdout)
    timeout = schema["$defs"]["ProviderSettings"]["properties"]["timeout"]
    assert timeout["exclusiveMinimum"] == 0
    assert timeout["description"].startswith("Seconds without a byte")
    assert schema["$defs"]["Settings"]["additionalProperties"] is False


@pytest.mark.parametrize("verb", ["show", "check", "path", "schema"])
def test_every_command_has_help_with_an_example(config: Command, verb: str) -> None:
    done = config(verb, "--help")
    assert done.returncode == 0
    assert f"tui-agent config {verb}" in done.stdout.split("example:")[1]


def test_check_names_a_key_binding_for_what_is_no_action_with_file_and_line(config: Command) -> None:
    path = config.config / "config.yaml"
    path.write_text("ui:\n  keys:\n    chat.send: ctrl+x\n    chat.interupt: f8\n")
    done = config("check")
    assert done.returncode == 2
    assert f"{path}:4: ui.keys.chat.interupt: " in done.stderr
    assert "the nearest is chat.interrupt" in done.stderr


def test_a_configuration_folder_that_is_a_file_is_named_and_not_taken_for_none(config: Command) -> None:
    config.config.rmdir()
    config.config.write_text("provider: ollama\n")
    done = config("check")
    assert done.returncode == 2
    assert f"{config.config / 'config.yaml'}: the folder it should be in is not a folder" in done.stderr
