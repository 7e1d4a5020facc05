"""Foreign text of any length as rows that are worked out when they are looked at."""

import re
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, overload

from tui_agent.text.sanitize import is_safe, sanitize
from tui_agent.tui.widgets.transcript.lines import Line, Spans, clip, text_of, wrap

PLAIN_LIMIT: Final = 2_000_000
SAFE_LIMIT: Final = 600_000
LIMIT: Final = 120_000
"""Characters shown of one text: of printable ASCII, of what needs no sanitising, of any; longer ones show their
beginning and their end. It bounds the time until the first row, which has to stay within a frame."""

MEASURED: Final = 50_000
"""Characters of wide text wrapped by measuring each; what is beyond is cut by counting, which leaves rows half empty
where it is not wide after all."""

TAB: Final = 4

_PLAIN = re.compile(r"[ -~\n\t]*")
# As many cells as characters: Latin, Greek, Cyrillic, common punctuation, arrows, lines and boxes.
_ONE_CELL = re.compile("[ -~¡-¬®-˿Ͱ-Ͽ\u0400-\u0482\u048a-\u052f‐-‧←-⇿─-▟✓✗]*")


class SourceLine(NamedTuple):
    """A clean line and the line of the block's source that it stands for, as a `lines.Item`."""

    text: str
    role: str
    number: int

    @property
    def spans(self) -> Spans:
        """As `lines.Item`."""
        return ((self.text, self.role),)

    @property
    def source(self) -> tuple[int, int]:
        """As `lines.Item`."""
        return self.number, self.number + 1


def first_rows(lines: Sequence[Line]) -> Iterator[int]:
    """The rows that do not go on with the item of the rows above."""
    previous: Line | None = None
    for row, line in enumerate(lines):
        if line.item is not None and (previous is None or not goes_on(previous, line)):
            yield row
            previous = line


def goes_on(line: Line, following: Line) -> bool:
    """True when both rows show the same item."""
    if line.item is None or following.item is None:
        return False
    return line.item is following.item or (following.start > 0 and line.item.source == following.item.source)


class Rows(Sequence[Line]):
    """Rows known by their number; each is made when it is asked for."""

    @abstractmethod
    def row(self, number: int) -> Line:
        """One of them, 0 ≤ number < len."""

    @abstractmethod
    def firsts(self) -> Sequence[int]:
        """The first row of every item, in order."""

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            return [self.row(number) for number in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        return self.row(index % count)


class Stacked(Rows):
    """Rows above other rows."""

    def __init__(self, parts: Sequence[Sequence[Line]]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(map(len, self._parts)))
        self._firsts: list[int] = []

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> Line:
        """As `Rows`."""
        part = bisect_right(self._ends, number)
        return self._parts[part][number - (self._ends[part - 1] if part else 0)]

    def firsts(self) -> Sequence[int]:
        """As `Rows`."""
        if not self._firsts:
            for part, end in zip(self._parts, self._ends, strict=True):
                firsts = part.firsts() if isinstance(part, Rows) else first_rows(part)
                self._firsts += [end - len(part) + row for row in firsts]
        return self._firsts


class HardWrapped:
    """Clean lines (no newline, tab or control character) cut to a width anywhere, so that columns stay columns."""

    def __init__(self, lines: Sequence[str], width: int) -> None:
        self.lines = lines
        self._width = width = max(1, width)
        self._cuts: dict[int, list[int]] = {}  # where rows begin, of lines that had to be measured
        self._steps: dict[int, int] = {}  # characters of a row, of lines that are counted narrower
        self._ends: list[int] | None = None  # the row after each line, unless every line is a row
        longest = max(map(len, lines), default=0)
        if all(map(str.isascii, lines)):
            if longest > width:
                self._ends = list(accumulate([-(-len(line) // width) or 1 for line in lines]))
        elif longest * 2 > width:
            self._ends = list(accumulate(self._measured()))

    def _measured(self) -> list[int]:
        width, budget = self._width, MEASURED
        counts = []
        for index, line in enumerate(self.lines):
            if len(line) * 2 <= width:
                counts.append(1)
                continue
            if _ONE_CELL.fullmatch(line):
                counts.append(-(-len(line) // width))
                continue
            budget -= len(line)
            if budget < 0 or width == 1:
                step = self._steps[index] = max(1, width // 2)
                counts.append(-(-len(line) // step))
                continue
            cuts = [0, *accumulate(len(text_of(row)) for row in wrap(((line, ""),), width, hard=True)[:-1])]
            self._cuts[index] = cuts
            counts.append(len(cuts))
        return counts

    def __len__(self) -> int:
        return len(self.lines) if self._ends is None else self._ends[-1]

    def firsts(self) -> Sequence[int]:
        """The first row of every line."""
        return range(len(self.lines)) if self._ends is None else [0, *self._ends[:-1]]

    def find(self, row: int) -> tuple[int, int, int]:
        """The line a row belongs to, and which of its characters stand there."""
        if self._ends is None:
            return row, 0, len(self.lines[row])
        line = bisect_right(self._ends, row)
        index = row - (self._ends[line - 1] if line else 0)
        size = len(self.lines[line])
        if cuts := self._cuts.get(line):
            return line, cuts[index], cuts[index + 1] if index + 1 < len(cuts) else size
        step = self._steps.get(line, self._width)
        return line, min(size, index * step), min(size, (index + 1) * step)


def ends_of(text: str) -> tuple[str, str, str]:
    """A text's beginning, its end, and what is said between them; the last two are empty for all but huge texts."""
    if len(text) <= LIMIT:
        return text, "", ""
    limit = PLAIN_LIMIT if _PLAIN.fullmatch(text[:PLAIN_LIMIT]) else 0
    limit = limit or (SAFE_LIMIT if is_safe(text[:SAFE_LIMIT]) else LIMIT)
    if len(text) <= limit:
        return text, "", ""
    head, tail = text[: limit // 2], text[len(text) - limit // 2 :]
    # Whole lines, unless that would leave out much.
    head = head[: head.rfind("\n", limit // 4) + 1].removesuffix("\n") or head
    tail = tail[tail.find("\n", 0, limit // 4) + 1 :]
    stop = len(text) - len(tail)
    lines = text.count("\n", len(head), stop) - 1
    count = f"{lines:,} lines" if lines > 0 else f"{stop - len(head):,} characters"
    return head, tail, f"… {count} between are not shown; copying the block gives all"


def clean_lines(text: str) -> list[str]:
    """The lines of a text as they may be shown."""
    if not _PLAIN.fullmatch(text):
        text = sanitize(text)
    return text.expandtabs(TAB).split("\n")


def text_rows(text: str, role: str, width: int, number: int) -> list[Sequence[Line]]:
    """Text as rows below each other, cut to the width anywhere; its first line is `number` of the block's source."""
    head, tail, said = ends_of(text)
    rows: list[Sequence[Line]] = [TextRows(clean_lines(head), role, width, number)]
    if said:
        number += text.count("\n", 0, len(text) - len(tail))
        rows += [[Line(clip(((said, "faint"),), width))], TextRows(clean_lines(tail), role, width, number)]
    return rows


class TextRows(Rows):
    """Clean lines in one role, the first of them `number` of the block's source."""

    def __init__(self, lines: Sequence[str], role: str, width: int, number: int) -> None:
        self._wrapped = HardWrapped(lines, width)
        self._role = role
        self._number = number

    def __len__(self) -> int:
        return len(self._wrapped)

    def row(self, number: int) -> Line:
        """As `Rows`."""
        line, start, end = self._wrapped.find(number)
        text = self._wrapped.lines[line]
        item = SourceLine(text, self._role, self._number + line)
        return Line(((text[start:end], self._role),), item=item, start=start)

    def firsts(self) -> Sequence[int]:
        """As `Rows`."""
        return self._wrapped.firsts()
