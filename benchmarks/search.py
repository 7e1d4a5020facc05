"""Searching a large folder: `grep_search` and `glob_files` beside `rg` as a user types it, and completing `@file`.

    python -m benchmarks.search [--files N] [--runs N] [--json]

The tools run through their executor in this process, as `tui-agent tools call` runs them, without the start of an
interpreter; rg's output goes into a pipe and is read. Both take turns on the same folder, which is in the disk cache;
the ratio is the median of those of the turns. The budget is 1.3 × rg; where much is found the tools stop at their
limits, which rg does not know. The program that stands in where there is no rg has no budget.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import msgspec
import psutil

from benchmarks.report import Row, missed, table
from benchmarks.search_tree import ABSENT, RARE, build
from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.builtin import finder
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tools.project_files import ProjectFiles

FILES, RUNS, QUICK_RUNS = 50_000, 11, 3
RATIO_LIMIT = 1.3
COMPLETION_LIMIT, CANCEL_LIMIT = 100, 500
"""Milliseconds."""


class Case(NamedTuple):
    """A search, as the model and as a user asks for it; `expected` stands in the result."""

    name: str
    tool: str
    arguments: dict[str, object]
    rg: tuple[str, ...]
    expected: str


GREP, GLOB = "grep_search", "glob_files"
CASES = (
    Case("no match", GREP, {"pattern": ABSENT}, (ABSENT,), "no match for"),
    Case("five matches", GREP, {"pattern": RARE}, (RARE,), RARE),
    Case("expression", GREP, {"pattern": r"\w+_hay\b"}, (r"\w+_hay\b",), RARE),
    Case("any case, no match", GREP, {"pattern": ABSENT, "case_sensitive": False}, ("-i", ABSENT), "no match for"),
    Case("no match in *.py", GREP, {"pattern": ABSENT, "glob": "*.py"}, ("-g", "*.py", ABSENT), "files like *.py"),
    Case("common word", GREP, {"pattern": "return"}, ("return",), "there are more"),
    Case("**/*.py", GLOB, {"pattern": "**/*.py"}, ("--files", "-g", "**/*.py"), "there are more"),
    Case("**/*.none", GLOB, {"pattern": "**/*.none"}, ("--files", "-g", "**/*.none"), "no files match"),
    Case("data/*", GLOB, {"pattern": "data/*"}, ("--files", "-g", "data/*"), "data/big_0.csv"),
)


def measure(quick: bool) -> list[Row]:
    """Build the folder and measure everything in it."""
    return measured(FILES, QUICK_RUNS if quick else RUNS)


def measured(files: int, runs: int) -> list[Row]:
    """The same with so many files.

    Raises:
        RuntimeError: rg is not installed, or a search found something else than is there.
    """
    with tempfile.TemporaryDirectory(prefix="tui-agent-search-") as folder:
        build(Path(folder), files)
        return asyncio.run(_measured(Path(folder), runs))


async def _measured(folder: Path, runs: int) -> list[Row]:
    executor = ToolExecutor(folder)
    rg = finder.find_rg(folder)
    if not rg:
        raise RuntimeError("there is nothing to compare with: install ripgrep")
    rows = []
    for case in CASES:
        pairs = [(_typed(rg, case, folder), await _called(executor, case)) for _ in range(runs + 1)][1:]
        beside, ours = zip(*pairs, strict=True)
        rows.append(_row(f"{case.tool} {case.name}", ours, beside, RATIO_LIMIT))
    with mock.patch.object(finder, "find_rg", lambda workspace: ""):
        for case in CASES:
            pairs = [(_typed(rg, case, folder), await _called(executor, case)) for _ in range(runs // 2)]
            beside, ours = zip(*pairs, strict=True)
            rows.append(_row(f"without rg: {case.tool} {case.name}", ours, beside, None))
    return [*rows, *await _completion(executor, runs), await _cancelled(executor, runs)]


def _row(name: str, ours: Sequence[float], beside: Sequence[float], limit: float | None) -> Row:
    ratio = statistics.median(our / its for our, its in zip(ours, beside, strict=True))
    to = f"rg, {statistics.median(beside):.0f} ms"
    return Row(name, tuple(ours), "ms", ratio=ratio, to=to, ratio_limit=limit)


def _typed(rg: str, case: Case, folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run([rg, *case.rg], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return (time.perf_counter() - began) * 1000


async def _called(executor: ToolExecutor, case: Case) -> float:
    call = ToolCall("call", case.tool, json.dumps(case.arguments))
    began = time.perf_counter()
    outcome = await executor.run(call)
    took = (time.perf_counter() - began) * 1000
    if case.expected not in outcome.result.content:
        raise RuntimeError(f"{case.name}: {outcome.result.content[:200]}")
    return took


async def _completion(executor: ToolExecutor, runs: int) -> list[Row]:
    """From the sign `@` to the first files, and what each further letter costs, one of them without any match."""
    start = executor.workspace.resolve(".")
    first: list[float] = []
    letter: list[float] = []
    held_up: list[float] = []
    for _ in range(runs):
        files = ProjectFiles(start)
        watching = asyncio.create_task(_longest_wait())
        first.append(await _timed(files, ""))
        watching.cancel()
        held_up.append(await watching)
        letter.append(max([await _timed(files, typed) for typed in ("r", "re", "record_1", "no such name")]))
        await files.aclose()
    return [
        Row("@: the first files", tuple(first), "ms"),
        Row("@: the event loop held up by it", tuple(held_up), "ms", limit=33),
        Row("@: a further letter, the worst of four", tuple(letter), "ms", limit=COMPLETION_LIMIT),
    ]


async def _timed(files: ProjectFiles, typed: str) -> float:
    began = time.perf_counter()
    await files.containing(typed, 50)
    return (time.perf_counter() - began) * 1000


async def _longest_wait() -> float:
    """How long the event loop did not come round, at most, until this is cancelled."""
    longest = 0.0
    try:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, (time.perf_counter() - began) * 1000 - 1)
    except asyncio.CancelledError:
        return longest


async def _cancelled(executor: ToolExecutor, runs: int) -> Row:
    """From the cancellation of a search under way until nothing of it is left."""
    gone = []
    others = psutil.Process().children()  # what looks after commands, where a subject before this one ran some
    for _ in range(runs):
        call = ToolCall("call", GREP, json.dumps({"pattern": ABSENT}))
        search = asyncio.create_task(executor.run(call))
        while psutil.Process().children() == others:  # noqa: ASYNC110 - a process comes up
            await asyncio.sleep(0.002)
        began = time.perf_counter()
        search.cancel()
        await asyncio.wait([search])
        if (left := psutil.Process().children()) != others:
            raise RuntimeError(f"a process was left behind: {left}")
        gone.append((time.perf_counter() - began) * 1000)
    return Row("cancelled: until nothing runs", tuple(gone), "ms", limit=CANCEL_LIMIT)


def main() -> int:
    """Measure and print; 1 when a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=FILES, help="how many files the folder has (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each search (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    if shutil.which("rg") is None:
        parser.exit(2, "error: there is nothing to compare with: install ripgrep\n")
    rows = measured(options.files, max(2, options.runs))
    print(msgspec.json.encode(rows).decode() if options.json else table(rows))
    if over := missed(rows):
        print("over budget: " + "; ".join(over), file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
