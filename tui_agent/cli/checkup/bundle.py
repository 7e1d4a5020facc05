"""The bundle: what a person who helps would ask for, in one file, without secrets and without conversations."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, to_builtins

from tui_agent.cli.checkup.private import anonymiser, shows_variable
from tui_agent.cli.checkup.rows import Report
from tui_agent.cli.checkup.setup import Setup
from tui_agent.cli.checkup.storage import log_files, tail
from tui_agent.config.load import VARIABLES, flatten
from tui_agent.config.locations import CONFIG_VARIABLE, DATA_VARIABLE, locations
from tui_agent.config.model import SECRET_KEYS
from tui_agent.config.problems import shown
from tui_agent.config.providers import key_variable
from tui_agent.conversation.errors import StoreError, TuiAgentError, UsageError
from tui_agent.store.new_file import write_new
from tui_agent.text.redaction import redact_tree
from tui_agent.text.sanitize import sanitize

SESSIONS = 500

# fmt: off
_VARIABLES = (
    *VARIABLES, CONFIG_VARIABLE, DATA_VARIABLE,
    "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR",
    "TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "LC_CTYPE", "TMUX", "STY", "ZELLIJ", "SSH_CONNECTION", "SSH_TTY",
    "DISPLAY", "WAYLAND_DISPLAY",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "OLLAMA_HOST", "AWS_REGION", "AWS_DEFAULT_REGION", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING",
)
# fmt: on


class Member(Struct, frozen=True):
    """One file of the bundle; `about` says what it is."""

    name: str
    about: str
    data: bytes


def refuse_existing(path: Path) -> None:
    """Nothing is ever written over.

    Raises:
        UsageError: something of that name is there.
    """
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already", "name another file: nothing is written over")


def make_bundle(setup: Setup, report: Report, as_text: Callable[[Report], str]) -> list[Member]:
    """The files of the bundle, redacted; `as_text` is the report for people."""
    redact = _safe(anonymiser(setup))
    return list(_members(setup, report.map(redact), as_text, redact))


def write_bundle(path: Path, members: list[Member]) -> int:
    """Write the members to a new ZIP file that only its owner can read; it is there whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        UsageError: something of that name is there.
        TuiAgentError: it cannot be written.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            # Without a time and an owner: both would tell more than was asked.
            archive.writestr(zipfile.ZipInfo(member.name), member.data, zipfile.ZIP_DEFLATED)
    data = buffer.getvalue()
    try:
        write_new(path, data)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TuiAgentError(f"cannot write {path}: {reason}", "name a file in a folder that can be written") from error
    return len(data)


def _safe(redact: Callable[[str], str]) -> Callable[[str], str]:
    """Redacted as it is and once more without what steers a terminal, which might have parted a key in two."""
    return lambda text: redact(sanitize(redact(text)))


def _members(
    setup: Setup, report: Report, as_text: Callable[[Report], str], redact: Callable[[str], str]
) -> Iterator[Member]:
    yield Member("report.txt", "this report", as_text(report).encode("utf-8", "backslashreplace"))
    yield _json("report.json", "the same for programs", to_builtins(report))
    about = "every setting and where it came from; keys, commands and prompts hidden"
    yield _json("settings.json", about, redact_tree(_settings(setup), redact))
    names = {*_VARIABLES, *(key_variable(name, item) for name, item in setup.loaded.settings.providers.items())}
    states = {name: "set" if setup.environ.get(name) else "not set" for name in sorted(filter(_shows, names))}
    yield _json("environment.json", "which variables are set, without their values", redact_tree(states, redact))
    where = locations(setup.environ)
    try:
        sessions = _sessions(where.sessions)
        yield _json("sessions.json", f"ids, times and counts of {len(sessions)} sessions, not a word of them", sessions)
    except StoreError as error:
        yield _json("sessions.json", "why sessions cannot be read", {"error": redact(error.message)})
    for path in log_files(where.logs):
        try:
            text = redact(tail(path))
        except OSError as error:
            text = redact(f"cannot be read: {error}")
        yield Member(f"log/{path.name}", "the end of the log", text.encode("utf-8", "backslashreplace"))


def _shows(name: str) -> bool:
    """Of our own list, or one that looks like a variable."""
    return name in _VARIABLES or shows_variable(name)


def _json(name: str, about: str, value: object) -> Member:
    return Member(name, about, json.dumps(value, indent=2).encode() + b"\n")


def _settings(setup: Setup) -> dict[str, object]:
    rows = [
        {"key": key, "value": _setting(key, value), "origin": setup.loaded.origins.get(key, "default")}
        for key, value in flatten(setup.loaded.settings).items()
    ]
    return {"these_are": setup.instead or "in force", "settings": rows}


def _setting(key: str, value: object) -> object:
    name = key.rpartition(".")[2]
    if not value:
        return value
    if name in SECRET_KEYS or name == "api_key_command" or (name == "api_key_env" and not shows_variable(str(value))):
        return "(hidden)"
    if key == "system_prompt":
        return f"({len(str(value))} characters)"
    return value if isinstance(value, bool | int | float) else shown(value, key, limit=None)


def _sessions(path: Path) -> list[dict[str, object]]:
    from tui_agent.store.inspection import outlines

    return [to_builtins(row) for row in outlines(path, SESSIONS)] if path.exists() else []
