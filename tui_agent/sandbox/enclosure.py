"""What keeps a command in: nothing, bubblewrap or a container; and the argument list that starts it there."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from tui_agent.sandbox.bounds import Bounds
from tui_agent.sandbox.bubblewrap import bwrap_arguments, bwrap_environment
from tui_agent.sandbox.docker import ask_arguments, client_environment, end_arguments, run_arguments
from tui_agent.sandbox.environment import command_environment
from tui_agent.sandbox.tree import MARK

SandboxKind = Literal["off", "bwrap", "docker"]

SHELL: Final = ("bash", "--noprofile", "--norc", "-c", "--")
"""What a command line is given to; it may begin with a dash."""


class Sandbox(Struct, frozen=True):
    """Which sandbox commands run in.

    `program` is the absolute path of bwrap or docker, `image` a container's, and `passed` the names of environment
    variables that a container gets. `reason` says why it is off, or "" when that was chosen.
    """

    kind: SandboxKind = "off"
    program: str = ""
    image: str = ""
    passed: tuple[str, ...] = ()
    reason: str = ""

    @property
    def on(self) -> bool:
        """True when there is one."""
        return self.kind != "off"

    def describe(self) -> str:
        """For a status bar: `bwrap`, `docker IMAGE` or `off`."""
        return f"docker {self.image}" if self.kind == "docker" else self.kind


class Enclosure(Struct, frozen=True):
    """A sandbox, and how far it reaches for one command."""

    sandbox: Sandbox = Sandbox()
    bounds: Bounds = Bounds()


class Launch(NamedTuple):
    """How a command is started; `container` is the name of its container, or ""."""

    arguments: list[str]
    environment: dict[str, str]
    container: str = ""

    def asking(self) -> list[str]:
        """What asks its container to end, whose processes the engine and not the client has started; else empty."""
        return [self.arguments[0], *ask_arguments(self.container)] if self.container else []

    def ending(self) -> list[str]:
        """What ends its container at once; empty without one."""
        return [self.arguments[0], *end_arguments(self.container)] if self.container else []


def launch(enclosure: Enclosure, command: str, directory: str, environ: Mapping[str, str], mark: str) -> Launch:
    """The arguments and the environment that run `command` in `directory`; pure.

    The process that is started must have `directory` as its working directory. Of `environ` only what a command may
    see is passed on. `mark` is in the environment of every process of the command.
    """
    sandbox, bounds = enclosure.sandbox, enclosure.bounds
    shell = [*SHELL, command]
    if sandbox.kind == "docker":
        name = f"tui-agent-{mark}"
        arguments = run_arguments(sandbox.image, name, bounds, directory, {MARK: mark}, sandbox.passed, shell)
        return Launch([sandbox.program, *arguments], client_environment(environ, sandbox.passed), name)
    environment = command_environment(environ) | {MARK: mark}
    if sandbox.kind == "bwrap":
        arguments = bwrap_arguments(bounds, directory)
        return Launch([sandbox.program, *arguments, *shell], bwrap_environment(environment))
    return Launch(shell, environment)
