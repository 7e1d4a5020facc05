"""A diff, a text or the arguments of a call as items: known by their number, each made when it is looked at."""

import json
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any, Final, overload

from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import (
    Cell,
    HunkHead,
    Item,
    Line,
    Marks,
    Note,
    Pair,
    Replaced,
    gutter_of,
    halves,
)
from tui_agent.tui.widgets.diff_excerpts import excerpts
from tui_agent.tui.widgets.diff_outline import LONG, Outline, Stretch
from tui_agent.tui.widgets.diff_syntax import Syntax, Version
from tui_agent.tui.widgets.diff_text import is_plain_text
from tui_agent.workspace.diff import FileDiff, Row
from tui_agent.workspace.intraline import Span

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
    tail: Sequence[Item] = (),
    marks: Marks | None = None,
) -> Laid:
    """A whole diff laid out, and `tail` below it; places are the same for both layouts. `marks` go to the heads."""
    diff = outline.diff
    rows = _Rows(outline, split, width, syntax if diff.encoding != "binary" else None, symbols.arrow)
    said = headline(diff)
    groups: list[Sequence[Item]] = [[Note(", ".join(said), "warning", 0)]] if said else []
    place = seen = 0
    for number, (hunk, stretches) in enumerate(zip(diff.hunks, outline.hunks, strict=True)):
        first = hunk.old_start - bool(hunk.old_lines)
        if diff.kind != "created" or marks is not None:
            groups.append([HunkHead(hunk, number, first - seen, place, marks)])
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


def counts_text(diff: FileDiff, symbols: Symbols, lines: tuple[int, int] | None = None) -> str:
    """Added and removed lines, as in "+3 −1"; `lines` are others than those of the diff."""
    added, removed = lines or (diff.added, diff.removed)
    return f"{symbols.plus}{added:,} {symbols.minus}{removed:,}"


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
        cell = Cell("text", (index + 1,), digits, part, tab=symbols.arrow, start=start, first=start == 0)
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
    return max(1, LONG // room) * room


@dataclass(slots=True)
class _Rows:
    """Makes the groups of one diff's stretches."""

    outline: Outline
    split: bool
    width: int
    syntax: Syntax | None
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
        """The groups of a stretch, and the place after it; a row takes one, where some are long one a character."""
        removed, added = stretch.removed, stretch.added
        long = stretch.longest > min(LONG, self.step)
        before = _places(removed, place, long)
        after = before if stretch.context else _places(added, before[-1], long)
        end = after[-1]
        if long:
            return [list(self._excerpts(stretch, before, after))], end
        if stretch.context:
            return [self._lines(len(added), lambda at, _: self._whole(added[at], added[at], before[at]))], end
        if self.split:

            def pair(at: int, _start: int) -> Item:
                found = before[at] if at < len(removed) else after[at]
                return self._whole(_at(removed, at), _at(added, at), found)

            return [self._lines(max(len(removed), len(added)), pair)], end

        def gone(at: int, _start: int) -> Item:
            return Line(self._cell(removed[at], _at(added, at), "old"), before[at])

        def come(at: int, _start: int) -> Item:
            return Line(self._cell(added[at], _at(removed, at)), after[at])

        return [self._lines(len(removed), gone), self._lines(len(added), come)], end

    def _lines(self, count: int, make: Callable[[int, int], Item]) -> Lines:
        return Lines(count, make, (), self.step, 1 if self.flat else -1)

    def _whole(self, old: Row | None, new: Row | None, place: int) -> Item:
        """Short lines beside each other, or the same line on both sides."""
        return self._item(
            self._cell(old, new, "old") if old and self.split else None, self._cell(new, old) if new else None, place
        )

    def _item(self, old: Cell | None, new: Cell | None, place: int) -> Item:
        if self.split:
            return Pair(old, new, place)
        cell = new or old
        assert cell is not None
        return Line(cell, place)

    def _excerpts(self, stretch: Stretch, before: Sequence[int], after: Sequence[int]) -> Iterator[Item]:
        """Lines of which some are long, in parts; what is the same within replaced ones is left out."""
        if self.split or stretch.context:
            for at, (old, new) in enumerate(zip_longest(stretch.removed, stretch.added)):
                yield from self._parts(old, new, before[at] if old else after[at])
            return
        for at, old in enumerate(stretch.removed):
            yield from self._parts(old, None, before[at], _at(stretch.added, at))
        for at, new in enumerate(stretch.added):
            yield from self._parts(None, new, after[at], _at(stretch.removed, at))

    def _parts(self, old: Row | None, new: Row | None, place: int, other: Row | None = None) -> Iterator[Item]:
        """The parts of a line, or of two beside each other; `other` is what the only one replaced or became."""
        one, two = old or other, new or other
        same = one is two
        known = None if same or not one or not two else self.outline.within.get((one.old, two.new))
        shown = 0
        seen = False
        for excerpt in excerpts(known, *(len(row.text) if row else 0 for row in (one, two))):
            left, right = excerpt[:2], excerpt[2:]
            start, end = left if old else right
            if start > shown:
                yield _left_out(start - shown, place + shown)
            longest = max(high - low for row, (low, high) in ((old, left), (new, right)) if row)
            for at in range(0, max(1, longest), self.step):
                first = not at and not seen
                before = self._part(old, new or other, "old", left, at, first)
                after = self._part(new, old or other, "new", right, at, first)
                yield self._item(before, after, place + min(start + at, end))
            shown, seen = end, True
        line = old or new
        size = len(line.text) if line else 0
        if shown < size:
            yield _left_out(size - shown, place + shown)

    def _part(
        self, row: Row | None, other: Row | None, version: Version, span: Span, at: int, first: bool
    ) -> Cell | None:
        """The part of a line that begins `at` characters after the beginning of the span, if there is one."""
        start = span[0] + at
        if row is None or (at and start >= span[1]):
            return None
        return self._cell(row, other, version, start, min(start + self.step, span[1]), first)

    def _text(self, row: Row) -> str:
        return row.text.removesuffix("\r") if self.outline.hide_cr else row.text

    def _cell(
        self,
        row: Row,
        other: Row | None,
        version: Version = "new",
        start: int = 0,
        end: int | None = None,
        first: bool = True,
    ) -> Cell:
        text = self._text(row)
        replaced = None
        if other is not None and other is not row:
            old, new = (row, other) if row.side == "removed" else (other, row)
            replaced = Replaced(self._text(old), self._text(new), self.outline.within.get((old.old, new.new)))
        number = row.old if version == "old" else row.new
        both = not self.split and self.outline.diff.kind != "created"
        last = end is None or end >= len(row.text)
        return Cell(
            row.side,
            (row.old, row.new) if both else (number,),
            self.digits,
            text[start:end],
            NO_NEWLINE if last and not row.ends else "",
            replaced,
            self.syntax,
            version,
            number,
            self.tab,
            start,
            first,
        )


def _left_out(characters: int, place: int) -> Note:
    return Note(f"… {characters:,} characters unchanged", "faint", place)


def _places(rows: Sequence[Row], first: int, long: bool) -> Sequence[int]:
    """Where each row begins, and where the last one ends."""
    if not long:
        return range(first, first + len(rows) + 1)
    return list(accumulate((len(row.line) + 1 for row in rows), initial=first))


def _at(rows: Sequence[Row], index: int) -> Row | None:
    return rows[index] if index < len(rows) else None
