"""A plain list of what happened, for when no model can summarise it."""

from collections.abc import Iterable

from tui_agent.agent.shortening import cut
from tui_agent.conversation.events import (
    AssistantReplied,
    FilesRestored,
    LoggedEvent,
    PromptSubmitted,
    ToolFinished,
    TurnEnded,
)

LINE = 160
"""Characters of a prompt or a step."""
ANSWER = 400
"""Characters of an answer."""


def digest(events: Iterable[LoggedEvent], earlier: str, characters: int) -> str:
    """What happened in these events, the latest of it in at most so many characters; `earlier` is the summary of what
    was before them. The same events always give the same text."""
    lines: list[str] = []
    for event in events:
        line = _line(event)
        if line and (not lines or lines[-1] != line):
            lines.append(line)
    beginning = cut(earlier.strip(), characters // 2) if earlier.strip() else ""
    room, kept = characters - len(beginning), len(lines)
    while kept and (room := room - len(lines[kept - 1]) - 1) >= 0:
        kept -= 1
    left_out = [f"[… {kept:,} steps left out …]"] if kept else []
    return "\n".join(filter(None, [beginning, *left_out, *lines[kept:]]))


def _line(event: LoggedEvent) -> str:
    match event:
        case PromptSubmitted():
            return f"- the user asked: {_short(event.text, LINE)}"
        case ToolFinished():
            exited = f" (exit {event.exit_code})" if event.exit_code else ""
            state = "" if event.status == "ok" else f": {event.status}"
            return f"  - {_short(f'{event.tool} {event.title}', LINE)}{state}{exited}"
        case AssistantReplied() if event.text.strip():
            return f"  - the assistant said: {_short(event.text, ANSWER)}"
        case FilesRestored() if event.count:
            return f"- the user put {event.count:,} files back ({event.kind})"
        case TurnEnded() if event.reason != "done":
            return f"  - it ended early: {event.reason}"
        case _:
            return ""


def _short(text: str, characters: int) -> str:
    line = " ".join(text[: characters * 4].split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
