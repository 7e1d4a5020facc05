"""A program on a pty whose every byte is kept with the moment it came, to find out later when something was shown.

A thread reads as fast as the program writes, so that neither the terminal nor whoever measures holds the program up.
The parser follows on demand, piece by piece: `when` tells the moment after which the screen fulfilled a condition.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType

import psutil

from benchmarks.terminal import Display, start_on_pty

COLUMNS, ROWS = 120, 40

PAGE = 1 << 16

Condition = Callable[["Screen"], bool]


class Failure(Exception):
    """What should have been shown was not; the message shows the screen."""


class Screen:
    """The rows of a display; each is put together again only when it has changed."""

    def __init__(self, columns: int, rows: int) -> None:
        self._display = Display(columns, rows)
        self.rows = [" " * columns] * rows

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._display.feed(data)
        self._redraw()

    def finish(self) -> bool:
        """Take what waits for its end as it is; False when nothing does."""
        if not self._display.finish():
            return False
        self._redraw()
        return True

    def _redraw(self) -> None:
        for number in self._display.screen.dirty:
            self.rows[number] = self._display.row(number)
        self._display.screen.dirty.clear()

    def has(self, text: str) -> bool:
        """Whether a row contains the text."""
        return any(text in row for row in self.rows)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(row.rstrip() for row in self.rows)


def shows(text: str) -> Condition:
    """The condition that a row contains the text."""
    return lambda screen: screen.has(text)


class Recording:
    """One program on one pty. Times are of `time.perf_counter`; `started` is the moment of its launch."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        sys.setswitchinterval(0.0005)  # the reader gets the interpreter at once, also while the parser works
        self.screen = Screen(COLUMNS, ROWS)
        self._pieces: list[tuple[float, bytes]] = []
        self._parsed = 0
        self._news = threading.Condition()
        self._ended = False
        self.started = time.perf_counter()
        self._master, self.process = start_on_pty(command, COLUMNS, ROWS, env, cwd)
        self.program = psutil.Process(self.process.pid)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, PAGE)
            except OSError:
                data = b""
            with self._news:
                if data:
                    self._pieces.append((time.perf_counter(), data))
                else:
                    self._ended = True
                self._news.notify_all()
            if not data:
                return

    def send(self, keys: str | bytes) -> float:
        """Type; the moment it was done."""
        now = time.perf_counter()
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)
        return now

    # ---- without parsing ----

    def wait_bytes(self, needle: bytes, timeout: float) -> None:
        """Wait until the program has written these bytes since the last thing that was parsed; parse nothing.

        Raises:
            Failure: it has not, in time.
        """
        deadline = time.perf_counter() + timeout
        tail, at = b"", self._parsed
        while True:
            pieces = self._after(at, deadline)
            at += len(pieces)
            recent = tail + b"".join(data for _, data in pieces)
            if needle in recent:
                return
            if not pieces:
                raise self.failure(f"the bytes {needle!r} were not written")
            tail = recent[-len(needle) :]

    def quiet(self, seconds: float, timeout: float = 10.0) -> None:
        """Wait until nothing has been written for so many seconds, or for the timeout."""
        deadline = time.perf_counter() + timeout
        while time.perf_counter() < deadline:
            missing = seconds - self.idle_for
            if missing <= 0:
                return
            time.sleep(missing)

    @property
    def idle_for(self) -> float:
        """Seconds since the program wrote something."""
        return time.perf_counter() - (self._pieces[-1][0] if self._pieces else self.started)

    def _after(self, place: int, deadline: float) -> list[tuple[float, bytes]]:
        """The pieces from `place` on; waits for one until the deadline; empty when none came."""
        with self._news:
            while len(self._pieces) <= place and not self._ended:
                if not self._news.wait(deadline - time.perf_counter()) and time.perf_counter() >= deadline:
                    break
            return self._pieces[place:]

    # ---- the screen ----

    def when(self, condition: Condition, timeout: float = 20.0) -> float:
        """Parse on, piece by piece, until the screen fulfils the condition; the moment of the piece that did it.

        Raises:
            Failure: it does not, in time.
        """
        deadline = time.perf_counter() + timeout
        if condition(self.screen):
            return self._pieces[self._parsed - 1][0] if self._parsed else self.started
        while True:
            pieces = self._after(self._parsed, min(deadline, time.perf_counter() + 0.02))
            if not pieces:
                if self.screen.finish() and condition(self.screen):
                    return self._pieces[self._parsed - 1][0]
                if self._ended or time.perf_counter() >= deadline:
                    raise self.failure("what was waited for is not on the screen")
            for moment, data in pieces:
                self.screen.feed(data)
                self._parsed += 1
                if condition(self.screen):
                    return moment

    def catch_up(self) -> None:
        """Parse everything that has come."""
        for _, data in self._pieces[self._parsed :]:
            self.screen.feed(data)
            self._parsed += 1
        self.screen.finish()

    def moments(self, seen: Callable[[float, Screen], None]) -> None:
        """Parse everything that has come and call `seen` with the moment and the screen after each piece."""
        for moment, data in self._pieces[self._parsed :]:
            self.screen.feed(data)
            self._parsed += 1
            seen(moment, self.screen)

    def failure(self, problem: str) -> Failure:
        """An error that says what is on the screen."""
        self.catch_up()
        return Failure(f"{problem} (exit code {self.process.poll()}); the screen:\n{self.screen.text}")

    # ---- the process ----

    @property
    def cpu(self) -> float:
        """CPU seconds of the program so far, user and system, without its children."""
        times = self.program.cpu_times()
        return times.user + times.system

    @property
    def memory(self) -> float:
        """Its resident memory in MB."""
        return self.program.memory_info().rss / 1e6

    @property
    def own_memory(self) -> float:
        """Its proportional memory in MB, shared pages divided among who shares them; 0 where that is not told."""
        try:
            return getattr(self.program.memory_full_info(), "pss", 0) / 1e6
        except psutil.Error:
            return 0.0

    def close(self) -> None:
        """Kill the program with all it started."""
        children: list[psutil.Process] = []
        with suppress(psutil.Error):
            children = self.program.children(recursive=True)
        with suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        self.process.wait()
        # Linux ends the read when the last process has closed the other end; the descriptor is closed after that.
        self._reader.join(2)
        os.close(self._master)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
