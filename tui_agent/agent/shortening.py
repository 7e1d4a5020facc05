"""What is sent in place of what was left out to save room."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tui_agent.conversation.events import Compacted

MOST_CHANGED = 60
"""Names of changed files that are kept, the last ones."""

_BEGINNING = "[To save room, the beginning of this conversation is left out here."
_PROMPTS = "What the user said in it, word by word:"
_CHANGED = "Files changed in it: "
_SUMMARY = "What happened in it:"
_END = "[The conversation goes on from here.]"


@dataclass(slots=True)
class Past:
    """What is known of what is left out: its prompts, of which the first `quoted` are quoted, and its changed files."""

    prompts: list[str] = field(default_factory=list)
    quoted: int = 0
    changed: dict[str, None] = field(default_factory=dict)


def cut_result(text: str, limit: int) -> str:
    """A result with at most `limit` characters of it, from both ends, and a word about the rest."""
    return cut(text, limit, "call the tool again to see them")


def cut(text: str, limit: int, remedy: str = "") -> str:
    """Both ends of a text, `limit` characters in all, with a mark between them; where that saves nothing, all of it."""
    gone = len(text) - limit
    mark = f"\n[… {gone:,} characters left out to save room{'; ' if remedy else ''}{remedy} …]\n"
    if gone <= len(mark):
        return text
    tail = limit // 3
    return f"{text[: limit - tail]}{mark}{text[len(text) - tail :]}"


def in_place_of(past: Past, summary: Compacted) -> str:
    """The user message that stands for what was compacted."""
    parts = [_BEGINNING + "]"]
    if prompts := quoted(past.prompts[: past.quoted], summary.quoted):
        parts.append(f"[{_PROMPTS}]\n{prompts}")
    if past.changed:
        names = list(past.changed)
        more = f"{len(names) - MOST_CHANGED:,} others, " if len(names) > MOST_CHANGED else ""
        parts.append(f"[{_CHANGED}{more}{', '.join(names[-MOST_CHANGED:])}]")
    if text := summary.summary.strip():
        parts.append(f"[{_SUMMARY}]\n{text}")
    return "\n\n".join([*parts, _END])


def quoted(prompts: Sequence[str], characters: int) -> str:
    """The first and the last of the prompts, one a paragraph, in about so many characters."""
    if characters <= 0 or not prompts:
        return ""
    told = [f"- {cut(prompt.strip(), max(characters // 4, 80))}" for prompt in prompts]
    first, room = 0, characters // 2
    while first < len(told) and (room := room - len(told[first])) >= 0:
        first += 1
    last, room = len(told), characters // 2
    while last > first and (room := room - len(told[last - 1])) >= 0:
        last -= 1
    between = [f"[… {last - first:,} prompts left out …]"] if last > first else []
    return "\n".join([*told[:first], *between, *told[last:]])
