"""Commands that keep running after their call: owned by the session, listed, and killed with it."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tui_agent.sandbox.enclosure import Enclosure
from tui_agent.sandbox.process import Running

MAX_LOG_BYTES: Final = 10_000_000
FIRST_LOOK_SECONDS: Final = 0.3
"""How long a start waits for the command to fail at once."""

_UNENCLOSED: Final = Enclosure()


@dataclass(slots=True)
class BackgroundCommand:
    """One of them; its output goes to `log`, up to MAX_LOG_BYTES."""

    command: str
    pid: int
    log: Path
    exit_code: int | None = None


class BackgroundCommands:
    """All background commands of one session; their logs are in a private temporary directory."""

    def __init__(self) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._commands: list[BackgroundCommand] = []
        self._running: dict[int, tuple[Running, asyncio.Task[None]]] = {}

    @property
    def directory(self) -> Path:
        """Where the logs are; made when first asked for."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="tui-agent-")
        return Path(self._directory.name)

    def list(self) -> tuple[BackgroundCommand, ...]:
        """All that were started, oldest first."""
        return tuple(self._commands)

    async def start(
        self,
        command: str,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
        enclosure: Enclosure = _UNENCLOSED,
        descriptor: int | None = None,
    ) -> BackgroundCommand:
        """Start `command` and return as soon as it seems to run; the arguments are those of `process.run`.

        Raises:
            ToolError: it could not be started.
        """
        log = self.directory / f"{len(self._commands) + 1}.log"
        file = log.open("wb", buffering=0)
        try:
            running = Running.start(command, cwd, environ, enclosure, descriptor)
        except BaseException:
            file.close()
            raise
        started = BackgroundCommand(command, running.pid, log)
        self._commands.append(started)
        task = asyncio.create_task(_follow(running, started, file))
        self._running[started.pid] = (running, task)
        await asyncio.wait([task], timeout=FIRST_LOOK_SECONDS)
        return started

    async def aclose(self) -> None:
        """Kill every one that still runs, and remove the logs."""
        running, self._running = self._running, {}
        await asyncio.gather(*(command.stop() for command, task in running.values() if not task.done()))
        for _, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None


async def _follow(running: Running, command: BackgroundCommand, log: BinaryIO) -> None:
    """Write the log until the command and all that hold its output have ended; being cancelled kills them."""
    room = MAX_LOG_BYTES

    def take(data: bytes) -> None:
        nonlocal room
        try:
            log.write(data[:room])
            room -= min(room, len(data))
        except OSError:
            room = 0  # a full disk costs the log, not the command

    try:
        running.read(take)
        command.exit_code = await running.ended()
        await running.drained.wait()
        await asyncio.to_thread(running.kill)
    except asyncio.CancelledError:
        running.abandon()
        raise
    finally:
        running.close()
        log.close()
