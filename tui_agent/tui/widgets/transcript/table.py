"""A table fitted to a width: columns shrink and cells wrap; where even that does not fit, a row becomes a list."""

from typing import NamedTuple

from tui_agent.tui.widgets.transcript.lines import Span, Spans, width_of, wrap

_BETWEEN = "  "
_NARROWEST = 4


class Table(NamedTuple):
    """Rows of cells, the first being the header; `aligns` has `""`, `left`, `center` or `right` for each column."""

    cells: tuple[tuple[Spans, ...], ...]
    aligns: tuple[str, ...]

    def rows(self, width: int) -> list[Spans]:
        """Rows of at most `width` cells."""
        columns = len(self.aligns)
        room = width - len(_BETWEEN) * (columns - 1)
        if room < columns * _NARROWEST and room < sum(self._widest()):
            return self._as_list(width)
        widths = _shares(self._widest(), room)
        rows: list[Spans] = []
        for index, row in enumerate(self.cells):
            rows.extend(self._row(row, widths))
            if index == 0:
                rows.append(tuple(_joined([[("─" * cells, "line")] for cells in widths])))
        return rows

    def _widest(self) -> list[int]:
        return [
            max([1, *(width_of(row[column]) for row in self.cells if column < len(row))])
            for column in range(len(self.aligns))
        ]

    def _row(self, row: tuple[Spans, ...], widths: list[int]) -> list[Spans]:
        wrapped = [wrap(cell, cells) for cell, cells in zip(row, widths, strict=False)]
        height = max([1, *map(len, wrapped)])
        lines = []
        for index in range(height):
            parts = []
            for column, cells in enumerate(widths):
                spans = wrapped[column][index] if column < len(wrapped) and index < len(wrapped[column]) else ()
                parts.append(_placed(spans, cells, self.aligns[column], last=column == len(widths) - 1))
            lines.append(tuple(_joined(parts)))
        return lines

    def _as_list(self, width: int) -> list[Spans]:
        header, *body = self.cells
        rows: list[Spans] = []
        for number, row in enumerate(body):
            if number:
                rows.append(())
            for index, cell in enumerate(row):
                label = header[index] if index < len(header) else ()
                rows.extend(wrap((*label, (": ", "faint"), *cell) if label else cell, width))
        if not body:
            for label in header:
                rows.extend(wrap(label, width))
        return rows


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


def _placed(spans: Spans, cells: int, align: str, last: bool) -> list[Span]:
    free = cells - width_of(spans)
    left = free if align == "right" else free // 2 if align == "center" else 0
    right = 0 if last else free - left
    return [*([(" " * left, "text")] if left > 0 else []), *spans, *([(" " * right, "text")] if right > 0 else [])]


def _joined(parts: list[list[Span]]) -> list[Span]:
    joined: list[Span] = []
    for index, part in enumerate(parts):
        if index:
            joined.append((_BETWEEN, "text"))
        joined.extend(part)
    return joined
