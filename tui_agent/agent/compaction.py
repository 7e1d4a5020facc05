"""A summary in place of the beginning of a conversation: where it ends, how a model is asked for it, what is kept.

Everything here is computed; `making_room` does it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tui_agent.agent.context import Item, joined, message_size
from tui_agent.agent.shortening import cut
from tui_agent.agent.window import Window
from tui_agent.conversation.events import AssistantReplied
from tui_agent.conversation.messages import Message
from tui_agent.providers.protocol import ChatRequest

MOST_SUMMARY = 4096
LEAST_SUMMARY = 160
"""Tokens that a summary may have at most, and what it may have at least."""

MOST_QUOTED = 24_000
"""Characters of the user's prompts that go on being sent word by word."""

CHARACTERS = 3
"""Characters that a token surely has on the average, in prose and code."""

LEAST_CHARACTERS = 0.2
"""Characters that a token has at least, whatever the text."""

RESULT_READ = 600
"""Characters of a result that are read when a conversation is summarised as text."""

INSTRUCTION = """\
[The conversation is getting too long for your window. From now on, what you write here stands in place of older \
messages. Summarise them in at most {words} words, so that the work can go on from the summary alone:
- what the user wants, and what was decided
- facts, names, numbers and values that may be needed again
- files that were read or changed, and what is in them now
- what is done, what failed, what is next{focus}
Write only the summary. Call no tool.]"""

READER = "You read a conversation between a user and a coding assistant, and summarise it."

_CALL = re.compile(r"\W*((json|tool_?calls?|function)\W+)?(name|tool|function)[\"']?\s*:", re.IGNORECASE)


class Budget(NamedTuple):
    """How the room behind the system prompt and the tools is divided: tokens, but characters `quoted`.

    A token has `density` characters.
    """

    summary: int
    quoted: int
    tail: int
    density: float = CHARACTERS


def density(sent: Sequence[Item], factor: float) -> float:
    """Characters that a token has in the densest part of a conversation, at most `CHARACTERS` of our own count."""
    counted: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in sent:
        known = counted[item.part]
        known[0] += len(item.message.content)
        known[1] += message_size(item.message)
    densest = min((length / size for length, size in counted.values() if size > CHARACTERS), default=CHARACTERS)
    return max(min(densest, CHARACTERS) / factor, LEAST_CHARACTERS)


def share(sizes: Sequence[int], most: int) -> int | None:
    """How much each of these may have at most, so that all have up to `most`; None when they do as they are."""
    left = most
    for place, size in enumerate(ordered := sorted(sizes)):
        each = left // (len(ordered) - place)
        if size > each:
            return each
        left -= size
    return None


def budget(window: Window, total: int, beginning: int, density: float = CHARACTERS) -> Budget:
    """Of the free room, a quarter for the summary, a quarter for the latest messages as they are, a sixth for quotes.

    `total` are the tokens of the whole request now, `beginning` those of the system prompt and the tools.
    """
    room = window.room if window.room is not None else total
    free = max(room - beginning, room // 4)
    return Budget(
        summary=max(min(MOST_SUMMARY, free // 4), LEAST_SUMMARY),
        quoted=min(MOST_QUOTED, int(free / 6 * density)),
        tail=free // 4,
        density=density,
    )


def boundary(sent: Sequence[Item], tail: int, begins: int, size: Callable[[Item], int]) -> int | None:
    """Before which item the summary is to end, so that what is behind it has up to `tail` tokens.

    It ends only before a prompt or a reply, so that no call is parted from its result, and behind record `begins`,
    where the last summary ended. The last of them stay in any case: what a model has asked for it has not seen yet.
    None when there is no such place.
    """
    found = None
    behind = 0
    for place in range(len(sent) - 1, 0, -1):
        item = sent[place]
        behind += size(item)
        if behind > tail and found is not None:
            break
        if item.message.role != "tool" and item.seq > begins:
            found = place
    return found


def instruction(tokens: int, focus: str) -> str:
    """What a model is asked for; `focus` is what the user wants to be kept above all."""
    wish = f"\n- above all: {' '.join(focus.split())}" if focus.strip() else ""
    return INSTRUCTION.format(words=max(tokens * 6 // 10, 60), focus=wish)


def by_its_own_words(beginning: ChatRequest, old: Sequence[Item], asked: str) -> tuple[Message, ...]:
    """The messages as they were sent before, and the instruction behind them: a server has most of it in its cache."""
    return joined(beginning.messages, [*old, Item(Message("user", asked), 0, "conversation")])


def as_text(old: Sequence[Item], asked: str, characters: int) -> tuple[Message, ...]:
    """The conversation as one text of at most so many characters, for a window that does not hold it as it was."""
    told = "\n\n".join(map(_told, old))
    return Message("system", READER), Message("user", f"{cut(told, max(characters, 200))}\n\n{asked}")


def _told(item: Item) -> str:
    message = item.message
    match message.role:
        case "tool":
            return f"RESULT of {item.title}:\n{cut(message.content, RESULT_READ)}"
        case "assistant":
            calls = (f"CALL {call.name} {cut(call.arguments, RESULT_READ)}" for call in message.tool_calls)
            said = [f"ASSISTANT: {message.content}"] if message.content.strip() else []
            return "\n".join([*said, *calls])
        case _:
            return f"USER: {message.content}"


def usable(reply: AssistantReplied, replaced: int, most: int) -> tuple[str, str]:
    """The summary that is in a reply, and why there is none; one of them is empty.

    `replaced` are the tokens that it is to stand for, `most` those that it may have.
    """
    text = reply.text.strip()
    if reply.finish in ("incomplete", "content_filter"):
        return "", "its reply was cut off"
    if not text:
        return "", "it sent an empty reply"
    if text[0] in "{[<`" and _CALL.match(text):
        return "", "it called a tool instead"
    if reply.finish == "length" and "\n" in text:
        text = text[: text.rindex("\n")].rstrip()
    if message_size(Message("user", text)) >= min(replaced, 3 * most):
        return "", "its summary is too long"
    return text, ""
