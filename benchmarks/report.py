"""What every benchmark gives back: rows with budgets, printed as a table, kept as JSON, compared with another run."""

import argparse
import re
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

REGRESSION = 1.2
"""A median this many times the earlier one is a regression, if no run of now is as good as the worst of then."""

SCATTER = 0.2
"""How much a figure may scatter of which there is only one run."""

Verdict = Literal["met", "missed", ""]


class Row(Struct, frozen=True):
    """One figure, of which less is better: its runs, and perhaps the ratio to another figure of the same run.

    `limit` is the budget for the median, in `unit`; `ratio_limit` the one for the ratio. `subject` is filled in by
    whoever puts the rows of several subjects together.
    """

    name: str
    samples: tuple[float, ...]
    unit: str
    ratio: float | None = None
    to: str = ""
    limit: float | None = None
    ratio_limit: float | None = None
    subject: str = ""

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return statistics.median(self.samples)

    @property
    def verdict(self) -> Verdict:
        """Whether the budgets are met; empty when there is none."""
        if self.limit is None and self.ratio_limit is None:
            return ""
        over = self.limit is not None and self.median > self.limit
        over |= self.ratio_limit is not None and (self.ratio is None or self.ratio > self.ratio_limit)
        return "missed" if over else "met"


def compared_to(base: Row, row: Row, ratio_limit: float | None = None, to: str = "") -> Row:
    """The row with its ratio to another one, called `to` (default: its name)."""
    ratio = row.median / base.median if base.median else None
    return msgspec.structs.replace(row, ratio=ratio, to=to or base.name, ratio_limit=ratio_limit)


class Report(Struct, frozen=True):
    """All rows of one run, and where they were measured."""

    date: str
    machine: str
    load: float
    version: str
    command: str
    rows: tuple[Row, ...]
    failures: tuple[str, ...] = ()


def save(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def load(path: Path) -> Report:
    """Read a report.

    Raises:
        ValueError: the file is no report; says what is wrong with it.
        OSError: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no result of `python -m benchmarks --json`: {error}") from None


# ---- text ----


def number(value: float) -> str:
    """Three digits or so, without exponents."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{number(min(row.samples))} … {number(max(row.samples))}" if len(row.samples) > 1 else ""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
    budgets = [
        f"≤ {limit:g} {unit}" for limit, unit in ((row.limit, row.unit), (row.ratio_limit, "×")) if limit is not None
    ]
    return row.name, f"{number(row.median)} {row.unit}", spread, ratio, row.to, ", ".join(budgets), row.verdict


HEAD = ("", "median", "spread", "ratio", "to", "budget", "")


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text, each subject under its name."""
    return _aligned(rows, HEAD, _cells)


def markdown(report: Report) -> str:
    """The rows as the Markdown tables of docs/performance.md."""
    head = f"`{report.command}`, tui-agent {report.version}, {report.date}, {report.machine}, load {report.load:.1f}"
    parts = [head]
    for title, budgeted in (("Figures with a budget:", True), ("Figures without one:", False)):
        lines = [title, "", "| subject | figure | median | spread | ratio | to | budget | |", "|" + " --- |" * 8]
        for row in report.rows:
            if bool(row.verdict) is budgeted:
                cells = (re.sub(r"([*|_])", r"\\\1", cell) for cell in (row.subject, *_cells(row)))
                lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def regressed(now: Row, then: Row) -> bool:
    """Whether the figure is worse by more than 20 % and by more than its runs scatter."""
    best = min(now.samples) * (1 - SCATTER if len(now.samples) == 1 else 1)
    worst = max(then.samples) * (1 + SCATTER if len(then.samples) == 1 else 1)
    return now.median > then.median * REGRESSION and best > worst


def comparison(now: Sequence[Row], then: Sequence[Row]) -> str:
    """This run beside an earlier one, with ratios; regressions are marked."""
    earlier = {(row.subject, row.name): row for row in then}

    def cells(row: Row) -> tuple[str, ...]:
        old = earlier.get((row.subject, row.name))
        value = f"{number(row.median)} {row.unit}"
        if old is None:
            return row.name, value, "", "", "new"
        ratio = f"{row.median / old.median:.2f} ×" if old.median else ""
        return (
            row.name,
            value,
            f"{number(old.median)} {old.unit}",
            ratio,
            "REGRESSION" if regressed(row, old) else "better" if regressed(old, row) else "",
        )

    return _aligned(now, ("", "now", "then", "ratio", ""), cells)


def _aligned(rows: Sequence[Row], head: tuple[str, ...], cells: Callable[[Row], tuple[str, ...]]) -> str:
    lines: list[tuple[str, ...]] = [head]
    subject = ""
    for row in rows:
        if row.subject != subject:
            subject = row.subject
            lines.append((subject,))
        name, *rest = cells(row)
        lines.append(("  " + name if row.subject else name, *rest))
    widths = [max(len(line[column]) for line in lines if len(line) > column) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 0 < column < 4 and len(line) > 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        for line in lines
    )


def missed(rows: Iterable[Row]) -> list[str]:
    """The names of the figures that are over their budgets."""
    return [f"{row.subject}: {row.name}" if row.subject else row.name for row in rows if row.verdict == "missed"]


def alone(purpose: str | None, measure: Callable[[bool], Sequence[Row]]) -> int:
    """Run one subject as a program of its own: measure, print; the exit code, 1 when a budget is missed."""
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer runs")
    rows = measure(parser.parse_args().quick)
    print(table(rows))
    if over := missed(rows):
        print("over budget: " + "; ".join(over), file=sys.stderr)
    return 1 if over else 0
