"""From the lines of a block's shown text to its rows at some width, and back."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tui_agent.tui.widgets.transcript.document import AgentBlock, Block
from tui_agent.tui.widgets.transcript.items import TableRow
from tui_agent.tui.widgets.transcript.layout import BlockRows
from tui_agent.tui.widgets.transcript.lines import Item, Line, text_of
from tui_agent.tui.widgets.transcript.shown import Shown


class Lookup:
    """Finds rows of a block, whatever its width and version become; what was looked at and stays is kept."""

    def __init__(self, block: Block, shown: Shown) -> None:
        self._answer = isinstance(block, AgentBlock)
        self._shown = shown
        self._lines: list[int] = []
        self._rows: BlockRows | None = None
        self._width = self._frozen = 0
        self._state: tuple[int, int, int, bool] | None = None

    def line_at(self, rows: BlockRows, row: int) -> int:
        """The number of the line that a row shows a stretch of, -1 for a row of none."""
        line = rows.lines[row]
        if line.item is None or not _has_text(line.item):
            return -1
        return self._numbers(rows)[row] if self._answer else line.item.source[0]

    def row_of(self, rows: BlockRows, line: int, character: int) -> int | None:
        """The row that shows a character of a line; None when the block shows nothing of the line now."""
        lines = rows.lines
        if self._answer:
            numbers = self._numbers(rows)
            first, end = bisect_left(numbers, line), bisect_right(numbers, line)
        else:
            first = bisect_left(range(len(lines)), line, key=lambda row: _source(lines, row))
            end = bisect_right(range(len(lines)), line, key=lambda row: _source(lines, row))
        while end > first and self.line_at(rows, end - 1) < 0:
            end -= 1  # rows of nothing count to the line above
        if first == end:
            return None
        if lines[first].start < 0 or lines[end - 1].start < 0:
            showing = (row for row in range(first, end) if _shows(lines[row], character))
            return next(showing, first)
        return max(first, bisect_right(range(first, end), character, key=lambda row: lines[row].start) + first - 1)

    def _numbers(self, rows: BlockRows) -> Sequence[int]:
        """Of each row of an answer the number of its line, or of the line above."""
        numbers, lines = self._lines, rows.lines
        state = self._shown.block.version, len(lines), rows.frozen, rows.complete
        if rows is not self._rows or rows.width != self._width:
            numbers.clear()
        elif state != self._state:
            del numbers[self._frozen :]
        self._rows, self._width, self._state, self._frozen = rows, rows.width, state, rows.frozen
        for row in range(len(numbers), len(lines)):
            number = numbers[-1] if numbers else -1
            item = lines[row].item
            if item is not None and (row == 0 or lines[row - 1].item is not item) and _has_text(item):
                number += 1
                if isinstance(item, TableRow):
                    number = self._table_row(number, text_of(item.spans))
            numbers.append(number)
        return numbers

    def _table_row(self, number: int, text: str) -> int:
        """The header of a table that is shown as a list has no rows of its own."""
        return number + 1 if self._shown.text(number) != text == self._shown.text(number + 1) else number


def _has_text(item: Item) -> bool:
    return any(text for text, _ in item.spans)


def _source(lines: Sequence[Line], row: int) -> int:
    """The source line of a row, or of the nearest above that has one."""
    while row >= 0:
        item = lines[row].item
        if item is not None:
            return item.source[0]
        row -= 1
    return -1


def _shows(line: Line, character: int) -> bool:
    return any(offset <= character < offset + count for _, offset, count in line.pieces)


def extent(line: Line) -> tuple[int, int]:
    """From which character of its line to which a row shows stretches."""
    pieces = _pieces(line)
    return min((offset for _, offset, _ in pieces), default=0), max((offset + n for _, offset, n in pieces), default=0)


def stretches(line: Line, low: int, high: int) -> list[tuple[int, int]]:
    """Which characters of a row show the characters `low` to `high` of its line."""
    return [
        (at + max(low, offset) - offset, at + min(high, offset + count) - offset)
        for at, offset, count in _pieces(line)
        if max(low, offset) < min(high, offset + count)
    ]


def _pieces(line: Line) -> Sequence[tuple[int, int, int]]:
    return line.pieces if line.start < 0 else ((line.lead, line.start, len(text_of(line.spans)) - line.lead),)
