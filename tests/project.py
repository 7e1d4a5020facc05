"""A user's machine for tests: a home folder with a configuration, a project folder, and the program run in it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]

PROGRAM = [sys.executable, "-P", "-m", "tui_agent.cli.main"]
"""`-P`: the folder that is worked in lends no modules, as it lends none to the installed program."""


@dataclass(frozen=True)
class Machine:
    """`home` holds configuration and data; `project` is the folder that is worked in."""

    home: Path
    project: Path

    @classmethod
    def under(cls, root: Path, providers: Mapping[str, str], start: str = "", **settings: object) -> "Machine":
        """Set up below `root` with providers by name and URL; `start` is the one to start with."""
        machine = cls(root / "home", root / "shop")
        (machine.home / "config").mkdir(parents=True)
        machine.project.mkdir()
        machine.configure(
            {
                "provider": start or next(iter(providers), "auto"),
                "providers": {
                    name: {
                        "base_url": url,
                        "default_model": "fake-model",
                        "requires_api_key": False,
                        "max_retries": 0,
                        "start_hint": "start-fake --now",
                    }
                    for name, url in providers.items()
                },
                **settings,
            }
        )
        return machine

    def configure(self, settings: Mapping[str, object]) -> None:
        """Write the user's settings, as an editor would: whole and renamed into place."""
        path = self.home / "config" / "config.yaml"
        temporary = path.with_suffix(".new")
        temporary.write_text(yaml.safe_dump(dict(settings)))
        temporary.replace(path)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the program: nothing of the machine that runs the tests but PATH, and this checkout."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "HOME": str(self.home),
            "TUI_AGENT_CONFIG_DIR": str(self.home / "config"),
            "TUI_AGENT_DATA_DIR": str(self.home / "data"),
        }

    def run(self, *words: str, stdin: str | None = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end."""
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.project,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
