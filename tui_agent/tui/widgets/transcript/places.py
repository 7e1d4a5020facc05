"""Places in the transcript that outlive its rows: an item of a block and a character in it, at whatever width."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.long_text import Rows, goes_on


class Place(NamedTuple):
    """Before the character `offset` of the text of a block's item number `item`; `block` is its id."""

    block: int
    item: int
    offset: int


class ItemIndex:
    """Where the items of a block begin among its rows; rows that were looked at and stay are not looked at again."""

    __slots__ = ("_firsts", "_scanned")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._scanned = 0

    def cut(self, rows: int) -> None:
        """Only the first `rows` rows are still what they were."""
        if rows < self._scanned:
            self._scanned = rows
            del self._firsts[bisect_right(self._firsts, rows - 1) :]

    def firsts(self, lines: Sequence[Line]) -> Sequence[int]:
        """The first row of each item. Rows of no item count to the one before."""
        if isinstance(lines, Rows):
            return lines.firsts()
        previous = lines[self._firsts[-1]] if self._firsts else None
        for row in range(self._scanned, len(lines)):
            line = lines[row]
            if line.item is not None and (previous is None or not goes_on(previous, line)):
                self._firsts.append(row)
                previous = line
        self._scanned = len(lines)
        return self._firsts


def place_at(block: int, lines: Sequence[Line], firsts: Sequence[int], row: int, character: int) -> Place:
    """The place nearest to a character of a row; on a row of no item the beginning of the item below."""
    number = bisect_right(firsts, row) - 1
    line = lines[row]
    if line.item is None:
        return Place(block, number + 1, 0)
    return Place(block, number, _offset(line, character))


def _offset(line: Line, character: int) -> int:
    if line.start >= 0:
        return line.start + max(0, min(character, len(text_of(line.spans))) - line.lead)
    nearest = 0
    for at, offset, count in line.pieces:
        if character < at:
            break
        nearest = offset + min(character - at, count)
    return nearest


def row_of(place: Place, lines: Sequence[Line], firsts: Sequence[int]) -> tuple[int, int]:
    """The row of a place and the character there; the end of the block for a place behind it."""
    if place.item >= len(firsts):
        return max(0, len(lines) - 1), len(text_of(lines[-1].spans)) if lines else 0
    row = firsts[place.item]
    end = firsts[place.item + 1] if place.item + 1 < len(firsts) else len(lines)
    best = row, lines[row].lead
    for number in range(row, end):
        line = lines[number]
        if line.item is None:
            break
        stretches = _stretches(line)
        for at, offset, count in stretches:
            if offset <= place.offset:
                best = number, at + min(place.offset - offset, count)
        if line.start >= 0 and line.start > place.offset:
            break
    return best


def item_length(line: Line) -> int:
    """Characters of the item that a row shows."""
    return len(text_of(line.item.spans)) if line.item is not None else 0


def stretches_in(line: Line, low: int, high: int) -> list[tuple[int, int]]:
    """Which characters of a row show the characters `low` to `high` of its item."""
    found = []
    for at, offset, count in _stretches(line):
        start, end = max(low, offset), min(high, offset + count)
        if start < end:
            found.append((at + start - offset, at + end - offset))
    return found


def _stretches(line: Line) -> Sequence[tuple[int, int, int]]:
    if line.item is None:
        return ()
    if line.start < 0:
        return line.pieces
    return ((line.lead, line.start, len(text_of(line.spans)) - line.lead),)


def text_end(line: Line) -> int:
    """The character of a row behind its text."""
    return max((at + count for at, _, count in _stretches(line)), default=line.lead)


def text_start(line: Line) -> int:
    """The character of a row where its text begins."""
    return min((at for at, _, _ in _stretches(line)), default=line.lead)


def character_at(text: str, column: int) -> tuple[int, int]:
    """The characters of a text (start and end) that stand on a cell; the end twice beyond it."""
    column = max(0, column)
    if text.isascii():
        return (column, column + 1) if column < len(text) else (len(text), len(text))
    used = 0
    for start, end, cells in split_graphemes(text)[0]:
        used += cells
        if column < used:
            return start, end
    return len(text), len(text)


def column_of(text: str, character: int) -> int:
    """The cell on which a character of a text stands."""
    return min(character, len(text)) if text.isascii() else cell_len(text[:character])
