"""What the replies and errors of servers teach of how they count, and of how much they take.

All of it is read from the log, each record once.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import NamedTuple

from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    LoggedEvent,
    ModelSwitched,
    Record,
    SessionStarted,
    TurnEnded,
)

LEAST_FACTOR, MOST_FACTOR = 0.5, 5.0
"""Between these a server's count and ours can differ; what is beyond is no count of the whole prompt."""

LEAST_FOLLOWED = 0.3
"""As `LEAST_FACTOR`, for two counts in a row that bear each other out."""

REMEMBERED = 3
"""Replies that the factor is learned from, the last ones."""

LEAST_CUT = 1000
"""Tokens of a prompt that might be the rest of a cut one: no server has a window that is smaller."""

TELLING = 64
"""Tokens by which two requests differ at least, so that something can be told from their counts."""

ALIKE = 1.15
"""How much two counts of one kind differ at most, each compared with ours."""


class Sample(NamedTuple):
    """A request as we counted it and as its server did."""

    estimate: int
    read: int

    @property
    def ratio(self) -> float:
        """Their count by ours."""
        return self.read / self.estimate


class Calibration(NamedTuple):
    """What our count is to be multiplied by, learned from so many replies.

    `cut` is the largest prompt that was read, when the server evidently leaves out the rest of longer ones; `sent` is
    about how long the last of those was. `found_out`: the last reply was what made that evident.
    """

    factor: float = 1.0
    replies: int = 0
    cut: int | None = None
    sent: int = 0
    found_out: bool = False


class Calibrating:
    """Compares the counts of one model, oldest first.

    A prompt that was cut without a word teaches nothing, nor one of which only what was not in a cache was counted. The
    count of both stays behind ours; that of a cut one stands still, that of the other is about what is new. Two counts
    in a row that grow with ours are believed, whatever was learned before: a single wrong one must not stay.
    """

    def __init__(self) -> None:
        self._good: deque[Sample] = deque(maxlen=REMEMBERED)
        self._before: Sample | None = None
        self._doubted: Sample | None = None
        self._most = self._short = self._sent = 0
        self._cut: int | None = None
        self._found_out = False

    @property
    def calibration(self) -> Calibration:
        """What was learned so far."""
        return Calibration(self._factor, len(self._good), self._cut, self._sent, self._found_out)

    @property
    def _factor(self) -> float:
        ratios = sorted(sample.ratio for sample in self._good)
        return ratios[len(ratios) // 2] if ratios else 1.0

    def take(self, sample: Sample) -> None:
        """Take the next one."""
        before, self._before = self._before, sample
        self._most = max(self._most, sample.read)
        self._found_out = False
        factor = self._factor
        short = self._is_short(sample, factor)
        if short is None:  # too little to tell
            return
        if not short:
            if LEAST_FACTOR <= sample.ratio <= MOST_FACTOR:
                self._believe(sample)
        elif any(one is not None and _follows(one, sample) for one in (before, self._doubted)):
            self._good.clear()
            self._believe(sample)
        elif self._doubted is None or abs(sample.estimate - self._doubted.estimate) >= TELLING:
            self._doubted = self._doubted or sample
            new = factor * (sample.estimate - before.estimate) if before is not None else 0.0
            if sample.read < max(LEAST_CUT, self._most / 2):
                self._short = 0
            elif sample.read > 2 * new:
                self._short += 1
            if self._short >= 2:
                self._found_out = self._cut is None
                self._cut, self._sent = self._most, round(sample.estimate * factor)

    def _believe(self, sample: Sample) -> None:
        self._short, self._doubted = 0, None
        self._good.append(sample)
        if self._cut is not None and sample.read > self._cut:  # it takes more by now
            self._cut = None

    def _is_short(self, sample: Sample, factor: float) -> bool | None:
        """Whether less was read than was sent, as far as that can be told from what was learned before."""
        if not self._good:
            return sample.ratio < LEAST_FACTOR
        last = self._good[-1]
        more = factor * (sample.estimate - last.estimate)
        if abs(more) < max(TELLING, last.read / 50):
            return None
        return sample.read - last.read < 0.3 * more if more > 0 else sample.ratio < 0.7 * factor


def _follows(before: Sample, sample: Sample) -> bool:
    """Whether two counts in a row are of one kind and grow or fall as ours do."""
    more = sample.estimate - before.estimate
    if abs(more) < TELLING:
        return False
    alike = 1 / ALIKE <= sample.ratio / before.ratio <= ALIKE
    grown = (sample.read - before.read) / more
    return alike and all(LEAST_FOLLOWED <= ratio <= MOST_FACTOR for ratio in (grown, sample.ratio))


class Learned(NamedTuple):
    """What errors of one model have told of its window.

    `refused` is the smallest request that was refused by a server that did not say how much it takes.
    """

    window: int | None = None
    refused: int | None = None


class Teachings:
    """Of every model that a log tells of. Safe to use in several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._restart()

    def _restart(self) -> None:
        self._place = 0
        self._last: LoggedEvent | None = None
        self._present = ("", "")
        self._counts: defaultdict[tuple[str, str], Calibrating] = defaultdict(Calibrating)
        self._told: defaultdict[tuple[str, str], Learned] = defaultdict(Learned)

    def of(self, records: Sequence[Record], provider: str, model: str) -> tuple[Calibration, Learned]:
        """What these records, which are all of the log, teach of a model."""
        with self._lock:
            if self._place and (len(records) < self._place or records[self._place - 1].event is not self._last):
                self._restart()
            for record in records[self._place :]:
                self._take(record.event)
                self._place, self._last = self._place + 1, record.event
            present = provider, model
            return self._counts[present].calibration, self._told[present]

    def _take(self, event: LoggedEvent) -> None:
        match event:
            case AssistantReplied(usage=usage, estimate=estimate):
                read, cached = usage.prompt_tokens, usage.cached_tokens or 0
                if estimate > 0 and read and read > 0:
                    # The cached tokens are a part of the prompt's, but some servers leave them out.
                    sample = Sample(estimate, read + cached if cached > read else read)
                    self._counts[event.provider, event.model].take(sample)
            case SessionStarted() | ModelSwitched():
                self._present = (event.provider, event.model)
            case Compacted(window=window) | TurnEnded(window=window) if window:
                self._told[self._present] = Learned(window)
            case Compacted(trigger="overflow", before=before) if self._told[self._present].window is None:
                refused = self._told[self._present].refused
                self._told[self._present] = Learned(None, min(before, refused or before))
            case _:
                pass


def calibrate(known: Iterable[Sample]) -> Calibration:
    """What these counts teach, oldest first."""
    counts = Calibrating()
    for sample in known:
        counts.take(sample)
    return counts.calibration
