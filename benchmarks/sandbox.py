"""What a sandbox costs: `true` run as a model's command, inside and outside by turns; and looking for control files."""

import asyncio
import json
import os
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
    samples = 5 if quick else 20
    # Not below /tmp, which a sandbox hides.
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".tui-agent-benchmark-") as folder:
        rows = [_looking(folder, samples)]
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".tui-agent-benchmark-") as folder:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        started = time.perf_counter()
        sandbox = choose("auto", (folder,))
        if not sandbox.on:
            print(f"not measured: {sandbox.reason}", file=sys.stderr)
            return rows
        tried = Row("trying the sandbox out, once a process", ((time.perf_counter() - started) * 1000,), "ms")
        return [*asyncio.run(_commands(folder, sandbox, samples)), tried, *rows]


async def _commands(folder: str, sandbox: Sandbox, samples: int) -> list[Row]:
    plain = ToolExecutor(folder, approve_all=True)
    kept = ToolExecutor(folder, approve_all=True, sandbox=sandbox)
    with closing(plain), closing(kept):
        await _best(plain, 1), await _best(kept, 1)
        pairs = [(await _best(plain), await _best(kept)) for _ in range(samples)]
    base = Row("`true` without a sandbox", tuple(out for out, _ in pairs), "ms")
    inside = Row(f"`true` in {sandbox.describe()}", tuple(within for _, within in pairs), "ms")
    more = Row("what the sandbox adds", tuple(max(0.0, within - out) for out, within in pairs), "ms", limit=LIMIT_MS)
    return [base, compared_to(base, inside), more]


async def _best(executor: ToolExecutor, runs: int = BEST_OF) -> float:
    """The least time of some runs, in milliseconds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        outcome = await executor.run(CALL)
        times.append((time.perf_counter() - started) * 1000)
        assert outcome.result.exit_code == 0, outcome.result.content
    return min(times)


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
