"""Paths follow the platform, can be moved for tests, and point nowhere without a home."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tui_agent.config.locations import locations, project_config, shipped_config, shipped_themes

ROOT = Path(__file__).parents[2]


def test_two_variables_move_everything(tmp_path: Path) -> None:
    where = locations({"TUI_AGENT_CONFIG_DIR": str(tmp_path / "c"), "TUI_AGENT_DATA_DIR": str(tmp_path / "d")})
    assert where.user_config == tmp_path / "c" / "config.yaml"
    assert where.user_themes == tmp_path / "c" / "themes"
    for path in (where.sessions, where.prompt_history, where.logs, where.cache):
        assert path.is_relative_to(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locations({"TUI_AGENT_CONFIG_DIR": "c", "TUI_AGENT_DATA_DIR": "d"}).config == tmp_path / "c"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG")
def test_linux_has_xdg_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    where = locations({})
    assert where.config == tmp_path / ".config" / "tui-agent"
    assert where.sessions == tmp_path / ".local" / "share" / "tui-agent" / "sessions.db"
    assert where.prompt_history.is_relative_to(tmp_path / ".local" / "state" / "tui-agent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.promise("P31")
def test_without_a_home_nothing_is_read_from_a_shared_place() -> None:
    code = (
        "import os, pwd\n"
        "pwd.getpwuid = lambda uid: (_ for _ in ()).throw(KeyError(uid))\n"
        "from tui_agent.config.locations import locations\n"
        "from tui_agent.config.load import load_settings\n"
        "where = locations()\n"
        "assert all(path.is_absolute() for path in (where.config, where.data, where.state, where.cache)), where\n"
        "assert not where.user_config.exists()\n"
        "load_settings(config_file=None, project_dir=None, environ=os.environ, flags={})\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "HOME" and not name.startswith("XDG_")}
    environ.pop("TUI_AGENT_CONFIG_DIR", None), environ.pop("TUI_AGENT_DATA_DIR", None)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, check=True, timeout=30)


def test_a_project_has_its_own_file(tmp_path: Path) -> None:
    assert project_config(tmp_path) == tmp_path / ".tui-agent" / "config.yaml"


def test_shipped_files_are_found_in_the_source_tree() -> None:
    assert shipped_config() == ROOT / "config.yaml"
    assert shipped_themes() == ROOT / "themes"


def test_shipped_files_are_found_in_an_installed_package(tmp_path: Path) -> None:
    # What an installed wheel looks like: the package with its defaults, and no source tree around it.
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (ROOT / "tui_agent").rglob("*.py"):
            file.write(path, path.relative_to(ROOT))
        file.write(ROOT / "config.yaml", "tui_agent/defaults/config.yaml")
        for path in (ROOT / "themes").glob("*.yaml"):
            file.write(path, f"tui_agent/defaults/themes/{path.name}")
    site = tmp_path / "site"
    with zipfile.ZipFile(archive) as file:
        file.extractall(site)
    code = "from tui_agent.config.locations import *; print(shipped_config()); print(shipped_themes())"
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout
    defaults = site / "tui_agent" / "defaults"
    assert output.splitlines() == [str(defaults / "config.yaml"), str(defaults / "themes")]


def test_loading_settings_needs_neither_watchfiles_nor_subprocess() -> None:
    code = (
        "import os, sys\n"
        "from tui_agent.config.load import load_settings\n"
        "load_settings(config_file=None, project_dir=None, environ=os.environ, flags={})\n"
        "heavy = {'watchfiles', 'subprocess', 'difflib', 'asyncio', 'textual', 'openai'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)
