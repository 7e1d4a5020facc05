"""Ranges of a painted row in another style: what is found and what is selected lies over rows that are painted once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip


class Mark(NamedTuple):
    """Characters `start` to `end` of a row's text (that of its spans, without the gutter) to be highlighted.

    `present` tells the one the user is at from the others.
    """

    start: int
    end: int
    present: bool = False


def cells_of(text: str, start: int, end: int) -> tuple[int, int]:
    """The cells that characters of a text take."""
    if text.isascii():
        return start, min(end, len(text))
    return cell_len(text[:start]), cell_len(text[:end])


def overlaid(strip: Strip, ranges: Iterable[tuple[int, int, Style]]) -> Strip:
    """A strip with styles put over ranges of its cells, later ones over earlier ones."""
    for start, end, style in ranges:
        start, end = max(0, start), min(end, strip.cell_length)
        if start < end:
            middle = Strip(_over(strip.crop(start, end), style), end - start)
            strip = Strip.join([strip.crop(0, start), middle, strip.crop(end)])
    return strip


def marked(text: str, marks: Sequence[Mark], left: int, mark: Style, present: Style) -> list[tuple[int, int, Style]]:
    """The ranges of cells of marks in a row whose text begins at the cell `left`."""
    ranges = []
    for start, end, is_present in marks:
        first, last = cells_of(text, start, end)
        ranges.append((left + first, left + last, present if is_present else mark))
    return ranges


def _over(strip: Strip, style: Style) -> Iterable[Segment]:
    return Segment.apply_style(strip, post_style=style)
