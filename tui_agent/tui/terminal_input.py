"""What a terminal sends, made safe before it is parsed: a paste stays a paste, whatever is in it."""

import sys
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.message import Message

_START, _END = "\x1b[200~", "\x1b[201~"


class PasteGuard:
    """Takes escape characters out of bracketed pastes, across any cuts of the input.

    The parser of Textual reads an escape sequence inside a paste as the end of it and what follows as key presses,
    Enter included: text from a web page could send itself or answer a question.
    """

    def __init__(self) -> None:
        self._pasting = False
        self._held = ""  # of a paste: the beginning of what may be the end mark
        self._passed = ""  # outside of one: the end of what went through, for a start mark that came in pieces

    def clean(self, data: str) -> str:
        """The input without them; a beginning of the end mark is held back until the rest of it comes."""
        data, self._held = self._held + data, ""
        cleaned: list[str] = []
        while data:
            part, data = self._in_paste(data) if self._pasting else self._outside(data)
            cleaned.append(part)
        return "".join(cleaned)

    def _outside(self, data: str) -> tuple[str, str]:
        known = self._passed + data
        place = known.find(_START)
        if place < 0:
            self._passed = known[1 - len(_START) :]
            return data, ""
        begin = place + len(_START) - len(self._passed)
        self._pasting, self._passed = True, ""
        return data[:begin], data[begin:]

    def _in_paste(self, data: str) -> tuple[str, str]:
        before, mark, rest = data.partition(_END)
        if mark:
            self._pasting = False
        else:
            self._held = _unfinished_mark(before)
            before = before[: len(before) - len(self._held)]
        return before.replace("\x1b", "") + mark, rest


def _unfinished_mark(text: str) -> str:
    """The longest beginning of the end mark that `text` ends with."""
    return next((_END[:length] for length in range(len(_END) - 1, 0, -1) if text.endswith(_END[:length])), "")


class GuardedParser(XTermParser):
    """Textual's parser behind a `PasteGuard`; it is made when the terminal has just been set up.

    Enter that was pressed before that came as a line feed, as programs without a screen want it.
    """

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._guard = PasteGuard()
        self._early = waiting_bytes()

    def feed(self, data: str) -> Iterable[Message]:
        """Parse input; empty data means its end."""
        if not data:
            return super().feed(data)
        if self._early > 0:
            early, data = data[: self._early], data[self._early :]
            self._early -= len(early.encode())
            data = early.replace("\n", "\r") + data
        cleaned = self._guard.clean(data)
        return super().feed(cleaned) if cleaned else ()


def waiting_bytes() -> int:
    """How much was typed that nobody has read; 0 where that cannot be told."""
    import fcntl
    import struct
    import termios

    try:
        answer = fcntl.ioctl(sys.__stdin__.fileno(), termios.FIONREAD, b"\0" * 4)  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return 0
    return int(struct.unpack("i", answer)[0])


def guard_input() -> None:
    """Let Textual's terminal driver use the guarded parser; it offers no other place to choose one."""
    from textual.drivers import linux_driver

    vars(linux_driver)["XTermParser"] = GuardedParser
