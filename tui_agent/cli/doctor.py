"""Look at everything that tui-agent needs, and say what to do about what is wrong.

examples:
  tui-agent doctor
  tui-agent doctor --json
  tui-agent doctor --bundle report.zip
"""

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_shared
from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED
from tui_agent.text.sanitize import one_line

if TYPE_CHECKING:
    from tui_agent.cli.checkup.bundle import Member
    from tui_agent.cli.checkup.rows import Report, Row

STATE_WIDTH = 9
NAME_WIDTH = 20
"""Longer names have a line to themselves."""
NARROWEST = 30
"""Columns that texts get even in the narrowest terminal."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON for a program")
    parser.add_argument(
        "--bundle",
        metavar="FILE",
        help="also write the report, the settings and the end of the log to a new ZIP file, for whoever helps you; "
        "keys, your name and conversations are left out",
    )
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Run every check; returns 0 when none failed, else 1.

    Raises:
        TuiAgentError: the bundle cannot be written.
    """
    from tui_agent.cli.checkup.private import secret_hider
    from tui_agent.cli.checkup.report import examine
    from tui_agent.cli.checkup.setup import prepare

    target = Path(args.bundle).absolute() if args.bundle is not None else None
    if target is not None:
        from tui_agent.cli.checkup.bundle import refuse_existing

        refuse_existing(target)
    setup = prepare(args)
    found = examine(setup)
    report = found.map(secret_hider(setup))
    if not args.json:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        print(as_text(report, width), flush=True)
    members: list[Member] = []
    if target is not None:
        from tui_agent.cli.checkup.bundle import make_bundle, write_bundle

        members = make_bundle(setup, found, as_text)
        size = write_bundle(target, members)
        if not args.json:
            print(_contents(target, members, size))
    if args.json:
        print(json.dumps(_as_json(report, target, members), indent=2))
    return EXIT_FAILED if report.count("failed") else EXIT_DONE


def as_text(report: "Report", width: int = 0) -> str:
    """The report for people, wrapped to `width` columns; 0 means one line for each text."""
    lines = [f"tui-agent {report.version}, {report.made}"]
    for section in report.sections:
        lines += ["", section.title]
        for row in section.rows:
            lines += _lines(row, width)
    counts = [(report.count("failed"), "failed"), (report.count("warning"), "warning")]
    named = [f"{count} {name}{'s' if name == 'warning' and count > 1 else ''}" for count, name in counts if count]
    return "\n".join([*lines, "", ", ".join(named) or "nothing is wrong"])


def _lines(row: "Row", width: int) -> list[str]:
    indent = 2 + STATE_WIDTH + NAME_WIDTH
    room = max(width - indent, NARROWEST) if width else sys.maxsize
    head = f"  {row.state:<{STATE_WIDTH}}{one_line(row.name)}"
    texts = [one_line(row.text), *(f"fix: {one_line(line)}" for line in row.fix.splitlines())]
    lines = [" " * indent + line for text in texts for line in _wrapped(text, room)]
    if len(head) >= indent:
        return [head, *lines]
    return [head.ljust(indent) + lines[0][indent:], *lines[1:]]


def _wrapped(text: str, room: int) -> list[str]:
    # Paths and commands stay whole, so that they can be copied.
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _contents(target: Path, members: "list[Member]", size: int) -> str:
    width = max(len(member.name) for member in members)
    rows = [f"  {member.name:<{width}}  {len(member.data):>9,} bytes  {member.about}" for member in members]
    return "\n".join(
        [
            "",
            f"wrote {one_line(str(target))}, {size:,} bytes, with:",
            *rows,
            "Keys, passwords, your home folder, your name and this computer's name were taken out as far as they are",
            "known. Paths, addresses and model names are in it: look through it before you send it to anyone.",
        ]
    )


def _as_json(report: "Report", target: Path | None, members: "list[Member]") -> dict[str, object]:
    from msgspec import to_builtins

    document: dict[str, object] = {"ok": not report.count("failed"), **to_builtins(report)}
    if target is not None:
        document["bundle"] = {"path": str(target), "files": [member.name for member in members]}
    return document
