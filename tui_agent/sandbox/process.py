"""Running a shell command: bounded output while it runs, a limit on its time, and nothing of it left afterwards."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tui_agent.conversation.errors import ToolError
from tui_agent.sandbox.enclosure import Enclosure, Launch, launch
from tui_agent.sandbox.output import HeadAndTail, Teller
from tui_agent.sandbox.tree import ProcessTree
from tui_agent.sandbox.watcher import Watch

GRACE_SECONDS: Final = 2.0
"""Between the request to end and the kill."""
PIPE_SECONDS: Final = 0.5
"""How long output is read after the command ended while a child of it still holds the pipe."""
TELL_SECONDS: Final = 0.05
READ_BYTES: Final = 65_536
BURST_BYTES: Final = 2_000_000
REST_SECONDS: Final = 0.004
"""After so many bytes reading rests: a command that prints as fast as it can leaves a core to whoever types."""
POLL_SECONDS: Final = 0.05
CONTAINER_SECONDS: Final = 10.0
"""How long the end of a container is waited for."""

_DESCRIPTORS: Final = Path("/proc/self/fd")
_UNENCLOSED: Final = Enclosure()


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended.

    `exit_code` is negative for the signal that ended it. `output` is standard output and error together, as text;
    `cut` bytes of it are missing in the middle. `killed` counts processes that were still running and were killed.
    """

    exit_code: int
    output: str
    cut: int
    timed_out: bool
    killed: int
    seconds: float


async def run(
    command: str,
    cwd: Path,
    timeout: float,  # noqa: ASYNC109 - a time-out is a result here, with the output so far, and not an exception
    *,
    environ: Mapping[str, str] | None = None,
    on_output: Callable[[str], None] | None = None,
    enclosure: Enclosure = _UNENCLOSED,
    descriptor: int | None = None,
) -> Finished:
    """Run `command` in bash and wait for it, `timeout` seconds at most; then nothing of it runs any more.

    `environ` is filtered by `command_environment` (default: our own). Cancelling returns at once; the processes are
    asked to end, and two seconds later what is left is killed, by a thread that the end of the program waits for.
    `descriptor` is the open directory that `cwd` names: the command runs there, whatever lies at that path meanwhile.
    In an `enclosure` a signal that ends the command shows as exit code 128 + its number.

    Raises:
        ToolError: bash, the sandbox or the directory is not there.
    """
    running = Running.start(command, cwd, environ, enclosure, descriptor)
    teller = Teller(on_output or (lambda text: None))
    kept = HeadAndTail()

    def take(data: bytes) -> None:
        kept.feed(data)
        teller.feed(data)

    telling = asyncio.create_task(_tell_regularly(teller))
    timed_out = False
    try:
        running.read(take)
        try:
            async with asyncio.timeout(timeout):
                await running.ended()
        except TimeoutError:
            timed_out = True
            await running.stop()
        try:
            async with asyncio.timeout(PIPE_SECONDS):
                await running.drained.wait()
        except TimeoutError:
            pass
        killed = await asyncio.to_thread(running.kill)
    except BaseException:
        running.abandon()
        raise
    finally:
        telling.cancel()
    running.close()
    teller.flush(final=True)
    return Finished(running.exit_code, kept.text(), kept.cut, timed_out, killed, time.monotonic() - running.started)


class Running:
    """A started command: its process tree and the reading end of its output."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        tree: ProcessTree,
        output: int,
        launched: Launch,
        watch: Watch | None,
    ) -> None:
        self.tree = tree
        self.started = time.monotonic()
        self.drained = asyncio.Event()
        self._process = process
        self._output = output
        self._launched = launched
        self._loop = asyncio.get_running_loop()
        self._watch = watch

    @classmethod
    def start(
        cls,
        command: str,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
        enclosure: Enclosure = _UNENCLOSED,
        descriptor: int | None = None,
    ) -> "Running":
        """Start `command` in a session of its own, standard input closed, output and error in one pipe."""
        kind = enclosure.sandbox.kind
        tree = ProcessTree(guarded=kind == "bwrap")
        launched = launch(enclosure, command, str(cwd), os.environ if environ is None else environ, tree.mark)
        # A sandbox of bubblewrap dies with us by itself.
        watch = None if kind == "bwrap" else Watch(tree.mark, launched.ending())
        reading, writing = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        try:
            process = subprocess.Popen(
                launched.arguments,
                cwd=cwd if descriptor is None or not _DESCRIPTORS.is_dir() else _DESCRIPTORS / str(descriptor),
                env=launched.environment,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(reading)
            if watch is not None:
                watch.end()
            raise ToolError(f"the command could not be started: {error}") from error
        finally:
            os.close(writing)
        tree.pid = process.pid
        os.set_blocking(reading, False)
        if watch is not None:
            watch.started(process.pid)
        return cls(process, tree, reading, launched, watch)

    @property
    def pid(self) -> int:
        """Process id of the shell, and of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int:
        """As `subprocess` gives it; only after the end."""
        return -signal.SIGKILL if self._process.returncode is None else self._process.returncode

    def read(self, take: Callable[[bytes], None]) -> None:
        """Give `take` what arrives from now on, a bounded piece each time the event loop comes round."""
        burst = 0

        def ready() -> None:
            nonlocal burst
            try:
                data = os.read(self._output, READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._output)
                self.drained.set()
                return
            take(data)
            burst += len(data)
            if burst >= BURST_BYTES:
                burst = 0
                self._loop.remove_reader(self._output)
                self._loop.call_later(REST_SECONDS, go_on)

        def go_on() -> None:
            if self._output >= 0:
                self._loop.add_reader(self._output, ready)

        self._loop.add_reader(self._output, ready)

    async def ended(self) -> int:
        """Wait until the shell has ended; returns its exit code."""
        if hasattr(os, "pidfd_open") and self._process.poll() is None:
            await self._readable(os.pidfd_open(self.pid))
        while self._process.poll() is None:  # noqa: ASYNC110 - where there is no pidfd, nothing tells us
            await asyncio.sleep(POLL_SECONDS)
        return self.exit_code

    async def _readable(self, descriptor: int) -> None:
        ended = asyncio.Event()
        self._loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    async def stop(self) -> None:
        """Ask every process of the tree to end and kill what is left after GRACE_SECONDS.

        Being cancelled leaves that to a thread, which the end of the program waits for.
        """
        await asyncio.to_thread(self._stop)

    def abandon(self) -> None:
        """Stop without waiting for it; it does not need the event loop any more."""
        self.close()
        # Started from a daemon thread it would be one itself, and the end of the program would not wait for it.
        threading.Thread(target=self._stop, name="tui-agent stop", daemon=False).start()

    def _stop(self) -> None:
        if not self._tell_engine(self._launched.asking(), GRACE_SECONDS):
            self.tree.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and (self._process.poll() is None or self.tree.alive()):
            time.sleep(POLL_SECONDS)
        self.kill()
        self._process.wait()

    def kill(self) -> int:
        """Kill what is left of it; returns how many processes that were. Blocks for milliseconds."""
        if self.tree.guarded and self._process.poll() is not None:
            return 0  # the kernel ends a process namespace with the sandbox that made it
        if self._process.poll() is None or self.exit_code < 0:
            self._tell_engine(self._launched.ending(), CONTAINER_SECONDS)
            self._launched = self._launched._replace(container="")  # one that did not answer would not the next time
        killed = self.tree.kill()
        if self._watch is not None:
            self._watch.end()
        return killed

    def _tell_engine(self, arguments: list[str], seconds: float) -> bool:
        """Run the client of a container's engine once more; False if there is no container."""
        with suppress(OSError, subprocess.SubprocessError):
            if arguments:
                subprocess.run(
                    arguments,
                    env=self._launched.environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=seconds,
                    check=False,
                )
        return bool(arguments)

    def close(self) -> None:
        """Read no more."""
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1


async def _tell_regularly(teller: Teller) -> None:
    while True:
        await asyncio.sleep(TELL_SECONDS)
        teller.flush()
