"""Lines of styled text that know no theme, and wrapping them by terminal cells."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from rich.cells import cell_len, split_graphemes

Span = tuple[str, str]
"""Text and its role. A role is a colour of the theme (`text`, `muted`, …), `heading1`, `heading2`, `code`,
`code_inline`, `link` or `syntax.` and the path of a Pygments token type; letters after a `+` make it bold, italic,
struck through or underlined: `"text+bi"`."""

Spans = tuple[Span, ...]

Range = tuple[int, int]
"""First line of a source and the one after the last, from 0; see `Item.source`."""


class Item(Protocol):
    """What a row shows a stretch of: a line of a paragraph, a line of code, a row of a table…"""

    @property
    def spans(self) -> Spans:
        """The whole of it, not wrapped."""

    @property
    def source(self) -> Range:
        """First line of the block's source that it came from and the one after the last, from 0; empty: of none.

        Lines are those of the text as it was fed, split at line feeds, whatever a terminal would make of it: a carriage
        return or U+2028 ends none, and parts of an overlong line that was cut all have its number.
        """


class Line(NamedTuple):
    """One row; `band` is the role of a background that runs to the right edge, `end` is set against that edge.

    `item` is what the row shows a stretch of, None for a row of nothing (air between items). The first `lead`
    characters of the row are decoration (bullet, indent, quote bar), the next is the character `start` of
    `text_of(item.spans)`. A row of a table shows several stretches beside each other instead: `pieces` of (character of
    the row, character of the item's text, how many), its `start` is -1; so is that of a row of decoration only.
    """

    spans: Spans
    band: str = ""
    end: Spans = ()
    item: Item | None = None
    lead: int = 0
    start: int = 0
    pieces: tuple[tuple[int, int, int], ...] = ()

    def offset(self, index: int) -> int | None:
        """Where the character `index` of the row stands in the item's text; None for decoration and beyond the end."""
        if self.start >= 0:
            stretches: Sequence[tuple[int, int, int]] = ((self.lead, self.start, len(text_of(self.spans)) - self.lead),)
        else:
            stretches = self.pieces
        for at, offset, count in stretches:
            if self.item is not None and at <= index < at + count:
                return offset + index - at
        return None


EMPTY = Line(())
_START = (0,)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")


def width_of(spans: Iterable[Span]) -> int:
    """Cells that the spans take together; a joiner at the end of one acts on the next."""
    return cell_len(text_of(spans))


def text_of(spans: Iterable[Span]) -> str:
    """The text without roles."""
    return "".join([text for text, _ in spans])


def wrap(spans: Spans, width: int, hard: bool = False) -> list[Spans]:
    """Cut spans (no newlines, no tabs in them) into rows of at most `width` cells, at least one row.

    Rows end at spaces where possible, which then vanish; `hard` cuts anywhere and keeps every character, as code needs
    it. A character wider than the row is shown as `·`.
    """
    return wrap_at(spans, width, hard)[0]


def wrap_at(spans: Spans, width: int, hard: bool = False) -> tuple[list[Spans], Sequence[int]]:
    """As `wrap`, and for each row the character of the text that it begins with."""
    width = max(1, width)
    text = spans[0][0] if len(spans) == 1 else text_of(spans)
    if text.isascii():
        if len(text) <= width:
            return [spans], _START
        cuts = _cut_narrow(text, width, hard)
    elif cell_len(text) <= width:
        return [spans], _START
    else:
        cuts = _cut_cells(text, width, hard)
    rows = _slices(spans, cuts)
    if width == 1:
        rows = [tuple((_narrow(part), role) for part, role in row) for row in rows]
    return rows, [start for start, _ in cuts]


def clip(spans: Spans, width: int, mark: str = "…") -> Spans:
    """The beginning of spans that fits `width` cells, with a mark when something is missing."""
    if width_of(spans) <= width:
        return spans
    if width <= 0:
        return ()
    room = width - cell_len(mark)
    kept = wrap(spans, room, hard=True)[0] if room > 0 else ()
    return (*kept, (mark, "faint")) if room >= 0 else ()


def fit_prefix(prefix: Spans, width: int) -> Spans:
    """A prefix that leaves at least half of the width to the text."""
    return clip(prefix, width // 2, mark="") if width_of(prefix) > width // 2 else prefix


def flowed(
    item: Item | None, first: Spans, rest: Spans, spans: Spans, width: int, hard: bool = False, band: str = ""
) -> list[Line]:
    """Rows of at most `width` cells that show the spans, which are those of `item`, behind prefixes."""
    if not first and not rest:
        if not spans or (len(spans) == 1 and len(spans[0][0]) <= width and spans[0][0].isascii()):
            return [Line(spans, band, (), item)]
        rows, starts = wrap_at(spans, width, hard)
        return [Line(row, band, (), item, 0, start) for row, start in zip(rows, starts, strict=True)]
    taken = max(width_of(first), 0 if rest is first else width_of(rest))
    if taken > width // 2:
        first, rest = fit_prefix(first, width), fit_prefix(rest, width)
        taken = max(width_of(first), width_of(rest))
    lead = len(text_of(first))
    if not spans:
        return [Line(first, band, (), item, lead)]
    rows, starts = wrap_at(spans, width - taken, hard)
    lines = [Line((*first, *rows[0]), band, (), item, lead)]
    if len(rows) > 1:
        lead = len(text_of(rest))
        lines += [Line((*rest, *rows[at]), band, (), item, lead, starts[at]) for at in range(1, len(rows))]
    return lines


def _cut_narrow(text: str, width: int, hard: bool) -> list[tuple[int, int]]:
    end = len(text)
    if hard:
        return [(start, min(start + width, end)) for start in range(0, end, width)]
    cuts = []
    start = 0
    while end - start > width:
        cut = text.rfind(" ", start, start + width + 1)
        if cut <= start or not text[start:cut].strip(" "):
            cuts.append((start, start + width))
            start += width
            continue
        stop = cut
        while text[stop - 1] == " ":
            stop -= 1
        cuts.append((start, stop))
        start = cut + 1
        while start < end and text[start] == " ":
            start += 1
    if start < end or not cuts:
        cuts.append((start, end))
    return cuts


def _cut_cells(text: str, width: int, hard: bool) -> list[tuple[int, int]]:
    """As `_cut_narrow`, by graphemes; a row may also end before or after a wide character."""
    graphemes = _graphemes(text)
    if width == 1:
        graphemes = [(begin, end, min(cells, 1)) for begin, end, cells in graphemes]
    cuts: list[tuple[int, int]] = []
    start = 0  # where the row begins, in characters
    used = 0  # its cells
    inked = False  # it holds more than blanks
    stop = after = -1  # the last place to break: the row ends at `stop`, the next begins at `after`
    after_used = 0  # cells up to `after`
    was_wide = False
    for begin, end, cells in graphemes:
        blank = not hard and text[begin:end] == " "
        wide = cells == 2
        if not hard and not blank and begin > start and (wide or was_wide) and text[begin - 1] != " ":
            stop = after = begin
            after_used = used
        if used + cells > width and not (blank and inked):
            if stop > start:
                cuts.append((start, stop))
                start, used = after, used - after_used
            if used + cells > width:
                cuts.append((start, begin))
                start, used = begin, 0
            stop = after = -1
            inked = False
        if blank and begin == start and cuts:
            start, used = end, 0
            continue
        used += cells
        was_wide = wide
        if not blank:
            inked = True
        elif inked:
            if text[begin - 1] != " " or stop < 0:
                stop = begin
            after, after_used = end, used
    if start < len(text) or not cuts:
        tail = text[start:]
        cuts.append((start, len(text) if used <= width else start + len(tail.rstrip(" "))))
    return cuts


def _slices(spans: Spans, cuts: Sequence[tuple[int, int]]) -> list[Spans]:
    """The spans between each pair of character offsets; pairs are in order."""
    rows: list[Spans] = []
    index = 0
    offset = 0
    for start, end in cuts:
        while index < len(spans) and offset + len(spans[index][0]) <= start:
            offset += len(spans[index][0])
            index += 1
        row: list[Span] = []
        look, at = index, offset
        while look < len(spans) and at < end:
            text, role = spans[look]
            piece = text[max(0, start - at) : end - at]
            if piece:
                row.append((piece, role))
            at += len(text)
            look += 1
        rows.append(tuple(row))
    return rows


def _narrow(text: str) -> str:
    return "".join("·" if cells > 1 else text[start:end] for start, end, cells in _graphemes(text))


def _graphemes(text: str) -> list[tuple[int, int, int]]:
    """Beginning, end and cells of what is one character for people; a flag is two for Rich."""
    graphemes, _ = split_graphemes(text)
    if not _FLAG.search(text):
        return graphemes
    joined: list[tuple[int, int, int]] = []
    half = False  # the last one is the first half of a flag
    for begin, end, cells in graphemes:
        letter = "\U0001f1e6" <= text[begin] <= "\U0001f1ff"
        if letter and half:
            joined[-1] = (joined[-1][0], end, joined[-1][2] + cells)
        else:
            joined.append((begin, end, cells))
        half = letter and not half
    return joined
