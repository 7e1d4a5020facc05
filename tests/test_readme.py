"""What the README says is true: its commands run, its configuration loads, its claims hold."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import PROGRAM, Machine
from tui_agent.config.load import load_settings
from tui_agent.config.locations import locations
from tui_agent.providers.embedded.catalogue import DEFAULT_MODEL, find_model
from tui_agent.providers.embedded.download import installed

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line[2:] for line in README.splitlines() if line.startswith("$ ")]
INSTALLING = [command for command in COMMANDS if "pip install" in command]
RUNNING = [command for command in COMMANDS if "pip install" not in command]
TO_USE, TO_USE_ALONE, TO_TEST = INSTALLING


def test_each_of_the_commands_that_install_does_the_whole_of_its_job() -> None:
    assert TO_USE.endswith("&& tui-agent")
    assert TO_USE_ALONE.endswith("&& tui-agent --provider embedded")
    assert TO_TEST.endswith("&& python -m pytest")


def test_continuous_integration_calls_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert TO_TEST.partition("&& ")[2] in script.splitlines()


@pytest.mark.parametrize("command", RUNNING)
def test_each_example_runs(command: str, tmp_path: Path) -> None:
    with ChatServer([reply_text("An answer.")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url})
        (made.project / "README.md").write_text("a shop\n")
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", *words], cwd=made.project, check=True)
        (made.project / "README.md").write_text("a better shop\n")
        assert made.run("invoke", "-m", "an earlier session").returncode == 0
        program = " ".join(map(shlex.quote, PROGRAM))
        line = re.sub(r"(^|\| )tui-agent ", rf"\1{program} ", command)
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=made.project,
            env=made.environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_configuration_example_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "config.yaml"
    file.write_text(example)
    loaded = load_settings(config_file=file, project_dir=None, environ={}, flags={})
    assert loaded.settings.provider == "workstation"
    assert loaded.settings.providers["workstation"].base_url.startswith("http://192.168.1.20")


def test_every_page_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_the_shipped_presets_are_as_many_as_the_changelog_says() -> None:
    loaded = load_settings(
        config_file=None, project_dir=None, environ={"TUI_AGENT_CONFIG_DIR": "/nonexistent"}, flags={}
    )
    assert len(loaded.settings.providers) == 16
    assert "presets for sixteen providers" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_the_first_command_brings_the_ui_up_in_a_fresh_environment(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    copy = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    path = f"{tmp_path / 'venv' / 'bin'}:{made.environ['PATH']}"
    with Terminal(["bash", "-c", TO_USE], env={**made.environ, "PATH": path}, cwd=str(copy)) as terminal:
        terminal.wait_for("every write and every command asks", timeout=240)
        terminal.send("\x11")
        assert terminal.wait_exit() == 0


@pytest.mark.model
def test_the_embedded_command_answers_without_server_or_key(tmp_path: Path) -> None:
    model = find_model(DEFAULT_MODEL)
    there = installed(model, locations().models)
    if there is None:
        pytest.skip(f"{DEFAULT_MODEL} is not there: tui-agent models pull {DEFAULT_MODEL}")
    made = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})
    folder = Path(made.environ["TUI_AGENT_DATA_DIR"], "models")
    folder.mkdir(parents=True)
    (folder / model.file_name).symlink_to(there)  # downloading it has tests of its own
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    copy = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", ROOT, copy], check=True)
    (copy / "secret.txt").write_text("The word of the day is marmalade.\n")
    path = f"{tmp_path / 'venv' / 'bin'}:{made.environ['PATH']}"
    with Terminal(["bash", "-c", TO_USE_ALONE], env={**made.environ, "PATH": path}, cwd=str(copy)) as terminal:
        terminal.wait_for("every write and every command asks", timeout=240)
        terminal.send("Which word does secret.txt name?\r")
        terminal.wait_for("read_file", timeout=120)
        terminal.wait_for("marmalade", timeout=60)
        terminal.send("\x11")
        assert terminal.wait_exit() == 0
