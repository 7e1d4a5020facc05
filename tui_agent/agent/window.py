"""How full a model's window is, and what is known of it."""

from collections.abc import Sequence
from heapq import nlargest
from itertools import accumulate, pairwise
from typing import NamedTuple

from msgspec import Struct

from tui_agent.agent.context import Item, PartName, message_size, tool_size
from tui_agent.agent.learning import Calibration, Learned
from tui_agent.conversation.events import AssistantReplied
from tui_agent.providers.protocol import ChatRequest

ROUGHNESS = 1.3
"""How many times too large our own count may be before a server's sets it right."""

MOST_RESERVED = 4096
"""Tokens kept for the reply in a large window; in a small one a quarter of it."""

MOST_LARGEST = 8
"""Items that are named for their size."""


class Part(Struct, frozen=True):
    """A part of the next request: about how many tokens, in `count` pieces."""

    name: PartName
    tokens: int
    count: int


class Largest(Struct, frozen=True):
    """A single thing that takes room; it comes from record `seq`."""

    seq: int
    title: str
    tokens: int


class ContextUse(Struct, frozen=True):
    """What fills the window.

    `total` is about how many tokens the next request has without a further prompt, `window` how many the model takes,
    `room` the most that a request may have, which leaves some for the reply. `factor` is what our own count was
    multiplied by, learned from `replies` of the model in use. `prompt` and `cached` are what the server reported last.
    `source` says where the window is known from: "settings", "server", "learned from an error", "learned from a cut";
    it is empty when it is not known.
    """

    parts: tuple[Part, ...]
    largest: tuple[Largest, ...]
    total: int
    window: int | None
    room: int | None
    factor: float
    replies: int
    prompt: int | None
    cached: int | None
    source: str


class Window(NamedTuple):
    """What is known of a window, in tokens; `source` is as in `ContextUse`.

    `refused` is the size of the smallest request that was refused as too long by a server that did not say how much
    it takes. It only counts while nothing else is known.
    """

    tokens: int | None
    source: str
    refused: int | None = None

    @property
    def room(self) -> int | None:
        """The most that a request may have."""
        if self.tokens is not None:
            return self.tokens - self.reserve
        return None if self.refused is None else round(self.refused * 0.8)

    @property
    def reserve(self) -> int:
        """What is kept for the reply."""
        return MOST_RESERVED if self.tokens is None else min(MOST_RESERVED, self.tokens // 4)


def window_of(settings: int | None, server: int | None, told: Learned, cut: int | None) -> Window:
    """The window by what is known of it: the smallest number anybody names, for more than that is not answered.

    A cut is only concluded from counts: the user may know better.
    """
    known = [
        (tokens, source)
        for tokens, source in (
            (settings, "settings"),
            (server, "server"),
            (told.window, "learned from an error"),
            (cut if settings is None else None, "learned from a cut"),
        )
        if tokens is not None
    ]
    if not known:
        return Window(None, "", told.refused)
    return Window(*min(known, key=lambda one: one[0]))


def use_of(
    beginning: ChatRequest,
    sent: Sequence[Item],
    calibration: Calibration,
    window: Window,
    last: AssistantReplied | None,
) -> ContextUse:
    """What fills the window, when a request begins so and goes on with these; `last` is the last reply."""
    factor = calibration.factor
    sizes: dict[PartName, list[int]] = {
        "system": [message_size(message) for message in beginning.messages],
        "tools": [tool_size(tool) for tool in beginning.tools],
        **{name: [] for name in ("summary", "files", "results", "conversation")},
    }
    single: list[tuple[int, Item]] = []
    for item in sent:
        size = message_size(item.message)
        sizes[item.part].append(size)
        single.append((size, item))
    ends = [round(total * factor) for total in accumulate(map(sum, sizes.values()), initial=0)]
    spans = zip(sizes.items(), pairwise(ends), strict=True)
    parts = tuple(Part(name, end - begin, len(known)) for (name, known), (begin, end) in spans)
    largest = nlargest(MOST_LARGEST, single, key=lambda one: one[0])
    return ContextUse(
        parts=parts,
        largest=tuple(Largest(item.seq, item.title, round(size * factor)) for size, item in largest),
        total=ends[-1],
        window=window.tokens,
        room=window.room,
        factor=factor,
        replies=calibration.replies,
        prompt=None if last is None else last.usage.prompt_tokens,
        cached=None if last is None else last.usage.cached_tokens,
        source=window.source,
    )
