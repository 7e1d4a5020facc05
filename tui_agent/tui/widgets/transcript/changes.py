"""What a turn changed and used, what was taken back, and what made room, as blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_agent.conversation.events import Compacted, FilesRestored, LoggedEvent, Noticed, Record, Rewound, TurnEnded
from tui_agent.text.money import money
from tui_agent.tui.widgets.status_bar import short_count
from tui_agent.tui.widgets.transcript.document import ToolBlock, TurnBlock

if TYPE_CHECKING:
    from tui_agent.agent.spending import Spent

_MOST_LEFT = 20

_DONE = {
    "undo": "before",
    "redo": "before the undo",
    "rewind": "before that prompt",
}


def turn_block(event: TurnEnded, requests: Sequence[LoggedEvent], key: str, currency: str) -> TurnBlock | None:
    """The line under a turn that changed files or sent requests (`requests` are the events that stand for them)."""
    from tui_agent.agent.spending import spent  # the first paint has no turn

    used = spent(Record("", 0, 0.0, request, "") for request in requests)
    known = used.prompt_tokens > 0  # a session of an earlier version has no count where the server had none
    if not event.files and not known:
        return None
    return TurnBlock(
        files=event.files,
        added=event.added,
        removed=event.removed,
        key=key,
        spent=spent_words(used, currency) if known else "",
    )


def spent_words(used: "Spent", currency: str) -> str:
    """Tokens, and money where a price is known: `6.1k in, 5.1k cached · 412 out · $0.02`."""
    about = "about " if used.estimated else ""
    cached = f", {short_count(used.cached_tokens)} cached" if used.cached_tokens else ""
    words = [
        f"{about}{short_count(used.prompt_tokens)} in{cached}",
        f"{short_count(used.completion_tokens)} out",
    ]
    if used.cost is not None:
        words.append(("at least " if used.unpriced else "") + money(used.cost, currency))
    return " · ".join(words)


def restored_block(event: FilesRestored) -> ToolBlock:
    """What was put back, and what was left alone and why; the paths are under the row."""
    words = []
    if event.count:
        are = "is as it was" if event.count == 1 else "are as they were"
        words.append(f"{_counted(event.count, 'path')} {are} {_DONE[event.kind]}")
    else:
        words.append("nothing was put back")
    if event.alone:
        words.append(f"{_counted(event.alone, 'path')} left alone")
    lines = [_line(file.path, file.added, file.removed) for file in event.files]
    if event.count > len(event.files):
        lines.append(f"… and {event.count - len(event.files):,} more")
    if event.left:
        lines.append("left alone:")
        lines += [f"  {path}: {reason}" for path, reason in event.left[:_MOST_LEFT]]
        if event.alone > _MOST_LEFT:
            lines.append(f"  … and {event.alone - _MOST_LEFT:,} more")
    if event.pruned:
        lines.append(f"{_counted(event.pruned, 'earlier call')} can no longer be undone: there was no room")
    return ToolBlock(
        name=event.kind,
        title=" · ".join(words),
        status="ok" if event.count else "failed",
        content="\n".join(lines),
        folded=not event.left and not event.pruned,
    )


def rewound_notice(event: Rewound) -> Noticed:
    """Where the conversation goes on."""
    first = event.prompt.strip().partition("\n")[0]
    return Noticed(
        "info",
        f"the conversation goes on from before “{first[:60]}{'…' if len(first) > 60 else ''}”",
        "what was said from there on stays here to be read, but is not sent any more",
    )


def compacted_block(event: Compacted) -> ToolBlock:
    """What became a summary; who wrote it and all of it are under the row."""
    name, _, title = event.headline.partition(": ")
    kept = "your prompts go on being sent as you wrote them" if event.quoted else ""
    said = "; ".join(filter(None, (event.origin, kept)))
    content = f"{said}\n\n{event.summary}"
    return ToolBlock(name=name, title=f"{title} · /summary edits it", status="ok", content=content)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _line(path: str, added: int, removed: int) -> str:
    return f"{path}  +{added:,} −{removed:,}" if added or removed else path
