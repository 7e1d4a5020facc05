"""What a turn changed, what was taken back, and what made room, as blocks."""

from tui_agent.conversation.events import Compacted, FilesRestored, Noticed, Rewound
from tui_agent.tui.widgets.transcript.document import ChangedBlock, ToolBlock

_MOST_LEFT = 20

_DONE = {
    "undo": "before",
    "redo": "before the undo",
    "rewind": "before that prompt",
}


def changed_block(files: int, added: int, removed: int, key: str) -> ChangedBlock:
    """The line under a turn that changed files."""
    return ChangedBlock(files=files, added=added, removed=removed, key=key)


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
    said = "; ".join(filter(None, (event.origin, kept, "/summary edits it")))
    return ToolBlock(
        name=name, title=title, status="ok", note="/summary edits it", content=f"{said}\n\n{event.summary}"
    )


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _line(path: str, added: int, removed: int) -> str:
    return f"{path}  +{added:,} −{removed:,}" if added or removed else path
