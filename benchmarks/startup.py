"""Launch to the first typed key on the screen, and idle memory, beside a bare Textual program in the same run.

The keys are sent at launch, before the program reads them, as an impatient user would; the clock stops when the
terminal shows them. Also what starts without a screen, beside an interpreter that does nothing.
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.place import PROGRAM, Place, place
from benchmarks.recording import Recording, shows
from benchmarks.report import Row, alone, compared_to
from benchmarks.server import text_answer

BARE = (sys.executable, str(Path(__file__).with_name("bare_app.py")))
OURS = (str(PROGRAM),)

KEYS = "xyz"


def first_key(at: Place, command: tuple[str, ...]) -> float:
    """Seconds from launch until keys typed at launch are on the screen."""
    with Recording(command, at.env, str(at.project)) as program:
        program.send(KEYS)
        return program.when(shows(KEYS)) - program.started


def idle_memory(at: Place, command: tuple[str, ...], wait: float) -> tuple[float, float]:
    """Resident and proportional MB of a program nobody typed into, once it has done what it does at its start."""
    with Recording(command, at.env, str(at.project)) as program:
        time.sleep(wait)
        program.quiet(0.6)
        return program.memory, program.own_memory


def seconds(at: Place, command: tuple[str, ...]) -> float:
    """Seconds that a command takes from its start to its end."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=at.project, env=at.env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - begun


def invoke(at: Place) -> float:
    """Seconds that a prompt without a screen takes, with a server that answers at once."""
    at.server.prepare([text_answer(["yes"])])
    taken = seconds(at, (*OURS, "invoke", "-m", "hi"))
    at.server.sent()
    return taken


def measure(quick: bool = False) -> list[Row]:
    """Everything in turn, ours beside the bare ones."""
    runs = 3 if quick else 7
    few, wait = (1, 1.0) if quick else (3, 2.0)
    nothing = (sys.executable, "-c", "pass")
    with place() as at:
        first_key(at, BARE), first_key(at, OURS)  # compiles, and warms the disk cache
        keys = [(first_key(at, BARE), first_key(at, OURS)) for _ in range(runs)]
        memory = [(idle_memory(at, BARE, wait), idle_memory(at, OURS, wait)) for _ in range(few)]
        alone_ones = [
            (seconds(at, nothing), seconds(at, (*OURS, "--version")), invoke(at)) for _ in range(2 if quick else 5)
        ]
    bare_key, our_key = zip(*keys, strict=True)
    bare = Row("first key on screen, bare Textual app", bare_key, "s")
    rows = [bare, compared_to(bare, Row("first key on screen", our_key, "s"), 1.5, "bare app")]
    for place_in, name in ((0, "idle memory"), (1, "idle memory, proportional (PSS)")):
        bare = Row(f"{name}, bare Textual app", tuple(them[place_in] for them, _ in memory), "MB")
        ours = Row(name, tuple(we[place_in] for _, we in memory), "MB")
        rows += [bare, compared_to(bare, ours, None if place_in else 1.8, "bare app")]
    pure, version, prompt = zip(*alone_ones, strict=True)
    base = Row("python -c pass", pure, "s")
    rows += [base]
    rows += [
        compared_to(base, Row(f"tui-agent {name}", taken, "s"))
        for name, taken in (("--version", version), ("invoke", prompt))
    ]
    return rows


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
