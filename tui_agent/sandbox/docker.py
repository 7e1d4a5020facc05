"""Arguments of Docker's command line (docker-run(1)): a container that sees only the project, one for each command."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tui_agent.sandbox.bounds import Bounds
from tui_agent.sandbox.environment import QUIET, command_environment

MOST_PROCESSES: Final = 512
MEMORY: Final = "4g"

_OF_THE_CLIENT: Final = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    "DOCKER_API_VERSION",
)
"""What tells the client where the engine is and how to talk to it (docs.docker.com/reference/cli/docker)."""

_ASKS_ALL: Final = {"TINI_KILL_PROCESS_GROUP": "1"}
"""Docker's init passes a signal on to every process of the group, and not to the shell alone, which would only look at
it when the program that it waits for has ended."""
_IN_ORDER: Final = 'exec "$0" "$@" 2>&1'
"""The engine reads output and errors from two pipes, and would mix up which came first."""


def run_arguments(
    image: str,
    name: str,
    bounds: Bounds,
    directory: str,
    environment: Mapping[str, str],
    passed: Iterable[str],
    shell: Sequence[str],
) -> list[str]:
    """Everything after the program; `passed` names variables that the client passes on.

    `shell` is what runs, with the line at its end. It takes the place of an entry point that the image has.
    """
    values = {**QUIET, **_ASKS_ALL, "HOME": "/tmp", **environment}
    start, *options, _ = shell
    return [
        # Never pulled: that could take minutes, and of an image that was there before nobody has asked for another one.
        # What is printed is ours to bound, and not the engine's to keep.
        *("run", "--rm", "-i", "--init", "--pull", "never", "--log-driver", "none", "--name", name),
        *(() if bounds.network else ("--network", "none")),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--pids-limit", str(MOST_PROCESSES), "--memory", MEMORY, "-u", f"{os.getuid()}:{os.getgid()}"),
        *(word for mount in _mounts(bounds) for word in ("--mount", mount)),
        *(word for key, value in values.items() for word in ("-e", f"{key}={value}")),
        *(word for key in passed for word in ("-e", key)),
        *("-w", directory, "--entrypoint", start, image, *options, _IN_ORDER, *shell),
    ]


def ask_arguments(name: str) -> list[str]:
    """What asks a container to end. Its client is not asked: while the container is being made it would end alone."""
    return ["kill", "--signal", "TERM", name]


def end_arguments(name: str) -> list[str]:
    """What ends a container at once, and leaves nothing of it; also of one that was made and did not start yet."""
    return ["rm", "--force", "--volumes", name]


def image_arguments(image: str) -> list[str]:
    """What says whether an image is there, and so whether the engine is."""
    return ["image", "inspect", "--format", "{{.Id}}", image]


def client_environment(environ: Mapping[str, str], passed: Iterable[str] = ()) -> dict[str, str]:
    """What the client gets: how to find the engine, and the values of the variables that it passes on."""
    return {
        **command_environment(environ),
        **{name: environ[name] for name in (*_OF_THE_CLIENT, *passed) if name in environ},
    }


def _mounts(bounds: Bounds) -> list[str]:
    """The folders of the project at their own places; what contains others comes first."""
    folders = {path: _bind(path, path, bounds.read_only) for path in bounds.writable}
    folders |= {path: _bind(path, path, True) for path in bounds.readable}
    inner: dict[str, str] = {}
    if not bounds.read_only:
        inner |= {path: _bind(path, path, False) for path in bounds.pinned if bounds.shows(path)}
        inner |= {path: _bind(path, path, True) for path in bounds.protected if bounds.shows(path)}
    inner |= {path: _csv("type=tmpfs", f"target={path}") for path in bounds.hidden_folders if _below(path, folders)}
    inner |= {path: _bind(os.devnull, path, True) for path in bounds.hidden_files if _below(path, folders)}
    mounts = inner | folders
    return [mounts[path] for path in sorted(mounts, key=lambda path: (path.count("/"), path))]


def _bind(source: str, target: str, read_only: bool) -> str:
    return _csv("type=bind", f"source={source}", f"target={target}", *(("readonly",) if read_only else ()))


def _csv(*fields: str) -> str:
    """Docker reads a mount as a row of CSV, which unlike `-v` knows paths with colons and commas."""
    return ",".join('"' + field.replace('"', '""') + '"' if set(field) & set(',"\n\r') else field for field in fields)


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)
