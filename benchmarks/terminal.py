"""A terminal without a window: runs a program on a pty and knows what is on its screen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

_QUIET = re.compile(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z]|\x1b\[[0-9;?]*\$[a-z]|\x1b[P_^].*?\x1b\\", re.DOTALL)
"""Private sequences that pyte would print as text."""


class Display:
    """What a terminal shows of the bytes it was sent."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._pending = b""

    def feed(self, data: bytes) -> None:
        """Take bytes; a sequence that is cut at their end waits for the next ones, or for `finish`."""
        data = _QUIET.sub(b"", self._pending + data)
        cut = data.rfind(b"\x1b")
        self._pending = b"" if cut < 0 or len(data) - cut > 64 else data[cut:]
        self._stream.feed(data[: len(data) - len(self._pending)])

    def finish(self) -> bool:
        """Take what waits as it is; False when nothing does."""
        if not self._pending:
            return False
        self._stream.feed(self._pending)
        self._pending = b""
        return True

    def row(self, number: int) -> str:
        """A row, in all its width."""
        line = self.screen.buffer[number]
        return "".join(line[column].data for column in range(self.screen.columns))

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)


def start_on_pty(
    command: Sequence[str], columns: int, rows: int, env: Mapping[str, str], cwd: str | None
) -> tuple[int, subprocess.Popen[bytes]]:
    """Run a program in a session of its own on a new pty; the pty's other end and the process.

    The terminal does not echo: what is on the screen was put there by the program.
    """
    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    set_size(master, columns, rows)
    process = subprocess.Popen(
        list(command),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", **env},
        cwd=cwd,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    return master, process


def set_size(master: int, columns: int, rows: int) -> None:
    """Say how large the window is."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    """One program on one pty; `raw` holds every byte it wrote."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        self.columns, self.rows = columns, rows
        self._display = Display(columns, rows)
        self.screen = self._display.screen
        self.raw = bytearray()
        self.started = time.perf_counter()
        self._master, self.process = start_on_pty(command, columns, rows, env or {}, cwd)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a user dragging its corner would."""
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        set_size(self._master, columns, rows)
        os.kill(self.process.pid, signal.SIGWINCH)

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def read(self, seconds: float = 0.02) -> bool:
        """Take what the program wrote within `seconds`; False when nothing came."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.raw += data
        self._display.feed(data)
        return True

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return self._display.text

    def wait_for(self, pattern: str, timeout: float = 15.0) -> float:
        """Wait until the screen matches the regular expression; the seconds since the start.

        Raises:
            AssertionError: it did not, in time; the message shows the screen.
        """
        return self._wait(lambda: re.search(pattern, self.text) is not None, f"no {pattern!r}", timeout)

    def wait_gone(self, pattern: str, timeout: float = 15.0) -> float:
        """Wait until the screen no longer matches."""
        return self._wait(lambda: re.search(pattern, self.text) is None, f"still {pattern!r}", timeout)

    def _wait(self, reached: Callable[[], bool], problem: str, timeout: float) -> float:
        deadline = time.perf_counter() + timeout
        while not reached():
            if self.read(0.02) or self._display.finish():
                continue
            if time.perf_counter() > deadline or self.process.poll() is not None:
                while self.read(0.05):
                    pass
                if reached():
                    break
                code = self.process.poll()
                raise AssertionError(f"{problem} on the screen (exit code {code}):\n{self.text}")
        return time.perf_counter() - self.started

    def settle(self, quiet: float = 0.15, timeout: float = 5.0) -> None:
        """Read until nothing has come for `quiet` seconds."""
        deadline = time.perf_counter() + timeout
        while self.read(quiet) and time.perf_counter() < deadline:
            pass

    def wait_exit(self, timeout: float = 10.0) -> int:
        """Wait for the program to end; its exit code."""
        deadline = time.perf_counter() + timeout
        while self.process.poll() is None:
            self.read(0.02)
            if time.perf_counter() > deadline:
                raise AssertionError(f"still running:\n{self.text}")
        while self.read(0.02):
            pass
        return self.process.returncode

    def close(self) -> None:
        """Kill the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
