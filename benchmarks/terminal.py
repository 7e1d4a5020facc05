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
from collections.abc import Mapping, Sequence
from types import TracebackType

import pyte

_QUIET = re.compile(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z]|\x1b\[[0-9;?]*\$[a-z]|\x1b[P_^].*?\x1b\\", re.DOTALL)
"""Private sequences that pyte would print as text."""


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
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._pending = b""
        self.raw = bytearray()
        self._master, slave = pty.openpty()
        # Without echo: what is on the screen was put there by the program.
        modes = termios.tcgetattr(slave)
        modes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self._size(columns, rows)
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            list(command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", **(env or {})},
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a user dragging its corner would."""
        self.columns, self.rows = columns, rows
        self.screen.resize(rows, columns)
        self._size(columns, rows)
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
        data = _QUIET.sub(b"", self._pending + data)
        # A sequence may be cut by the read; the unfinished end waits for the next one.
        cut = data.rfind(b"\x1b")
        self._pending = b"" if cut < 0 or len(data) - cut > 64 else data[cut:]
        self._stream.feed(data[: len(data) - len(self._pending)])
        return True

    @property
    def text(self) -> str:
        """What is on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, pattern: str, timeout: float = 15.0) -> float:
        """Wait until the screen matches the regular expression; the seconds since the start.

        Raises:
            AssertionError: it did not, in time; the message shows the screen.
        """
        return self._wait(lambda: re.search(pattern, self.text) is not None, f"no {pattern!r}", timeout)

    def wait_gone(self, pattern: str, timeout: float = 15.0) -> float:
        """Wait until the screen no longer matches."""
        return self._wait(lambda: re.search(pattern, self.text) is None, f"still {pattern!r}", timeout)

    def _wait(self, reached: "object", problem: str, timeout: float) -> float:
        assert callable(reached)
        deadline = time.perf_counter() + timeout
        while not reached():
            if self._pending and not self.read(0.02):
                self._stream.feed(self._pending)
                self._pending = b""
                continue
            if not self.read(0.02) and (time.perf_counter() > deadline or self.process.poll() is not None):
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
