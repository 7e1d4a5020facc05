"""Launch to first typed character on the screen, and idle memory, beside a bare Textual program in the same run.

    python -m benchmarks.startup [--runs N]

The keys are sent at launch, before the program reads them, as an impatient user would; the clock stops when the
terminal shows them. Budgets: 1.5 × the time and 1.8 × the memory of the bare program.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.terminal import Terminal

BARE = [sys.executable, str(Path(__file__).with_name("bare_app.py"))]
OURS = [str(Path(sys.executable).with_name("tui-agent"))]
TIME_BUDGET, MEMORY_BUDGET = 1.5, 1.8


def first_key(command: list[str], folder: str) -> tuple[float, float]:
    """Seconds until typed characters are on the screen; resident megabytes of an idle program nobody typed into."""
    env = {"TUI_AGENT_CONFIG_DIR": f"{folder}/config", "TUI_AGENT_DATA_DIR": f"{folder}/data", "HOME": folder}
    with Terminal(command, env=env, cwd=folder) as terminal:
        terminal.send("@@@")
        seconds = terminal.wait_for("@@@")
    with Terminal(command, env=env, cwd=folder) as terminal:
        terminal.read(5.0)
        terminal.settle(1.5)
        return seconds, psutil.Process(terminal.process.pid).memory_info().rss / 1e6


def main() -> None:
    """Run both in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        first_key(BARE, folder), first_key(OURS, folder)  # compiles and warms the disk cache
        pairs = [(first_key(BARE, folder), first_key(OURS, folder)) for _ in range(runs)]
    bare_time, ours_time = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
    bare_memory, ours_memory = (statistics.median(pair[side][1] for pair in pairs) for side in (0, 1))
    print(f"{'':24}{'bare':>10}{'tui-agent':>12}{'ratio':>8}{'budget':>8}")
    for label, bare, ours, unit, budget in (
        ("first key on screen", bare_time, ours_time, "s", TIME_BUDGET),
        ("idle memory", bare_memory, ours_memory, "MB", MEMORY_BUDGET),
    ):
        ratio = ours / bare
        verdict = "" if ratio <= budget else "  over budget"
        print(f"{label:24}{bare:>8.3g} {unit}{ours:>9.3g} {unit:<2}{ratio:>8.2f}{budget:>8}{verdict}")


if __name__ == "__main__":
    main()
