"""Which sandbox commands run in: tried by running it once, not by looking whether it is installed."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal

from tui_agent.conversation.errors import UsageError
from tui_agent.sandbox.bounds import Bounds
from tui_agent.sandbox.docker import client_environment, image_arguments
from tui_agent.sandbox.enclosure import Enclosure, Sandbox, launch
from tui_agent.sandbox.private import private_places
from tui_agent.sandbox.programs import find_program

Wanted = Literal["auto", "bwrap", "docker", "off"]

IMAGE_VARIABLE: Final = "DOCKER_IMAGE"
PASSED_VARIABLE: Final = "DOCKER_ENV_VARS"
TRY_SECONDS: Final = 5.0
DOCKER_SECONDS: Final = 30.0

_INSTALL: Final = (
    "install it (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap; Arch: pacman -S bubblewrap), "
    "or choose --sandbox off"
)
_SILENT: Final = "exit code 1"
"""What is wrong with a program that ends so and says nothing."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def choose(wanted: Wanted, roots: Sequence[str], environ: Mapping[str, str] | None = None) -> Sandbox:
    """The sandbox for commands that may write in `roots`, of which the first is the working directory.

    `auto` is bubblewrap where that works, else none, with the reason. What was tried is not tried again by this
    process. Blocks: milliseconds for bubblewrap, up to seconds for a container.

    Raises:
        UsageError: the one that was asked for by name cannot be used.
    """
    environ = os.environ if environ is None else environ
    if wanted == "off":
        return Sandbox()
    if wanted == "docker":
        return _docker(roots, environ)
    sandbox, hint = _bwrap(roots, environ)
    if wanted == "bwrap" and not sandbox.on:
        raise UsageError(f"there is no sandbox bwrap: {sandbox.reason}", hint)
    return sandbox


def _bwrap(roots: Sequence[str], environ: Mapping[str, str]) -> tuple[Sandbox, str]:
    """The sandbox, off with a reason if it does not work, and then what can be done."""
    if sys.platform != "linux":
        return Sandbox(reason="bubblewrap needs Linux"), "choose --sandbox docker or --sandbox off"
    if "/" in roots:
        return Sandbox(reason="commands may write in /, so it would keep nothing in"), "work in a folder of your own"
    program = find_program("bwrap", Path(roots[0]))
    if not program:
        return Sandbox(reason="bubblewrap is not installed"), _INSTALL
    trouble = _tried(program, tuple(roots), environ.get("HOME", ""))
    if trouble:
        hint = "the system may forbid user namespaces (in a container it often does); or choose --sandbox off"
        return Sandbox(reason=f"bubblewrap does not work here: {trouble}"), hint
    return Sandbox("bwrap", program), ""


@cache
def _tried(program: str, roots: tuple[str, ...], home: str) -> str:
    """Why it does not work, or ""."""
    environ = {**os.environ, "HOME": home}
    private = private_places(environ)
    bounds = Bounds(roots, private.shown, hidden_folders=private.folders, hidden_files=private.files)
    enclosure = Enclosure(Sandbox("bwrap", program), bounds)
    arguments, environment, _ = launch(enclosure, "test ! -w /", roots[0], environ, "")
    return _trouble(arguments, environment, roots[0], TRY_SECONDS)


def _docker(roots: Sequence[str], environ: Mapping[str, str]) -> Sandbox:
    image = environ.get(IMAGE_VARIABLE, "").strip()
    if not image or image.startswith("-"):
        raise UsageError(
            f"a sandbox of docker needs an image, and {IMAGE_VARIABLE} names none", f"{IMAGE_VARIABLE}=debian:stable"
        )
    passed = tuple(filter(None, map(str.strip, environ.get(PASSED_VARIABLE, "").split(","))))
    if wrong := [name for name in passed if not _NAME.fullmatch(name)]:
        raise UsageError(
            f"{PASSED_VARIABLE} holds {wrong[0][:100]!a}, which is no variable's name", "separate names by commas"
        )
    program = find_program("docker", Path(roots[0]))
    if not program:
        raise UsageError(
            "there is no sandbox docker: docker is not installed", "install Docker, or choose --sandbox bwrap or off"
        )
    sandbox = Sandbox("docker", program, image, passed)
    trouble, hint = _docker_tried(sandbox, roots[0], tuple(sorted(client_environment(environ, passed).items())))
    if trouble:
        raise UsageError(f"there is no sandbox docker: {trouble}", hint)
    return sandbox


@cache
def _docker_tried(sandbox: Sandbox, directory: str, client: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Why the engine cannot run a shell in the image, and what can be done; empty when it can."""
    environment = dict(client)
    image = sandbox.image
    if trouble := _trouble([sandbox.program, *image_arguments(image)], environment, "/", DOCKER_SECONDS):
        if "no such" in trouble.lower():
            return f"the image {image} is not there", f"docker pull {image}"
        return f"the engine does not answer: {trouble}", "start it, and see that you may use it: docker info"
    # Where the engine gives its users other ids than they have here, the project would be there and closed.
    command = "test -w ." if os.access(directory, os.W_OK) else "true"
    launched = launch(Enclosure(sandbox, Bounds((directory,))), command, directory, environment, secrets.token_hex(16))
    if trouble := _trouble(launched.arguments, environment, "/", DOCKER_SECONDS):
        _trouble(launched.ending(), environment, "/", DOCKER_SECONDS)
        if trouble == _SILENT:
            hint = (
                f"it must belong to user {os.getuid()}, whom the engine must not map to another, as a rootless one does"
            )
            return f"in a container {directory} cannot be written", hint
        return f"no container of {image} runs: {trouble}", f"it must have bash, and the engine must see {directory}"
    return "", ""


def _trouble(arguments: Sequence[str], environment: Mapping[str, str], directory: str, seconds: float) -> str:
    """What is wrong with a run of a program, in one line; "" when it ends well."""
    try:
        done = subprocess.run(
            arguments,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {seconds:g} s"
    except (OSError, ValueError) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
    # Docker names its own help in the last line.
    return next((line for line in lines if line.startswith("docker: ")), lines[-1])[:300]
