"""One thing laid out in a diff, a command or a note: how many lines it takes at a width, and how they are painted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, Protocol

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_agent.tui.theming import Palette, Symbols
from tui_agent.tui.widgets.diff_syntax import Syntax, Version
from tui_agent.tui.widgets.diff_text import Breaks, Layer, Shown, cells, is_plain, one_line, segments, show
from tui_agent.workspace.diff import Hunk, Side
from tui_agent.workspace.intraline import Spans, intraline

Role = Literal["text", "muted", "faint", "accent", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Paint:
    """What painting needs besides the text: the theme, and the background everything stands on."""

    palette: Palette
    ground: Style
    symbols: Symbols


class Item(Protocol):
    """Something laid out; it takes `height(width)` lines of the screen."""

    @property
    def place(self) -> int:
        """Its place in the content, the same in every layout; items in order have places in order."""
        ...

    def height(self, width: int) -> int:
        """Lines it takes at a width; at least one."""
        ...

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """One of those lines, exactly `width` cells wide."""
        ...


@dataclass(frozen=True)
class Note:
    """A sentence of ours (foreign parts are spelled out), wrapped."""

    text: str
    role: Role = "muted"
    place: int = -1

    @cached_property
    def _shown(self) -> Shown:
        return show(self.text)

    @cached_property
    def _breaks(self) -> Breaks:
        return Breaks(self._shown.text, words=True)

    def height(self, width: int) -> int:
        """As `Item`."""
        return self._breaks.count(max(1, width))

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        style = paint.ground + _role(paint.palette, self.role)
        start, end = self._breaks.piece(max(1, width), index)
        line = segments(self._shown.text, start, end, style, list(_marks(self._shown, start, end, paint.palette)))
        return Strip(line).adjust_cell_length(width, paint.ground)


_PIECE = 2_000
"""Characters of a longer line that are wrapped at a time: a frame has time for no more."""


def notes(text: str, role: Role) -> Iterator[Note]:
    """A line of any length as notes below each other."""
    for start in range(0, len(text) or 1, _PIECE):
        yield Note(text[start : start + _PIECE], role)


class Mark(NamedTuple):
    """What was decided about a hunk, what is said about it, and whether the keys are about it now."""

    state: Literal["accepted", "rejected", "edited"]
    comment: str = ""
    present: bool = False


Marks = Callable[[int], Mark]
"""The mark of each hunk, as it is at the moment of asking."""


@dataclass(frozen=True)
class HunkHead:
    """The line above a hunk: which lines, in which definition, how many unchanged ones are left out before it.

    With `marks` it says what was decided about the hunk.
    """

    hunk: Hunk
    number: int
    skipped: int
    place: int
    marks: Marks | None = None

    @cached_property
    def _text(self) -> tuple[str, str, str]:
        old = _range(self.hunk.old_start, self.hunk.old_lines)
        new = _range(self.hunk.new_start, self.hunk.new_lines)
        return old, new, one_line(self.hunk.heading)

    def height(self, width: int) -> int:
        """As `Item`."""
        return 1

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        ground = paint.ground + paint.palette.surface
        old, new, heading = self._text
        line: list[Segment] = []
        if self.marks is not None:
            mark = self.marks(self.number)
            ground = paint.ground + (paint.palette.raised if mark.present else paint.palette.surface)
            line = list(_marked(mark, ground, paint))
        line.append(Segment(f"@@ {old} {paint.symbols.arrow} {new}", ground + paint.palette.accent))
        skipped = f"{self.skipped:,} unchanged " if self.skipped else ""
        if heading:
            line.append(Segment(f"  {heading}", ground + paint.palette.muted))
        room = width - len(skipped)
        if sum(cells(segment.text) for segment in line) + 1 > room:
            return Strip(line).adjust_cell_length(width, ground)
        left = Strip(line).adjust_cell_length(room, ground)
        return Strip([*left, Segment(skipped, ground + paint.palette.faint)])


def _marked(mark: Mark, ground: Style, paint: Paint) -> Iterator[Segment]:
    """What was decided, first in the line: it is what must be seen in the narrowest of terminals."""
    palette, signs = paint.palette, paint.symbols
    sign, style = {
        "accepted": (signs.check, palette.success),
        "rejected": (signs.cross, palette.error),
        "edited": (signs.pencil, palette.warning),
    }[mark.state]
    yield Segment(f"{signs.prompt if mark.present else ' '} ", ground + palette.accent + Style(bold=True))
    yield Segment(f"{sign} {mark.state}  ", ground + style + Style(bold=mark.present))
    if mark.comment:
        text = one_line(mark.comment)
        yield Segment(f'"{text if len(text) <= 40 else text[:39] + signs.ellipsis}"  ', ground + palette.text)


class Replaced(NamedTuple):
    """A line that was replaced by another: their texts, and what differs where that is known already."""

    old: str
    new: str
    known: Spans | None

    def spans(self) -> Spans:
        """What differs."""
        return _compared(self.old, self.new) if self.known is None else self.known


_compared = lru_cache(maxsize=256)(intraline)


@dataclass(frozen=True)
class Cell:
    """One line of a file on one side, with its numbers, or a part of one that is too long to be handled whole.

    `numbers` are the columns of the gutter, right-aligned to `digits`; a `side` other than "text" has a column for its
    sign. `replaced` tells what the line replaced or what replaced it; `tail` is said after the text. `source` begins
    with the character `start` of the line; only the first part of it that is shown has numbers and sign.
    """

    side: Side | Literal["text"]
    numbers: tuple[int, ...]
    digits: int
    source: str
    tail: str = ""
    replaced: Replaced | None = None
    syntax: Syntax | None = None
    version: Version = "new"
    line: int = 0
    tab: str = "→"
    start: int = 0
    first: bool = True

    @property
    def gutter(self) -> int:
        """Cells before the text."""
        return gutter_of(self.side, len(self.numbers), self.digits)

    @cached_property
    def shown(self) -> Shown:
        """What is painted of the text."""
        shown = show(self.source, self.tab, inside=self.start > 0)
        if not self.tail:
            return shown
        end = len(shown.text)
        whole = Shown(shown.text + self.tail, shown.pieces)
        return whole if end else Shown(self.tail, ())

    def _changed(self) -> Iterator[tuple[int, int]]:
        """The spans that differ from the other line."""
        if self.replaced is None:
            return
        end = self.start + len(self.source)
        for left, right in self.replaced.spans()[self.side == "added"]:
            if left < end and right > self.start:
                yield max(left, self.start) - self.start, min(right, end) - self.start

    def height(self, width: int) -> int:
        """Lines it takes at a width."""
        room = max(1, width - self.gutter)
        if not self.tail and len(self.source) <= room and is_plain(self.source):
            return 1
        return self.shown.breaks.count(room)

    def paint(self, width: int, index: int, paint: Paint) -> list[Segment]:
        """One line of it, exactly `width` cells wide."""
        palette = paint.palette
        ground, number, sign = paint.ground, palette.faint, " "
        if self.side == "added":
            ground, number, sign = ground + palette.added_background, palette.added, "+"
        elif self.side == "removed":
            ground, number, sign = ground + palette.removed_background, palette.removed, "-"
        out: list[Segment] = []
        if index < self.height(width):
            gutter = " " * self.gutter
            if not index and self.first:
                columns = (f"{value or '':>{self.digits}}" for value in self.numbers)
                gutter = f"{' '.join(columns)} {sign} "[: self.gutter]
            room = max(1, width - self.gutter)
            start, end = self.shown.breaks.piece(room, index)
            out = [Segment(gutter, ground + number)]
            out += segments(self.shown.text, start, end, ground + palette.text, list(self._layers(palette, start, end)))
        return list(Strip(out).adjust_cell_length(width, ground))

    def _layers(self, palette: Palette, start: int, end: int) -> Iterator[Layer]:
        shown = self.shown
        if self.syntax is not None and not self.start:
            for token in self.syntax.line(self.version, self.line):
                yield Layer(*shown.span(token.start, token.end), palette.syntax(token.kind))
        emphasis = palette.added_emphasis if self.side == "added" else palette.removed_emphasis
        for span in self._changed():
            yield Layer(*shown.span(*span), emphasis)
        yield from _marks(shown, start, end, palette)
        if self.tail:
            yield Layer(len(shown.text) - len(self.tail), len(shown.text), palette.faint)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a unified diff, or of a numbered text."""

    cell: Cell
    place: int

    def height(self, width: int) -> int:
        """As `Item`."""
        return self.cell.height(width)

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        return Strip(self.cell.paint(width, index, paint), width)


@dataclass(frozen=True, slots=True)
class Pair:
    """A line before beside the line after; one of them may be missing."""

    left: Cell | None
    right: Cell | None
    place: int

    def height(self, width: int) -> int:
        """As `Item`."""
        left, right = halves(width)
        return max(
            self.left.height(left) if self.left else 1,
            self.right.height(right) if self.right else 1,
        )

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        left, right = halves(width)
        missing = paint.ground + paint.palette.surface
        sides = [
            cell.paint(size, index, paint) if cell else [Segment(" " * size, missing)]
            for cell, size in ((self.left, left), (self.right, right))
        ]
        return Strip([*sides[0], Segment(" ", paint.ground), *sides[1]], width)


def gutter_of(side: Side | Literal["text"], columns: int, digits: int) -> int:
    """Cells before the text of a cell with so many columns of numbers."""
    return (digits + 1) * columns + (1 if side == "text" else 2)


def halves(width: int) -> tuple[int, int]:
    """The widths of before and after when they stand beside each other, with a blank between."""
    left = (width - 1) // 2
    return left, width - 1 - left


def _range(start: int, lines: int) -> str:
    return f"{start}-{start + lines - 1}" if lines > 1 else str(start)


def _role(palette: Palette, role: Role) -> Style:
    style: Style = getattr(palette, role)
    return style


def _marks(shown: Shown, start: int, end: int, palette: Palette) -> Iterator[Layer]:
    """Tabs are quiet; characters that nobody would see stand out."""
    for piece in shown.marks(start, end):
        style = palette.faint if piece.mark == "tab" else palette.warning + Style(reverse=True)
        yield Layer(piece.shown, piece.shown_end, style)
