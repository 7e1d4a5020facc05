"""Answers as they stream in, from the first chunk that is sent to the last token that is painted.

The installed program on a pty, talking HTTP with a local server. Every launch has answered once before, so that imports
and lexers do not blur how the time grows. Memory and CPU seconds are the program's.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.place import Place, place, submit
from benchmarks.recording import Recording, shows
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import text_answer
from benchmarks.workload import SENTINEL, chunks, fence

ROOT = Path(__file__).parents[1]
FIRST = "ZFIRSTZ"
PACE = 0.005


class Streamed(NamedTuple):
    """One answer: seconds from first chunk to last token, ms of the last token, CPU seconds, MB after."""

    seconds: float
    lag: float
    cpu: float
    memory: float


def first_answer(at: Place, program: Recording) -> float:
    """Seconds from the enter key to the last token of the first answer after launch."""
    at.server.prepare([text_answer([*chunks(100), f"\n\n{FIRST}"])])
    asked = submit(program, "first")
    seconds = program.when(shows(FIRST)) - asked
    at.server.sent()
    program.quiet(0.5)
    return seconds


def answer(at: Place, program: Recording, pieces: Sequence[str], pace: float = 0.0) -> Streamed:
    """Ask, and wait for the end of the answer."""
    at.server.prepare([text_answer([*pieces, SENTINEL], pace)])
    cpu = program.cpu
    submit(program, "go")
    sent, _ = at.server.sent(60 + len(pieces) * pace)
    program.wait_bytes(SENTINEL.encode(), 120)
    program.quiet(0.4)
    cpu = program.cpu - cpu
    painted = program.when(shows(SENTINEL))
    return Streamed(painted - sent.first, (painted - sent.last) * 1000, cpu, program.memory)


def launches(at: Place, pieces: Sequence[str], runs: int, pace: float = 0.0) -> tuple[list[Streamed], list[float]]:
    """The answer in so many fresh programs, and the seconds of their first answers."""
    found, first = [], []
    for _ in range(runs):
        with at.opened() as program:
            first.append(first_answer(at, program))
            found.append(answer(at, program, pieces, pace))
    return found, first


def widget(at: Place, pieces: Sequence[str]) -> tuple[float, float]:
    """Seconds and CPU seconds of the same answer in Textual's Markdown widget."""
    at.server.prepare([text_answer([*pieces, SENTINEL])])
    command = (sys.executable, "-m", "benchmarks.markdown_app", at.server.url)
    with Recording(command, {**at.env, "PYTHONPATH": str(ROOT)}, str(at.project)) as program:
        program.quiet(0.3)
        cpu = program.cpu
        sent, _ = at.server.sent()
        program.wait_bytes(SENTINEL.encode(), 120)
        program.quiet(0.4)
        return program.when(shows(SENTINEL)) - sent.first, program.cpu - cpu


def measure(quick: bool = False) -> list[Row]:
    """All sizes at full speed, then paced."""
    runs = 1 if quick else 5
    sizes = (1_000, 5_000) if quick else (1_000, 5_000, 20_000)
    rows, cost, first = [], [], []
    with place() as at:
        base: Row | None = None
        for size in sizes:
            found, begun = launches(at, [*chunks(size), "\n\n"], runs if size < 20_000 else 3)
            first += begun
            row = Row(f"{size:,} chunks", tuple(one.seconds for one in found), "s", limit={5_000: 1.0}.get(size))
            rows.append(row if base is None else compared_to(base, row, {20_000: 4.4}.get(size)))
            cost.append(Row(f"{size:,} chunks, CPU", tuple(one.cpu for one in found), "s"))
            cost.append(Row(f"{size:,} chunks, memory after", tuple(one.memory for one in found), "MB"))
            base = row
        base = None
        for size in (1_000, 5_000):
            found, begun = launches(at, fence(size), max(1, runs - 2))
            first += begun
            row = Row(f"open fence of {size:,} lines", tuple(one.seconds for one in found), "s")
            rows.append(row if base is None else compared_to(base, row, 5.5))
            base = row
        for size in () if quick else (1_000, 5_000):
            (one,), _ = launches(at, [*chunks(size), "\n\n"], 1, PACE)
            rows.append(Row(f"{size:,} chunks paced at 5 ms, last token after its chunk", (one.lag,), "ms"))
            cost.append(Row(f"{size:,} chunks paced at 5 ms, CPU", (one.cpu,), "s"))
        theirs = [widget(at, [*chunks(1_000), "\n\n"]) for _ in range(1 if quick else 3)]
    in_turn = Row("1,000 chunks, Textual's Markdown widget", tuple(wall for wall, _ in theirs), "s")
    in_cpu = Row("1,000 chunks, Textual's Markdown widget, CPU", tuple(cpu for _, cpu in theirs), "s")
    return [
        Row("first answer after launch, enter to last token", tuple(first), "s"),
        *rows,
        compared_to(rows[0], in_turn),
        *cost,
        compared_to(cost[0], in_cpu),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
