"""From a key, and from a turn of the wheel, to the screen: under short and long sessions, idle and while text streams.

A session is opened with --resume and an answer streams at 200 chunks a second below it; then again when it is over.
Keys come at a steady pace, whatever the program does, and what the screen showed when is found out later; a turn of the
wheel waits for the one before it.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from benchmarks.place import Place, place, prompt_text, submit
from benchmarks.recording import Recording, Screen
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import text_answer
from benchmarks.startup import BARE
from benchmarks.workload import chunks, session

PACE = 0.005
FIRST_CHUNKS = 3_000
"""At once, so that there is something to scroll."""

KEY_EVERY, PAUSE = 0.045, 0.09
KEY = "x"
CLEAR = "\x15"  # ctrl+u
UP = "\x1b[<64;60;15M"
TRANSCRIPT = slice(2, 30)
"""Rows of the screen that show nothing but the transcript; without the scroll bar, which a stream moves."""

Kind = Literal["key", "wheel"]


def _transcript(screen: Screen) -> tuple[str, ...]:
    return tuple(row[:110] for row in screen.rows[TRANSCRIPT])


def type_keys(program: Recording, count: int, dice: random.Random) -> list[float]:
    """Type letters at a steady pace, whatever the program does; the moments."""
    sent = []
    for _ in range(count):
        sent.append(program.send(KEY))
        time.sleep(KEY_EVERY * dice.uniform(0.7, 1.3))
    time.sleep(0.1)
    return sent


def turn_wheel(program: Recording, count: int, dice: random.Random) -> list[float]:
    """Turn the wheel up, a notch at a time; milliseconds from each to the transcript that has moved."""
    times = []
    for _ in range(count):
        program.catch_up()
        times.append(_turn(program))
        time.sleep(PAUSE * dice.uniform(0.7, 1.3))
    return times


def _turn(program: Recording) -> float:
    before = _transcript(program.screen)
    sent = program.send(UP)
    return (program.when(lambda screen: _transcript(screen) != before) - sent) * 1000


def latencies(program: Recording, sent: Sequence[float], typed: Callable[[Screen], str] = prompt_text) -> list[float]:
    """Milliseconds from each key to the screen that shows it; `typed` finds the text of the prompt.

    Raises:
        Failure: a key is not shown.
    """
    shown: list[float] = []

    def look(moment: float, screen: Screen) -> None:
        text = typed(screen)
        while len(shown) < len(sent) and text.startswith(KEY * (len(shown) + 1)):
            shown.append(moment)

    if typed(program.screen).startswith(KEY):
        raise program.failure("the prompt was not empty")
    program.moments(look)
    if len(shown) < len(sent):
        raise program.failure(f"key {len(shown) + 1} of {len(sent)} is not shown")
    return [(then - at) * 1000 for at, then in zip(sent, shown, strict=True)]


def bare(at: Place, runs: int, keys: int) -> list[list[float]]:
    """The same keys in the bare Textual app: what the machine and Textual themselves take."""
    dice = random.Random(4)
    with Recording(BARE, at.env, str(at.project)) as program:
        program.quiet(0.8)
        program.catch_up()
        found = []
        for _ in range(runs):
            found.append(latencies(program, type_keys(program, keys, dice), lambda screen: screen.rows[1].strip(" ▊▎")))
            program.send(CLEAR)
            time.sleep(0.2)
            program.catch_up()
        return found


def p50_p95(times: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return statistics.median(times), statistics.quantiles(times, n=20)[18]


class Felt(NamedTuple):
    """The latencies of one batch in ms."""

    doing: str
    kind: Kind
    times: list[float]


def batches(at: Place, blocks: int, runs: int, keys: int, turns: int) -> Iterator[Felt]:
    """Keys and turns below so many blocks: while an answer streams, and when it is over."""
    words = ("--resume", f"blocks-{blocks}") if blocks else ()
    dice = random.Random(3)
    with at.opened(*words) as program:
        program.quiet(1.0)
        paced = int(runs * (keys * KEY_EVERY + turns * (PAUSE + 0.03) + 0.8) * 1.1 / PACE)
        at.server.prepare([text_answer(chunks(FIRST_CHUNKS + paced), PACE, FIRST_CHUNKS)])
        submit(program, "go")
        time.sleep(1.5)
        for doing in ("streaming", "idle"):
            for _ in range(runs):
                program.catch_up()
                yield Felt(doing, "key", latencies(program, type_keys(program, keys, dice)))
                program.send(CLEAR)
                time.sleep(0.2)
            program.send(UP * 2)  # away from the end, which moves by itself
            time.sleep(0.3)
            for _ in range(runs):
                yield Felt(doing, "wheel", turn_wheel(program, turns, dice))
            if doing == "streaming":
                at.server.sent()
                program.quiet(0.5)


def measure(quick: bool = False) -> list[Row]:
    """All sizes; the budgets are for keys, of which p95 counts."""
    sizes = (0, 5_000) if quick else (0, 500, 5_000)
    runs, keys, turns = (1, 25, 8) if quick else (3, 45, 15)
    rows: list[Row] = []
    empty: dict[str, Row] = {}
    with place() as at:
        times = [p50_p95(batch) for batch in bare(at, runs, keys)]
        for place_in, percentile in ((0, "p50"), (1, "p95")):
            samples = tuple(figure[place_in] for figure in times)
            rows.append(Row(f"key to screen, bare Textual app, {percentile}", samples, "ms"))
        for size in sizes:
            if size:
                at.log(f"blocks-{size}", session(size // 3 * 4))
            felt: dict[tuple[str, str], list[tuple[float, float]]] = {}
            for batch in batches(at, size, runs, keys, turns):
                felt.setdefault((batch.doing, batch.kind), []).append(p50_p95(batch.times))
            for (doing, kind), figures in felt.items():
                for place_in, percentile in ((0, "p50"), (1, "p95")):
                    what = f"{kind} to screen, {doing}, {percentile}"
                    samples = tuple(figure[place_in] for figure in figures)
                    budgeted = kind == "key" and percentile == "p95"
                    row = Row(f"{what}, {size:,} blocks above", samples, "ms", limit=25 if budgeted else None)
                    base = empty.setdefault(what, row)
                    rows.append(compared_to(base, row, 1.5 if budgeted else None, "0 blocks") if size else row)
    return rows


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
