"""The unified diff under a tool call, as rows that are worked out when they are looked at."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from tui_agent.tui.widgets.transcript.lines import Line, Span, clip, text_of
from tui_agent.tui.widgets.transcript.long_text import HardWrapped, Rows, clean_lines, ends_of
from tui_agent.workspace.diff import intraline

_HEADERS: Final = ("--- ", "+++ ", "diff ", "index ")
# Removed lines and the added ones right after them; a note about a missing newline may stand between.
_REPLACED = re.compile(r"(-+)\\?(\++)")
_SIGNS: Final = {"+": ("+", "added"), "-": ("−", "removed")}


class DiffRows(Rows):
    """Lines with their sign, wrapped beside it; what changed within a replaced line is marked (role flag `m`)."""

    def __init__(self, text: str, width: int) -> None:
        self._width = width
        signs, bodies = _parsed(text)
        for index, sign in enumerate(signs):
            if sign in "@\\…":
                bodies[index] = text_of(clip(((bodies[index], ""),), width - 2))
        self._signs = signs
        self._wrapped = HardWrapped(bodies, width - 2)
        self._partners: dict[int, int] = {}
        for run in _REPLACED.finditer(signs):
            for old, new in zip(range(*run.span(1)), range(*run.span(2)), strict=False):
                self._partners[old], self._partners[new] = new, old

    def __len__(self) -> int:
        return len(self._wrapped)

    def row(self, number: int) -> Line:
        """As `Rows`."""
        index, start, end = self._wrapped.find(number)
        sign, body = self._signs[index], self._wrapped.lines[index]
        if sign == "@":
            return Line(((body, "faint"),))
        if sign in "\\…":
            return Line((("  ", "text"), (body.lstrip(), "faint")))
        mark, band = _SIGNS.get(sign, (" ", ""))
        lead: Span = (f"{mark} ", band or "faint") if start == 0 else ("  ", "text")
        if not band:
            return Line((lead, (body[start:end], "muted")))
        return Line((lead, *_marked(body, start, end, self._changed(index))), band)

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


def _parsed(text: str) -> tuple[str, list[str]]:
    """The sign of each line, in one string, and the lines without it, clean; file headers are left out."""
    head, tail, said = ends_of(text)
    lines = head.split("\n")
    hunk = next((index for index, line in enumerate(lines) if line.startswith("@@")), len(lines))
    lines[:hunk] = [line for line in lines[:hunk] if not line.startswith(_HEADERS)]
    if said:
        lines += [said, *tail.split("\n")]
    signs = "".join([line[:1] or " " for line in lines])
    # Without their signs: a carriage return would take the sign away with what stands before it.
    bodies = clean_lines("\n".join([line if line.startswith("@@") else line[1:] for line in lines]))
    return signs, bodies
