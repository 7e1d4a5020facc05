"""Snapshots around commands: a look at 20,000 files, and taking back what a command did to them.

    python -m benchmarks.snapshots [--quick] [--json]

The second command of a session pays two looks at files that it did not change: one before, one after. Beside it, in the
same run, a bare `os.walk` with a `stat` of each file.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Row, alone, compared_to
from tui_agent.workspace.paths import Workspace
from tui_agent.workspace.snapshots.snapshots import Snapshots

FILES, QUICK_FILES = 20_000, 5_000
RUNS, QUICK_RUNS = 5, 3
SECOND_LIMIT = 0.5
"""Seconds that the second command may take longer for its snapshots, with 20,000 files."""
RATIO_LIMIT = 4.0
"""Two looks against one bare walk with a stat each."""


def measure(quick: bool = False) -> list[Row]:
    """The costs that a user waits for, in seconds of the clock."""
    files, runs = (QUICK_FILES, QUICK_RUNS) if quick else (FILES, RUNS)
    with tempfile.TemporaryDirectory(prefix="tui-agent-snapshots-") as folder:
        taken = [_run(Path(folder, str(run)), files) for run in range(runs)]
    bare, first, second, restarted, undone, redone = zip(*taken, strict=True)
    walked = Row(f"os.walk and stat of {files:,} files", bare, "s")
    return [
        walked,
        Row(f"first command, {files:,} files read and kept", first, "s"),
        compared_to(walked, Row("second command", second, "s", limit=SECOND_LIMIT), RATIO_LIMIT, "os.walk"),
        Row("first command after a restart", restarted, "s"),
        Row(f"undo the removal of {files // 20:,} files", undone, "s"),
        Row("redo it", redone, "s"),
    ]


def _run(folder: Path, files: int) -> tuple[float, ...]:
    """Seconds: the bare walk, the first command, the second, the first after a restart, undo, redo."""
    root, store = folder / "project", folder / "store"
    grow(root, files)
    snapshots = Snapshots(store, Workspace(root))
    first = seconds(lambda: snapshots.finish("first", snapshots.look()))
    second = seconds(lambda: snapshots.finish("second", snapshots.look()))
    bare = seconds(lambda: walk(root))
    snapshots.close()
    again = Snapshots(store, Workspace(root))
    restarted = seconds(lambda: again.finish("after a restart", again.look()))
    before = again.look()
    shutil.rmtree(root / "part1")
    record = again.finish("removed", before)
    names: list[str] = []
    undone = seconds(lambda: names.append(again.put_back([record])[1]))
    redone = seconds(lambda: again.put_back([again.records(names)[names[0]]]))
    again.close()
    shutil.rmtree(folder)
    return bare, first, second, restarted, undone, redone


def grow(root: Path, files: int) -> None:
    """A tree of small text files, forty in a folder."""
    chance = random.Random(1)
    for number in range(files // 40):
        folder = root / f"part{number * 20 * 40 // files}" / f"d{number}"
        folder.mkdir(parents=True)
        for name in range(40):
            lines = (f"x{chance.random()} = {chance.randint(0, 9)}\n" for _ in range(chance.randint(1, 150)))
            (folder / f"m{name}.py").write_text("".join(lines))


def walk(root: Path) -> int:
    """The least that looking at every file costs in Python."""
    return sum(os.stat(f"{place}/{name}").st_size for place, _, names in os.walk(root) for name in names)  # noqa: PTH116


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
