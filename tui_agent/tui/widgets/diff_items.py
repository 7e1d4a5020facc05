"""The lines of a diff, a command or a note as they are laid out for a width: what each says and how it is painted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any, Literal, Protocol

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_agent.tui.theming import UNICODE, Palette, Symbols
from tui_agent.tui.widgets.diff_syntax import Syntax, Version
from tui_agent.tui.widgets.diff_text import Breaks, Layer, Shown, cells, is_plain, one_line, segments, show
from tui_agent.workspace.diff import FileDiff, Hunk, Row, Side, line_ending
from tui_agent.workspace.intraline import intraline

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
        line = segments(self._shown.text, start, end, style, list(_marks(self._shown, paint.palette)))
        return Strip(line).adjust_cell_length(width, paint.ground)


@dataclass(frozen=True)
class HunkHead:
    """The line above a hunk: which lines, in which definition, how many unchanged ones are left out before it."""

    hunk: Hunk
    number: int
    skipped: int
    place: int

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
        where = f"@@ {old} {paint.symbols.arrow} {new}"
        skipped = f"{self.skipped:,} unchanged " if self.skipped else ""
        line = [Segment(where, ground + paint.palette.accent)]
        if heading:
            line.append(Segment(f"  {heading}", ground + paint.palette.muted))
        room = width - len(skipped)
        if cells(where) + cells(heading) + 3 > room:
            return Strip(line).adjust_cell_length(width, ground)
        left = Strip(line).adjust_cell_length(room, ground)
        return Strip([*left, Segment(skipped, ground + paint.palette.faint)])


@dataclass(frozen=True)
class Cell:
    """One line of a file on one side, with its numbers.

    `numbers` are the columns of the gutter, right-aligned to `digits`; a `side` other than "text" has a column for its
    sign. `partner` is the line it replaced or that replaced it; `tail` is said after the text.
    """

    side: Side | Literal["text"]
    numbers: tuple[int, ...]
    digits: int
    source: str
    tail: str = ""
    partner: str | None = None
    syntax: Syntax | None = None
    version: Version = "new"
    line: int = 0
    tab: str = "→"

    @property
    def gutter(self) -> int:
        """Cells before the text."""
        return (self.digits + 1) * len(self.numbers) + (1 if self.side == "text" else 2)

    @cached_property
    def shown(self) -> Shown:
        """What is painted of the text."""
        shown = show(self.source, self.tab)
        if not self.tail:
            return shown
        end = len(shown.text)
        whole = Shown(shown.text + self.tail, shown.pieces)
        return whole if end else Shown(self.tail, ())

    @cached_property
    def changed(self) -> tuple[tuple[int, int], ...]:
        """The spans that differ from the partner."""
        if self.partner is None:
            return ()
        if self.side == "removed":
            return intraline(self.source, self.partner)[0]
        return intraline(self.partner, self.source)[1]

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
            if not index:
                columns = (f"{value or '':>{self.digits}}" for value in self.numbers)
                gutter = f"{' '.join(columns)} {sign} "[: self.gutter]
            room = max(1, width - self.gutter)
            start, end = self.shown.breaks.piece(room, index)
            out = [Segment(gutter, ground + number)]
            out += segments(self.shown.text, start, end, ground + palette.text, list(self._layers(palette)))
        return list(Strip(out).adjust_cell_length(width, ground))

    def _layers(self, palette: Palette) -> Iterator[Layer]:
        shown = self.shown
        if self.syntax is not None:
            for token in self.syntax.line(self.version, self.line):
                yield Layer(*shown.span(token.start, token.end), palette.syntax(token.kind))
        if self.changed:
            emphasis = palette.added_emphasis if self.side == "added" else palette.removed_emphasis
            for span in self.changed:
                yield Layer(*shown.span(*span), emphasis)
        yield from _marks(shown, palette)
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
        left, right = _halves(width)
        return max(
            self.left.height(left) if self.left else 1,
            self.right.height(right) if self.right else 1,
        )

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        left, right = _halves(width)
        missing = paint.ground + paint.palette.surface
        halves = [
            cell.paint(size, index, paint) if cell else [Segment(" " * size, missing)]
            for cell, size in ((self.left, left), (self.right, right))
        ]
        return Strip([*halves[0], Segment(" ", paint.ground), *halves[1]], width)


def _halves(width: int) -> tuple[int, int]:
    left = (width - 1) // 2
    return left, width - 1 - left


# ---- from content to items ----


def diff_items(diff: FileDiff, split: bool, syntax: Syntax | None, symbols: Symbols = UNICODE) -> list[Item]:
    """A whole diff laid out; places are the same for both layouts."""
    place = 0
    digits = len(str(max(len(diff.old_lines), len(diff.new_lines), 1)))
    hide_cr = line_ending(diff.after) == "CRLF" and line_ending(diff.before) in ("", "CRLF")
    cells_of = _Cells(diff, digits, hide_cr, syntax if diff.encoding != "binary" else None, symbols.arrow)
    said = headline(diff)
    out: list[Item] = [Note(", ".join(said), "warning", place)] if said else []
    seen = 0
    for number, hunk in enumerate(diff.hunks):
        first = hunk.old_start - bool(hunk.old_lines)
        if diff.kind != "created":
            out.append(HunkHead(hunk, number, first - seen, place))
        seen = first + hunk.old_lines
        for removed, added in _runs(hunk.rows):
            if removed and added and removed[0] is added[0]:
                out += cells_of.context(removed, place, split)
                place += len(removed)
            elif split:
                out += cells_of.pairs(removed, added, place)
                place += len(removed) + len(added)
            else:
                out += cells_of.lines(removed, added, place)
                place += len(removed) + len(added)
    rest = len(diff.old_lines) - seen
    if rest > 0 and diff.hunks and diff.kind != "binary":
        out.append(Note(f"{rest:,} unchanged below", "faint", place))
    return out


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


def text_items(text: str, symbols: Symbols = UNICODE) -> list[Item]:
    """A numbered text, every line of it."""
    lines = text.split("\n")
    digits = len(str(len(lines)))
    return [
        Line(Cell("text", (number,), digits, line, tab=symbols.arrow), number)
        for number, line in enumerate(lines, start=1)
    ]


def json_items(arguments: Mapping[str, Any], symbols: Symbols = UNICODE) -> list[Item]:
    """The arguments of a call, indented, as they were understood."""
    return text_items(json.dumps(arguments, indent=2, ensure_ascii=False, default=str), symbols)


def _runs(rows: Sequence[Row]) -> Iterator[tuple[list[Row], list[Row]]]:
    """Stretches of a hunk: removed lines with the added ones that follow; context as the same rows on both sides."""
    removed: list[Row] = []
    added: list[Row] = []
    context: list[Row] = []
    for row in rows:
        if row.side == "context":
            if removed or added:
                yield removed, added
                removed, added = [], []
            context.append(row)
            continue
        if context:
            yield context, context
            context = []
        (removed if row.side == "removed" else added).append(row)
    if context:
        yield context, context
    if removed or added:
        yield removed, added


@dataclass(frozen=True, slots=True)
class _Cells:
    """Makes the cells of one diff."""

    diff: FileDiff
    digits: int
    hide_cr: bool
    syntax: Syntax | None
    tab: str

    def context(self, rows: Sequence[Row], place: int, split: bool) -> Iterator[Item]:
        for index, row in enumerate(rows):
            if split:
                left = self._cell(row, (row.old,), "old")
                yield Pair(left, self._cell(row, (row.new,), "new"), place + index)
            else:
                yield Line(self._cell(row, (row.old, row.new), "new"), place + index)

    def lines(self, removed: Sequence[Row], added: Sequence[Row], place: int) -> Iterator[Item]:
        numbers = 1 if self.diff.kind == "created" else 2
        for index, row in enumerate(removed):
            partner = added[index].text if index < len(added) else None
            yield Line(self._cell(row, (row.old, row.new), "old", partner), place + index)
        for index, row in enumerate(added):
            partner = removed[index].text if index < len(removed) else None
            yield Line(self._cell(row, (row.old, row.new)[-numbers:], "new", partner), place + len(removed) + index)

    def pairs(self, removed: Sequence[Row], added: Sequence[Row], place: int) -> Iterator[Item]:
        for index, (old, new) in enumerate(zip_longest(removed, added)):
            left = self._cell(old, (old.old,), "old", new.text if new else None) if old else None
            right = self._cell(new, (new.new,), "new", old.text if old else None) if new else None
            yield Pair(left, right, place + (index if old else len(removed) + index))

    def _cell(self, row: Row, numbers: tuple[int, ...], version: Version, partner: str | None = None) -> Cell:
        text = row.text
        if self.hide_cr:
            text = text.removesuffix("\r")
            partner = partner.removesuffix("\r") if partner is not None else None
        return Cell(
            row.side,
            numbers,
            self.digits,
            text,
            "" if row.ends else "  (no newline)",
            partner,
            self.syntax,
            version,
            row.old if version == "old" else row.new,
            self.tab,
        )


def _range(start: int, lines: int) -> str:
    return f"{start}-{start + lines - 1}" if lines > 1 else str(start)


def _role(palette: Palette, role: Role) -> Style:
    style: Style = getattr(palette, role)
    return style


def _marks(shown: Shown, palette: Palette) -> Iterator[Layer]:
    """Tabs are quiet; characters that nobody would see stand out."""
    for piece in shown.marks:
        style = palette.faint if piece.mark == "tab" else palette.warning + Style(reverse=True)
        yield Layer(piece.shown, piece.shown_end, style)
