"""Finding and killing every process that a command started, also those that left its session."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MARK: Final = "TUI_AGENT_CALL"
"""Environment variable that every descendant of a command inherits, whatever session or parent it has later."""

_PROC: Final = Path("/proc")
_KILL_SECONDS: Final = 5.0
"""How long those that were killed are waited for: a busy machine, or a full disk, lets them end late."""
_KILL_PAUSE_SECONDS: Final = 0.005
_BLIND_KILL_SECONDS: Final = 0.2
"""Where there is no /proc, and one that ended but was not collected may look alive."""


class ProcessTree:
    """The processes of one command: its process group and session, their descendants, and whoever carries its mark.

    `pid` leads the group and session that the command was started in. Where there is no /proc only the group is
    known, so there a child that left it is not found. As long as it is 0 only the mark counts. A `guarded` command's
    `pid` is the sandbox around it.
    """

    def __init__(self, mark: str = "", pid: int = 0, *, guarded: bool = False) -> None:
        self.mark: Final = mark or secrets.token_hex(16)
        self.pid = pid
        self.guarded: Final = guarded

    def environment(self) -> dict[str, str]:
        """What to add to the command's environment."""
        return {MARK: self.mark}

    def signal(self, number: int) -> int:
        """Send a signal to all that live; returns how many there were (without /proc: 1 for the group).

        The sandbox itself gets none but the kill: it would end, and take the command with it before that can tidy up.
        """
        if not _PROC.is_dir():
            return _send(-self.pid, number) if self.pid else 0
        spared = self.pid if self.guarded and number != signal.SIGKILL else 0
        return sum(_send(pid, 0 if pid == spared else number) for pid in self._members())

    def kill(self) -> int:
        """Kill until none is left, children born meanwhile included; returns how many there were at first.

        One that the system cannot end, because it waits for a device, is given up after 5 seconds.
        """
        first = found = self.signal(signal.SIGKILL)
        pause = _KILL_PAUSE_SECONDS
        deadline = time.monotonic() + (_KILL_SECONDS if _PROC.is_dir() else _BLIND_KILL_SECONDS)
        while found and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, 10 * _KILL_PAUSE_SECONDS)
            found = self.signal(signal.SIGKILL)
        return first

    def alive(self) -> bool:
        """True while a process of the command is there."""
        return self.signal(0) > 0

    def _members(self) -> Iterator[int]:
        processes = {pid: status for pid, status in _processes() if pid != os.getpid()}
        family: set[int] = set()
        if self.pid:  # threads of the kernel have group and session 0
            family = {pid for pid, (_, _, group, session) in processes.items() if self.pid in (pid, group, session)}
        mark = f"{MARK}={self.mark}".encode()
        family |= {pid for pid in processes if pid not in family and _carries(pid, mark)}
        grown = True
        while grown:
            children = {pid for pid, (_, parent, _, _) in processes.items() if parent in family} - family
            family |= children
            grown = bool(children)
        # Parents first: a shell that sees its child die before it is stopped itself would say so in the output.
        for pid in sorted(family):
            if processes[pid][0] not in "ZX":
                yield pid


def _processes() -> Iterator[tuple[int, tuple[str, int, int, int]]]:
    """Every process: its id, and (state, parent, group, session); proc_pid_stat(5)."""
    for entry in os.scandir(_PROC):
        if entry.name.isdecimal():
            try:
                status = Path(entry.path, "stat").read_bytes()
            except OSError:
                continue  # it ended meanwhile
            state, parent, group, session = status[status.rindex(b")") + 1 :].split()[:4]
            yield int(entry.name), (state.decode(), int(parent), int(group), int(session))


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # another user's, or it ended meanwhile


def _send(pid: int, number: int) -> int:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return 0
    return 1
