"""The unified diff under a tool call, as rows that are worked out when they are looked at."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from tui_agent.tui.widgets.transcript.lines import Line, Span, clip, text_of
from tui_agent.tui.widgets.transcript.long_text import HardWrapped, Rows, SourceLine, clean_lines, ends_of
from tui_agent.workspace.intraline import intraline

_HEADERS: Final = ("--- ", "+++ ", "diff ", "index ")
# Removed lines and the added ones right after them; a note about a missing newline may stand between.
_REPLACED = re.compile(r"(-+)\\?(\++)")
_SIGNS: Final = {"+": ("+", "added"), "-": ("−", "removed")}


class DiffRows(Rows):
    """Lines with their sign, wrapped beside it; what changed within a replaced line is marked (role flag `m`).

    The first line of `text`, which may be a file header, is `number` of the block's source.
    """

    def __init__(self, text: str, width: int, number: int) -> None:
        lines = _parsed(text, number)
        self._signs, self._numbers = lines.signs, lines.numbers
        bodies = [
            text_of(clip(((body, ""),), width - 2)) if sign in "@\\…" else body
            for sign, body in zip(lines.signs, lines.bodies, strict=True)
        ]
        self._wrapped = HardWrapped(bodies, width - 2)
        self._partners: dict[int, int] = {}
        for run in _REPLACED.finditer(lines.signs):
            for old, new in zip(range(*run.span(1)), range(*run.span(2)), strict=False):
                self._partners[old], self._partners[new] = new, old

    def __len__(self) -> int:
        return len(self._wrapped)

    def row(self, number: int) -> Line:
        """As `Rows`."""
        index, start, end = self._wrapped.find(number)
        sign, body = self._signs[index], self._wrapped.lines[index]
        if sign == "…":
            return Line((("  ", "text"), (body, "faint")))
        mark, band = _SIGNS.get(sign, (" ", ""))
        item = SourceLine(body, "text" if band else "faint" if sign in "@\\" else "muted", self._numbers[index])
        if sign == "@":
            return Line(item.spans, item=item)
        lead: Span = (f"{mark} ", band or "faint") if start == 0 else ("  ", "text")
        if not band:
            return Line((lead, (body[start:end], item.role)), item=item, lead=2, start=start)
        spans = _marked(body, start, end, self._changed(index))
        return Line((lead, *spans), band, item=item, lead=2, start=start)

    def firsts(self) -> Sequence[int]:
        """As `Rows`."""
        return [row for row, sign in zip(self._wrapped.firsts(), self._signs, strict=True) if sign != "…"]

    def _changed(self, index: int) -> tuple[tuple[int, int], ...]:
        partner = self._partners.get(index)
        if partner is None:
            return ()
        first, second = sorted((index, partner))
        return _intraline(self._wrapped.lines[first], self._wrapped.lines[second])[index > partner]


_intraline = lru_cache(maxsize=64)(intraline)


def _marked(text: str, start: int, end: int, changed: tuple[tuple[int, int], ...]) -> Iterator[Span]:
    """The characters `start` to `end`, those that changed with the flag."""
    at = start
    for left, right in changed:
        left, right = max(left, at), min(right, end)
        if left < right:
            if at < left:
                yield text[at:left], "text"
            yield text[left:right], "text+m"
            at = right
    if at < end or start == end:
        yield text[at:end], "text"


class _Lines(NamedTuple):
    """The sign of each line, in one string, the lines without it, clean, and which line of the source each is."""

    signs: str
    bodies: list[str]
    numbers: Sequence[int]


def _parsed(text: str, number: int) -> _Lines:
    """The lines of a diff without its file headers."""
    head, tail, said = ends_of(text)
    lines = head.split("\n")
    numbers = list(range(number, number + len(lines)))
    hunk = next((index for index, line in enumerate(lines) if line.startswith("@@")), len(lines))
    kept = [index for index in range(hunk) if not lines[index].startswith(_HEADERS)]
    lines[:hunk], numbers[:hunk] = [lines[index] for index in kept], [number + index for index in kept]
    if said:
        number += text.count("\n", 0, len(text) - len(tail))
        rest = tail.split("\n")
        lines += [said, *rest]
        numbers += [number, *range(number, number + len(rest))]
    signs = "".join([line[:1] or " " for line in lines])
    # Without their signs: a carriage return would take the sign away with what stands before it.
    bodies = clean_lines("\n".join([line if line.startswith("@@") else line[1:] for line in lines])) if lines else []
    trimmed = [body.lstrip() if sign in "…\\" else body for sign, body in zip(signs, bodies, strict=True)]
    return _Lines(signs, trimmed, numbers)
