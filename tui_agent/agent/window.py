"""How full a model's window is: our own count, set right by what servers report, and what is known of the window.

All of it is read from the log.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import nlargest
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

from msgspec import Struct

from tui_agent.agent.context import Item, PartName, message_size, tool_size
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    ModelSwitched,
    Record,
    SessionStarted,
    TurnEnded,
)
from tui_agent.providers.protocol import ChatRequest

LEAST_FACTOR, MOST_FACTOR = 0.5, 3.0
"""Between these a server's count and ours can differ; what is beyond is no count of the whole prompt."""

ROUGHNESS = 1.3
"""How many times too large our own count may be before a server's sets it right."""

REMEMBERED = 3
"""Replies that the factor is learned from, the last ones."""

MOST_RESERVED = 4096
"""Tokens kept for the reply in a large window; in a small one a quarter of it."""

LEAST_CUT = 1000
"""Tokens of a prompt that might be the rest of a cut one: no server has a window that is smaller."""

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


class Sample(NamedTuple):
    """A request as we counted it and as its server did."""

    estimate: int
    read: int


class Calibration(NamedTuple):
    """What our count is to be multiplied by, learned from so many replies.

    `cut` is the largest prompt that was read, when the server evidently leaves out the rest of longer ones; `sent` is
    about how long the last of those was.
    """

    factor: float = 1.0
    replies: int = 0
    cut: int | None = None
    sent: int = 0


def samples(records: Iterable[Record], provider: str, model: str) -> list[Sample]:
    """The requests that this model answered, as far as both counts are known."""
    found = []
    for record in records:
        event = record.event
        if isinstance(event, AssistantReplied) and (event.provider, event.model) == (provider, model):
            read, cached = event.usage.prompt_tokens, event.usage.cached_tokens or 0
            if event.estimate and read:
                # The cached tokens are a part of the prompt's, but some servers leave them out.
                found.append(Sample(event.estimate, read + cached if cached > read else read))
    return found


def calibrate(known: Sequence[Sample]) -> Calibration:
    """Compare the counts, oldest first.

    A prompt that was cut without a word teaches nothing, nor one of which only what was not in a cache was counted. The
    count of both stays behind ours; that of a cut one stands still, that of the other is about what is new.
    """
    good: list[Sample] = []
    most = short = sent = 0
    cut: int | None = None
    before: Sample | None = None
    for sample in known:
        most = max(most, sample.read)
        factor = _factor(good)
        new = factor * (sample.estimate - before.estimate) if before is not None else 0.0
        before = sample
        match _judged(sample, good, factor):
            case "short":
                if sample.read < max(LEAST_CUT, most / 2):
                    short = 0
                elif sample.read > 2 * new:
                    short += 1
                if short >= 2:
                    cut, sent = most, round(sample.estimate * factor)
            case "good":
                short = 0
                good.append(sample)
                if cut is not None and sample.read > cut:  # it takes more by now
                    cut = None
            case _:
                pass
    return Calibration(_factor(good), len(good[-REMEMBERED:]), cut, sent)


def _factor(good: Sequence[Sample]) -> float:
    ratios = sorted(sample.read / sample.estimate for sample in good[-REMEMBERED:])
    return ratios[len(ratios) // 2] if ratios else 1.0


def _judged(sample: Sample, good: Sequence[Sample], factor: float) -> Literal["good", "short", "odd"]:
    """Whether all was read that was sent, as far as that can be told from what was learned before."""
    ratio = sample.read / sample.estimate
    if good:
        last = good[-1]
        more = factor * (sample.estimate - last.estimate)
        if abs(more) < max(64, last.read / 50):  # too little to tell
            return "odd"
        if sample.read - last.read < 0.3 * more if more > 0 else ratio < 0.7 * factor:
            return "short"
    elif ratio < LEAST_FACTOR:
        return "short"
    return "good" if LEAST_FACTOR <= ratio <= MOST_FACTOR else "odd"


class Learned(NamedTuple):
    """What errors of one model have told of its window."""

    window: int | None = None
    refused: int | None = None


def learned(records: Iterable[Record]) -> dict[tuple[str, str], Learned]:
    """What errors have told, by provider and model; the last word of a server counts."""
    found: defaultdict[tuple[str, str], Learned] = defaultdict(Learned)
    present = ("", "")
    for record in records:
        match record.event:
            case SessionStarted() | ModelSwitched() as event:
                present = (event.provider, event.model)
            case Compacted(window=window) | TurnEnded(window=window) if window:
                found[present] = Learned(window)
            case Compacted(trigger="overflow", before=before) if found[present].window is None:
                found[present] = Learned(None, min(before, found[present].refused or before))
            case _:
                pass
    return found


class Known(NamedTuple):
    """What the log says of a model in use; it is read anew once there are more `records`."""

    provider: str = ""
    model: str = ""
    records: int = -1
    calibration: Calibration = Calibration()
    told: Learned = Learned()


def window_of(settings: int | None, server: int | None, told: Learned, cut: int | None) -> Window:
    """The window by what is known of it: the smallest number anybody names, for more than that is not answered."""
    known = [
        (tokens, source)
        for tokens, source in (
            (settings, "settings"),
            (server, "server"),
            (told.window, "learned from an error"),
            (cut, "learned from a cut"),
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
