"""What is promised when something goes wrong, which tests prove it, and the page that tells how they ended.

A test that proves a promise says so: `@pytest.mark.promise("P12")`. `python -m tests.promises` runs all of them, the
slow ones too, and writes `docs/reliability.md` from that run; with `--new` it runs those that the page does not name.
"""

import argparse
import ast
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.__main__ import machine

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"


@dataclass(frozen=True)
class Promise:
    """A fault and what happens then; `absent` is why there is nothing to test."""

    fault: str
    then: str
    absent: str = ""


PROMISES = {
    "P1": Promise(
        "429 or 503 with `Retry-After`, in seconds or as a date",
        "waits that long, a minute at most, and says so; Esc stops the wait; one turn, no message twice",
    ),
    "P2": Promise(
        "429 without it, 408, 409, 500, 502, 503, 529",
        "growing waits with jitter, at most 5 tries, then the status and what the server said; the prompt is kept",
    ),
    "P3": Promise("400, 401, 403, 404, 413", "no second try; a plain message with what to do; the session goes on"),
    "P4": Promise(
        "connection refused, no such host, TLS trouble, no answer to the connection",
        "an error within 10 s (2 s on this machine) that names the address; the program stays",
    ),
    "P5": Promise("reset before the first token", "tried again"),
    "P6": Promise(
        "reset in the middle of the text",
        "what came is kept and marked as cut, for the user and for the model; no tool runs",
    ),
    "P7": Promise("reset in the middle of a tool call", "the call does not run; no half of it is in the history"),
    "P8": Promise(
        "a stream cut anywhere: half lines, CRLF, CR, comments, a byte order mark, several `data:` lines",
        "the same result as uncut",
    ),
    "P9": Promise("invalid UTF-8", "U+FFFD in its place"),
    "P10": Promise(
        "no JSON, a web page with status 200, an error inside the stream",
        "an error, never shown as the answer; tried again only if nothing was shown",
    ),
    "P11": Promise("no `[DONE]`", "complete if a finish reason came, else marked as cut"),
    "P12": Promise(
        "a stream that stalls, with or without keep-alives",
        "a time-out (60 s unless configured, twice that with keep-alives); Esc works within 0.5 s",
    ),
    "P13": Promise(
        "arguments that are malformed, truncated, NaN, with a key twice, 5 MB",
        "nothing runs; the model is told what is wrong; three such replies in a row end the turn",
    ),
    "P14": Promise(
        "arguments as an object, empty, null, as JSON in JSON",
        "read as they were meant; the question shows what will run",
    ),
    "P15": Promise("wrong types, missing or unknown arguments", "nothing runs; everything wrong is told at once"),
    "P16": Promise(
        "an unknown tool, a name with control characters, a tool that is switched off",
        "an error result; the name is made harmless on the screen",
    ),
    "P17": Promise(
        "call ids missing, empty or twice, gaps in the index, names in pieces",
        "each call runs at most once and has exactly one result in the next request",
    ),
    "P18": Promise("several calls, one denied", "each is asked about; the others are not affected; the order is kept"),
    "P19": Promise(
        "empty choices, null where a delta should be, further choices, no text at all",
        "no crash; an empty reply is asked for once more, then said",
    ),
    "P20": Promise("cut by length", "said; a call that was cut does not run"),
    "P21": Promise("content filter, refusal", "said; not tried again"),
    "P22": Promise("usage missing, null, negative, absurd, on every chunk", "unknown or as told; never a crash"),
    "P23": Promise(
        "the conversation is too long, refused or cut without a word",
        "room is made before it happens, else once after it; else a plain message; nothing of the conversation is lost",
    ),
    "P24": Promise(
        "a tool that prints 100 MB, without end, in binary, or one line of 50 MB",
        "head and tail with a note of what was cut; less than 200 MB; the event loop stays free",
    ),
    "P25": Promise(
        "the same call again and again",
        "the turn ends after four, at `--max-iterations`, or at `--max-turns` of the run",
    ),
    "P26": Promise(
        "Esc while a command runs, a question is open, an answer streams",
        "the tree is dead within 3 s; every open call has a result; the next request is valid",
    ),
    "P27": Promise(
        "a command that ignores TERM, forks away, makes a session of its own, holds the pipe",
        "killed with all that it started, when its time is up or when it ends; its output is given",
    ),
    "P28": Promise(
        "`kill -9` in the middle of a turn",
        "the session is listed with every finished message; the chain holds; a call without a result gets one that "
        "says so; no file is half written and no temporary file is left",
    ),
    "P29": Promise(
        "`kill -9` between an approval and its write",
        "the file is the old or the new one; nothing is done again on resume without being asked for",
    ),
    "P30": Promise(
        "disk full under the session log, the log file, a tool's write",
        "one warning, and the chat goes on in memory; an error of the tool; the old file is intact, no temporary file",
    ),
    "P31": Promise("folders that cannot be written, no HOME", "runs without saving, and says so"),
    "P32": Promise(
        "SIGTERM, SIGHUP, SIGINT",
        "commands are killed, the session is in the log, the terminal is restored; exit code 143, 129, 130 within 3 s",
    ),
    "P33": Promise("resizing without end, 1×1, 500×200", "no crash; at 40×10 a question can be read and denied"),
    "P34": Promise(
        "two programs on one session",
        "no message is lost or mixed: the one that comes second is told and goes on in a copy",
    ),
    "P35": Promise(
        "a damaged, foreign or newer log; a wrong setting",
        "what can be read is; a named error with file and line; never written over",
    ),
    "P36": Promise("the clock jumps by a day", "waits are as long as without; the order is that of the log"),
    "P37": Promise("no terminal, TERM=dumb, no UTF-8, NO_COLOR", "one message or a plain form; no traceback"),
    "P38": Promise("the project folder is removed or renamed", "errors of the tools; no other folder takes its place"),
    "P39": Promise(
        "an MCP server that is slow, crashes, prints garbage, hangs",
        "the others go on",
        absent="this version has no MCP client",
    ),
    "P40": Promise(
        "a client of the proxy leaves, two clients, an error upstream",
        "no cross-talk; the upstream request ends",
        absent="this version has no proxy server",
    ),
    "P41": Promise(
        "keys pressed before a question can be read, two questions at once",
        "one question at a time, in order; early keys do not answer; Esc denies",
    ),
    "P42": Promise(
        "a log of another version of the program",
        "an older one is migrated in one transaction with a copy kept beside it; a newer one is refused",
    ),
}


def marked() -> dict[str, list[str]]:
    """The tests that prove each promise, as `file::name`, read from their source."""
    proofs: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        source = file.read_text(encoding="utf-8")
        if "mark.promise(" not in source:
            continue
        body = ast.parse(source).body
        of_all = {name for node in body if _is_pytestmark(node) for name in _promised(node)}
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                own = {name for mark in node.decorator_list for name in _promised(mark)}
                for name in own | of_all:
                    proofs[name].append(f"{file.relative_to(ROOT)}::{node.name}")
    return dict(proofs)


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def _promised(tree: ast.AST) -> Iterator[str]:
    """The promises that marks in this part of the source name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "promise":
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


@dataclass(eq=False)
class Results:
    """A pytest plugin: how often each test, whatever its parameters, ended in which way."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test ends with its call, or where it fails or is skipped before or after."""
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.nodeid.partition("[")[0]][report.outcome] += 1

    def of(self, tests: Sequence[str]) -> str:
        """One line about several tests together."""
        passed, skipped, failed = (
            sum(self.counts[test][how] for test in tests) for how in ("passed", "skipped", "failed")
        )
        missing = [test for test in tests if not self.counts[test]]
        if failed or missing:
            return f"**does not hold**: {failed} failed, {len(missing)} did not run, {passed} passed"
        return f"holds ({passed} passed{f', {skipped} skipped here' if skipped else ''})" if passed else "not run here"


def page(proofs: dict[str, list[str]], results: Results, about: Sequence[str]) -> str:
    """The text of `docs/reliability.md`; `about` says when and where the tests ran."""
    lines = [
        "# Reliability",
        "",
        "A fault may cost the present turn, never the session, your text or a file. The faults below are made for",
        "real: a server on this machine that misbehaves, processes that are killed, signals, full disks, files.",
        "",
        "This page is written by `python -m tests.promises`, which runs the tests that are named here; nothing in the",
        "tables was written by hand.",
        "",
        *about,
        "",
        "| | when this happens | what you get | result |",
        "| --- | --- | --- | --- |",
    ]
    for name, promise in PROMISES.items():
        tests = proofs.get(name, [])
        result = results.of(tests) if tests else f"**does not exist**: {promise.absent or 'no test'}"
        lines.append(f"| {name} | {promise.fault} | {promise.then} | {result} |")
    lines += ["", "## The tests", "", "| test | proves | result |", "| --- | --- | --- |"]
    for test in sorted({test for tests in proofs.values() for test in tests}):
        names = " ".join(name for name in PROMISES if test in proofs.get(name, []))
        ended = ", ".join(f"{count} {how}" for how, count in sorted(results.counts[test].items())) or "not run"
        lines.append(f"| `{test}` | {names} | {ended} |")
    return "\n".join([*lines, ""])


def rows_of_page() -> list[tuple[str, list[str], Counter[str]]]:
    """Each test that the page names, what it proves, and how it ended."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            test, names, ended = (cell.strip() for cell in line.strip("|").split("|"))
            counts = Counter({how: int(count) for count, how in re.findall(r"(\d+) (\w+)", ended)})
            rows.append((test.strip("`"), names.split(), counts))
    return rows


def named_on_page() -> dict[str, list[str]]:
    """The tests that the page names, by promise."""
    named: dict[str, list[str]] = defaultdict(list)
    for test, names, _ in rows_of_page():
        for name in names:
            named[name].append(test)
    return dict(named)


def run(tests: Sequence[str], results: Results) -> int:
    """Run them, the slow ones too; the exit code."""
    places = [str(ROOT / test) for test in tests]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # A folder of its own: the usual one is tidied up by other runs, and this one takes a quarter of an hour.
        words = ["-m", "promise", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--basetemp={folder}/run"]
        return int(pytest.main([*places, *words], plugins=[results]))


def _when() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return time.strftime("%Y-%m-%d", time.gmtime()) + (f" at {commit}" if commit else "")


def main() -> int:
    """Run the tests of all promises and write the page; or only the new ones, or those of a few promises."""
    parser = argparse.ArgumentParser(prog="python -m tests.promises", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="P12", help="only the tests of these; the page stays as it is")
    parser.add_argument("--new", action="store_true", help="only tests that the page does not name yet, for the page")
    words = parser.parse_args()
    proofs = marked()
    every = sorted({test for tests in proofs.values() for test in tests})
    results = Results()
    if words.names:
        return run(sorted({test for name in words.names for test in proofs.get(name, [])}), results)
    begun = time.monotonic()
    if words.new:
        known = {test: counts for test, _, counts in rows_of_page()}
        results.counts.update({test: counts for test, counts in known.items() if test in every})
        new = [test for test in every if test not in known]
        if not new:
            return 0
        code = run(new, results)
        whole = next(
            line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("Last whole run")
        )
        about = [whole, f"{len(new)} tests that are newer were run on {_when()}."]
    else:
        code = run(every, results)
        about = [f"Last whole run: {_when()}, {machine()}, {time.monotonic() - begun:.0f} s."]
    PAGE.write_text(page(proofs, results, about), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
