"""What copying gives: the source that is behind what is shown, never what was drawn around it."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from tui_agent.tui.widgets.transcript.lines import Item, text_of

_STEP = 512
# How far apart text and source may run at a place where they differ: a link's target, a reference.
_SEEN = 64
_AHEAD = 2048
_FAR = 1 << 20
# Code that is only indented begins before this column.
_DEEPEST = 200
_MARKS = re.compile(r"[*_~`]+")
_MARKS_AT_END = re.compile(r"[*_~`]+\Z")
_FENCE_MARK = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])?[ \t>]*(`{3,}|~{3,})")
_PREFIX = " \t>"


class End(NamedTuple):
    """One end of what is copied: before the character `offset` of the item number `item`."""

    item: int
    offset: int


def copied(source: str, items: Sequence[Item], start: End, end: End, open_end: bool = False) -> str:
    """The source (sanitised) between two ends in the items of one block that have a place in it.

    Whole items give their whole lines; so do all lines between the two ends. At an end within an item the source
    begins or stops where the shown text does. Lines of one fence come without what the fence stands in. All items give
    all of the source, unless it is `open_end`: there is more of it than the items show.
    """
    if not items:
        return ""
    start, end = _tightened(items, start, end)
    if (start.item, start.offset) >= (end.item, end.offset) and not _is_empty(items, start):
        return ""
    if not open_end and start == (0, 0) and end == (len(items) - 1, _length(items[-1])):
        return source
    return _Source(source, items).between(start, end)


def _tightened(items: Sequence[Item], start: End, end: End) -> tuple[End, End]:
    """The same text, with ends that are not at the far side of a line's end."""
    last = len(items) - 1
    if start.item > last:
        return End(last, _length(items[last])), End(last, _length(items[last]))
    if end.item > last:
        end = End(last, _length(items[last]))
    if start.item < end.item and 0 < _length(items[start.item]) <= start.offset:
        start = End(start.item + 1, 0)
    if start.item < end.item and end.offset == 0 and _length(items[end.item]):
        end = End(end.item - 1, _length(items[end.item - 1]))
    return start, end


def _length(item: Item) -> int:
    return len(text_of(item.spans))


def _is_empty(items: Sequence[Item], end: End) -> bool:
    return not _length(items[end.item])


class _Source:
    def __init__(self, source: str, items: Sequence[Item]) -> None:
        self._source = source
        self._lines = source.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]
        self._items = items

    def between(self, start: End, end: End) -> str:
        first, last = self._fence(start.item), self._fence(end.item)
        if first is not None and first == last:
            return self._code(start, end, self._items[first[0]].source[0])
        begin, stop = self._begin(start, end), self._stop(start, end)
        begin, stop = self._balanced(begin, stop)
        if first is not None and start == (first[0], 0):
            begin = self._with_line_above(begin)
        if last is not None and start.item < last[0] and end == (last[1], _length(self._items[last[1]])):
            stop = self._with_line_below(stop)
        return self._source[begin:stop]

    # ---- where an end is in the source ----

    def _group(self, item: int) -> tuple[int, int]:
        """The items around this one that came from the same lines, first and last."""
        items, first, last = self._items, item, item
        while first and items[first - 1].source == items[item].source:
            first -= 1
        while last + 1 < len(items) and items[last + 1].source == items[item].source:
            last += 1
        return first, last

    def _range(self, item: int) -> tuple[int, int]:
        """The characters of an item's lines."""
        first, after = (min(line, len(self._lines)) for line in self._items[item].source)
        return self._starts[first], max(self._starts[first], self._starts[after] - 1)

    def _begin(self, start: End, end: End) -> int:
        first, last = self._group(start.item)
        begin, _ = self._range(start.item)
        whole_to = End(last, _length(self._items[last]))
        if start == (first, 0) and (end.item > last or end == whole_to):
            return begin
        return self._aligned(start, first, last)[0]

    def _stop(self, start: End, end: End) -> int:
        first, last = self._group(end.item)
        _, stop = self._range(end.item)
        if end == (last, _length(self._items[last])) and (start.item < first or start == (first, 0)):
            return stop
        return self._aligned(end, first, last)[1]

    def _aligned(self, end: End, first: int, last: int) -> tuple[int, int]:
        """Where the text behind an end begins in the source, and where the text before it stops."""
        begin, stop = self._range(first)
        texts = [text_of(item.spans) for item in self._items[first : last + 1]]
        at = sum(len(text) + 1 for text in texts[: end.item - first]) + end.offset
        shown = "\n".join(texts)
        places = aligned(shown, self._source[begin:stop])
        after = begin + places.at(at) if at < len(shown) else stop
        before = begin + places.at(at - 1) + 1 if at else begin
        return after, min(before, after)

    def _balanced(self, begin: int, stop: int) -> tuple[int, int]:
        """With the mark that closes (or opens) an emphasis whose other mark is in already."""
        text = self._source[begin:stop]
        after = _MARKS.match(self._source, stop)
        before = _MARKS_AT_END.search(self._source, max(0, begin - 3), begin)
        if after and text.count(after[0]) % 2:
            return begin, after.end()
        if before and text.count(before[0]) % 2:
            return before.start(), stop
        return begin, stop

    # ---- code ----

    def _fence(self, item: int) -> tuple[int, int] | None:
        """First and last item of the code around an item, None for other text."""
        return fence_around(self._items, item)

    def _code(self, start: End, end: End, first: int) -> str:
        lines = []
        opening = self._lines[first - 1] if first else ""
        for number in range(start.item, end.item + 1):
            item = self._items[number]
            text = text_of(item.spans)
            raw = code_source(self._lines[item.source[0]], text, opening)
            places = aligned(text, raw)
            begin = places.at(start.offset) if number == start.item else 0
            stop = places.at(end.offset) if number == end.item and end.offset < len(text) else len(raw)
            lines.append(raw[begin:stop])
        return "\n".join(lines)

    def _with_line_above(self, begin: int) -> int:
        line = self._source.count("\n", 0, begin)
        return self._starts[line - 1] if line and _FENCE_MARK.match(self._lines[line - 1]) else begin

    def _with_line_below(self, stop: int) -> int:
        line = self._source.count("\n", 0, stop) + 1
        if line < len(self._lines) and _FENCE_MARK.match(self._lines[line]):
            return self._starts[line + 1] - 1
        return stop


def is_code(item: Item) -> bool:
    """True for a line of code, not for the name of its language."""
    return getattr(item, "band", "") == "code" and not is_label(item)


def is_label(item: Item) -> bool:
    """True for the name of the language above code."""
    return getattr(item, "band", "") == "code" and len(item.spans) == 1 and item.spans[0][1] == "faint"


def fence_around(items: Sequence[Item], item: int) -> tuple[int, int] | None:
    """First and last item of the code that an item is a line of, None for other text."""
    if not is_code(items[item]):
        return None
    first = last = item
    while first and is_code(items[first - 1]) and items[first - 1].source[1] == items[first].source[0]:
        first -= 1
    while last + 1 < len(items) and is_code(items[last + 1]) and items[last + 1].source[0] == items[last].source[1]:
        last += 1
    return first, last


def code_source(line: str, shown: str, fence: str = "") -> str:
    """A line of code as it was written: the line of the source without what the code stands in.

    `fence` is the line that opens it, empty for code that is only indented.
    """
    match = _FENCE_MARK.match(fence)
    within = [
        at
        for at in range((match.start(1) if match else min(len(line), _DEEPEST)) + 1)
        if line[at:].expandtabs(4) == shown
    ]
    if not within:
        return shown
    return line[within[-1 if match else 0] :]


class Aligned(NamedTuple):
    """Where characters of a shown text stand in its source: runs of (shown, source, how many), rising in both."""

    runs: Sequence[tuple[int, int, int]]

    def at(self, index: int) -> int:
        """The character of the source behind a shown one; for one that was only drawn where the text goes on."""
        number = bisect_right(self.runs, (index, _FAR, 0)) - 1
        if number < 0:
            return 0
        shown, source, count = self.runs[number]
        return source + min(index - shown, count)


def aligned(shown: str, source: str) -> Aligned:
    """Find a shown text in its source, which has marks and targets that are shown in another way or not at all."""
    runs: list[tuple[int, int, int]] = []
    index = at = 0
    while index < len(shown) and at < len(source):
        if count := _same(shown, index, source, at):
            runs.append((index, at, count))
            index += count
            at += count
        elif shown[index] == " " and source[at] == "\t":
            runs.append((index, at, 1))
            index, at = _after_tab(shown, index), at + 1
        else:
            skip_shown, skip_source = _resync(shown, index, source, at)
            index += skip_shown
            at += skip_source
    return Aligned(runs)


def _same(one: str, index: int, other: str, at: int) -> int:
    """How many characters agree."""
    begin = index
    while index < len(one) and one[index : index + _STEP] == other[at : at + _STEP]:
        index, at = index + _STEP, at + _STEP
    index = min(index, len(one))
    at = min(at, len(other))
    while index < len(one) and at < len(other) and one[index] == other[at]:
        index, at = index + 1, at + 1
    return index - begin


def _after_tab(shown: str, index: int) -> int:
    """Behind the blanks of a tab, which goes to the next column that is a multiple of four."""
    index += 1
    while index % 4 and index < len(shown) and shown[index] == " ":
        index += 1
    return index


def _resync(shown: str, index: int, source: str, at: int) -> tuple[int, int]:
    """The least to skip in both until they agree for some characters; the fewer agree, the nearer they have to be."""
    nothing = len(shown) - index, len(source) - at
    best, cost = nothing, _FAR
    for size in (4, 2, 1):
        price = 2 * (4 - size)
        for skip in range(min(_SEEN, len(source) - at - size + 1)):
            if skip + price >= cost:
                break
            found = shown.find(source[at + skip : at + skip + size], index, index + _AHEAD) - index
            if found >= 0 and found + skip + price < cost:
                best, cost = (found, skip), found + skip + price
        for skip in range(min(_SEEN, len(shown) - index - size + 1)):
            if skip + price >= cost:
                break
            found = source.find(shown[index + skip : index + skip + size], at, at + _AHEAD) - at
            if found >= 0 and found + skip + price < cost:
                best, cost = (skip, found), found + skip + price
    return best


def amount(text: str, what: str = "") -> str:
    """What was copied, for people: `3 lines, 120 characters`, `code, 12 lines`."""
    lines = text.count("\n") + 1
    parts = [what] if what else []
    if lines > 1 or what == "code":
        parts.append(f"{lines:,} line{'s' if lines > 1 else ''}")
    if what != "code":
        parts.append(f"{len(text):,} character{'s' if len(text) != 1 else ''}")
    return ", ".join(parts)
