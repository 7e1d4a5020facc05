"""How far the sandbox of one command reaches, and what the model is told of what it kept in."""

import os
import re
from typing import Final, NamedTuple

from tui_agent.permissions.approval import Terms
from tui_agent.permissions.control_files import ControlFiles
from tui_agent.sandbox.bounds import Bounds
from tui_agent.sandbox.enclosure import Enclosure
from tui_agent.sandbox.private import private_places
from tui_agent.tools.builtin.desk import Desk
from tui_agent.workspace.paths import quoted

MOST_NAMED: Final = 10

_NO_NETWORK: Final = re.compile(
    r"could not resolve|couldn't resolve|name resolution|name or service not known|nodename nor servname"
    r"|network is unreachable|network unreachable|ENETUNREACH|EAI_AGAIN|getaddrinfo|no such host|ENOTFOUND"
    r"|failed to lookup address|name does not resolve|unknown host|resolving timed out|unable to resolve"
    r"|NameResolutionError",
    re.IGNORECASE,
)
_LEFT_RUNNING: Final = re.compile(r"(?<![&<>|])&(?![&>0-9-])|\b(nohup|setsid|disown)\b")
"""A sandbox ends with its command and takes along what is left, so that nobody sees whether there was anything."""
_NO_WRITING: Final = re.compile(r"read-only file system|EROFS|\[Errno 30\]", re.IGNORECASE)


class Around(NamedTuple):
    """The sandbox of one command, and the control files as they were before it; none that it could write, if None."""

    enclosure: Enclosure
    before: ControlFiles | None


def around(desk: Desk, terms: Terms) -> Around:
    """What a command of this desk runs in. Blocks for milliseconds: it looks at the disk."""
    if not desk.sandbox.on:
        return Around(Enclosure(), None)
    roots = desk.workspace.roots
    writable = tuple(str(root.path) for root in roots if root.writable)
    readable = tuple(str(root.path) for root in roots if not root.writable)
    private = private_places(os.environ, network=terms.network)
    control = None if terms.read_only else desk.lookout.look(writable)
    bounds = Bounds(
        writable=(*writable, *(control.elsewhere if control else ())),
        readable=(*readable, *private.shown),
        pinned=control.git if control else (),
        protected=control.protected if control else (),
        hidden_folders=private.folders,
        hidden_files=private.files,
        network=terms.network,
        read_only=terms.read_only,
    )
    return Around(Enclosure(desk.sandbox, bounds), control)


def made_or_changed(desk: Desk, before: ControlFiles | None) -> list[str]:
    """The control files that a command made or changed although it ran in a sandbox, as they are shown.

    Such a file cannot be kept from being made without leaving something in its place. Blocks for milliseconds.
    """
    if before is None:
        return []
    after = desk.lookout.look(str(root.path) for root in desk.workspace.roots if root.writable)
    return [quoted(os.path.relpath(path, desk.workspace.root.path)) for path in after.changed_since(before)]


def notes(enclosure: Enclosure, command: str, failed: bool, output: str, control: list[str]) -> list[str]:
    """What to add to a result: why it may have failed, what of it does not go on, and what to look at."""
    said = []
    if enclosure.sandbox.on and _LEFT_RUNNING.search(command):
        said.append("[nothing of it goes on running; use background: true for something that must]")
    bounds = enclosure.bounds
    if failed and enclosure.sandbox.on:
        if not bounds.network and _NO_NETWORK.search(output):
            said.append("[it ran in the sandbox, without network; the user can allow the network for a command]")
        if _NO_WRITING.search(output):
            where = (
                "nothing can be written by this command"
                if bounds.read_only
                else "only the working directory and /tmp can be written, and in it no control files"
            )
            said.append(f"[it ran in the sandbox: {where}]")
    if control:
        named = ", ".join(control[:MOST_NAMED]) + (
            f" and {len(control) - MOST_NAMED} more" if control[MOST_NAMED:] else ""
        )
        said.append(f"[control files were made or changed, which other programs obey: {named}]")
    return said
