"""The same prompt asked of two models side by side, each in a copy of the session that only reads; one goes on."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.session import Session
from tui_agent.agent.spending import Spent, spent
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    CallGrowing,
    Compacted,
    Event,
    LoggedEvent,
    ModeChanged,
    ModelSwitched,
    Noticed,
    PromptSubmitted,
    ReasoningDelta,
    Record,
    ResultsTrimmed,
    SessionStarted,
    TextDelta,
    ToolFinished,
    TurnEnded,
    TurnReason,
)
from tui_agent.conversation.messages import Usage

GOING = "it is still answering"
NOTHING = "it has no answer"


class Times(Struct, frozen=True):
    """How long a side takes; `now` and `since` are monotonic seconds, the rest seconds from `since`.

    `first` is when the first piece of a reply came, `seconds` when the turn ended, None before that.
    """

    since: float
    first: float | None = None
    seconds: float | None = None
    reason: TurnReason | None = None

    def after(self, event: Event, now: float) -> "Times":
        """With what happened at `now`."""
        match event:
            case TextDelta() | ReasoningDelta() | CallGrowing() | AssistantReplied() if self.first is None:
                return replace(self, first=now - self.since)
            case TurnEnded():
                return replace(self, seconds=now - self.since, reason=event.reason)
        return self


# ---- choosing: from what was logged of a side to what the session is to log ----


def why_not(records: Sequence[Record]) -> str:
    """Why what a side has logged cannot be taken as the turn; empty when it can."""
    if not any(isinstance(record.event, TurnEnded) for record in records):
        return GOING
    replied = (record.event for record in records if isinstance(record.event, AssistantReplied))
    return "" if any(reply.text.strip() or reply.tool_calls for reply in replied) else NOTHING


def turn_of(records: Iterable[Record]) -> list[Record]:
    """The turn that a side has logged, without what only says where it began."""
    return [r for r in records if not isinstance(r.event, SessionStarted | ModelSwitched | ModeChanged)]


def moved(event: LoggedEvent, places: Mapping[int, int]) -> LoggedEvent:
    """The event for another log, in which the records in `places` have other numbers."""
    if isinstance(event, Compacted | ResultsTrimmed):
        return replace(event, before_seq=places.get(event.before_seq, event.before_seq))
    return event


def beside(records: Sequence[Record], times: Times) -> AsideAnswered | None:
    """What a side that was not taken said and did, as one thing beside the conversation; None when that is nothing."""
    turn = [record.event for record in turn_of(records)]
    replies = [event for event in turn if isinstance(event, AssistantReplied)]
    prompt = next((event.text for event in turn if isinstance(event, PromptSubmitted)), "")
    said = "\n\n".join(filter(None, map(_said, turn)))
    if not replies or not said:
        return None
    whole = times.reason == "done"
    usages = [reply.usage for reply in replies]
    return AsideAnswered(
        question=prompt,
        answer=said,
        finish=replies[-1].finish if whole else "incomplete",
        provider=replies[-1].provider,
        model=replies[-1].model,
        usage=Usage(
            _sum(usage.prompt_tokens for usage in usages),
            _sum(usage.completion_tokens for usage in usages),
            _sum(usage.cached_tokens for usage in usages),
        ),
        seconds=round(times.seconds or sum(reply.seconds for reply in replies), 3),
        cost=spent(records).cost,
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """Of what the server reported; None when it left one out."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _said(event: LoggedEvent) -> str:
    match event:
        case AssistantReplied():
            return event.text.strip()
        case ToolFinished():
            return f"[{f'{event.tool} {event.title}'.strip()}: {event.status}]"
    return ""


def about_the_other(taken: str, other: str, kept: AsideAnswered | None) -> Noticed:
    """What stands under an answer that was taken; `taken` and `other` name the models."""
    if kept is None:
        return Noticed("info", f"{taken} answered; {other} was asked too and had no answer")
    return Noticed("info", f"{taken} answered; {other} was asked too", "what it said stands below, out of the way")


# ---- the two sides ----


class Side:
    """One of the two: a session of its own that nobody saves. Asked once."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.times = Times(clock())
        self._clock = clock
        self._base = len(session.records)
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Provider and model, for people."""
        return " · ".join(filter(None, (self.session.provider.name, self.session.model)))

    @property
    def records(self) -> Sequence[Record]:
        """What it has logged."""
        return self.session.records[self._base :]

    @property
    def spent(self) -> Spent:
        """What it has used so far."""
        return spent(self.records)

    def start(self, prompt: str, show: Callable[[Event], None]) -> None:
        """Ask it, and show what happens until it has answered, or failed, which only this side notices."""
        self.times = Times(self._clock())
        self._task = asyncio.create_task(self._ask(prompt, show))

    async def _ask(self, prompt: str, show: Callable[[Event], None]) -> None:
        async with aclosing(self.session.run(prompt)) as happening:
            async for event in happening:
                self.times = self.times.after(event, self._clock())
                show(event)

    def stop(self) -> None:
        """Stop it; what had arrived stays."""
        if self.session.busy:
            self.session.interrupt()
        elif self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            await asyncio.wait([self._task])


class Comparison:
    """Two sides of one session, which goes on with the answer of one of them."""

    def __init__(self, session: Session, sides: tuple[Side, Side]) -> None:
        self.sides = sides
        self._session = session

    async def take(self, place: int) -> list[LoggedEvent]:
        """Let the session go on with the answer of a side as its turn, and keep that of the other beside it.

        What was logged comes back. The other side is stopped first; the side itself must have an answer (`why_not`).
        """
        chosen, other = self.sides[place], self.sides[1 - place]
        other.stop()
        await other.ended()
        return await uninterrupted(self._take(chosen, other))

    async def _take(self, chosen: Side, other: Side) -> list[LoggedEvent]:
        session, side = self._session, chosen.session
        logged: list[LoggedEvent] = []
        for event in session.take_unsaid():
            logged += await session.record(event)
        if (side.provider, side.model) != (session.provider, session.model):
            logged += await session.switch(side.provider, side.model)
        places: dict[int, int] = {}
        for record in turn_of(chosen.records):
            places[record.seq] = len(session.records) + 1  # a cut of all results so far names its own place
            logged += await session.record(moved(record.event, places))
            places[record.seq] = session.records[-1].seq
        kept = beside(other.records, other.times)
        logged += await session.record(about_the_other(chosen.name, other.name, kept))
        if kept is not None:
            logged += await session.record(kept)
        session.executor.recall(side.executor)
        return logged

    async def drop(self) -> list[LoggedEvent]:
        """Take neither; what they said is kept beside the conversation. What was logged comes back."""
        for side in self.sides:
            side.stop()
        for side in self.sides:
            await side.ended()
        return await uninterrupted(self._drop())

    async def _drop(self) -> list[LoggedEvent]:
        logged: list[LoggedEvent] = []
        for side in self.sides:
            if (kept := beside(side.records, side.times)) is not None:
                logged += await self._session.record(kept)
        return logged

    async def aclose(self) -> None:
        """End what the sides still have open."""
        for side in self.sides:
            side.stop()
            await side.session.executor.aclose()
