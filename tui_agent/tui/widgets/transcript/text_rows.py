"""Rows of plain foreign text, as every kind of block uses them."""

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.lines import Line, Spans, clip, text_of, width_of, wrap_at
from tui_agent.tui.widgets.transcript.long_text import SourceLine

_ROW = 2_000
"""More characters than any row shows."""


def duration(seconds: float) -> str:
    """A time for people: `12 ms`, `2.1 s`, `43 s`, `2 min 05 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def wrapped(text: str, role: str, width: int, lead: Spans = (), *, number: int = -1) -> list[Line]:
    """Foreign text, line by line; `lead` stands before the first row and its width before the others.

    Its first line is `number` of the block's source; negative for text that does not stand there.
    """
    indent = width_of(lead)
    if indent * 2 > width:
        lead, indent = (), 0
    blank: Spans = ((" " * indent, "text"),) if indent else ()
    rows: list[Line] = []
    for index, line in enumerate(sanitize(text).split("\n")):
        item = SourceLine(line.expandtabs(4), role, number + index)
        for row, start in zip(*wrap_at(item.spans, width - indent), strict=True):
            before = blank if rows else lead
            known = item if number >= 0 else None
            rows.append(Line((*before, *row), "", (), known, len(text_of(before)), start))
    return rows


def last_lines(text: str, count: int, role: str, width: int) -> list[Line]:
    """The last lines, each clipped to one row."""
    lines = sanitize(text).rstrip("\n").split("\n")[-count:]
    return [Line(clip(((line.expandtabs(4), role),), width)) for line in lines]


def first_line(text: str, more: str = " …") -> str:
    """The first line of foreign text (as much of it as a row can hold), with a sign that more follows."""
    first, _, rest = text.strip().partition("\n")
    return sanitize(first[:_ROW].rstrip("\r").replace("\r", " ")).expandtabs(1) + (more if rest else "")
