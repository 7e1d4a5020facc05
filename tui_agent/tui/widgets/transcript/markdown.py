"""Markdown that arrives in pieces, read once: what a safe boundary closed is never parsed again."""

import re
from collections import deque
from math import inf
from time import monotonic

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.items import Item
from tui_agent.tui.widgets.transcript.lines import Line
from tui_agent.tui.widgets.transcript.reader import Reader

# The beginning of a marker says nothing yet: a lone `-` under a paragraph would make it a heading for a moment.
_UNDECIDED = re.compile(r"^\s*(?:[-=*_+#>~`|]+|(?:\d+[.)]?|[-*+])(?:\s+\[[ xX]?\]?)?)\s*$")

# A longer line is read in parts of this many characters.
_LONGEST_LINE = 8_192


class MarkdownText:
    """A text that grows.

    `items` holds what is complete and only ever gets longer; `tail()` gives what the rest looks like at the moment.
    Boundaries depend on the text alone, never on how it was cut into pieces: a blank line before an unindented line, a
    heading, a fence, an item of a top-level list. A link definition is known to the parts after it.

    Every item knows the lines of the text as fed that it came from (`source`); those of items one after another rise.
    """

    def __init__(self) -> None:
        self._reader = Reader()
        self._pieces: list[str] = []  # of the line that is being fed
        self._waiting = 0  # its characters
        self._number = 0  # and its number
        self._unread: deque[tuple[str, int]] = deque()  # complete lines, or parts of overlong ones
        self.finished = False

    @property
    def items(self) -> list[Item]:
        """What is complete."""
        return self._reader.out

    def feed(self, text: str, until: float = inf) -> bool:
        """Take the next piece and read it, until a moment (monotonic seconds) or to the end.

        Returns whether all was read; the rest is read by later calls, if with no text.
        """
        if text:
            self._pieces.append(text)
            self._waiting += len(text)
            if "\n" in text or self._waiting > _LONGEST_LINE:
                self._take_lines()
        return self._read(until)

    def finish(self, until: float = inf) -> bool:
        """No more will come. As `feed`, and when it is True all is complete."""
        if self.finished:
            return True
        if rest := "".join(self._pieces):
            self._unread.append((rest, self._number))
            self._pieces = []
            self._waiting = 0
        if not self._read(until):
            return False
        self._reader.close()
        self.finished = True
        return True

    def tail(self) -> list[Item]:
        """The items of what is not complete yet, parsed anew at every call."""
        if self.finished or self._unread:
            return []
        reader = self._reader
        rest = sanitize("".join(self._pieces))
        place = (self._number, self._number + 1)
        fence = reader.fence
        if fence is not None and not fence.leaves(rest):
            return [] if fence.might_close(rest) else [fence.line(rest, place)]
        if not reader.part and not rest:
            return []
        ahead = reader.fork()
        if rest and not _UNDECIDED.match(rest):
            ahead.line(rest, place)
        ahead.close()
        return ahead.out

    def _take_lines(self) -> None:
        *lines, rest = "".join(self._pieces).split("\n")
        number = self._number
        for line in lines:
            if len(line) <= _LONGEST_LINE:
                self._unread.append((line, number))
            else:
                parts, last = _cut(line)
                self._unread.extend((part, number) for part in (*parts, last))
            number += 1
        if len(rest) > _LONGEST_LINE:
            parts, rest = _cut(rest)
            self._unread.extend((part, number) for part in parts)
        self._pieces = [rest]
        self._waiting = len(rest)
        self._number = number

    def _read(self, until: float) -> bool:
        unread, read = self._unread, self._reader.line
        while unread:
            if until < inf and monotonic() >= until:
                return False
            line, number = unread.popleft()
            read(sanitize(line), (number, number + 1))
        return True


def parse(text: str) -> list[Item]:
    """The items of a whole text."""
    markdown = MarkdownText()
    markdown.feed(text)
    markdown.finish()
    return markdown.items


class WrappedMarkdown:
    """The rows of a Markdown text at one width; rows of complete items are made once."""

    def __init__(self, markdown: MarkdownText, width: int) -> None:
        self._markdown = markdown
        self._width = width
        self._done = 0
        self.frozen = 0
        self.lines: list[Line] = []

    def update(self) -> None:
        """Take over what came since the last call."""
        lines = self.lines
        del lines[self.frozen :]
        items = self._markdown.items
        for index in range(self._done, len(items)):
            lines.extend(items[index].lines(self._width))
        self._done = len(items)
        self.frozen = len(lines)
        for item in self._markdown.tail():
            lines.extend(item.lines(self._width))


def _cut(line: str) -> tuple[list[str], str]:
    """A line in parts of bounded length, cut after a space where there is one, and a last one that may still grow."""
    parts = []
    at = 0
    while len(line) - at > _LONGEST_LINE:
        end = line.rfind(" ", at, at + _LONGEST_LINE) + 1 or at + _LONGEST_LINE
        parts.append(line[at:end])
        at = end
    return parts, line[at:]
