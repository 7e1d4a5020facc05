"""What is selected in the transcript, by mouse or by a caret, and what copying it gives. It survives everything that
moves rows: places are items of blocks, not rows."""

import re
from collections.abc import Iterator, Sequence
from math import inf
from typing import Literal, NamedTuple, overload

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.copying import End, copied, fence_around, is_code
from tui_agent.tui.widgets.transcript.document import Block, ThoughtBlock, ToolBlock, WelcomeBlock
from tui_agent.tui.widgets.transcript.layout import BlockRows
from tui_agent.tui.widgets.transcript.lines import Item, text_of
from tui_agent.tui.widgets.transcript.places import (
    Place,
    character_at,
    item_length,
    place_at,
    row_of,
    stretches_in,
)
from tui_agent.tui.widgets.transcript.viewport import Row, Viewport

Unit = Literal["character", "word", "line"]

_WORD = re.compile(r"\w+|[^\w\s]+|\s+")
_END = 1 << 60


class Span(NamedTuple):
    """From a place to another one, not before it."""

    start: Place
    end: Place


def span_at(port: Viewport, number: int, column: int, unit: Unit = "character") -> Span | None:
    """What stands on a cell: the character, the word or the whole line; None where no block is.

    `number` counts rows of the whole transcript, `column` cells behind the gutter.
    """
    row = port.row(number)
    if row is None:
        return None
    block = row.block.id
    rows = port.rows_of(row.block)
    if not 0 <= row.row < len(rows.lines):
        place = Place(block, 0, 0)
        return Span(place, place)
    line = rows.lines[row.row]
    text = text_of(line.spans)
    start, end = character_at(text, column)
    if unit == "word":
        for match in _WORD.finditer(text, min(line.lead, len(text))):
            if match.start() <= start < match.end():
                start, end = match.span()
    first = place_at(block, rows.lines, rows.firsts, row.row, start)
    if unit == "line" and line.item is not None:
        return Span(first._replace(offset=0), first._replace(offset=item_length(line)))
    return Span(first, place_at(block, rows.lines, rows.firsts, row.row, end))


def row_number(port: Viewport, place: Place) -> tuple[int, int] | None:
    """The row of the whole transcript on which a place is, and its character there; None when its block is gone.

    The row is exact for blocks that are laid out, which those in view are.
    """
    index = port.place_of(place.block)
    if index is None:
        return None
    rows = port.rows_of(port.document.blocks[index])
    row, character = row_of(place, rows.lines, rows.firsts)
    return port.first_row(index) + row, character


class Items(Sequence[Item]):
    """The items of a block, looked up when they are asked for."""

    def __init__(self, rows: BlockRows) -> None:
        self._lines = rows.lines
        self._firsts = rows.firsts

    def __len__(self) -> int:
        return len(self._firsts)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        item = self._lines[self._firsts[index]].item
        assert item is not None
        return item


class Selection:
    """From where it was begun (`anchor`) to where it is now (`head`); each is a unit, a word for example."""

    def __init__(self, anchor: Span, head: Span, everything: bool = False) -> None:
        self.anchor = anchor
        self.head = head
        self.everything = everything
        """All sources are meant, folded or not."""

    def range(self, port: Viewport) -> Span | None:
        """From the first place to the last, None when a block is gone."""
        places = [*self.anchor, *self.head]
        order = [(port.place_of(place.block), place) for place in places]
        if any(index is None for index, _ in order):
            return None
        order.sort(key=lambda pair: (pair[0] or 0, pair[1].item, pair[1].offset))
        return Span(order[0][1], order[-1][1])

    def text(self, port: Viewport) -> str:
        """What copying gives: the source of what is selected, blocks a blank line apart."""
        if self.everything:
            return everything(port)
        span = self.range(port)
        if span is None:
            return ""
        first, last = port.place_of(span.start.block), port.place_of(span.end.block)
        assert first is not None and last is not None
        parts = []
        for block in port.document.blocks[first : last + 1]:
            start = span.start if block.id == span.start.block else None
            end = span.end if block.id == span.end.block else None
            if part := part_of(port, block, start, end):
                parts.append(part)
        return parts[0] if len(parts) == 1 else "\n\n".join(part.strip("\n") for part in parts)


def part_of(port: Viewport, block: Block, start: Place | None, end: Place | None) -> str:
    """The source of a part of a block, None standing for its beginning and end."""
    folded = isinstance(block, ThoughtBlock | ToolBlock) and block.folded
    if start is None and end is None and not folded:
        return sanitize(block.source)
    rows = port.rows_of(block)
    rows.read_on(inf)  # of a long answer that came just now
    items = Items(rows)
    first = End(start.item, start.offset) if start else End(0, 0)
    last = End(end.item, end.offset) if end else End(_END, 0)
    return copied(sanitize(block.source), items, first, last, open_end=folded)


def everything(port: Viewport) -> str:
    """The sources of the whole conversation."""
    blocks = (block for block in port.document.blocks if not isinstance(block, WelcomeBlock))
    return "\n\n".join(text for block in blocks if (text := sanitize(block.source).strip("\n")))


def stretches(port: Viewport, row: Row, span: Span) -> list[tuple[int, int]]:
    """The characters of a row that lie within a span."""
    first, last = port.place_of(span.start.block), port.place_of(span.end.block)
    if first is None or last is None or row.row < 0 or not first <= row.place <= last:
        return []
    rows = port.rows_of(row.block)
    if row.row >= len(rows.lines) or (line := rows.lines[row.row]).item is None:
        return []
    low, high = 0, _END
    if row.place in (first, last):
        item = place_at(row.block.id, rows.lines, rows.firsts, row.row, 0).item
        if row.place == first:
            low = 0 if item > span.start.item else span.start.offset if item == span.start.item else _END
        if row.place == last:
            high = _END if item < span.end.item else span.end.offset if item == span.end.item else 0
    return stretches_in(line, low, high)


def fences(port: Viewport, block: Block) -> Iterator[tuple[Span, str]]:
    """The pieces of code in a block, in order, each with its source."""
    rows = port.rows_of(block)
    rows.read_on(inf)
    items = Items(rows)
    number = 0
    source = ""
    while number < len(items):
        if not is_code(items[number]):
            number += 1
            continue
        last = (fence_around(items, number) or (number, number))[1]
        start, end = End(number, 0), End(last, len(text_of(items[last].spans)))
        source = source or sanitize(block.source)
        span = Span(Place(block.id, *start), Place(block.id, *end))
        yield span, copied(source, items, start, end, open_end=True)
        number = last + 1
