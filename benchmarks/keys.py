"""From a key, and from a turn of the wheel, to the screen: under short and long sessions, idle and while text streams.

A session is opened with --resume and an answer streams at 200 chunks a second below it; then again when it is over.
Keys and turns are sent at a steady pace, whatever the program does, and what the screen showed when is found out later.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from benchmarks.place import Place, place, prompt_text, submit
from benchmarks.recording import Failure, Recording, Screen
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import text_answer
from benchmarks.startup import BARE
from benchmarks.workload import chunks, session

PACE = 0.005
FIRST_CHUNKS = 3_000
"""At once, so that there is something to scroll."""

KEY_EVERY, TURN_EVERY = 0.045, 0.09
KEY = "x"
CLEAR = "\x15"  # ctrl+u
UP = "\x1b[<64;60;15M"
TRANSCRIPT = slice(2, 30)
"""Rows of the screen that show nothing but the transcript; without the scroll bar, which a stream moves."""

Kind = Literal["key", "wheel"]


class Sent(NamedTuple):
    """One key or turn; `number` counts the keys that were typed before it."""

    kind: Kind
    at: float
    number: int


def _transcript(screen: Screen) -> tuple[str, ...]:
    return tuple(row[:110] for row in screen.rows[TRANSCRIPT])


def type_keys(program: Recording, count: int, dice: random.Random) -> list[Sent]:
    """Type letters at a steady pace, then take them back."""
    sent = []
    for number in range(count):
        sent.append(Sent("key", program.send(KEY), number))
        time.sleep(KEY_EVERY * dice.uniform(0.7, 1.3))
    time.sleep(0.1)
    return sent


def turn_wheel(program: Recording, count: int, dice: random.Random) -> list[Sent]:
    """Turn the wheel up, a notch at a time."""
    sent = []
    for _ in range(count):
        sent.append(Sent("wheel", program.send(UP), 0))
        time.sleep(TURN_EVERY * dice.uniform(0.7, 1.3))
    time.sleep(0.1)
    return sent


def latencies(program: Recording, sent: Sequence[Sent], typed: Callable[[Screen], str] = prompt_text) -> list[float]:
    """Milliseconds from each of them to the screen that shows its effect; `typed` finds the text of the prompt.

    Raises:
        Failure: one had none.
    """
    found: list[float] = []
    before = _transcript(program.screen)

    def look(moment: float, screen: Screen) -> None:
        nonlocal before
        now = _transcript(screen) if sent[0].kind == "wheel" else ()
        while len(found) < len(sent):
            event = sent[len(found)]
            if moment < event.at:
                break
            done = typed(screen).startswith(KEY * (event.number + 1)) if event.kind == "key" else now != before
            if not done:
                return
            found.append((moment - event.at) * 1000)
            if event.kind == "wheel":
                break
        before = now

    if sent[0].kind == "key" and typed(program.screen).startswith(KEY):
        raise Failure("the prompt was not empty")
    program.moments(look)
    if len(found) < len(sent):
        what = f"{sent[0].kind} {len(found) + 1} of {len(sent)}"
        raise Failure(f"{what} had no effect; the screen:\n{program.screen.text}")
    return found


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
        paced = int(runs * (keys * KEY_EVERY + turns * TURN_EVERY + 0.8) * 1.1 / PACE)
        at.server.prepare([text_answer(chunks(FIRST_CHUNKS + paced), PACE, FIRST_CHUNKS)])
        submit(program, "go")
        time.sleep(1.5)
        for doing in ("streaming", "idle"):
            for _ in range(runs):
                program.catch_up()
                yield Felt(doing, "key", latencies(program, type_keys(program, keys, dice)))
                program.send(CLEAR)
                time.sleep(0.2)
            turn_wheel(program, 2, dice)  # away from the end, which moves by itself
            for _ in range(runs):
                program.catch_up()
                yield Felt(doing, "wheel", latencies(program, turn_wheel(program, turns, dice)))
            if doing == "streaming":
                at.server.sent()
                program.quiet(0.5)


def measure(quick: bool = False) -> list[Row]:
    """All sizes; the budgets are for keys, of which p95 counts."""
    sizes = (0, 5_000) if quick else (0, 500, 5_000)
    runs, keys, turns = (1, 30, 10) if quick else (3, 60, 25)
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
