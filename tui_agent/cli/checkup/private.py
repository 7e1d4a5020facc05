"""What must not leave this machine: keys and passwords, and the names of the person and the host."""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tui_agent.cli.checkup.setup import Setup
from tui_agent.config.documents import read_bytes
from tui_agent.config.problems import InvalidConfig
from tui_agent.config.providers import key_variable
from tui_agent.text.own_keys import STAND_INS
from tui_agent.text.redaction import redactor

_SECRET_NAME = re.compile(r"key|token|secret|passw|passphrase|credential|auth|cookie|private", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://([^\s/@:]*):([^\s/@]+)@")
_ENTRY = re.compile(r"""["']?\b([\w.-]*(?:key|token|secret|passw)[\w.-]*)["']?[ \t]*:[ \t]*(\S[^\n]*)""", re.IGNORECASE)


def secret_hider(setup: Setup) -> Callable[[str], str]:
    """Takes keys and passwords out of a text, and nothing else."""
    return redactor(_secrets(setup))


def anonymiser(setup: Setup) -> Callable[[str], str]:
    """Takes keys and passwords out of a text, and the home folder, the user's and the host's name."""
    users, homes = _person(setup.environ)
    hosts = {socket.gethostname(), os.uname().nodename, setup.environ.get("HOSTNAME", "")}
    return redactor(_secrets(setup), homes, users, hosts | {name.partition(".")[0] for name in hosts})


def shows_variable(name: str) -> bool:
    """Whether what is configured as the name of a variable looks like one, and not like a key in the wrong place."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]{0,59}", name) is not None


def _secrets(setup: Setup) -> set[str]:
    providers, environ = setup.loaded.settings.providers, setup.environ
    found = {value for name, value in environ.items() if _SECRET_NAME.search(name)}
    for value in environ.values():
        found.update(part for match in _URL_PASSWORD.finditer(value) for part in (match[2], f"{match[1]}:{match[2]}"))
    for name, provider in providers.items():
        found |= {environ.get(key_variable(name, provider), ""), provider.default_api_key, provider.api_key_command}
        found |= {provider.api_key_env} if not shows_variable(provider.api_key_env) else set()
    for path in setup.files:
        found.update(_written(path, environ))
    return {value for value in found if value.strip().lower() not in STAND_INS | {name.lower() for name in providers}}


def _written(path: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """What stands in a settings file where a key would, whether the file is right or not."""
    try:
        text = (read_bytes(path) or b"").decode("utf-8", "replace")
    except InvalidConfig:
        return
    for match in _ENTRY.finditer(text):
        value = re.sub(r"\s+#.*", "", match[2]).strip()
        for part in (value, re.split(r"[,}]", value)[0]):
            text = part.strip().strip("\"'")
            if match[1] == "api_key_env" and shows_variable(text):
                yield environ.get(text, "")
            elif match[1] != "requires_api_key":
                yield text


def _person(environ: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The names of the user, and the home folders."""
    users = {environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    homes = {environ.get("HOME", "")}
    try:
        import pwd

        entry = pwd.getpwuid(os.getuid())
        users |= {entry.pw_name, entry.pw_gecos.partition(",")[0]}
        homes.add(entry.pw_dir)
    except (ImportError, KeyError):
        pass  # a user that the system does not know
    homes |= {os.path.realpath(home) for home in homes if home}
    return users, homes
