"""Commands that keep running after their call: owned by the session, listed, and killed with it."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from tui_agent.sandbox.enclosure import Enclosure
from tui_agent.sandbox.output import HeadAndTail
from tui_agent.sandbox.process import Running

MAX_LOG_BYTES: Final = 10_000_000
SHOWN_BYTES: Final = 30_000
"""How much of its end can be shown while it runs."""
FIRST_LOOK_SECONDS: Final = 0.3
"""How long a start waits for the command to fail at once, and a stop for its output to end."""

_UNENCLOSED: Final = Enclosure()


def _nobody() -> None:
    pass


@dataclass(slots=True, eq=False)
class BackgroundCommand:
    """One of them; its output goes to `log`, up to MAX_LOG_BYTES, and how it ended is the last line there.

    `since` is when it was started, in Unix seconds. `exit_code` is None while it runs. `stopped` says that it was ended
    from here: by the user, or with its session. `on_output` is called whenever it has printed something.
    """

    command: str
    pid: int
    log: Path
    since: float
    exit_code: int | None = None
    stopped: bool = False
    on_output: Callable[[], None] = _nobody
    _output: HeadAndTail = field(default_factory=lambda: HeadAndTail(0, SHOWN_BYTES))

    @property
    def running(self) -> bool:
        """Whether anything of it still runs."""
        return self.exit_code is None

    def tail(self) -> str:
        """The end of what it printed, SHOWN_BYTES at most, as it came."""
        return self._output.text()

    def printed(self, data: bytes) -> None:
        """Take over what it printed."""
        self._output.feed(data)
        self.on_output()


class BackgroundCommands:
    """All background commands of one session; their logs are in a private temporary directory.

    `on_end` is called with each that has ended, however that came.
    """

    def __init__(self) -> None:
        self.on_end: Callable[[BackgroundCommand], None] = lambda command: None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._commands: list[BackgroundCommand] = []
        self._running: dict[BackgroundCommand, tuple[Running, asyncio.Task[None]]] = {}

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
        started = BackgroundCommand(command, running.pid, log, time.time())
        self._commands.append(started)
        task = asyncio.create_task(self._follow(running, started, file))
        self._running[started] = (running, task)
        await asyncio.wait([task], timeout=FIRST_LOOK_SECONDS)
        return started

    async def stop(self, command: BackgroundCommand) -> None:
        """End one and all that it started, asked first and killed two seconds later; one that has ended stays so."""
        running, task = self._running.get(command, (None, None))
        if running is not None and task is not None and not task.done():
            command.stopped = True
            await running.stop()
            await asyncio.wait([task], timeout=FIRST_LOOK_SECONDS)
            task.cancel()  # something that is not of its tree holds its output

    async def aclose(self) -> None:
        """End every one that still runs, and remove the logs."""
        still = [command for command in self._commands if command in self._running]
        await asyncio.gather(*map(self.stop, still))
        running, self._running = self._running, {}
        for _, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def _follow(self, running: Running, command: BackgroundCommand, log: BinaryIO) -> None:
        """Write the log until the command and all that hold its output have ended; being cancelled kills them."""
        room = MAX_LOG_BYTES

        def take(data: bytes) -> None:
            nonlocal room
            command.printed(data)
            try:
                log.write(data[:room])
                room -= min(room, len(data))
            except OSError:
                room = 0  # a full disk costs the log, not the command

        try:
            running.read(take)
            exit_code = await running.ended()
            await running.drained.wait()
            await asyncio.to_thread(running.kill)
            command.exit_code = exit_code
            with suppress(OSError):
                log.write(f"\n[{how_it_ended(command)}]\n".encode())
        except asyncio.CancelledError:
            running.abandon()
            command.exit_code = running.exit_code
            raise
        finally:
            running.close()
            log.close()
            self.on_end(command)


def how_it_ended(command: BackgroundCommand) -> str:
    """For people and for models."""
    if command.stopped:
        return "stopped by the user"
    code = command.exit_code or 0
    return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
