"""A command that prints 100 MB, and one that prints for three seconds: what they cost, and whether keys still echo.

The model asks for them and they are allowed by hand. Beside the first the same into a pipe that is read and forgotten.
"""

import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from benchmarks.keys import KEY, latencies
from benchmarks.place import Place, place, submit
from benchmarks.recording import shows
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import call_answer, text_answer
from benchmarks.workload import SENTINEL

KEY_EVERY = 0.03
LONGEST = 60.0
"""Seconds that a command may take."""
LINE = "src/shop/cart.py:214: a line of output as wide as those of many a build"


class Printed(NamedTuple):
    """Seconds to the result, CPU seconds of the program, MB more at most and in the end, ms of each key."""

    seconds: float
    cpu: float
    peak: float
    kept: float
    keys: list[float]


MUCH = f"yes '{LINE}' | head -c 100000000"
LONG = f"timeout 3 yes '{LINE}'; true"


def forgotten() -> float:
    """Seconds of 100 MB into a pipe."""
    begun = time.perf_counter()
    with subprocess.Popen(["sh", "-c", MUCH], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while process.stdout.read(1 << 16):
            pass
    return time.perf_counter() - begun


def printed(at: Place, command: str) -> Printed:
    """Let the model run a command and type while it prints."""
    at.server.prepare([call_answer("run_command", {"command": command}), text_answer([SENTINEL])])
    with at.opened() as program:
        submit(program, "go")
        at.server.sent()
        program.when(shows("once"))
        program.quiet(0.8)  # no key answers before
        program.catch_up()
        before, cpu = program.memory, program.cpu
        program.send("y")
        # A letter right behind it would make a word of it; the command begins with the last look of the question.
        asked = program.when(lambda screen: not screen.has("once"))
        sent: list[float] = []
        peak = before
        while not at.server.asked:
            if time.perf_counter() - asked > LONGEST:
                raise program.failure("the command does not end")
            time.sleep(KEY_EVERY)
            if len(sent) < 100:
                sent.append(program.send(KEY))
            peak = max(peak, program.memory)
        answered, _ = at.server.sent()
        cpu = program.cpu - cpu
        program.wait_bytes(SENTINEL.encode(), 20)
        program.quiet(0.5)
        return Printed(answered.first - asked, cpu, peak - before, program.memory - before, latencies(program, sent))


def measure(quick: bool = False) -> list[Row]:
    """All of it, several times."""
    runs = 1 if quick else 3
    with place() as at:
        pure = [forgotten() for _ in range(runs)]
        found = [printed(at, MUCH) for _ in range(runs)]
        long = [printed(at, LONG) for _ in range(runs)]
    base = Row("100 MB into a pipe", tuple(pure), "s")
    return [
        base,
        compared_to(base, Row("100 MB printed by a tool", tuple(run.seconds for run in found), "s")),
        Row("its CPU, of the program", tuple(run.cpu for run in found), "s"),
        Row("its memory, at most", tuple(run.peak for run in found), "MB"),
        Row("its memory, after", tuple(run.kept for run in found), "MB"),
        Row("CPU while a tool prints for 3 s", tuple(run.cpu for run in long), "s"),
        Row(
            "key to screen while a tool prints, p95",
            tuple(statistics.quantiles(run.keys, n=20)[18] for run in long),
            "ms",
            limit=25,
        ),
    ]


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
