"""Which characters of a long replaced line are shown: those that differ, with some around them."""

from typing import Final, NamedTuple

from tui_agent.workspace.intraline import Spans

AROUND: Final = 200
"""Unchanged characters shown on either side of a change."""

GAP: Final = 400
"""Fewer unchanged characters than this are not worth leaving out."""


class Excerpt(NamedTuple):
    """Characters `start` to `end` of the line before and of the one after; between two excerpts both are the same."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def excerpts(differing: Spans | None, old_size: int, new_size: int) -> list[Excerpt]:
    """The excerpts of two lines with these differences; all of both where none are known."""
    gone, come = (list(reversed(side)) for side in differing or ((), ()))
    out: list[Excerpt] = []
    i = j = 0
    while gone or come:
        # Both are the same up to the nearer of the next differences, a removal or an addition or both.
        same = min([spans[-1][0] - at for spans, at in ((gone, i), (come, j)) if spans])
        start_old, start_new = i + same, j + same
        i = gone.pop()[1] if gone and gone[-1][0] == start_old else start_old
        j = come.pop()[1] if come and come[-1][0] == start_new else start_new
        lead = min(AROUND, start_old, start_new)
        end = min(old_size, i + AROUND), min(new_size, j + AROUND)
        if out and start_old - lead - out[-1].old_end < GAP:
            out[-1] = Excerpt(out[-1].old_start, end[0], out[-1].new_start, end[1])
        else:
            out.append(Excerpt(start_old - lead, end[0], start_new - lead, end[1]))
    if not out:
        return [Excerpt(0, old_size, 0, new_size)]
    if out[0].old_start < GAP:
        out[0] = out[0]._replace(old_start=0, new_start=0)
    if old_size - out[-1].old_end < GAP:
        out[-1] = out[-1]._replace(old_end=old_size, new_end=new_size)
    return out
