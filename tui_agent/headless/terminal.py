"""The terminal of a run without a screen: it takes one line at a time, and none that was meant for something else."""

import asyncio
import os
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from tui_agent.conversation.errors import UsageError

SILENCE: Final = 0.4
"""Seconds without a key, and since the question was written, before a line may answer it."""

PASTE: Final = 0.05
"""Seconds behind a line in which more of it comes only from a paste."""

_LINE_KEYS = termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK | termios.ISIG
_MOST = 65_536


class Closed(Exception):
    """The terminal has no more input: end of file, or it is gone."""


class Terminal:
    """Writes to a person and reads what they answer; `fd` is a terminal.

    Between `opened` and its end the terminal is ours; its modes are then what they were. Ctrl+Z stops the program as
    ever, and afterwards the question is asked anew.
    """

    def __init__(self, fd: int, write: Callable[[str], object]) -> None:
        self.fd = fd
        self._write = write
        self._modes: list[Any] = []
        self._wake: asyncio.Future[bool] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        with suppress(OSError):
            found = os.get_terminal_size(self.fd)
            if found.columns and found.lines:
                return found.columns, found.lines
        return shutil.get_terminal_size()

    def write(self, text: str) -> None:
        """Show a text, which is safe to show."""
        self._write(text)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Have the terminal for a question.

        Raises:
            Closed: it is gone.
        """
        loop = asyncio.get_running_loop()
        with _gone_is_closed():
            self._modes = termios.tcgetattr(self.fd)
        before = signal.getsignal(signal.SIGTSTP)
        stoppable = before is not signal.SIG_IGN
        if stoppable:
            loop.add_signal_handler(signal.SIGTSTP, self._stop)
        try:
            yield
        finally:
            if stoppable:
                loop.remove_signal_handler(signal.SIGTSTP)
            self._give_back()

    async def answer(self, question: str) -> str | None:
        """Write a short question and read the line that answers it, without its end; None when the program was stopped
        meanwhile, and what it asked about may be out of sight.

        What was typed before the question was there, or before it was silent for `SILENCE`, answers nothing; nor does
        a paste of several lines.

        Raises:
            Closed: nothing more comes.
        """
        while True:
            with _gone_is_closed():
                if not await self._silent():
                    return None
                self._use(_LINE_KEYS, flush=True)
                self.write(question)
                line = await self._line()
                if line is None:
                    return None
                if await self._more_comes():
                    self.write("\n(that was a paste, and answers nothing)\n")
                    continue
            return self._text(line)

    async def line(self, question: str) -> str:
        """Read a line that was asked for by the line before; for texts, of which none allows anything.

        Raises:
            Closed: nothing more comes.
        """
        with _gone_is_closed():
            self._use(_LINE_KEYS, flush=False)
            while True:
                self.write(question)
                if (line := await self._line()) is not None:
                    return self._text(line)

    def _text(self, line: bytes) -> str:
        if not line:
            self.write("\n")
            raise Closed
        return line.decode("utf-8", "replace").rstrip("\r\n")

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let another program have the terminal as it was."""
        self._give_back()
        try:
            yield
        finally:
            with _gone_is_closed():
                termios.tcsetattr(self.fd, termios.TCSAFLUSH, self._modes)

    # ---- waiting ----

    async def _silent(self) -> bool:
        """Wait until nothing was typed for a while, and drop what was; False when the program was stopped meanwhile."""
        self._use(termios.ISIG, flush=True)
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    if not await self._input():
                        return False
            except TimeoutError:
                return True
            if not os.read(self.fd, _MOST):
                raise Closed

    async def _line(self) -> bytes | None:
        """A line with its end; empty at the end of file, None when the program was stopped meanwhile."""
        if not await self._input():
            return None
        return os.read(self.fd, _MOST)

    async def _more_comes(self) -> bool:
        self._use(termios.ISIG, flush=False)
        try:
            async with asyncio.timeout(PASTE):
                return await self._input()
        except TimeoutError:
            return False

    async def _input(self) -> bool:
        """Wait for input; False when the program was stopped, and goes on."""
        loop = asyncio.get_running_loop()
        self._wake = wake = asyncio.Future[bool](loop=loop)
        loop.add_reader(self.fd, _wake, wake, True)
        try:
            return await wake
        finally:
            loop.remove_reader(self.fd)
            self._wake = None

    def _stop(self) -> None:
        """Ctrl+Z: the shell gets its terminal as it was."""
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        # … and here it goes on.
        if self._wake is not None:
            _wake(self._wake, False)

    # ---- modes ----

    def _use(self, local: int, *, flush: bool) -> None:
        """Let the terminal do this much with keys by itself."""
        modes = termios.tcgetattr(self.fd)
        modes[0] |= termios.ICRNL
        modes[3] = modes[3] & ~_LINE_KEYS | local
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSAFLUSH if flush else termios.TCSANOW, modes)

    def _give_back(self) -> None:
        with suppress(termios.error, OSError):
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self._modes)


def find_terminal() -> Terminal:
    """The terminal of whoever started the program: that of standard input, else the one the program belongs to.

    It is written to through standard error where that is a terminal, so that standard output can go elsewhere.

    Raises:
        UsageError: there is none.
    """
    try:
        fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else _own_terminal()
        if sys.stderr is not None and sys.stderr.isatty():
            return Terminal(fd, _to_stderr)
        out = _own_terminal()
    except (OSError, ValueError) as error:
        raise UsageError(
            "--approve ask needs a terminal to ask on, and there is none",
            "start it from one, or say beforehand what may run: --approve rules, with --command-allowlist",
        ) from error
    return Terminal(fd, lambda text: os.write(out, text.encode("utf-8", "replace")))


def _own_terminal() -> int:
    return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _wake(future: "asyncio.Future[bool]", came: bool) -> None:
    if not future.done():
        future.set_result(came)


@contextmanager
def _gone_is_closed() -> Iterator[None]:
    try:
        yield
    except (OSError, termios.error) as error:
        raise Closed from error
