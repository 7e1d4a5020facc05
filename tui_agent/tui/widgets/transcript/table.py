"""A table fitted to a width: columns shrink and cells wrap; where even that does not fit, a row becomes a list."""

from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from rich.cells import cell_len

from tui_agent.tui.widgets.transcript.lines import Span, Spans, text_of, width_of, wrap_at

_BETWEEN = "  "
GAP_WIDTH = len(_BETWEEN)
"""Blanks between two cells."""

_NARROWEST = 4


class TableLine(NamedTuple):
    """A row on the screen: which row of the table it is of (-1: of none), and its `pieces` as in `Line`."""

    spans: Spans
    row: int = -1
    pieces: tuple[tuple[int, int, int], ...] = ()


class Table(NamedTuple):
    """Rows of cells, the first being the header; `aligns` has `""`, `left`, `center` or `right` for each column."""

    cells: tuple[tuple[Spans, ...], ...]
    aligns: tuple[str, ...]

    def rows(self, width: int) -> list[TableLine]:
        """Rows of at most `width` cells."""
        columns = len(self.aligns)
        room = width - GAP_WIDTH * (columns - 1)
        widest = self._widest()
        if room < columns * _NARROWEST and room < sum(widest):
            return self._as_list(width)
        widths = _shares(widest, room)
        rows: list[TableLine] = []
        for index in range(len(self.cells)):
            rows.extend(self._row(index, widths))
            if index == 0:
                rows.append(TableLine(tuple(_joined([[("─" * cells, "line")] for cells in widths]))))
        return rows

    def _widest(self) -> list[int]:
        return [
            max([1, *(width_of(row[column]) for row in self.cells if column < len(row))])
            for column in range(len(self.aligns))
        ]

    def _row(self, index: int, widths: list[int]) -> list[TableLine]:
        row = self.cells[index]
        wrapped = [wrap_at(cell, cells) for cell, cells in zip(row, widths, strict=False)]
        height = max([1, *(len(rows) for rows, _ in wrapped)])
        last = len(widths) - 1
        begins = [0, *accumulate(len(text_of(cell)) + GAP_WIDTH for cell in row)]
        lines = []
        for number in range(height):
            line: list[Span] = []
            pieces = []
            at = 0
            for column, cells in enumerate(widths):
                spans: Spans = ()
                left = length = 0
                free = cells
                if column < len(wrapped) and number < len(wrapped[column][0]):
                    rows, starts = wrapped[column]
                    spans = rows[number]
                    text = text_of(spans)
                    length = len(text)
                    free -= cell_len(text)
                    left = _left(free, self.aligns[column])
                    if length:
                        pieces.append((at + left, begins[column] + starts[number], length))
                if left:
                    line.append((" " * left, "text"))
                line += spans
                right = 0 if column == last else free - left + GAP_WIDTH
                if right:
                    line.append((" " * right, "text"))
                at += left + length + right
            lines.append(TableLine(tuple(line), index, tuple(pieces)))
        return lines

    def _as_list(self, width: int) -> list[TableLine]:
        header, *body = self.cells
        lines: list[TableLine] = []
        for number, row in enumerate(body, 1):
            if number > 1:
                lines.append(TableLine(()))
            offset = 0
            for index, cell in enumerate(row):
                label = (*header[index], (": ", "faint")) if index < len(header) and header[index] else ()
                named = len(text_of(label))
                for spans, start in zip(*wrap_at((*label, *cell), width), strict=True):
                    skipped = max(0, named - start)
                    length = len(text_of(spans)) - skipped
                    pieces = ((skipped, offset + start + skipped - named, length),) if length > 0 else ()
                    lines.append(TableLine(spans, number, pieces))
                offset += len(text_of(cell)) + GAP_WIDTH
        if not body:
            offset = 0
            for label in header:
                for spans, start in zip(*wrap_at(label, width), strict=True):
                    lines.append(TableLine(spans, 0, ((0, offset + start, len(text_of(spans))),)))
                offset += len(text_of(label)) + GAP_WIDTH
        return lines


def beside(cells: Iterable[Spans]) -> Spans:
    """Cells as one text, whatever the width."""
    return tuple(_joined([list(cell) for cell in cells]))


def _shares(widest: list[int], room: int) -> list[int]:
    """Widths of the columns: as wide as they want, the widest cut first until all fit."""
    if sum(widest) <= room:
        return widest
    limit = max(widest)
    low = 1
    while low < limit:
        middle = (low + limit + 1) // 2
        if sum(min(cells, middle) for cells in widest) <= room:
            low = middle
        else:
            limit = middle - 1
    shares = [min(cells, low) for cells in widest]
    spare = room - sum(shares)
    for index, cells in enumerate(widest):
        if spare > 0 and cells > shares[index]:
            shares[index] += 1
            spare -= 1
    return shares


def _left(free: int, align: str) -> int:
    """How many of the free cells stand at the left."""
    return free if align == "right" else free // 2 if align == "center" else 0


def _joined(parts: list[list[Span]]) -> list[Span]:
    joined: list[Span] = []
    for index, part in enumerate(parts):
        if index:
            joined.append((_BETWEEN, "text"))
        joined.extend(part)
    return joined
