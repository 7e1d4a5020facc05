"""Opening a session of 100 and of 10,000 events, beside a launch without one: until a key echoes, until it is there.

Keys are typed from the launch on and while the session opens. It is there when its last lines are on the screen; what
is read above them later is not waited for, but its memory counts.
"""

import sys
import time
from typing import NamedTuple

from benchmarks.place import Place, place, prompt_text
from benchmarks.recording import Screen
from benchmarks.report import Row, alone, compared_to
from benchmarks.workload import session

KEY = "x"
KEY_EVERY = 0.03


class Opened(NamedTuple):
    """Seconds from launch to the first key and to the last line on the screen; ms of the slowest key; MB."""

    first_key: float
    last_line: float
    slowest_key: float
    memory: float


def open_session(at: Place, events: int) -> Opened:
    """Launch with a session of so many events, or without one for 0, and type meanwhile."""
    words = ("--resume", name(events)) if events else ()
    last = f"That was answer {events // 4 - 1}." if events else "bench-model"
    with at.launch(*words) as program:
        sent: list[float] = []
        while len(sent) < 90 and (len(sent) < 30 or program.idle_for < 0.5):
            sent.append(program.send(KEY))
            time.sleep(KEY_EVERY)
        program.quiet(1.5, 8.0)
        shown: list[float] = []
        there: list[float] = []

        def look(moment: float, screen: Screen) -> None:
            typed = prompt_text(screen)
            while len(shown) < len(sent) and typed.startswith(KEY * (len(shown) + 1)):
                shown.append(moment)
            if not there and screen.has(last):
                there.append(moment)

        program.moments(look)
        if len(shown) < len(sent) or not there:
            raise program.failure("a key, or the end of the session, is not on the screen")
        launched = program.started
        late = [(then - at_) * 1000 for at_, then in zip(sent, shown, strict=True) if at_ > shown[0]]
        return Opened(shown[0] - launched, there[0] - launched, max(late, default=0.0), program.memory)


def name(events: int) -> str:
    """The id of the session of so many events."""
    return f"events-{events}"


def measure(quick: bool = False) -> list[Row]:
    """The three kinds of launch in turn."""
    runs = 1 if quick else 5
    sizes = (0, 100, 10_000)
    with place() as at:
        for size in sizes[1:]:
            at.log(name(size), session(size))
        if not quick:
            open_session(at, 100)  # warms the disk cache
        found: dict[int, list[Opened]] = {size: [] for size in sizes}
        for _ in range(runs):
            for size in sizes:
                found[size].append(open_session(at, size))

    def row(title: str, size: int, column: int, unit: str, limit: float | None = None) -> Row:
        what = f"{size:,} events" if size else "no session"
        return Row(f"{title}, {what}", tuple(run[column] for run in found[size]), unit, limit=limit)

    bare = row("first key on screen", 0, 0, "s")
    short, long = (row("last line on screen", size, 1, "s") for size in sizes[1:])
    rows = [
        bare,
        compared_to(bare, row("first key on screen", 100, 0, "s"), to="no session"),
        compared_to(bare, row("first key on screen", 10_000, 0, "s"), 1.3, "no session"),
        compared_to(bare, short, to="first key, no session"),
        compared_to(short, long, 1.3, "100 events"),
    ]
    rows += [row("slowest key while it opens", size, 2, "ms") for size in sizes]
    empty = row("memory", 0, 3, "MB")
    more = [tuple(run.memory - empty.median for run in found[size]) for size in sizes[1:]]
    rows.append(empty)
    rows += [
        Row(f"memory for {size:,} events", samples, "MB", limit=60)
        for size, samples in zip(sizes[1:], more, strict=True)
    ]
    return rows


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
