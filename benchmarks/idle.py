"""What the program costs when nothing happens: CPU after an answer, and the memory it holds then."""

import sys
import time

from benchmarks.place import place
from benchmarks.report import Row, alone
from benchmarks.streaming import first_answer


def measure(quick: bool = False) -> list[Row]:
    """One launch, one answer, and silence."""
    seconds, windows = (8, 1) if quick else (10, 2)
    shares = []
    with place() as at, at.opened() as program:
        first_answer(at, program)
        time.sleep(1.0)
        memory, own = program.memory, program.own_memory
        for _ in range(windows):
            cpu, begun = program.cpu, time.perf_counter()
            time.sleep(seconds)
            shares.append((program.cpu - cpu) / (time.perf_counter() - begun) * 100)
    return [
        Row("memory after the first answer", (memory,), "MB", limit=110),
        Row("memory after the first answer, proportional (PSS)", (own,), "MB"),
        Row("CPU when idle", tuple(shares), "%", limit=0.5),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
