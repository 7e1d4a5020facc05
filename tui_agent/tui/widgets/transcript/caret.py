"""Where a key takes the caret that selects: by characters, words, rows, pages, to the ends of rows and of all."""

import re
from itertools import pairwise

from rich.cells import split_graphemes

from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.places import (
    Place,
    character_at,
    column_of,
    place_at,
    text_end,
    text_start,
)
from tui_agent.tui.widgets.transcript.selection import row_number
from tui_agent.tui.widgets.transcript.viewport import Viewport

MOVES = frozenset(
    {
        "left",
        "right",
        "up",
        "down",
        "home",
        "end",
        "pageup",
        "pagedown",
        "ctrl+left",
        "ctrl+right",
        "ctrl+home",
        "ctrl+end",
    }
)
"""The keys that move it."""

_WORD = re.compile(r"\w+|[^\w\s]+")


class Caret:
    """A place, and the cell that going up and down keeps to."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._column: int | None = None

    def move(self, key: str, port: Viewport) -> None:
        """Go where a key of `MOVES` leads; stays where that is nowhere."""
        found = row_number(port, self.place)
        if found is None:
            return
        number, character = found
        line = _line(port, number)
        if line is None:
            return
        column, self._column = self._column, None
        match key:
            case "up" | "down" | "pageup" | "pagedown":
                self._column = column_of(text_of(line.spans), character) if column is None else column
                step = 1 if key in ("up", "down") else max(1, port.height - 1)
                self._vertically(port, number, step if key in ("down", "pagedown") else -step)
            case "home":
                self._to(port, number, text_start(line)) if character > text_start(line) else self._to_row(port, 0, 1)
            case "end":
                end = _end_of(port, number, line)
                self._to(port, number, end) if character < end else self._to_row(port, port.total - 1, -1)
            case "ctrl+home":
                self._to_row(port, 0, 1)
            case "ctrl+end":
                self._to_row(port, port.total - 1, -1)
            case "left" | "ctrl+left":
                stops = [stop for stop in _stops(line, key != "left") if stop < character]
                self._to(port, number, stops[-1]) if stops else self._to_row(port, number - 1, -1)
            case "right" | "ctrl+right":
                stops = [stop for stop in _stops(line, key != "right") if stop > character]
                last = _end_of(port, number, line)
                self._to(port, number, stops[0]) if stops and stops[0] <= last else self._to_row(port, number + 1, 1)

    def _vertically(self, port: Viewport, number: int, step: int) -> None:
        row = _next_row(port, max(0, min(number + step, port.total - 1)), 1 if step > 0 else -1)
        line = _line(port, row) if row is not None else None
        if row is not None and line is not None:
            character = character_at(text_of(line.spans), self._column or 0)[0]
            self._to(port, row, min(max(character, text_start(line)), _end_of(port, row, line)))

    def _to_row(self, port: Viewport, number: int, way: int) -> None:
        """To the beginning of the next row from `number` on, or going up, to the end of it."""
        row = _next_row(port, number, way)
        line = _line(port, row) if row is not None else None
        if row is not None and line is not None:
            self._to(port, row, text_start(line) if way > 0 else _end_of(port, row, line))

    def _to(self, port: Viewport, number: int, character: int) -> None:
        row = port.row(number)
        if row is not None:
            rows = port.rows_of(row.block)
            self.place = place_at(row.block.id, rows.lines, rows.firsts, row.row, character)


def _line(port: Viewport, number: int) -> Line | None:
    """A row that shows an item."""
    row = port.row(number)
    if row is None or row.row < 0:
        return None
    lines = port.rows_of(row.block).lines
    line = lines[row.row] if row.row < len(lines) else None
    return line if line is not None and line.item is not None else None


def _next_row(port: Viewport, number: int, way: int) -> int | None:
    """The first row from `number` on that shows an item."""
    while 0 <= number < port.total:
        if _line(port, number) is not None:
            return number
        number += way
    return None


def _end_of(port: Viewport, number: int, line: Line) -> int:
    """Behind the last character of a row; before it where the same place is the beginning of the row below."""
    end = text_end(line)
    below = _line(port, number + 1)
    if (
        below is not None
        and below.item == line.item
        and below.start > 0
        and below.start == line.start + end - line.lead
    ):
        return max((stop for stop in _stops(line, False) if stop < end), default=end)
    return end


def _stops(line: Line, words: bool) -> list[int]:
    """The characters of a row before which the caret may stand, and its end."""
    text = text_of(line.spans)
    first, last = text_start(line), text_end(line)
    if words:
        starts = [match.start() for match in _WORD.finditer(text, first, last)]
    elif text.isascii():
        starts = list(range(first, last))
    else:
        starts = [start for start, _, _ in split_graphemes(text)[0] if first <= start < last]
    stops = [*starts, last] if not starts or starts[0] == first else [first, *starts, last]
    return [stop for stop, following in pairwise([*stops, -1]) if stop != following]
