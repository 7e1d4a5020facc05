"""A diff made ready to be laid out at any width: all that takes time and no screen, so that a thread can do it."""

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Final, NamedTuple

from tui_agent.tui.widgets.diff_text import is_plain_text
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.diff import FileDiff, Row, diff_change, line_ending
from tui_agent.workspace.intraline import Spans, intraline

LONG: Final = 2_000
"""Characters of a line beyond which it is laid out in parts, and unchanged stretches of a replaced one are left out."""

COMPARED: Final = 20_000_000
"""Characters of long replaced lines that are compared; what is beyond is shown whole and without marks."""

SMALL_BYTES: Final = 100_000
SMALL_LINES: Final = 2_000
"""A plan of at most so many bytes and lines is compared within a frame."""


class Stretch(NamedTuple):
    """Rows of a hunk: removed ones with the added ones that follow, or unchanged ones, the same list on both sides.

    `longest` counts the characters of their longest line.
    """

    removed: Sequence[Row]
    added: Sequence[Row]
    longest: int

    @property
    def context(self) -> bool:
        """True for unchanged rows."""
        return self.removed is self.added


class Outline(NamedTuple):
    """One file's diff; `hunks` are the stretches of each hunk.

    `within` tells what differs within long replaced lines, by the numbers of the two.

    `plain` is the number of cells of the longest line when every line is painted as it is, one cell a character; else
    it is None. `hide_cr`: the carriage returns at the ends of lines are as they were and say nothing.
    """

    diff: FileDiff
    hunks: tuple[tuple[Stretch, ...], ...]
    plain: int | None
    hide_cr: bool
    within: Mapping[tuple[int, int], Spans]

    @classmethod
    def of(cls, diff: FileDiff) -> "Outline":
        """Prepare a diff."""
        hide_cr = line_ending(diff.after) == "CRLF" and line_ending(diff.before) in ("", "CRLF")
        texts = [text.replace("\r\n", "\n") if hide_cr else text for text in (diff.before, diff.after)]
        plain = None
        if all(map(is_plain_text, texts)):
            plain = max((len(line) for text in texts for line in text.split("\n")), default=0)
        hunks = tuple(tuple(_stretches(hunk.rows)) for hunk in diff.hunks)
        return cls(diff, hunks, plain, hide_cr, dict(_within(hunks)))


def is_small(plan: ChangePlan) -> bool:
    """True when the plan can be compared while somebody waits."""
    texts = [text for change in plan.changes for text in (change.before, change.after) if text]
    return sum(map(len, texts)) <= SMALL_BYTES and sum(text.count(b"\n") for text in texts) <= SMALL_LINES


def outlines(plan: ChangePlan, stopped: Event | None = None) -> tuple[Outline, ...]:
    """Compare the files of a plan; none when it was stopped in between."""
    out = []
    for change in plan.changes:
        if stopped is not None and stopped.is_set():
            return ()
        out.append(Outline.of(diff_change(change)))
    return tuple(out)


async def outlines_in_thread(plan: ChangePlan) -> tuple[Outline, ...]:
    """The same away from the event loop; cancelling stops it after the file it is at."""
    stopped = Event()
    try:
        return await asyncio.to_thread(outlines, plan, stopped)
    finally:
        stopped.set()


def _stretches(rows: Sequence[Row]) -> Iterator[Stretch]:
    start, count = 0, len(rows)
    while start < count:
        end = _run(rows, start)
        if rows[start].side == "context":
            same = rows[start:end]
            yield Stretch(same, same, _longest(same))
        else:
            middle = end if rows[start].side == "removed" else start
            if middle < count and rows[middle].side == "added":
                end = _run(rows, middle)
            yield Stretch(rows[start:middle], rows[middle:end], _longest(rows[start:end]))
        start = end


def _within(hunks: Sequence[Sequence[Stretch]]) -> Iterator[tuple[tuple[int, int], Spans]]:
    budget = COMPARED
    for stretch in itertools.chain.from_iterable(hunks):
        if stretch.longest > LONG and not stretch.context:
            for old, new in zip(stretch.removed, stretch.added, strict=False):
                size = len(old.line) + len(new.line)
                if max(len(old.line), len(new.line)) > LONG and size <= budget:
                    budget -= size
                    yield (old.old, new.new), intraline(old.text, new.text)


def _run(rows: Sequence[Row], start: int) -> int:
    """The end of the rows that are on the same side as the first."""
    side = rows[start].side
    end = start
    while end < len(rows) and rows[end].side == side:
        end += 1
    return end


def _longest(rows: Sequence[Row]) -> int:
    return max((len(row.line) for row in rows), default=0)
