"""List and show earlier sessions.

examples:
  tui-agent sessions list
  tui-agent sessions show 20261121-0945-3f9a1c
"""

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_shared

if TYPE_CHECKING:
    from tui_agent.conversation.events import Record
    from tui_agent.store.log import SessionSummary


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser(
        "list", help="sessions of this folder, latest first", epilog="tui-agent sessions list --all"
    )
    listing.add_argument("--all", action="store_true", help="of every folder")
    showing = verbs.add_parser("show", help="print one session", epilog="tui-agent sessions show ID --json")
    showing.add_argument("id", metavar="ID", help="the id, or its beginning")
    for verb in (listing, showing):
        verb.add_argument("--json", action="store_true", help="for programs: one object, or one a row")
        add_shared(verb)


def run(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit code."""
    import asyncio

    return asyncio.run(_list(args) if args.verb == "list" else _show(args))


async def _list(args: argparse.Namespace) -> int:
    from tui_agent.cli import wiring

    log = wiring.open_log()
    try:
        directory = None if args.all else str(wiring.working_directory(args))
        rows = await log.sessions(directory)
    finally:
        await log.aclose()
    if args.json:
        import msgspec

        sys.stdout.write(json.dumps([msgspec.to_builtins(row) for row in rows]) + "\n")
    elif rows:
        sys.stdout.write("".join(_row(row, directories=args.all) for row in rows))
    else:
        sys.stderr.write("no sessions yet" + ("" if args.all else " in this folder; --all shows every folder") + "\n")
    return 0


def _row(row: "SessionSummary", *, directories: bool) -> str:
    from tui_agent.text.sanitize import one_line

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.updated))
    where = f"  {one_line(row.working_directory)}" if directories else ""
    turns = f"{row.turns} turn{'' if row.turns == 1 else 's'}"
    title = one_line(row.title) or "(no prompt yet)"
    return f"{row.id}  {when}  {turns:>9}  {one_line(row.provider)} · {one_line(row.model)}{where}  {title}\n"


async def _show(args: argparse.Namespace) -> int:
    from tui_agent.cli import wiring

    log = wiring.open_log()
    try:
        records = await log.read(await wiring.full_session_id(log, args.id))
    finally:
        await log.aclose()
    if args.json:
        import msgspec

        for record in records:
            sys.stdout.write(json.dumps(msgspec.to_builtins(record)) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(records)) + "\n")
    return 0


def _lines(records: "list[Record]") -> list[str]:
    from tui_agent.conversation.events import (
        AssistantReplied,
        FilesRestored,
        ModelSwitched,
        Noticed,
        Nudged,
        PromptSubmitted,
        Rewound,
        SessionStarted,
        ToolFinished,
    )
    from tui_agent.text.sanitize import sanitize

    lines: list[str] = []
    for record in records:
        match record.event:
            case SessionStarted() as event:
                lines.append(f"session {record.session} in {sanitize(event.working_directory)}")
                lines.append(f"model   {sanitize(event.provider)} · {sanitize(event.model)}")
            case PromptSubmitted() as event:
                lines.append(f"\nyou: {sanitize(event.text)}")
            case AssistantReplied() as event if event.text.strip():
                lines.append(f"\nagent: {sanitize(event.text)}")
            case ToolFinished() as event:
                lines.append(f"  {sanitize(event.tool)}  {sanitize(event.title)}  {event.status}")
            case ModelSwitched() as event:
                lines.append(f"\nnow {sanitize(event.provider)} · {sanitize(event.model)}")
            case Nudged() as event:
                lines.append(f"\n{sanitize(event.notice.text)}")
            case Noticed() as event:
                lines.append(f"\n{event.level}: {sanitize(event.text)}")
            case FilesRestored() as event:
                lines.append(f"\n{event.kind}: {event.count:,} put back, {event.alone:,} left alone")
            case Rewound() as event:
                lines.append(f"\nrewound to before: {sanitize(event.prompt)}")
            case _:
                pass
    return lines
