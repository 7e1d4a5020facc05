"""Opening a link outside of the terminal, where there is a desktop to open it on."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

SCHEMES: Final = ("http://", "https://", "mailto:")
"""What may be opened; a file or another scheme could start a program."""

PATIENCE: Final = 5.0
"""Seconds in which an opener that fails has failed; one that becomes the browser goes on."""

_DESKTOP: Final = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
    "XDG_DATA_DIRS",
    "XDG_CONFIG_DIRS",
    "DESKTOP_SESSION",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
)


def opener(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """The program that opens links; None without a desktop, where it would start a browser in this terminal."""
    if platform == "darwin":
        return None if "SSH_CONNECTION" in environ else shutil.which("open", path=environ.get("PATH"))
    if "DISPLAY" in environ or "WAYLAND_DISPLAY" in environ:
        return shutil.which("xdg-open", path=environ.get("PATH"))
    return None


async def open_link(url: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Open a link of one of `SCHEMES`; False when that is not possible here.

    The opener gets no terminal, no key of ours in its environment, and outlives us: it may be the browser itself.
    """
    program = opener(environ)
    if program is None or not url.lower().startswith(SCHEMES):
        return False
    from tui_agent.sandbox.environment import command_environment

    desktop = {name: environ[name] for name in _DESKTOP if name in environ}
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=command_environment(environ) | desktop,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), PATIENCE) == 0
    except TimeoutError:
        return True
