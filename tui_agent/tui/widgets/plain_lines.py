"""Painting the lines of a widget that has nothing around them: no border, no padding, no opacity."""

from collections.abc import Callable

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def plain_lines(widget: Widget, crop: Region, line: Callable[[int], Strip]) -> list[Strip]:
    """The lines of `crop`, filtered for the terminal, as the compositor wants them.

    Textual's own way makes a new strip of every line before it filters and cuts it. A strip remembers what was made of
    it, so one that is the same object as in the frame before costs nothing here.
    """
    filters = widget.get_line_filters()
    background = widget.background_colors[1]
    span = crop.column_span
    whole = span == (0, widget.region.width)
    strips = []
    for y in crop.line_range:
        strip = line(y)
        for each in filters:
            strip = strip.apply_filter(each, background)
        strips.append(strip if whole else strip.crop(*span))
    return strips
