"""`tui-agent sessions verify`, `replay` and `stats`: what the log of a session says of itself."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tui_agent.conversation.errors import EXIT_DONE, EXIT_FAILED, StoreError

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.store.sqlite import SqliteLog
    from tui_agent.store.statistics import Statistics


async def verify(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Check hash chains, and name the first event of each that is wrong."""
    from tui_agent.cli import saved

    if args.ids:
        sessions = [await saved.full_session_id(log, beginning) for beginning in args.ids]
    else:
        sessions = [row.id for row in await log.sessions(limit=100_000)]
    damaged = 0
    for session in sessions:
        problem = await log.verify(session)
        damaged += bool(problem)
        if args.json:
            sys.stdout.write(json.dumps({"id": session, "ok": not problem, "problem": problem}) + "\n")
        else:
            sys.stdout.write(f"{session}  {problem or 'whole'}\n")
    return EXIT_FAILED if damaged else EXIT_DONE


async def replay(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Print what happened at its pace."""
    import asyncio

    from tui_agent.cli import saved
    from tui_agent.store.replay import scenes

    records = await log.salvage(await saved.full_session_id(log, args.id))
    printed = _Printed()
    for pause, event in scenes(records, args.speed):
        if pause:
            sys.stdout.flush()
            await asyncio.sleep(pause)
        sys.stdout.write(printed.of(event))
    return EXIT_DONE


class _Printed:
    """What is printed of one event after another."""

    def __init__(self) -> None:
        self._answering = False

    def of(self, event: "Event") -> str:
        """What to write for an event."""
        from tui_agent.conversation.events import (
            AsideAnswered,
            AssistantReplied,
            Compacted,
            ModelSwitched,
            Noticed,
            PromptSubmitted,
            ResultsTrimmed,
            SessionStarted,
            TextDelta,
            ToolFinished,
        )
        from tui_agent.text.sanitize import one_line, sanitize

        match event:
            case TextDelta():
                lead = "" if self._answering else "\nagent: "
                self._answering = True
                return lead + sanitize(event.text)
            case AssistantReplied():
                self._answering = False
                return "\n" if event.text else ""
            case SessionStarted():
                return f"{one_line(event.working_directory)}  {one_line(event.provider)} · {one_line(event.model)}\n"
            case PromptSubmitted():
                return f"\nyou: {sanitize(event.text)}\n"
            case ToolFinished():
                return f"  {one_line(event.tool)}  {one_line(event.title)}  {event.status}\n"
            case ModelSwitched():
                return f"\nnow {one_line(event.provider)} · {one_line(event.model)}\n"
            case AsideAnswered():
                return f"\nbeside: {sanitize(event.question)}\n{sanitize(event.answer)}\n"
            case Compacted():
                return f"\n{event.headline}\n"
            case ResultsTrimmed():
                return self.of(event.notice)
            case Noticed():
                return f"\n{event.level}: {sanitize(event.text)}\n"
            case _:
                return ""


async def stats(args: argparse.Namespace, log: "SqliteLog") -> int:
    """Count over one session, or over several."""
    from tui_agent.cli import saved, wiring
    from tui_agent.store.statistics import Statistics

    if args.ids:
        sessions = [await saved.full_session_id(log, beginning) for beginning in args.ids]
    else:
        directory = None if args.all else str(wiring.working_directory(args))
        sessions = [row.id for row in await log.sessions(directory, 100_000)]
    found = Statistics()
    for session in sessions:
        found.count(await log.salvage(session))
    if not sessions:
        raise StoreError("no sessions in this folder", "--all counts every folder's")
    if args.json:
        import msgspec

        sys.stdout.write(json.dumps(msgspec.to_builtins(found)) + "\n")
    else:
        sys.stdout.write("".join(f"{name:<12}{text}\n" for name, text in _rows(found, currency(args))))
    return EXIT_DONE


def currency(args: argparse.Namespace) -> str:
    """What prices are in; settings that cannot be read do not keep anybody from looking at a session."""
    from tui_agent.cli import wiring
    from tui_agent.config.model import Settings
    from tui_agent.conversation.errors import ConfigError, UsageError

    try:
        return wiring.settings_from(args).settings.currency
    except (ConfigError, UsageError):
        return Settings().currency


def use_rows(found: "Statistics", currency: str) -> list[tuple[str, str]]:
    """The tokens that servers reported and, where there were prices, the cost."""
    from tui_agent.text.money import money

    unknown = f"; {_counted(found.unreported, 'reply', 'replies')} without a count" if found.unreported else ""
    tokens = f"{found.prompt_tokens:,} in ({found.cached_tokens:,} cached), {found.completion_tokens:,} out{unknown}"
    if found.cost is None:
        return [("tokens", tokens)]
    unpriced = f"; {_counted(found.unpriced, 'request', 'requests')} without a price" if found.unpriced else ""
    return [("tokens", tokens), ("cost", money(found.cost, currency, estimated=found.cost_estimated) + unpriced)]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _rows(found: "Statistics", currency: str) -> list[tuple[str, str]]:
    from tui_agent.text.sanitize import one_line

    turns = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.turns.items()))
    rows = [
        ("sessions", f"{found.sessions:,}"),
        ("events", f"{found.events:,}"),
        ("turns", f"{sum(found.turns.values()):,}" + (f" ({turns})" if turns else "")),
        ("replies", f"{found.replies:,}"),
        *use_rows(found, currency),
        ("files", f"{found.files_changed:,} changed, +{found.lines_added:,} −{found.lines_removed:,} lines"),
    ]
    for name, count in sorted(found.approvals.items()):
        rows.append(("approvals", f"{count:,} {name}"))
    for tool, of in sorted(found.tools.items()):
        ends = ", ".join(
            f"{number:,} {end}"
            for end, number in (
                ("ok", of.ok),
                ("failed", of.failed),
                ("denied", of.denied),
                ("cancelled", of.cancelled),
            )
            if number
        )
        rows.append(("tool", f"{one_line(tool)}: {ends} · {took(of.seconds)}"))
    rows.append(("model time", took(found.model_seconds)))
    rows.append(("tool time", took(found.tool_seconds)))
    rows.append(("open for", took(found.span_seconds)))
    return rows


def took(seconds: float) -> str:
    """A span of time for people: `3.2 s`, `4 min 10 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600):,} h {int(seconds % 3600 // 60)} min"
