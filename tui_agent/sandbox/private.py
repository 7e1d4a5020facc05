"""What no command in a sandbox gets to see: keys and tokens of the home, our own folders, sockets of the machine."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tui_agent.config.locations import locations

_OF_THE_MACHINE: Final = ("/tmp", "/var/tmp", "/run", "/var/run")
"""Temporary files of others, and sockets: whoever may talk to D-Bus or to Docker can run anything outside."""

_STAYS: Final = ("/run/current-system", "/run/booted-system", "/run/wrappers", "/run/opengl-driver", "/run/media")
"""Programs and disks that are there on some systems."""

OF_THE_HOME: Final = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store", ".oci", ".terraform.d", ".colima"),
    *(".netrc", ".git-credentials", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".yarnrc.yml", ".vault-token", ".s3cfg"),
    *(".gem/credentials", ".cargo/credentials", ".cargo/credentials.toml", ".m2/settings.xml", ".config/gh"),
    *(".config/gcloud", ".config/git/credentials", ".config/hub", ".config/glab-cli", ".config/op", ".config/rclone"),
    *(".config/pypoetry/auth.toml", ".config/containers/auth.json", ".config/doctl", ".config/sops", ".config/age"),
    *(".cache/huggingface/token", ".huggingface/token", ".local/share/keyrings", ".local/share/kwalletd"),
    *(".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".mozilla", ".thunderbird"),
    *(".config/Signal", ".config/Slack", ".config/Bitwarden", ".config/1Password", ".config/keepassxc"),
    *(".bash_history", ".zsh_history", ".python_history", ".psql_history", ".mysql_history", ".node_repl_history"),
)
"""Where programs keep keys, tokens, profiles and histories."""


class PrivatePlaces(NamedTuple):
    """What is hidden, as far as it is there: absolute paths without links. `shown` is below it, and is not."""

    folders: tuple[str, ...]
    files: tuple[str, ...]
    shown: tuple[str, ...]


def private_places(environ: Mapping[str, str], *, network: bool = False) -> PrivatePlaces:
    """What is hidden of this machine and of its user's home; with `network` its name servers are not."""
    home = environ.get("HOME", "")
    ours = locations(environ)
    wanted = [*_OF_THE_MACHINE, *map(str, (ours.config, ours.data, ours.state, ours.cache))]
    if home.startswith("/"):
        wanted += [f"{home}/{name}" for name in OF_THE_HOME]
    folders: list[str] = []
    files: list[str] = []
    for path in _real(wanted):
        (folders if Path(path).is_dir() else files).append(path)
    resolver = ("/etc/resolv.conf",) if network else ()
    shown = [path for path in _real((*_STAYS, *resolver)) if any(path.startswith(f"{folder}/") for folder in folders)]
    return PrivatePlaces(tuple(folders), tuple(files), tuple(shown))


def _real(paths: Iterable[str]) -> Iterator[str]:
    """Where they really are, once each, of those that are there."""
    seen = set()
    for path in paths:
        try:
            real = os.path.realpath(path, strict=True)
        except (OSError, ValueError):
            continue
        if real not in seen and real != "/":
            seen.add(real)
            yield real
