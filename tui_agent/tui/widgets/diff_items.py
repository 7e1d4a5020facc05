"""A diff, a text or the arguments of a call as items: known by their number, each made when it is looked at."""

import json
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any, Final, overload

from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import Cell, HunkHead, Item, Line, Note, Pair, Replaced, gutter_of, halves
from tui_agent.tui.widgets.diff_marks import Marks
from tui_agent.tui.widgets.diff_outline import Outline, Stretch
from tui_agent.tui.widgets.diff_syntax import Syntax, Version
from tui_agent.tui.widgets.diff_text import is_plain_text
from tui_agent.workspace.diff import FileDiff, Row

PART: Final = 2_000
"""Characters of a line beyond which it is laid out in parts of about that size, each an item of its own."""

NO_NEWLINE: Final = "  (no newline)"


class Lines(Sequence[Item]):
    """Lines of a file (or pairs of them), some perhaps in parts.

    `make` gives the item of a line that begins with a character of it. `sizes` are the lengths of the lines when some
    need parts, `step` is the length of a part. `height` is that of every item, negative when it is only a guess.
    """

    def __init__(
        self, count: int, make: Callable[[int, int], Item], sizes: Sequence[int], step: int, height: int
    ) -> None:
        self._make = make
        self._step = step
        self._ends = list(accumulate(max(1, -(-size // step)) for size in sizes)) if sizes else None
        self._count = self._ends[-1] if self._ends else count
        self.height = height

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._count))]
        if self._ends is None:
            return self._make(index, 0)
        line = bisect_right(self._ends, index)
        return self._make(line, (index - (self._ends[line - 1] if line else 0)) * self._step)


class Laid(Sequence[Item]):
    """Groups of items one below the other, for one width."""

    def __init__(self, groups: Sequence[Sequence[Item]]) -> None:
        self._groups = [group for group in groups if len(group)]
        self._ends = list(accumulate(map(len, self._groups)))
        self.heads = [
            end - 1
            for end, group in zip(self._ends, self._groups, strict=True)
            if isinstance(group, list) and isinstance(group[-1], HunkHead)
        ]
        """Which items are heads of hunks."""

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        group = bisect_right(self._ends, index)
        return self._groups[group][index - (self._ends[group - 1] if group else 0)]

    def heights(self) -> "array[int]":
        """The height of each item; negative where it is only guessed."""
        out = array("i")
        for group in self._groups:
            height = group.height if isinstance(group, Lines) else -1
            out.extend(array("i", [height]) * len(group))
        return out


def diff_items(
    outline: Outline,
    split: bool,
    syntax: Syntax | None,
    symbols: Symbols = UNICODE,
    *,
    width: int = 120,
    marks: Marks | None = None,
    tail: Sequence[Item] = (),
) -> Laid:
    """A whole diff laid out, and `tail` below it; places are the same for both layouts."""
    diff = outline.diff
    rows = _Rows(outline, split, width, syntax if diff.encoding != "binary" else None, marks or Marks(), symbols.arrow)
    said = headline(diff)
    groups: list[Sequence[Item]] = [[Note(", ".join(said), "warning", 0)]] if said else []
    place = seen = 0
    for number, (hunk, stretches) in enumerate(zip(diff.hunks, outline.hunks, strict=True)):
        first = hunk.old_start - bool(hunk.old_lines)
        if diff.kind != "created":
            groups.append([HunkHead(hunk, number, first - seen, place)])
        seen = first + hunk.old_lines
        for stretch in stretches:
            made, place = rows.of(stretch, place)
            groups += made
    rest = len(diff.old_lines) - seen
    if rest > 0 and diff.hunks and diff.kind != "binary":
        groups.append([Note(f"{rest:,} unchanged below", "faint", place)])
    groups.append(list(tail))
    return Laid(groups)


def headline(diff: FileDiff) -> list[str]:
    """What the lines of a diff do not say by themselves."""
    said = {
        "created": ["new file"],
        "overwritten": ["every line is replaced"],
    }.get(diff.kind, [])
    said += diff.notes
    if not diff.hunks and diff.kind != "created":
        said.append("nothing changes")
    return said


def counts_text(diff: FileDiff, symbols: Symbols) -> str:
    """Added and removed lines, as in "+3 −1"."""
    return f"{symbols.plus}{diff.added:,} {symbols.minus}{diff.removed:,}"


def text_items(text: str, symbols: Symbols = UNICODE, *, width: int = 120, tail: Sequence[Item] = ()) -> Laid:
    """A numbered text, every line of it, and `tail` below it."""
    lines = text.split("\n")
    digits = len(str(len(lines)))
    room = max(1, width - gutter_of("text", 1, digits))
    longest = max(map(len, lines))
    step = _step(room)

    long = longest > step
    places: Sequence[int] = [0, *accumulate(len(line) + 1 for line in lines)] if long else range(len(lines))

    def make(index: int, start: int) -> Item:
        part = lines[index][start : start + step]
        cell = Cell("text", (index + 1,), digits, part, tab=symbols.arrow, start=start)
        return Line(cell, places[index] + start)

    height = 1 if longest <= room and is_plain_text(text) else -(step // room) if long else -1
    sizes = list(map(len, lines)) if long else []
    return Laid([Lines(len(lines), make, sizes, step, height), list(tail)])


def json_items(
    arguments: Mapping[str, Any], symbols: Symbols = UNICODE, *, width: int = 120, tail: Sequence[Item] = ()
) -> Laid:
    """The arguments of a call, indented, as they were understood."""
    text = json.dumps(arguments, indent=2, ensure_ascii=False, default=str)
    return text_items(text, symbols, width=width, tail=tail)


def _step(room: int) -> int:
    """The length of a part: whole lines of the screen where every character takes a cell."""
    return max(1, PART // room) * room


@dataclass(slots=True)
class _Rows:
    """Makes the groups of one diff's stretches."""

    outline: Outline
    split: bool
    width: int
    syntax: Syntax | None
    marks: Marks
    tab: str
    digits: int = 0
    room: int = 1
    step: int = 1
    flat: bool = False

    def __post_init__(self) -> None:
        diff = self.outline.diff
        self.digits = len(str(max(len(diff.old_lines), len(diff.new_lines), 1)))
        columns = 1 if self.split or diff.kind == "created" else 2
        width = min(halves(self.width)) if self.split else self.width
        self.room = max(1, width - gutter_of("context", columns, self.digits))
        self.step = _step(self.room)
        self.flat = self.outline.plain is not None and self.outline.plain + len(NO_NEWLINE) <= self.room

    def of(self, stretch: Stretch, place: int) -> tuple[list[Sequence[Item]], int]:
        """The groups of a stretch, and the place after it; a row takes one, where parts are needed one a character."""
        removed, added = stretch.removed, stretch.added
        long = stretch.longest > self.step
        before = _places(removed, place, long)
        after = before if stretch.context else _places(added, before[-1], long)
        old_sizes, new_sizes = ([len(row.text) for row in rows] if long else [] for rows in (removed, added))
        end = after[-1]
        if stretch.context:
            same = self._lines(
                len(added), lambda at, start: self._same(added[at], start, before[at] + start), new_sizes
            )
            return [same], end
        if not self.split:

            def gone(at: int, start: int) -> Item:
                return self._single(removed[at], _at(added, at), start, before[at] + start)

            def come(at: int, start: int) -> Item:
                return self._single(added[at], _at(removed, at), start, after[at] + start)

            return [self._lines(len(removed), gone, old_sizes), self._lines(len(added), come, new_sizes)], end

        def pair(at: int, start: int) -> Item:
            # The longer line may have more characters than there are places before the next.
            found = min(before[at] + start, before[at + 1] - 1) if at < len(removed) else after[at] + start
            return self._pair(_at(removed, at), _at(added, at), start, found)

        sizes = [max(both) for both in zip_longest(old_sizes, new_sizes, fillvalue=0)]
        return [self._lines(max(len(removed), len(added)), pair, sizes)], end

    def _lines(self, count: int, make: Callable[[int, int], Item], sizes: Sequence[int]) -> Lines:
        return Lines(count, make, sizes, self.step, 1 if self.flat else -(self.step // self.room) if sizes else -1)

    def _same(self, row: Row, start: int, place: int) -> Item:
        if not self.split:
            return Line(self._cell(row, (row.old, row.new), "new", None, start), place)
        left = self._cell(row, (row.old,), "old", None, start)
        return Pair(left, self._cell(row, (row.new,), "new", None, start), place)

    def _single(self, row: Row, other: Row | None, start: int, place: int) -> Item:
        numbers = (row.new,) if self.outline.diff.kind == "created" else (row.old, row.new)
        return Line(self._cell(row, numbers, "old" if row.side == "removed" else "new", other, start), place)

    def _pair(self, old: Row | None, new: Row | None, start: int, place: int) -> Item:
        left = self._cell(old, (old.old,), "old", new, start) if old and _reaches(old, start) else None
        right = self._cell(new, (new.new,), "new", old, start) if new and _reaches(new, start) else None
        return Pair(left, right, place)

    def _text(self, row: Row) -> str:
        return row.text.removesuffix("\r") if self.outline.hide_cr else row.text

    def _cell(self, row: Row, numbers: tuple[int, ...], version: Version, other: Row | None, start: int) -> Cell:
        text = self._text(row)
        replaced = None
        if other is not None:
            old, new = (row, other) if row.side == "removed" else (other, row)
            replaced = Replaced(old.old, new.new, self._text(old), self._text(new))
        last = start + self.step >= len(row.text)
        return Cell(
            row.side,
            numbers,
            self.digits,
            text[start : start + self.step],
            "" if row.ends or not last else NO_NEWLINE,
            replaced,
            self.marks,
            self.syntax,
            version,
            row.old if version == "old" else row.new,
            self.tab,
            start,
        )


def _places(rows: Sequence[Row], first: int, long: bool) -> Sequence[int]:
    """Where each row begins, and where the last one ends."""
    if not long:
        return range(first, first + len(rows) + 1)
    return list(accumulate((len(row.line) + 1 for row in rows), initial=first))


def _at(rows: Sequence[Row], index: int) -> Row | None:
    return rows[index] if index < len(rows) else None


def _reaches(row: Row, start: int) -> bool:
    """True when a part of the row begins there."""
    return start == 0 or start < len(row.text)
