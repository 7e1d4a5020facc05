"""A session: one conversation, its log, and the turns that prompts start."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from msgspec import structs

from tui_agent.agent.aside import ask
from tui_agent.agent.book import Book, Standing, left_open, standing
from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.compacting import CompactionByHand
from tui_agent.agent.fallback import Substitute
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.learning import Teachings
from tui_agent.agent.making_room import NothingToCompact
from tui_agent.agent.measuring import context_use, known_window, size_of_next
from tui_agent.agent.profile import Profile, choose_profile
from tui_agent.agent.reading import Conversation
from tui_agent.agent.requests import first_request
from tui_agent.agent.secrecy import KeyFilter, without_keys
from tui_agent.agent.spending import Meter, Spent, limit_reached, spent_in_turn, uncounted
from tui_agent.agent.turn import Turn
from tui_agent.agent.undo import Undoing
from tui_agent.agent.window import ContextUse
from tui_agent.config.model import Price, ProfileName
from tui_agent.conversation.errors import ConfigError, ProviderError, StoreError
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    Event,
    LoggedEvent,
    Mode,
    ModeChanged,
    ModelSwitched,
    Noticed,
    ProviderStatus,
    Record,
    SessionStarted,
    TurnEnded,
)
from tui_agent.conversation.outbox import Outbox
from tui_agent.permissions.policy import Policy, RulePolicy
from tui_agent.permissions.reading import ReadingPolicy
from tui_agent.providers.protocol import LLMProvider, ModelInfo, PrimingProvider
from tui_agent.store.log import SessionLog
from tui_agent.tools.executor import ToolExecutor
from tui_agent.workspace.snapshots.snapshots import Snapshots

COMPARED = (
    "two models answer this side by side: nothing is written or run before the user has chosen one; "
    "say what you would do instead"
)
"""What a model is told of a call that does more than read, while it is compared with another."""

DESCRIBE_SECONDS = 3.0
"""How long a local server may take to say what a model is; a turn goes on without knowing."""


class Session(Journal):
    """One conversation with one model at a time; `outbox` has the prompts that wait to steer its turn.

    Events go down into `log` and up to whoever iterates `run`. When the log cannot be written, the session says so once
    and goes on in memory.
    """

    def __init__(
        self,
        *,
        log: SessionLog | None,
        executor: ToolExecutor,
        provider: LLMProvider,
        model: str,
        options: TurnOptions,
        policy_for: Callable[[Mode], Policy] = RulePolicy,
        profile_for: Callable[[str], ProfileName] = lambda provider: "auto",
        window_for: Callable[[str], int | None] = lambda provider: None,
        price_for: Callable[[str, str], Price | None] = lambda provider, model: None,
        substitute_for: Callable[[str], Awaitable[Substitute]] | None = None,
        earlier: Spent = Spent(),  # noqa: B008 - it is frozen
        mode: Mode = "ask",
        working_directory: str,
        version: str,
        clock: Callable[[], float] = time.time,
        snapshots: Snapshots | None = None,
    ) -> None:
        self.executor = executor
        self.provider = provider
        self.model = model
        self.options = options
        self.mode = mode
        self.model_info: ModelInfo | None = None
        self.profile: Profile = choose_profile(profile_for(provider.name), None)
        self.teachings = Teachings()
        self.conversation = Conversation()
        self.outbox = Outbox()
        self._directory = working_directory
        self._version = version
        self._clock = clock
        self._book = Book(log, clock, self._opening)
        self._turn: Turn | CompactionByHand | None = None
        self._aside: asyncio.Task[None] | None = None
        self._unsaid: list[LoggedEvent] = []
        self._undoing = Undoing(self, snapshots)
        self._policy_for = policy_for
        self._profile_for = profile_for
        self._profile_chosen: ProfileName = "auto"
        self._window_for = window_for
        self._price_for = price_for
        self._substitute_for = substitute_for
        self._spent, self._spent_in_run = Meter(), Meter(earlier)
        self._told_uncounted: set[tuple[str, str]] = set()
        self._describing = asyncio.Lock()
        self._looked: set[tuple[str, str]] = set()
        self._fit_profile()
        self.renew_policy()

    @property
    def records(self) -> Sequence[Record]:
        """Everything logged so far, oldest first."""
        return self._book.records

    @property
    def id(self) -> str:
        """Its name in the log; empty before the first event."""
        return self._book.id

    def _opening(self) -> SessionStarted:
        return SessionStarted(self._directory, self.provider.name, self.model, self.mode, self._version)

    @property
    def busy(self) -> bool:
        """True while a turn or a compaction runs."""
        return self._turn is not None and not self._turn.ended

    @property
    def configured_window(self) -> int | None:
        """Tokens of the model's window by the settings."""
        return self._window_for(self.provider.name)

    @property
    def window(self) -> int | None:
        """Tokens of the model's window, as far as that is known."""
        return known_window(self).tokens

    def context_use(self) -> ContextUse:
        """What fills the window of the model in use."""
        return context_use(self, self.options)

    @property
    def summary(self) -> Compacted | None:
        """The summary that is sent in place of the beginning of the conversation."""
        return self.conversation.summary(self.records)

    def continue_from(self, records: Sequence[Record], stand: Standing | None = None) -> None:
        """Take up an earlier session where it stood, which is `stand` if the caller knows.

        Where its model or mode were others than those in force now, the next turn says so in the log first.

        Raises:
            StoreError: there is nothing in it.
        """
        if not records:
            raise StoreError("the session is empty")
        self._book.continue_from(records)
        self._spent_in_run.skip(records)
        if left_open(records):
            self._unsaid.append(TurnEnded("interrupted"))
        stand = stand or standing(records)
        if (stand.provider, stand.model) != (self.provider.name, self.model):
            self._unsaid.append(ModelSwitched(self.provider.name, self.model))
        if stand.mode != self.mode:
            self._unsaid.append(ModeChanged(self.mode))

    def take_unsaid(self) -> list[LoggedEvent]:
        """What the log does not know yet about the model and mode in force; it is taken out."""
        events, self._unsaid = self._unsaid, []
        return events

    async def run(self, prompt: str) -> AsyncGenerator[Event]:
        """Submit a prompt and yield what happens until the turn has ended; the last event is `TurnEnded`.

        Leaving the iteration early stops the turn and leaves a valid log.

        Raises:
            RuntimeError: a turn is running already; use `steer`.
        """
        if self.busy:
            raise RuntimeError("a turn is running")
        async with aclosing(self._going_on(Turn, prompt)) as events:
            async for event in events:
                yield event

    async def compact(self, focus: str = "") -> AsyncGenerator[Event]:
        """Put a summary in place of the beginning of the conversation and yield what happens; `focus` is to be kept.

        When it is stopped, nothing is logged and nothing changes.

        Raises:
            NothingToCompact: it would save nothing, or a turn is running.
            ProviderError: no model is named, and the server cannot say which it has.
        """
        if self.busy:
            raise NothingToCompact("a turn is running", "stop it with esc first")
        async with aclosing(self._going_on(CompactionByHand, focus)) as events:
            async for event in events:
                yield event

    async def edit_summary(self, text: str) -> list[LoggedEvent]:
        """Send this from now on in place of what the summary in force stands for; what was logged comes back.

        Raises:
            StoreError: there is no summary, or a turn is running.
        """
        if self.busy:
            raise StoreError("a turn is running", "stop it with esc first")
        if (summary := self.summary) is None:
            raise StoreError("nothing was summarised yet")
        edited = Compacted(summary.before_seq, text.strip(), "edit", quoted=summary.quoted, messages=summary.messages)
        before, after = (size_of_next(self, self.options, *events) for events in ((), (edited,)))
        return await self.record(structs.replace(edited, before=before, after=after))

    async def _going_on(self, kind: type[Turn] | type[CompactionByHand], text: str) -> AsyncGenerator[Event]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._turn = turn = kind(self, self.options, KeyFilter(queue.put_nowait))
        task = asyncio.create_task(turn.run(text))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            turn.interrupt()
            await uninterrupted(_ended(task))

    def interrupt(self) -> None:
        """Stop the running turn or compaction; what that leaves behind is still yielded. Safe to call again."""
        if self._turn is not None:
            self._turn.interrupt()

    async def aside(self, question: str) -> AsyncGenerator[Event]:
        """Ask beside the conversation, also while a turn runs, and yield what happens; the last is `AsideAnswered`.

        When it was stopped before anything had arrived, there is none. Leaving the iteration early stops it.

        Raises:
            TuiAgentError: there is no answer, or it broke off, and what had arrived was yielded.
            RuntimeError: another question is being answered.
        """
        if self._aside is not None:
            raise RuntimeError("a question is being answered")
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._aside = task = asyncio.create_task(ask(self, self.options, question, KeyFilter(queue.put_nowait)))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            if not task.cancelled():
                await task
        finally:
            task.cancel()
            await uninterrupted(_ended(task))
            _ = task.cancelled() or task.exception()  # who left early asks for neither
            self._aside = None

    def stop_aside(self) -> None:
        """Stop the question that is being answered; `aside` still yields what that leaves. Safe to call again."""
        if self._aside is not None:
            self._aside.cancel()

    def reading_copy(self, provider: LLMProvider, model: str, executor: ToolExecutor) -> "Session":
        """A session that goes on from here with this model, in memory, without asking and without changing anything.

        `executor` becomes its own.
        """
        lets_reading_run = self.executor.lets_reading_run

        def policy_for(mode: Mode) -> Policy:
            policy = self._policy_for(mode)
            return ReadingPolicy(policy.letting_reading_run() if lets_reading_run else policy, COMPARED)

        copy = Session(
            log=None,
            executor=executor,
            provider=provider,
            model=model,
            options=replace(self.options, fallback=()),
            policy_for=policy_for,
            profile_for=self._profile_for,
            window_for=self._window_for,
            price_for=self._price_for,
            earlier=self.spent_in_run(),
            mode=self.mode,
            working_directory=self._directory,
            version=self._version,
            clock=self._clock,
        )
        if self.records:
            copy.continue_from(self.records)
        if (provider, model) == (self.provider, self.model):
            copy.model_info = self.model_info
        copy.set_profile(self._profile_chosen)
        return copy

    def steer(self, text: str) -> None:
        """Give the running turn a further prompt, after the current tool."""
        self.outbox.add(text, "step")

    @property
    def steered(self) -> bool:
        """True when prompts wait to be sent with the next request."""
        return self.outbox.has("step")

    def next_steering(self) -> str | None:
        """The next prompt that was given meanwhile; it is taken out."""
        return self.outbox.next("step")

    async def describe(self) -> list[LoggedEvent]:
        """Learn what the model is and which profile fits it; without a named model, take the one its server would use.

        It is asked once for each model. What was logged comes back.

        Raises:
            ProviderError: no model is named and the server cannot say which it has.
        """
        async with self._describing:
            provider, named = self.provider, self.model
            if self.model_info is not None:
                return []
            try:
                async with asyncio.timeout(DESCRIBE_SECONDS if named else None):
                    info = await provider.describe(named)
            except (ProviderError, TimeoutError):
                if not named:
                    raise
                # The request itself will meet the same trouble, and say so.
                info = ModelInfo(named)
            if (self.provider, self.model) != (provider, named):
                return []
            logged = [] if named else await self.switch(provider, info.id)
            self.model_info = info
            self._fit_profile()
            return logged

    @property
    def wants_look(self) -> bool:
        """Whether the server may still say what the model is, or how much it takes: some only do once it is loaded."""
        info, present = self.model_info, (self.provider.name, self.model)
        if info is None:
            return True
        if info.context_length is not None or self.configured_window is not None or present in self._looked:
            return False
        replies = (record.event for record in reversed(self.records) if isinstance(record.event, AssistantReplied))
        return any((reply.provider, reply.model) == present for reply in replies)

    async def look_up(self) -> None:
        """Learn what the model is, beside a turn; the profile stays, for another one would begin all anew."""
        async with self._describing:
            provider, named = self.provider, self.model
            if self.model_info is not None:
                self._looked.add((provider.name, named))
            with suppress(ProviderError):
                info = await provider.describe(named)
                if (self.provider, self.model) == (provider, named):
                    self.model_info = info

    def spent(self) -> Spent:
        """What the whole session used."""
        return self._spent.upto(self.records)

    def spent_in_turn(self) -> Spent:
        """What its last turn used, or the running one up to now."""
        return spent_in_turn(self.records)

    def spent_in_run(self) -> Spent:
        """What this run of the program used, in this session and those before it."""
        return self._spent_in_run.upto(self.records)

    @property
    def price(self) -> Price | None:
        """What the present model costs; None when nothing says so."""
        return self._price_for(self.provider.name, self.model)

    def limit_reached(self) -> Noticed | None:
        """What to say when this run of the program may send no further request; None when it may."""
        return limit_reached(self.options.limits, self.spent_in_run())

    def uncounted(self) -> Noticed | None:
        """What to say when the cost of the present model cannot be counted but has a limit; once for each model."""
        present = self.provider.name, self.model
        if present in self._told_uncounted:
            return None
        if (notice := uncounted(self.options.limits, *present, self.price)) is not None:
            self._told_uncounted.add(present)
        return notice

    async def substitute(self, entry: str) -> Substitute:
        """The provider and model of an entry of the settings' `fallback`, ready to answer.

        Raises:
            ConfigError: there is no such provider.
            ProviderError: it cannot be used; the message says why.
        """
        if self._substitute_for is None:
            raise ConfigError("this session has one provider only")
        return await self._substitute_for(entry)

    def set_profile(self, name: ProfileName) -> None:
        """Give the model more or less from the next request on; "auto" goes by the settings and the model again."""
        self._profile_chosen = name
        self._fit_profile()

    def _fit_profile(self) -> None:
        setting = self._profile_for(self.provider.name) if self._profile_chosen == "auto" else self._profile_chosen
        self.profile = choose_profile(setting, self.model_info)
        self.executor.simplify(self.profile.small)

    async def prime(self) -> AsyncGenerator[ProviderStatus]:
        """Let the provider read what every request begins with, if it can do so before the user asks.

        Raises:
            ProviderError: the provider cannot be got ready.
        """
        if isinstance(self.provider, PrimingProvider):
            await self.describe()
            async with aclosing(self.provider.prime(first_request(self, self.options))) as statuses:
                async for status in statuses:
                    yield status

    async def switch(self, provider: LLMProvider, model: str) -> list[LoggedEvent]:
        """Let another provider and model answer from the next request on."""
        if (provider, model) != (self.provider, self.model):
            self.provider, self.model, self.model_info = provider, model, None
            self._fit_profile()
        if not self.records:
            return []
        return await self.record(ModelSwitched(provider.name, model))

    async def set_mode(self, mode: Mode) -> list[LoggedEvent]:
        """Change the approval mode from the next call on."""
        self.mode = mode
        self.renew_policy()
        if not self.records:
            return []
        return await self.record(ModeChanged(mode))

    def renew_policy(self) -> None:
        """Decide the next call by the rules and the mode of now."""
        self.executor.policy = self._policy_for(self.mode)

    @property
    def undoing(self) -> Undoing:
        """What takes back what calls changed, and the conversation."""
        return self._undoing

    async def changed(self, snapshots: Sequence[str]) -> tuple[int, int, int]:
        """How many files calls left other than they were, and lines added and removed in them."""
        return await self._undoing.counts(snapshots)

    async def record(self, event: LoggedEvent) -> list[LoggedEvent]:
        """Log an event; the first one opens the session. What was logged comes back, a notice of trouble included.

        One event at a time, each to its end: being cancelled half-way would leave a record that nobody knows of.
        """
        return await uninterrupted(self._book.record(without_keys(event)))


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
