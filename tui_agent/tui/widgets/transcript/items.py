"""What a Markdown text is made of for the screen: items, which know how to become rows of a given width."""

from typing import NamedTuple

from tui_agent.tui.widgets.transcript.code import CodeLine
from tui_agent.tui.widgets.transcript.lines import Line, Range, Spans, fit_prefix, flowed, text_of, width_of
from tui_agent.tui.widgets.transcript.links import Link
from tui_agent.tui.widgets.transcript.table import Table


class Flow(NamedTuple):
    """One logical line to be wrapped: `first` stands before its first row, `rest` before the others.

    Its source is its own line or lines: of a paragraph or heading of several lines each has its own, unless something
    inline goes on over a line's end; then all have those of the whole. The label of a fence has the opening line, the
    last line of a heading that is underlined also has the underline. Air has an empty range.

    `links` are ranges of the text of `spans` and what they point to; `links_in` tells which may be opened.
    """

    first: Spans
    rest: Spans
    spans: Spans
    hard: bool = False
    band: str = ""
    source: Range = (0, 0)
    links: tuple[Link, ...] = ()

    def lines(self, width: int) -> list[Line]:
        """Rows of at most `width` cells."""
        item = self if self.source[0] < self.source[1] else None
        return flowed(item, self.first, self.rest, self.spans, width, self.hard, self.band)


class Rule(NamedTuple):
    """A line across."""

    first: Spans
    source: Range = (0, 0)

    @property
    def spans(self) -> Spans:
        """It holds no text."""
        return ()

    def lines(self, width: int) -> list[Line]:
        """One row, all of it decoration."""
        first = fit_prefix(self.first, width)
        spans = (*first, ("─" * max(1, width - width_of(first)), "line"))
        return [Line(spans, "", (), self, len(text_of(spans)), -1)]


class TableRow(NamedTuple):
    """What rows on the screen that show one row of a table have as their item; the first is the header.

    Its text are the cells beside each other, two blanks between them. The line under the header is the source of none,
    so it has to be copied with the rows around it or not at all.
    """

    spans: Spans
    source: Range
    links: tuple[Link, ...] = ()


class Framed(NamedTuple):
    """A table behind a prefix; `rows` are the items of its rows on the screen.

    Its own source are all its lines. A table so long that it was cut goes on under its header, which then has an empty
    range.
    """

    first: Spans
    rest: Spans
    table: Table
    rows: tuple[TableRow, ...]
    source: Range

    @property
    def spans(self) -> Spans:
        """Its rows are the items of its lines; itself it holds no text."""
        return ()

    def lines(self, width: int) -> list[Line]:
        """Rows of at most `width` cells."""
        first, rest = fit_prefix(self.first, width), fit_prefix(self.rest, width)
        lines = []
        prefix = first
        for spans, row, pieces in self.table.rows(width - max(width_of(first), width_of(rest))):
            lead = len(text_of(prefix))
            if lead:
                pieces = tuple((at + lead, offset, length) for at, offset, length in pieces)
            item = self.rows[row] if row >= 0 else None
            lines.append(Line((*prefix, *spans), "", (), item, lead, -1, pieces))
            prefix = rest
        return lines


Item = Flow | CodeLine | Rule | Framed
GAP = Flow((), (), ())
