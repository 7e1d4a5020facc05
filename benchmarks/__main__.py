"""Measure how fast tui-agent is, against its budgets.

The installed program is run on a pty against a local server; a terminal parser tells what is on the screen. Nothing of
it is left behind, and no other machine is talked to. Exit code 1: a budget is missed, or a subject was not measured.
"""

import argparse
import datetime
import importlib
import importlib.util
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.report import Report, Row, comparison, load, markdown, missed, save, table
from tui_agent import __version__

SUBJECTS = (
    "startup",
    "streaming",
    "keys",
    "sessions",
    "review",
    "tool_output",
    "idle",
    "search",
    "transcript",
    "diff",
    "permissions",
    "sandbox",
    "snapshots",
    "request_size",
)
SLOW = ("search", "transcript", "diff")
"""Left out of a quick run unless they are named: they take long, or others measure the same on a pty."""
SEPARATE = ("embedded_start", "small_model_tasks")
"""Commands of their own, which need a downloaded model."""

TOOLS = ("pyte", "psutil")


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the exit code."""
    parser = _parser()
    options = parser.parse_args(words)
    if problem := unready():
        parser.exit(2, f"error: {problem}\n")
    if options.list:
        print(listing())
        return 0
    earlier: Report | None = None
    if options.compare:
        try:
            earlier = load(options.compare)
        except (OSError, ValueError) as error:
            parser.exit(2, f"error: {error}\n")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = options.only or [name for name in SUBJECTS if not (options.quick and name in SLOW)]
    try:
        report = run(names, options.quick)
    except KeyboardInterrupt:
        parser.exit(130, "stopped; nothing is left behind\n")
    if options.json:
        save(report, options.json)
    if options.markdown:
        print(markdown(report))
    elif earlier is not None:
        print(comparison(report.rows, earlier.rows))
    else:
        print(table(report.rows))
    over = missed(report.rows)
    for heading, names in (("over budget", over), ("not measured", report.failures)):
        if names:
            print(f"\n{heading}:\n  " + "\n  ".join(names), file=sys.stderr)
    return 1 if over or report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer runs: a minute or so")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, metavar="NAME", help="only these subjects (see --list)")
    parser.add_argument("--list", action="store_true", help="say what there is to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--compare", type=Path, metavar="FILE", help="print the results beside earlier ones")
    form.add_argument("--markdown", action="store_true", help="print the table of docs/performance.md")
    return parser


def unready() -> str:
    """What is missing for measuring, and what to do; empty when nothing is."""
    for name in TOOLS:
        if importlib.util.find_spec(name) is None:
            return f'the benchmarks need {name}: python -m pip install "tui-agent[test]"'
    program = Path(sys.executable).with_name("tui-agent")
    if not program.exists():
        return f"tui-agent is not installed beside {sys.executable}: python -m pip install -e ."
    return ""


def listing() -> str:
    """A line for each subject, and for the commands that stand alone."""
    width = max(map(len, (*SUBJECTS, *SEPARATE)))
    lines = [f"{name:{width}}  {_purpose(name)}" for name in SUBJECTS]
    lines += ["", "commands of their own, which need a downloaded model:"]
    return "\n".join([*lines, *(f"python -m benchmarks.{name:{width}}  {_purpose(name)}" for name in SEPARATE)])


def _purpose(name: str) -> str:
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").partition("\n")[0]


def run(names: Sequence[str], quick: bool) -> Report:
    """Measure the subjects; one that cannot be measured is named and does not keep the others from it."""
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    failures: list[str] = []
    for name in names:
        begun = time.monotonic()
        print(f"{name} …", end=" ", flush=True, file=sys.stderr)
        try:
            found = importlib.import_module(f"benchmarks.{name}").measure(quick)
        except Exception as error:
            failures.append(f"{name}: {error!r}" if not str(error) else f"{name}: {error}")
            print("failed", file=sys.stderr)
            continue
        rows += [msgspec.structs.replace(row, subject=name) for row in found]
        print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return Report(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine(),
        load=load_before,
        version=_version(),
        command=" ".join(["python -m benchmarks", *(["--quick"] if quick else [])]),
        rows=tuple(rows),
        failures=tuple(failures),
    )


def machine() -> str:
    """Processor, cores, system and Python."""
    name = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _version() -> str:
    """The version, with the commit when the program runs from its source."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} ({commit})"


if __name__ == "__main__":
    sys.exit(main())
