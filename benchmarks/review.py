"""A change of a long file: from the end of the model's answer to the diff in the question, and paging in the review.

The model, a script, reads the file and writes it anew with scattered edits. The clock starts when the last byte of the
call is sent; it stops when the question shows the diff. Then the review is opened and paged through.
"""

import statistics
import sys
import time
from typing import NamedTuple

from benchmarks.changes import change
from benchmarks.place import Place, place, submit
from benchmarks.recording import Recording, Screen
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import call_answer

PAGE_UP, PAGE_DOWN = "\x1b[5~", "\x1b[6~"
REVIEW = "\x12"  # ctrl+r
PAUSE = 0.09
"""Seconds after each page, as somebody who looks at it would wait."""


class Reviewed(NamedTuple):
    """Seconds to the question's diff and to the review; ms of a page down, median and 95th percentile."""

    question: float
    review: float
    page: float
    page_p95: float


def review(at: Place, lines: int, edits: int, pages: int, depth: int) -> Reviewed:
    """One change of so many lines, in a program of its own; paged down to a depth of pages, then up, and again."""
    planned = change(lines, edits)
    (at.project / "big.py").write_bytes(planned.before or b"")
    content = (planned.after or b"").decode()
    at.server.prepare(
        [
            call_answer("read_file", {"file_path": "big.py"}),
            call_answer("write_file", {"file_path": "big.py", "content": content}),
        ]
    )
    with at.opened() as program:
        submit(program, "go")
        at.server.sent()
        sent, _ = at.server.sent()
        program.wait_bytes(b"once", 60)
        question = program.when(lambda screen: screen.has("once") and _has_diff(screen), 60) - sent.last
        program.quiet(0.7)
        program.catch_up()
        asked = program.send(REVIEW)
        opened = program.when(lambda screen: screen.has("hunk ") and _has_diff(screen)) - asked
        program.quiet(0.5)
        program.catch_up()
        times = [_turn(program, PAGE_UP if turn // depth % 2 else PAGE_DOWN) for turn in range(pages)]
    return Reviewed(question, opened, statistics.median(times), statistics.quantiles(times, n=20)[18])


def _turn(program: Recording, key: str) -> float:
    """Milliseconds from the key to a screen with other lines."""
    before = program.screen.rows[3:30]
    sent = program.send(key)
    shown = program.when(lambda screen: screen.rows[3:30] != before)
    time.sleep(PAUSE)
    program.catch_up()
    return (shown - sent) * 1000


def _has_diff(screen: Screen) -> bool:
    """Whether a line of the file is in view with a sign before it."""
    return any("# edited" in row or "inserted_" in row for row in screen.rows)


def measure(quick: bool = False) -> list[Row]:
    """A small and a large change."""
    runs, pages = (1, 15) if quick else (3, 30)
    rows: list[Row] = []
    with place() as at:
        sizes = {(1_000, 20): 3, (20_000, 500): pages}
        found = {size: [review(at, *size, pages, depth) for _ in range(runs)] for size, depth in sizes.items()}
    for title, column, unit, limit in (
        ("answer's end to diff in the question", 0, "s", 0.3),
        ("key to diff review", 1, "s", 0.3),
        ("page down, p50", 2, "ms", None),
        ("page down, p95", 3, "ms", 20.0),
    ):
        base: Row | None = None
        for (lines, edits), all_runs in found.items():
            samples = tuple(run[column] for run in all_runs)
            row = Row(f"{title}, {lines:,} lines, {edits} edits", samples, unit, limit=limit)
            rows.append(row if base is None else compared_to(base, row, to="1,000 lines"))
            base = row
    return rows


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
