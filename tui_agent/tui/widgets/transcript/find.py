"""What is looked for, and where it stands in a text: in steps that never take longer than a frame."""

import re
import signal
import warnings
from array import array
from types import FrameType

SPAN = 1 << 14
"""Characters in which the matches of one `Pattern.scan` begin, about."""

LONGEST = 1 << 15
"""Characters of a line that a regular expression sees together; a longer line is cut for it."""

PATIENCE = 0.01
"""Seconds of CPU that a regular expression gets for a scan before the line it is at is given up."""

_ESCAPED = re.compile(r"\\.", re.DOTALL)


class BadPattern(ValueError):
    """Not a regular expression; the message says why, for people."""


class _TooSlow(Exception):
    """The time of a scan is over."""


class Pattern:
    """What is looked for in a text of many lines: never across their ends, never nothing, none over another.

    A capital letter in it makes case matter.
    """

    def __init__(self, text: str, regular: bool = False) -> None:
        """Take text as it is, or as a regular expression.

        Raises:
            BadPattern: it is none.
        """
        self.text = text
        self.regular = regular
        letters = _ESCAPED.sub("", text) if regular else text  # \S is no capital
        self.exact = any(character.isupper() for character in letters)
        self._ascii = text.isascii()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expression = text if regular else re.escape(text)
                self._compiled = re.compile(expression, re.NOFLAG if self.exact else re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadPattern(getattr(error, "msg", "too large")) from error

    def scan(self, text: str, at: int, starts: "array[int]", ends: "array[int]") -> tuple[int, bool]:
        """Add the matches that begin in the next `SPAN` characters from `at`.

        Returns where the next scan of this text has to begin (first at 0, at the end the text's length), and whether a
        line was given up because it took too long.
        """
        if self.regular:
            return self._scan_lines(text, at, starts, ends)
        length = len(self.text)
        piece = text[at : at + SPAN + length - 1]
        last = 0
        if self.exact or (self._ascii and piece.isascii()):
            # Several times faster than an expression that ignores case.
            wanted = self.text
            if not self.exact:
                wanted, piece = wanted.lower(), piece.lower()
            find = piece.find
            found = find(wanted)
            while found >= 0:
                last = found + length
                starts.append(at + found)
                ends.append(at + last)
                found = find(wanted, last)
        else:
            for match in self._compiled.finditer(piece):
                last = match.end()
                starts.append(at + match.start())
                ends.append(at + last)
        return min(len(text), at + max(SPAN, last)), False

    def _scan_lines(self, text: str, at: int, starts: "array[int]", ends: "array[int]") -> tuple[int, bool]:
        stop = min(len(text), at + SPAN)
        watch = _Watch()
        try:
            watch.begin()
            while at < stop:
                for match in self._compiled.finditer(text[at : _line_end(text, at)]):
                    if match[0]:
                        starts.append(at + match.start())
                        ends.append(at + match.end())
                at = _next_line(text, at)
        except _TooSlow:
            # What the line had until then goes: half of its matches would be a lie.
            while len(starts) > len(ends) or (starts and starts[-1] >= at):
                starts.pop()
                del ends[len(starts) :]
            return _next_line(text, at), True
        finally:
            watch.end()
        return at, False


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at, at + LONGEST)
    return end if end >= 0 else min(len(text), at + LONGEST)


def _next_line(text: str, at: int) -> int:
    end = _line_end(text, at)
    return end + 1 if text[end : end + 1] == "\n" else end


class _Watch:
    """Raises `_TooSlow` in what runs between `begin` and `end` after `PATIENCE`.

    Matching an expression holds the interpreter's lock, so no thread could end it; but it looks at signals as it goes.
    """

    def begin(self) -> None:
        self._on = True
        self._before = signal.signal(signal.SIGVTALRM, self._over)
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)

    def end(self) -> None:
        self._on = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self._before)

    def _over(self, _number: int, _frame: FrameType | None) -> None:
        if self._on:
            self._on = False
            raise _TooSlow
