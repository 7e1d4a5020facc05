"""What a sandbox costs: `true` run as a model's command, inside and outside by turns; and looking for control files."""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.report import Row, alone, compared_to
from tui_agent.conversation.messages import ToolCall
from tui_agent.permissions.control_files import Lookout
from tui_agent.sandbox.choose import choose
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.executor import ToolExecutor

CALL = ToolCall("call", "run_command", json.dumps({"command": "true"}))
BEST_OF = 3
"""A sample is the fastest of so many runs: others may use the machine."""
LIMIT_MS = 10.0
FOLDERS = 1_000


def measure(quick: bool) -> list[Row]:
    """The rows; without a sandbox on this machine only those that need none."""
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".tui-agent-benchmark-") as folder:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        rows = [_looking(folder, 5 if quick else 20)]
        started = time.perf_counter()
        sandbox = choose("auto", (folder,))
        if not sandbox.on:
            print(f"not measured: {sandbox.reason}", file=sys.stderr)
            return rows
        tried = Row("trying the sandbox out, once a process", ((time.perf_counter() - started) * 1000,), "ms")
        return [*asyncio.run(_commands(folder, sandbox, 5 if quick else 20)), tried, *rows]


async def _commands(folder: str, sandbox: Sandbox, samples: int) -> list[Row]:
    plain = ToolExecutor(folder, approve_all=True)
    kept = ToolExecutor(folder, approve_all=True, sandbox=sandbox)
    with closing(plain), closing(kept):
        await _best(plain, 1), await _best(kept, 1)
        pairs = [(await _best(plain), await _best(kept)) for _ in range(samples)]
    base = Row("`true` without a sandbox", tuple(out for (out, _), _ in pairs), "ms")
    inside = Row(f"`true` in {sandbox.describe()}", tuple(within for _, (within, _) in pairs), "ms")
    more = tuple(max(0.0, within - out) for (out, _), (within, _) in pairs)
    used = tuple(max(0.0, within - out) for (_, out), (_, within) in pairs)
    return [
        base,
        compared_to(base, inside),
        Row("what the sandbox adds", more, "ms", limit=LIMIT_MS),
        Row("what the sandbox adds, processor", used, "ms", limit=LIMIT_MS),
    ]


async def _best(executor: ToolExecutor, runs: int = BEST_OF) -> tuple[float, float]:
    """The least time and the least processor time of some runs, in milliseconds."""
    times, used = [], []
    for _ in range(runs):
        before, started = _processor(), time.perf_counter()
        outcome = await executor.run(CALL)
        times.append((time.perf_counter() - started) * 1000)
        used.append((_processor() - before) * 1000)
        assert outcome.result.exit_code == 0, outcome.result.content
    return min(times), min(used)


def _processor() -> float:
    """Seconds of processor time of this process and the children that have ended."""
    ours, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime


def _looking(folder: str, samples: int) -> Row:
    for number in range(FOLDERS):
        Path(folder, f"f{number // 100}", str(number)).mkdir(parents=True)
    long_ago = time.time() - 100
    for place, _, _ in os.walk(folder):
        os.utime(place, (long_ago, long_ago))
    lookout = Lookout()
    lookout.look((folder,))
    times = []
    for _ in range(samples):
        started = time.perf_counter()
        lookout.look((folder,))
        times.append((time.perf_counter() - started) * 1000)
    return Row(f"looking for control files again, {FOLDERS:,} folders", tuple(times), "ms", limit=LIMIT_MS)


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
