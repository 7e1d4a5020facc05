"""The one owner of paths: where settings, themes, sessions and shipped defaults are. Nothing is created here."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from tui_agent.conversation.errors import ConfigError

APP = "tui-agent"
CONFIG_VARIABLE = "TUI_AGENT_CONFIG_DIR"
DATA_VARIABLE = "TUI_AGENT_DATA_DIR"

_PACKAGE = Path(__file__).resolve().parent.parent
_NOWHERE = Path("/nonexistent") / APP


class Locations(Struct, frozen=True):
    """The folders of one user; any of them may be missing or read-only."""

    config: Path
    data: Path
    state: Path
    cache: Path

    @property
    def user_config(self) -> Path:
        """The user's settings file."""
        return self.config / "config.yaml"

    @property
    def user_themes(self) -> Path:
        """The user's own themes."""
        return self.config / "themes"

    @property
    def sessions(self) -> Path:
        """The database of sessions."""
        return self.data / "sessions.db"

    @property
    def snapshots(self) -> Path:
        """What files of projects were like before calls changed them."""
        return self.data / "snapshots"

    @property
    def models(self) -> Path:
        """Where downloaded models are."""
        return self.data / "models"

    @property
    def engines(self) -> Path:
        """Where the embedded engines that run can be reached."""
        return self.state / "engines"

    @property
    def prompts(self) -> Path:
        """What embedded models have read of prompts."""
        return self.cache / "prompts"

    @property
    def prompt_history(self) -> Path:
        """What was typed into the prompt, one JSON text a line."""
        return self.state / "prompt-history.jsonl"

    @property
    def trust(self) -> Path:
        """Which files of projects the user has trusted."""
        return self.state / "trust"

    @property
    def logs(self) -> Path:
        """Where diagnostic logs go."""
        return self.state / "log"


def locations(environ: Mapping[str, str] | None = None) -> Locations:
    """The folders of this user, by the rules of the platform (XDG on Linux).

    `TUI_AGENT_CONFIG_DIR` and `TUI_AGENT_DATA_DIR` replace them; state and cache then live below the data folder.
    Without a home folder the paths point nowhere, so that nothing is read from or written to a shared place.
    """
    environ = os.environ if environ is None else environ
    config, data = environ.get(CONFIG_VARIABLE), environ.get(DATA_VARIABLE)
    if config and data:
        return Locations(_absolute(config), *_below(data))
    from platformdirs import PlatformDirs

    dirs = PlatformDirs(APP, appauthor=False)
    return Locations(
        _absolute(config) if config else _or_nowhere(lambda: dirs.user_config_path, "config"),
        *(
            _below(data)
            if data
            else (
                _or_nowhere(lambda: dirs.user_data_path, "data"),
                _or_nowhere(lambda: dirs.user_state_path, "state"),
                _or_nowhere(lambda: dirs.user_cache_path, "cache"),
            )
        ),
    )


def project_config(folder: Path) -> Path:
    """The settings file of a project."""
    return folder / ".tui-agent" / "config.yaml"


def shipped_config() -> Path:
    """The shipped settings: inside an installed package, else at the top level of the source tree.

    Raises:
        ConfigError: the installation is incomplete.
    """
    return _shipped("config.yaml")


def shipped_themes() -> Path:
    """The folder of shipped themes; found and failing like `shipped_config`."""
    return _shipped("themes")


def _shipped(name: str) -> Path:
    for root in (_PACKAGE / "defaults", _PACKAGE.parent):
        if (path := root / name).exists():
            return path
    raise ConfigError(f"the shipped {name} is missing from this installation", "install tui-agent again")


def _below(data: str) -> tuple[Path, Path, Path]:
    root = _absolute(data)
    return root, root / "state", root / "cache"


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`, resolve reads the disk


def _or_nowhere(find: Callable[[], Path], kind: str) -> Path:
    # Without any home folder platformdirs raises, or answers `~/.config/…` unexpanded.
    try:
        path = find()
    except RuntimeError:
        return _NOWHERE / kind
    return path if path.is_absolute() else _NOWHERE / kind
