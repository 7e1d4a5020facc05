"""Find, read, copy, move and delete earlier sessions.

examples:
  tui-agent sessions list discount cart
  tui-agent sessions show 20261121-0945-3f9a1c
  tui-agent sessions resume 20261121
  tui-agent sessions export 20261121 -o cart.html
"""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tui_agent.cli.flags import add_shared, positive
from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED, StoreError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tui_agent.conversation.events import Record
    from tui_agent.store.log import Hit, SessionSummary
    from tui_agent.store.sqlite import SqliteLog

Verb = Callable[[argparse.Namespace, "SqliteLog"], Awaitable[int]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, about: str, example: str, *, reports: bool = False) -> argparse.ArgumentParser:
        added = verbs.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=f"example:\n  tui-agent sessions {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if reports:
            added.add_argument("--json", action="store_true", help="for programs: one object, or one a row")
        add_shared(added)
        return added

    listing = verb("list", "sessions of this folder, latest first", "list discount cart", reports=True)
    listing.add_argument("words", metavar="WORD", nargs="*", help="only sessions with these words in title or text")
    listing.add_argument("--all", action="store_true", help="of every folder")
    showing = verb("show", "print a session", "show 20261121 --json", reports=True)
    resuming = verb("resume", "open a session in the UI, in its own folder", "resume 20261121")
    forking = verb(
        "fork", "go on in a copy, from the end or from an earlier prompt", "fork 20261121 --at 3", reports=True
    )
    forking.add_argument("--at", metavar="N", type=positive, help="end before prompt N, as `show` numbers them")
    exporting = verb("export", "write a session without keys, for people or to import", "export 20261121 -o cart.html")
    exporting.add_argument(
        "--format", choices=("markdown", "html", "json"), help="default: by FILE's ending, else markdown"
    )
    exporting.add_argument("-o", "--output", metavar="FILE", help="a new file (default: standard output)")
    importing = verb("import", "take in a session from an export in JSON", "import cart.json", reports=True)
    importing.add_argument("file", metavar="FILE")
    renaming = verb(
        "rename", "call a session something; its first prompt again with an empty TITLE", "rename 20261121 cart"
    )
    renaming.add_argument("title", metavar="TITLE")
    deleting = verb("delete", "take sessions away for good, from the search as well", "delete 20261121 --yes")
    deleting.add_argument("--yes", action="store_true", help="do not ask")
    verifying = verb("verify", "look whether the log is as it was written", "verify 20261121", reports=True)
    replaying = verb("replay", "print a session as it happened", "replay 20261121 --speed 8")
    replaying.add_argument(
        "--speed", metavar="X", type=_speed, default=4.0, help="times as fast as it was (default: 4)"
    )
    counting = verb("stats", "turns, tokens, tools, answers to questions, and time", "stats 20261121", reports=True)
    counting.add_argument("--all", action="store_true", help="of every folder")
    for named in (showing, resuming, forking, exporting, renaming, replaying):
        _first(named, "id", metavar="ID", help="the id, or its beginning")
    deleting.add_argument("ids", metavar="ID", nargs="+", help="the id, or its beginning")
    verifying.add_argument("ids", metavar="ID", nargs="*", help="the id, or its beginning (default: all sessions)")
    counting.add_argument("ids", metavar="ID", nargs="*", help="the id, or its beginning (default: this folder's)")


def _first(parser: argparse.ArgumentParser, *names: str, metavar: str, help: str) -> None:
    """Add a positional before those that are there."""
    parser.add_argument(*names, metavar=metavar, help=help)
    parser._actions.insert(1, parser._actions.pop())


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.1 <= speed <= 1000:
        raise argparse.ArgumentTypeError(f"must be a number from 0.1 to 1000, not {text[:40]!a}")
    return speed


def run(args: argparse.Namespace) -> int:
    """Run the verb; returns the exit code."""
    import asyncio

    from tui_agent.cli import session_files, session_reports

    verbs: dict[str, Verb] = {
        "list": _list,
        "show": _show,
        "resume": _find_folder,
        "fork": _fork,
        "export": session_files.export,
        "import": session_files.take_in,
        "rename": _rename,
        "delete": _delete,
        "verify": session_reports.verify,
        "replay": session_reports.replay,
        "stats": session_reports.stats,
    }
    code = asyncio.run(_with_log(args, verbs[args.verb]))
    return _resume(args) if args.verb == "resume" else code


async def _with_log(args: argparse.Namespace, work: Verb) -> int:
    from tui_agent.cli import saved

    log = saved.open_log()
    try:
        return await work(args, log)
    finally:
        await log.aclose()


# ---- list ----


async def _list(args: argparse.Namespace, log: "SqliteLog") -> int:
    from tui_agent.cli import wiring

    directory = None if args.all else str(wiring.working_directory(args))
    words = " ".join(args.words)
    rows = await log.sessions(directory, 100_000 if words else 500)
    hits: dict[str, Hit] = {}
    if words.strip():
        while (found := await log.search(words, directory)).unread:
            pass
        hits = {hit.session: hit for hit in found.hits}
        wanted = words.lower().split()
        rows = [row for row in rows if row.id in hits or all(word in row.title.lower() for word in wanted)]
    if args.json:
        sys.stdout.write(json.dumps([_as_json(row, hits.get(row.id)) for row in rows]) + "\n")
    elif rows:
        sys.stdout.write("".join(_row(row, hits.get(row.id), directories=args.all) for row in rows))
    else:
        what = f"no session with {words!a}" if words.strip() else "no sessions yet"
        sys.stderr.write(what + ("" if args.all else " in this folder; --all shows every folder") + "\n")
    return EXIT_DONE


def _as_json(row: "SessionSummary", hit: "Hit | None") -> dict[str, object]:
    import msgspec

    found = {"found": {"seq": hit.seq, "kind": hit.kind, "line": hit.line}} if hit is not None else {}
    return {**msgspec.to_builtins(row), **found}


def _row(row: "SessionSummary", hit: "Hit | None", *, directories: bool) -> str:
    from tui_agent.store.log import moment
    from tui_agent.text.sanitize import one_line

    where = f"  {one_line(row.working_directory)}" if directories else ""
    turns = f"{row.turns} turn{'' if row.turns == 1 else 's'}"
    title = one_line(row.title) or "(no prompt yet)"
    line = f"    {hit.kind}: {one_line(hit.line)}\n" if hit is not None else ""
    when = moment(row.updated)[:16]
    return f"{row.id}  {when}  {turns:>9}  {one_line(row.provider)} · {one_line(row.model)}{where}  {title}\n{line}"


# ---- show ----


async def _show(args: argparse.Namespace, log: "SqliteLog") -> int:
    from tui_agent.cli import saved

    records = await log.salvage(await saved.full_session_id(log, args.id))
    if args.json:
        import msgspec

        for record in records:
            sys.stdout.write(json.dumps(msgspec.to_builtins(record)) + "\n")
    else:
        sys.stdout.write("\n".join([*_lines(records), *_use(args, records)]) + "\n")
    return EXIT_DONE


def _use(args: argparse.Namespace, records: "list[Record]") -> list[str]:
    """What the session used, if anything is known of it."""
    from tui_agent.cli.session_reports import currency, use_rows
    from tui_agent.store.statistics import Statistics

    found = Statistics()
    found.count(records)
    if not (found.prompt_tokens or found.completion_tokens or found.cost is not None):
        return []
    return ["", *(f"{name:<8}{text}" for name, text in use_rows(found, currency(args)))]


def _lines(records: "list[Record]") -> list[str]:
    from tui_agent.conversation.events import (
        AsideAnswered,
        AssistantReplied,
        Compacted,
        FilesRestored,
        ModelSwitched,
        Noticed,
        Nudged,
        PromptSubmitted,
        ResultsTrimmed,
        Rewound,
        SessionStarted,
        ToolFinished,
    )
    from tui_agent.text.sanitize import sanitize

    lines: list[str] = []
    prompts = 0
    for record in records:
        match record.event:
            case SessionStarted() as event:
                lines.append(f"session {record.session} in {sanitize(event.working_directory)}")
                lines.append(f"model   {sanitize(event.provider)} · {sanitize(event.model)}")
            case PromptSubmitted() as event:
                prompts += 1
                lines.append(f"\n[{prompts}] you: {sanitize(event.text)}")
            case AssistantReplied() as event if event.text.strip():
                lines.append(f"\nagent: {sanitize(event.text)}")
            case ToolFinished() as event:
                lines.append(f"  {sanitize(event.tool)}  {sanitize(event.title)}  {event.status}")
            case ModelSwitched() as event:
                lines.append(f"\nnow {sanitize(event.provider)} · {sanitize(event.model)}")
            case AsideAnswered() as event:
                lines.append(f"\nbeside: {sanitize(event.question)}\n{sanitize(event.answer)}")
            case Compacted() as event:
                lines.append(f"\n{event.headline}; {sanitize(event.origin)}\n{sanitize(event.summary)}")
            case (Nudged() | ResultsTrimmed()) as event:
                lines.append(f"\n{sanitize(event.notice.text)}")
            case Noticed() as event:
                lines.append(f"\n{event.level}: {sanitize(event.text)}")
            case FilesRestored() as event:
                lines.append(f"\n{event.kind}: {event.count:,} put back, {len(event.left):,} left alone")
            case Rewound() as event:
                lines.append(f"\nrewound to before: {sanitize(event.prompt)}")
            case _:
                pass
    return lines


# ---- resume ----


async def _find_folder(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Put the session's full id and folder into `args`."""
    from pathlib import Path

    from tui_agent.cli import saved
    from tui_agent.conversation.events import SessionStarted

    args.id = await saved.full_session_id(log, args.id)
    started = (await log.salvage(args.id))[0].event
    folder = Path(started.working_directory) if isinstance(started, SessionStarted) else None
    if not args.working_dir and (folder is None or not folder.is_dir()):
        raise UsageError(f"the folder of this session is gone: {folder}", "name another with -w DIR")
    args.folder = folder
    return EXIT_DONE


def _resume(args: argparse.Namespace) -> int:
    from tui_agent.cli.main import main

    words = ["chat", "--resume", args.id, "--log-level", args.log_level]
    words += ["--config", args.config] if args.config else []
    folder: Path | None = args.folder
    return main([*words, "-w", args.working_dir or str(folder)])


# ---- fork, rename, delete ----


async def _fork(args: argparse.Namespace, log: "SqliteLog") -> int:
    from tui_agent.cli import archive, saved

    session = await saved.full_session_id(log, args.id)
    copy = await archive.fork(log, session, prompt=args.at or 0)
    if args.json:
        sys.stdout.write(json.dumps({"id": copy.session, "from": session, "prompt": copy.prompt}) + "\n")
    else:
        sys.stdout.write(f"{copy.session}\n")
        sys.stderr.write(f"go on there: tui-agent sessions resume {copy.session}\n")
    return EXIT_DONE


async def _rename(args: argparse.Namespace, log: "SqliteLog") -> int:
    from tui_agent.cli import saved

    await log.rename(await saved.full_session_id(log, args.id), args.title)
    return EXIT_DONE


async def _delete(args: argparse.Namespace, log: "SqliteLog") -> int:
    from tui_agent.cli import saved
    from tui_agent.conversation.errors import RefusedError
    from tui_agent.text.sanitize import one_line

    titles = {row.id: row.title for row in await log.sessions(limit=100_000)}
    sessions = [await saved.full_session_id(log, beginning) for beginning in args.ids]
    if unknown := [session for session in sessions if session not in titles]:
        raise StoreError(
            f"no session {unknown[0]!r}; nothing was deleted", "`tui-agent sessions list --all` shows them"
        )
    if not args.yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise UsageError("deleting asks first, and there is no terminal to ask on", "--yes deletes without asking")
        for session in sessions:
            sys.stderr.write(f"{session}  {one_line(titles[session])}\n")
        sys.stderr.write(f"delete {'it' if len(sessions) == 1 else 'them'}? This cannot be undone. [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise RefusedError("nothing was deleted")
    failed = EXIT_DONE
    for session in sessions:
        try:
            await log.delete(session)
        except StoreError as error:
            from tui_agent.cli.main import report

            report(error.message, error.hint)
            failed = EXIT_FAILED
    return failed
