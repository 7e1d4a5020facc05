"""One turn: ask the model, run what it calls, tell it the results, until it has answered."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.context import messages, request_size
from tui_agent.agent.exchange import Exchange
from tui_agent.agent.fallback import Fallback, Substitute
from tui_agent.agent.mentions import mentioned_files
from tui_agent.agent.nudges import Nudges
from tui_agent.agent.profile import Profile, offered
from tui_agent.agent.prompt import EXAMPLE, system_prompt
from tui_agent.agent.spending import Limits
from tui_agent.config.model import Price
from tui_agent.conversation.errors import ProviderError, TuiAgentError
from tui_agent.conversation.events import (
    AssistantReplied,
    CallStarted,
    DecisionMade,
    Event,
    LoggedEvent,
    Mode,
    Noticed,
    PromptSubmitted,
    Record,
    RequestStarted,
    ToolFinished,
    ToolOutput,
    TurnEnded,
    TurnReason,
)
from tui_agent.conversation.messages import Message, ToolCall
from tui_agent.providers.protocol import ChatRequest, LLMProvider, ModelInfo
from tui_agent.tools.attempt import ToolOutcome
from tui_agent.tools.executor import ToolExecutor

logger = logging.getLogger(__name__)

SAME_CALL_LIMIT = 4
"""The same call with the same result so many times in a row ends the turn."""

NOT_BEGUN = "not run: the turn was stopped"
STOPPED = "stopped while it ran; it may have been done in part"

MALFORMED_LIMIT = 3
"""So many replies in a row whose calls could all not be understood end the turn."""


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What a turn may use and how long it may go on."""

    max_iterations: int = 50
    tools: bool = True
    directory: str = "."
    system: str = "Linux"
    system_addition: str = ""
    limits: Limits = field(default_factory=Limits)
    fallback: tuple[str, ...] = ()
    """Who answers when the provider is down: `PROVIDER` or `PROVIDER/MODEL`, first to last."""


class Journal(Protocol):
    """What a turn needs of its session."""

    mode: Mode
    executor: ToolExecutor
    provider: LLMProvider
    model: str
    profile: Profile
    model_info: ModelInfo | None

    async def describe(self) -> list[LoggedEvent]:
        """Learn what the model is."""
        ...

    @property
    def records(self) -> Sequence[Record]:
        """Everything logged so far."""
        ...

    async def record(self, event: LoggedEvent) -> list[LoggedEvent]:
        """Log an event and say what was logged."""
        ...

    def take_unsaid(self) -> list[LoggedEvent]:
        """Events that have to be logged before the next prompt."""
        ...

    async def changed(self, snapshots: Sequence[str]) -> tuple[int, int, int]:
        """How many files calls left other than they were, and lines added and removed in them."""
        ...

    async def switch(self, provider: LLMProvider, model: str) -> list[LoggedEvent]:
        """Let another provider and model answer from the next request on."""
        ...

    async def substitute(self, entry: str) -> Substitute:
        """The provider and model of an entry of `fallback`."""
        ...

    @property
    def price(self) -> Price | None:
        """What the present model costs."""
        ...

    def limit_reached(self) -> Noticed | None:
        """What to say when no further request may be sent."""
        ...

    def uncounted(self) -> Noticed | None:
        """What to say, once, when the cost of the present model cannot be counted but has a limit."""
        ...

    @property
    def steered(self) -> bool:
        """True when prompts wait to be sent with the next request."""
        ...

    def take_steering(self) -> list[str]:
        """Prompts given meanwhile."""
        ...


class _TurnDenied(Exception):
    """The user denied and stopped."""


class Turn:
    """Runs once."""

    def __init__(self, session: Journal, options: TurnOptions, emit: Callable[[Event], None]) -> None:
        self.ended = False
        self._session = session
        self._options = options
        self._emit = emit
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._exchange: Exchange | None = None
        self._fallback = Fallback(session, options.fallback, self._log, emit)
        self._open_calls: list[ToolCall] = []
        self._begun = ""
        self._repeated = False
        self._nudges = Nudges()
        self._snapshots: list[str] = []

    def interrupt(self) -> None:
        """Stop at the next await; what that leaves open is still logged. Once is enough, more do no harm."""
        if not self._stopping:
            self._stopping = True
            if self._task is not None:
                self._task.cancel()

    async def run(self, prompt: str) -> None:
        """Run to the end; whatever happens, the last event is `TurnEnded` and the log is valid."""
        self._task = asyncio.current_task()
        cause = ""
        reason: TurnReason
        try:
            for event in (*self._session.take_unsaid(), self._submitted(prompt)):
                await self._log(event)
            if self._stopping:
                raise asyncio.CancelledError
            reason = await self._iterate()
        except asyncio.CancelledError:
            reason = "interrupted"
        except _TurnDenied:
            reason = "denied"
        except ProviderError as error:
            # Without its message: a server may quote what it was sent.
            logger.warning("provider %s: %s, status %s", self._session.provider.name, error.kind, error.status)
            await self._say(Noticed("error", error.message, error.hint))
            reason, cause = "error", error.kind
        except TuiAgentError as error:
            await self._say(Noticed("error", error.message, error.hint))
            reason, cause = "error", "internal"
        except Exception as error:  # a fault of ours costs this turn, never the session
            logger.exception("turn failed")
            await self._say(
                Noticed("error", f"internal error: {error!r}", "the session is kept; send a prompt to go on")
            )
            reason, cause = "error", "internal"
        self._stopping = True
        with suppress(asyncio.CancelledError):
            await uninterrupted(self._close(reason, cause))
        self.ended = True

    def _submitted(self, prompt: str) -> PromptSubmitted:
        files = mentioned_files(prompt, self._session.executor.workspace)
        self._nudges.asked(prompt, files)
        return PromptSubmitted(prompt, files)

    async def _say(self, notice: Noticed) -> None:
        """Log a notice on the way out, where a further interrupt changes nothing."""
        with suppress(asyncio.CancelledError):
            await self._log(notice)

    async def _know_model(self) -> None:
        for logged in await know_model(self._session):
            self._emit(logged)

    async def _close(self, reason: TurnReason, cause: str) -> None:
        if self._exchange is not None and self._exchange.shown:
            await self._log(self._exchange.as_far_as_it_came())
        self._exchange = None
        for call in self._open_calls:
            text = STOPPED if call.id == self._begun else NOT_BEGUN
            await self._log(ToolFinished(call.id, call.name, "", "cancelled", text, 0.0))
        self._open_calls = []
        await self._log(TurnEnded(reason, cause, *await self._session.changed(self._snapshots)))

    async def _iterate(self) -> TurnReason:
        retried_empty = False
        patience = _Patience()
        for iteration in range(1, self._options.max_iterations + 1):
            if (reached := self._session.limit_reached()) is not None:
                await self._log(reached)
                return "limit"
            for text in self._session.take_steering():
                await self._log(self._submitted(text))
            reply = await self._fallback.answered(partial(self._ask, iteration), self._shown)
            if reply.finish == "incomplete":
                return "error"
            if reply.tool_calls:
                outcomes = await self._run_calls(reply.tool_calls)
                self._nudges.done(outcomes)
                self._repeated = patience.seen(reply.tool_calls, outcomes) and self._session.profile.small
                if (trouble := patience.lost(reply.tool_calls, outcomes)) is not None:
                    await self._log(trouble)
                    return "max_iterations"
            elif not reply.text.strip() and reply.finish == "stop" and not retried_empty:
                retried_empty = True
            elif self._session.profile.small and (word := self._nudges.word(looking=self._looking)) is not None:
                await self._log(word)
            else:
                if (notice := _about_ending(reply)) is not None:
                    await self._log(notice)
                if not self._session.steered:
                    return "done"
        await self._log(
            Noticed(
                "warning",
                f"stopped after {self._options.max_iterations} requests to the model",
                "send a prompt to go on, or raise --max-iterations",
            )
        )
        return "max_iterations"

    async def _ask(self, iteration: int) -> AssistantReplied:
        """One request; the reply is logged, whole or as far as it came."""
        await self._know_model()
        if (doubt := self._session.uncounted()) is not None:
            await self._log(doubt)
        request = self._request()
        size = request_size(request)
        provider = self._session.provider
        logger.info("request %d to %s, model %s, about %d tokens", iteration, provider.name, request.model, size)
        self._emit(RequestStarted(provider.name, request.model, iteration, size))
        self._exchange = exchange = Exchange(provider, request, size, self._emit, self._session.price)
        finished = await exchange.run()
        logged = exchange.logged(finished)
        # From here on the calls are open: if the turn is stopped before they ran, each still gets a result.
        self._exchange, self._open_calls = None, list(finished.calls)
        await self._log(logged)
        if finished.notice is not None:
            await self._log(finished.notice)
        if finished.error:
            await self._log(Noticed("error", finished.error, "the part that arrived is kept; send a prompt to go on"))
        return logged

    def _shown(self) -> bool:
        """Whether anything of the reply that is coming was shown."""
        return self._exchange is not None and self._exchange.shown

    def _request(self) -> ChatRequest:
        """The conversation so far, as the model is sent it."""
        request = next_request(self._session, self._options)
        return replace(request, tool_choice="none") if self._repeated else request

    async def _run_calls(self, calls: Sequence[ToolCall]) -> list[ToolOutcome]:
        """Run the calls of one reply in order and log each decision and result."""
        outcomes = []
        for place, call in enumerate(calls, start=1):
            outcome = await self._session.executor.run(
                call,
                position=place,
                total=len(calls),
                upcoming=calls[place:],
                on_prepared=partial(self._prepared, call),
                on_decision=self._decided,
                on_output=partial(self._output, call.id),
                on_notice=self._warned,
            )
            await self._finish(
                call,
                ToolFinished(
                    call_id=call.id,
                    tool=outcome.tool,
                    title=outcome.title,
                    status=outcome.status,
                    content=outcome.result.content,
                    seconds=round(outcome.seconds, 3),
                    files=outcome.result.files,
                    exit_code=outcome.result.exit_code,
                    repairs=outcome.repairs,
                ),
            )
            logger.info("call of %s: %s in %.3f s", outcome.tool, outcome.status, outcome.seconds)
            outcomes.append(outcome)
            if outcome.stop:
                raise _TurnDenied
        return outcomes

    async def _decided(self, decision: DecisionMade) -> None:
        await self._log(decision)
        if decision.outcome == "allowed":
            self._begun = decision.call_id
        if decision.snapshot and decision.snapshot not in self._snapshots:
            self._snapshots.append(decision.snapshot)

    async def _warned(self, text: str, hint: str) -> None:
        await self._log(Noticed("warning", text, hint))

    def _prepared(self, call: ToolCall, title: str) -> None:
        self._emit(CallStarted(call, title))

    @property
    def _looking(self) -> bool:
        """Whether nothing is to be done but look."""
        return self._session.mode == "plan"

    def _output(self, call_id: str, text: str) -> None:
        self._emit(ToolOutput(call_id, text))

    async def _finish(self, call: ToolCall, result: ToolFinished) -> None:
        """Log a result and close its call, both or neither."""

        async def both() -> None:
            await self._log(result)
            self._open_calls.remove(call)

        await uninterrupted(both())

    async def _log(self, event: LoggedEvent) -> None:
        """Log an event and show it, both or neither."""

        async def both() -> None:
            for logged in await self._session.record(event):
                self._emit(logged)

        await uninterrupted(both())


async def know_model(session: Journal) -> list[LoggedEvent]:
    """Learn which model answers, and how much it is given; a server elsewhere is not asked what nobody waits for.

    Raises:
        ProviderError: no model is named and the server cannot say which it has.
    """
    if not session.model or (session.model_info is None and session.provider.local):
        return await session.describe()
    return []


def next_request(session: Journal, options: TurnOptions) -> ChatRequest:
    """The whole conversation so far, as the model of now is sent it."""
    beginning = first_request(session, options)
    system = beginning.messages[0].content
    sent = messages((record.event for record in session.records), system, small=session.profile.small)
    return replace(beginning, messages=(sent[0], *beginning.messages[1:], *sent[1:]))


def first_request(session: Journal, options: TurnOptions) -> ChatRequest:
    """What every request of the session begins with: the system prompt and the tools on offer."""
    system = system_prompt(
        options.directory,
        options.system,
        options.system_addition,
        plan=session.mode == "plan",
        small=session.profile.small,
    )
    tools = offered(session.executor.specs(), session.profile) if options.tools else ()
    # A small model that is left to chance loses its way sooner than one that always takes the likeliest word.
    temperature = 0.0 if session.profile.small else None
    example = EXAMPLE if session.profile.small and tools else ()
    fixed = (Message("system", system), *example)
    return ChatRequest(session.model, fixed, tools, temperature=temperature, fixed=len(fixed))


def _about_ending(reply: AssistantReplied) -> Noticed | None:
    match reply.finish:
        case "length":
            return Noticed("warning", "the reply was cut by its length limit", "send `continue` to go on")
        case "content_filter":
            return Noticed("warning", "the provider's content filter ended the reply")
        case _ if not reply.text.strip():
            return Noticed("warning", "the model sent an empty reply", "send the prompt again, or try another model")
        case _:
            return None


class _Patience:
    """Counts fruitless rounds, so that a confused model does not go on for ever."""

    def __init__(self) -> None:
        self._malformed = 0
        self._same = 0
        self._last: object = None
        self._seen: set[tuple[str, str, str]] = set()

    def seen(self, calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> bool:
        """True when one of these calls was made before in this turn and came to the same."""
        now = {
            (outcome.tool, call.arguments, outcome.result.content)
            for call, outcome in zip(calls, outcomes, strict=True)
        }
        repeated = bool(now & self._seen)
        self._seen |= now
        return repeated

    def lost(self, calls: Sequence[ToolCall], outcomes: Sequence[ToolOutcome]) -> Noticed | None:
        """The notice to stop with, once a limit is reached."""
        self._malformed = self._malformed + 1 if not any(outcome.understood for outcome in outcomes) else 0
        if self._malformed >= MALFORMED_LIMIT:
            return Noticed(
                "warning",
                f"stopped: the last {self._malformed} replies held no tool call that could be understood",
                "try another model, or ask for one small step at a time",
            )
        now = [(call.name, call.arguments, outcome.result) for call, outcome in zip(calls, outcomes, strict=True)]
        self._same = self._same + 1 if now == self._last else 1
        self._last = now
        if self._same >= SAME_CALL_LIMIT:
            return Noticed(
                "warning",
                f"stopped: the model made the same call {self._same} times with the same result",
                "say what it should do instead",
            )
        return None
