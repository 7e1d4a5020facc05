"""Keeps the requests of a session within its model's window.

Old results are cut first, then the beginning of the conversation gives way to a summary. Each step is logged as a
decision, and between two of them every request begins with the bytes of the one before it. What has to look at a whole
conversation does so in a thread: a long one takes a second to count for the first time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import NamedTuple

from msgspec.structs import replace

from tui_agent.agent.compaction import (
    CHARACTERS,
    LEAST_SUMMARY,
    Budget,
    boundary,
    budget,
    density,
    share,
)
from tui_agent.agent.context import Item, living, message_size, request_size
from tui_agent.agent.digest import digest
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.measuring import calibration, known_window, size_of_next
from tui_agent.agent.requests import first_request, know_model, next_items, next_request
from tui_agent.agent.summarising import Summaries, Written
from tui_agent.agent.window import ROUGHNESS, Window
from tui_agent.conversation.errors import ProviderError, StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    CompactionTrigger,
    Event,
    LoggedEvent,
    Noticed,
    ResultsTrimmed,
)
from tui_agent.providers.protocol import ChatRequest

logger = logging.getLogger(__name__)

ENOUGH = 0.75
"""What a step must come down to, as a share of where it begins: few large steps, so that caches hold in between."""

GENTLE = (2000, 500)
"""Characters that old results keep."""

HARD = (6000, 2000, 600, 200)
"""Characters that all results keep when a summary did not help enough."""


LEAST = Budget(LEAST_SUMMARY // 4, 0, 0, 1.0)
"""For a summary that has to fit by all means."""


apart = asyncio.to_thread


class NothingToCompact(StoreError):
    """There is nothing that a summary would make shorter."""


class _Plan(NamedTuple):
    """What a summary will stand for; `saves` about so many tokens."""

    before_seq: int
    old: list[Item]
    budget: Budget
    saves: int


class MakingRoom:
    """For one turn, or for one compaction by hand."""

    def __init__(
        self,
        session: Journal,
        options: TurnOptions,
        log: Callable[[LoggedEvent], Awaitable[None]],
        emit: Callable[[Event], None],
        *,
        hurry: Callable[[], bool] | None = None,
    ) -> None:
        """`hurry` says whether somebody else may answer; None stands for a compaction that the user asked for."""
        self._session = session
        self._options = options
        self._log = log
        self._emit = emit
        self._summaries = Summaries(session, options, emit, hurry)
        self._told: tuple[str, str, int] | None = None
        self._overflowed: tuple[str, str] | None = None

    @property
    def told(self) -> int:
        """Tokens of the window, as the model in use named them in refusing a request; else 0."""
        present = self._session.provider.name, self._session.model
        return self._told[2] if self._told is not None and self._told[:2] == present else 0

    async def request(self) -> ChatRequest:
        """The next request, once there is room for it.

        Raises:
            ProviderError: it cannot be made to fit.
        """
        window = self._window
        request = next_request(self._session, self._options)
        total = await apart(self._count, request)
        if window.room is not None and self._options.compact == "auto":
            limit = self._limit(window)
            if total > limit:
                await self._make_room(limit, window, "full")
                request = next_request(self._session, self._options)
        self._check(request)
        return request

    async def overflowed(self, error: ProviderError) -> bool:
        """Make room after a request was refused as too long; False when the error has to be told.

        That is done once for a request to a model, and not where room is only made by hand: then the error is told how.
        """
        if error.kind != "context":
            return False
        if error.window:
            self._told = (self._session.provider.name, self._session.model, error.window)
        if self._options.compact == "manual":
            error.hint = f"`/compact` makes room, and `compact: auto` does so unasked; or {error.hint}"
            return False
        present = self._session.provider.name, self._session.model
        if self._overflowed == present:
            return False
        before = await apart(self._size)
        window = self._window
        if window.room is None or before <= window.room:  # nobody said how much, or the words are counted otherwise
            window = Window(None, "", before)
        limit = min(self._limit(window), before * 3 // 4)
        logger.info("request of about %d tokens refused as too long, window %s", before, self.told)
        await self._make_room(limit, window, "overflow")
        self._overflowed = present
        return self._size() < before

    async def compact(self, focus: str) -> None:
        """Put a summary in place of the beginning, because the user wants it.

        Raises:
            NothingToCompact: it would save nothing.
            ProviderError: no model is named, and the server cannot say which it has.
        """
        for logged in await know_model(self._session):
            self._emit(logged)
        total = await apart(self._size)
        plan = await apart(self._plan, self._window, (total - self._beginning()) // 4)
        plan = plan or await apart(self._plan, self._window, 0)
        if plan is None:
            raise NothingToCompact("there is nothing that a summary would make shorter")
        await self._compact(plan, "user", focus)

    async def replied(self, told: bool) -> None:
        """Look at the counts of the last reply; `told`: its provider has already said that the prompt was cut."""
        self._overflowed = None
        now = calibration(self._session)
        last = next((r.event for r in reversed(self._session.records) if isinstance(r.event, AssistantReplied)), None)
        if not now.found_out or told or last is None:
            return
        name = self._session.provider.name
        read = f"{last.usage.prompt_tokens:,} of about {now.sent:,} tokens"
        text = f"{name} read only {read}: it cuts prompts without a word"
        remedy = f"if it takes more, set `context_length:` under `providers: {name}:` in config.yaml and in the server"
        below = self._options.compact == "auto" and self._session.configured_window is None
        kept = f"requests are kept below {now.cut:,} tokens from now on; " if below else ""
        await self._log(Noticed("warning", text, kept + remedy))

    # ---- how much there is ----

    @property
    def _window(self) -> Window:
        window = known_window(self._session)
        if (told := self.told) and (window.tokens is None or told < window.tokens):
            return Window(told, "learned from an error")
        return window

    def _limit(self, window: Window) -> int:
        """From how many tokens on room is made."""
        assert window.room is not None
        share = self._options.compact_at
        return min(window.room, round((window.tokens or window.room) * share))

    def _count(self, request: ChatRequest) -> int:
        return round(request_size(request) * calibration(self._session).factor)

    def _size(self, *further: LoggedEvent) -> int:
        """About the tokens of the next request, as if these events were logged already."""
        return size_of_next(self._session, self._options, *further)

    def _beginning(self) -> int:
        """About the tokens of the system prompt and the tools."""
        return self._count(first_request(self._session, self._options))

    def _check(self, request: ChatRequest) -> None:
        window = self._window
        if window.tokens is None or window.source == "learned from a cut":
            return
        known = calibration(self._session)
        total = self._count(request)
        if total <= window.tokens * (1 if known.replies else ROUGHNESS):
            return
        sent = next_items(self._session)
        most = max(sent, key=lambda item: message_size(item.message), default=None)
        largest = round(message_size(most.message) * known.factor) if most is not None else 0
        beginning = self._beginning()
        model = request.model or self._session.provider.name
        message = f"This is too long for {model}: about {total:,} tokens, and it takes {window.tokens:,}"
        if self._options.compact == "manual" and self._plan(window, 0) is not None:
            raise ProviderError("context", message, "`/compact` makes room; `compact: auto` does so unasked")
        if most is not None:
            message += (
                f"; {most.title or most.message.role} alone has {largest:,}, system prompt and tools {beginning:,}"
            )
        room = max((window.room or 0) - beginning, 0)
        hint = (
            f"about {room:,} tokens fit ({room * CHARACTERS:,} characters): send less at once, or name a file that is "
            "read in parts; or choose a model with a larger window"
        )
        raise ProviderError("context", message, hint)

    # ---- the steps ----

    async def _make_room(self, limit: int, window: Window, trigger: CompactionTrigger) -> None:
        """Cut results, or put a summary in place of the beginning, until a request has clearly fewer tokens."""
        target = round(limit * ENOUGH)
        assert window.room is not None
        asked = False
        shares = await apart(self._budget, window, next_items(self._session))
        if (trim := await apart(self._oversized, shares.tail * 2)) is not None:
            await self._log(trim)
        full = trigger == "full" and await apart(self._size) > target
        if full and (trim := await apart(self._gentle, shares.tail, target)) is not None:
            await self._log(trim)
        if trigger == "overflow" or await apart(self._size) > target:
            plan = await apart(self._plan, window, shares.tail)
            # What saves little would have to be done again at once, and a model is slow.
            if plan is not None and (plan.saves >= limit // 8 or window.room >= await apart(self._size) - plan.saves):
                asked = True
                await self._compact(plan, trigger)
        for kept in HARD:
            if await apart(self._size) <= window.room:
                return
            if (trim := await apart(self._trim, len(self._session.records) + 1, kept)) is not None:
                await self._log(trim)
        if (plan := await apart(self._plan, window, 0)) is not None and self._size() > window.room:
            await self._compact(plan, trigger, by_model=not asked)
        if self._size() > window.room and (plan := await apart(self._plan, window, 0, LEAST)) is not None:
            await self._compact(plan, trigger, by_model=False)

    def _budget(self, window: Window, sent: Sequence[Item]) -> Budget:
        factor = calibration(self._session).factor
        return budget(window, self._size(), self._beginning(), density(sent, factor))

    def _gentle(self, tail: int, target: int) -> ResultsTrimmed | None:
        """Cut old results, all but the last ones and those among the latest `tail` tokens, if that is enough."""
        behind, seq = 0, len(self._session.records) + 1
        factor = calibration(self._session).factor
        last = True
        for item in reversed(next_items(self._session)):
            last = last and item.message.role == "tool"
            behind += round(message_size(item.message) * factor)
            if behind > tail and not last:
                break
            seq = min(seq, item.seq)
        for kept in GENTLE:
            trim = self._trim(seq, kept)
            if trim is not None and self._size(trim) <= target:
                return trim
        return None

    def _oversized(self, most: int) -> ResultsTrimmed | None:
        """Cut results that leave no room for more: one, or those of the last step, of more than `most` tokens."""
        factor = calibration(self._session).factor
        sent = next_items(self._session)
        last = [item.message for item in takewhile(lambda item: item.message.role == "tool", reversed(sent))]
        each = share([round(message_size(message) * factor) for message in last], most)
        most = most if each is None else each
        large = [
            item.message
            for item in sent
            if item.part in ("files", "results") and message_size(item.message) * factor > most
        ]
        if not large:
            return None
        # As many characters as `most` tokens have in the densest of them.
        density = min(len(message.content) / (message_size(message) * factor) for message in large)
        return self._trim(len(self._session.records) + 1, max(round(most * density * 0.9), HARD[-1]))

    def _trim(self, before_seq: int, kept: int) -> ResultsTrimmed | None:
        """The event that cuts results before a record to so many characters; None when it would cut none."""
        trim = ResultsTrimmed(before_seq, kept)
        now, then = next_items(self._session), next_items(self._session, trim)
        cut = sum(one.message != other.message for one, other in zip(now, then, strict=True))
        if not cut:
            return None
        return replace(trim, results=cut, saved=self._size() - self._size(trim))

    def _plan(self, window: Window, tail: int, least: Budget | None = None) -> _Plan | None:
        """What a summary could stand for, so that up to `tail` tokens stay as they are; None when it saves nothing.

        Without a tail nothing stays but the prompt that is being worked on. `least` is for when even that was too much.
        """
        session = self._session
        sent = next_items(session)
        factor = calibration(session).factor
        summary = session.summary
        begins = summary.before_seq if summary is not None else 0
        total = self._size()
        shares = least or self._budget(window, sent)
        end = len(session.records) + 1
        place = boundary(sent, tail, begins, lambda item: round(message_size(item.message) * factor)) if tail else None
        if tail and place is None:
            return None
        old, before_seq = (sent, end) if place is None else (sent[:place], sent[place].seq)
        written = min(shares.summary, sum(message_size(item.message) for item in old) // 3)
        saves = total - self._size(Compacted(before_seq, "", "full", quoted=shares.quoted)) - round(written * factor)
        return _Plan(before_seq, old, shares, saves) if saves > 0 else None

    async def _compact(
        self, plan: _Plan, trigger: CompactionTrigger, focus: str = "", *, by_model: bool = True
    ) -> None:
        session = self._session
        before = await apart(self._size)
        replaced = sum(message_size(item.message) for item in plan.old)
        written = Written(why="the window has no room for one")
        if by_model:
            written = await self._summaries.of(plan.old, self._window, plan.budget, focus)
        earlier = session.summary
        stood = earlier.messages if earlier is not None else 0
        compacted = Compacted(
            before_seq=plan.before_seq,
            trigger=trigger,
            quoted=plan.budget.quoted,
            before=before,
            messages=stood + sum(item.part != "summary" for item in plan.old),
            window=self.told if trigger == "overflow" else 0,
            summary=written.summary,
            provider=written.provider,
            model=written.model,
            usage=written.usage,
            cost=written.cost,
            requests=written.requests,
        )
        if written.why:
            most = round(min(plan.budget.summary, max(replaced // 2, LEAST_SUMMARY)) * plan.budget.density)
            begins = earlier.before_seq if earlier is not None else 0
            passed = [
                event
                for seq, event in living(record.event for record in session.records)
                if begins <= seq < plan.before_seq
            ]
            compacted = replace(compacted, summary=digest(passed, earlier.summary if earlier else "", most))
        compacted = replace(compacted, after=await apart(self._size, compacted))
        logger.info("compacted: %d to %d tokens, %s", before, compacted.after, trigger)
        await self._log(compacted)
        if written.why:
            text = (
                f"there is no summary by the model ({written.why}): a plain list of what happened stands in its place"
            )
            await self._log(Noticed("warning", text, "`/compact` tries again; the summary can be edited in `/context`"))
