"""One turn: ask the model, run what it calls, tell it the results, until it has answered."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.agent.context import request_size
from tui_agent.agent.exchange import Exchange
from tui_agent.agent.fallback import Fallback
from tui_agent.agent.journal import Journal, TurnOptions
from tui_agent.agent.making_room import MakingRoom
from tui_agent.agent.mentions import mentioned_files
from tui_agent.agent.nudges import Nudges
from tui_agent.agent.patience import Patience, about_ending
from tui_agent.agent.requests import know_model
from tui_agent.conversation.errors import ProviderError, TuiAgentError
from tui_agent.conversation.events import (
    AssistantReplied,
    CallStarted,
    DecisionMade,
    Event,
    LoggedEvent,
    Noticed,
    PromptSubmitted,
    RequestStarted,
    ToolFinished,
    ToolOutput,
    TurnEnded,
    TurnReason,
)
from tui_agent.conversation.messages import ToolCall
from tui_agent.providers.protocol import ChatRequest
from tui_agent.tools.attempt import ToolOutcome

logger = logging.getLogger(__name__)

NOT_BEGUN = "not run: the turn was stopped"
STOPPED = "stopped while it ran; it may have been done in part"


class _TurnDenied(Exception):
    """The user denied and stopped."""


class _LimitReached(Exception):
    """This run may send no further request."""

    def __init__(self, notice: Noticed) -> None:
        super().__init__(notice.text)
        self.notice = notice


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
        self._room = MakingRoom(session, options, self._log, emit, hurry=lambda: self._fallback.hurry)
        self._looking_up: asyncio.Task[None] | None = None
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
        except _LimitReached as stopped:
            await self._say(stopped.notice)
            reason = "limit"
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
        session = self._session
        for logged in await know_model(session):
            self._emit(logged)
        if self._looking_up is None and session.wants_look:
            self._looking_up = asyncio.create_task(session.look_up())

    async def _stop_looking_up(self) -> None:
        if self._looking_up is not None:
            self._looking_up.cancel()
            await asyncio.wait([self._looking_up])

    async def _close(self, reason: TurnReason, cause: str) -> None:
        if self._exchange is not None and self._exchange.shown:
            await self._log(self._exchange.as_far_as_it_came())
        self._exchange = None
        for call in self._open_calls:
            text = STOPPED if call.id == self._begun else NOT_BEGUN
            await self._log(ToolFinished(call.id, call.name, "", "cancelled", text, 0.0))
        self._open_calls = []
        await self._stop_looking_up()
        changed = await self._session.changed(self._snapshots)
        await self._log(TurnEnded(reason, cause, *changed, window=self._room.told))

    async def _iterate(self) -> TurnReason:
        retried_empty = False
        patience = Patience()
        for iteration in range(1, self._options.max_iterations + 1):
            self._check_limit()
            while (text := self._session.next_steering()) is not None:  # one by one: a stop in between loses none
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
                if (notice := about_ending(reply)) is not None:
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
        request = await self._fitting_request()
        self._check_limit()  # a summary costs something too
        request = replace(request, hurry=self._fallback.hurry)
        if self._repeated:
            request = replace(request, tool_choice="none")
        size = request_size(request)
        provider = self._session.provider
        logger.info("request %d to %s, model %s, about %d tokens", iteration, provider.name, request.model, size)
        self._emit(RequestStarted(provider.name, request.model, iteration, size))
        self._exchange = exchange = Exchange(provider, request, size, self._emit, self._session.price)
        try:
            finished = await exchange.run()
        except ProviderError as error:
            if exchange.shown or not await self._room.overflowed(error):
                raise
            return await self._ask(iteration)
        logged = exchange.logged(finished)
        # From here on the calls are open: if the turn is stopped before they ran, each still gets a result.
        self._exchange, self._open_calls = None, list(finished.calls)
        await self._log(logged)
        if finished.notice is not None:
            await self._log(finished.notice)
        await self._room.replied(told=finished.notice is not None)
        if finished.error:
            await self._log(Noticed("error", finished.error, "the part that arrived is kept; send a prompt to go on"))
        return logged

    async def _fitting_request(self) -> ChatRequest:
        """The next request, with room in the window of the model that is in use once it is ready."""
        session = self._session
        while True:
            await self._know_model()
            present = session.provider, session.model
            if (doubt := session.uncounted()) is not None:
                await self._log(doubt)
            request = await self._room.request()
            if (session.provider, session.model) == present:  # nobody chose another one meanwhile
                return request

    def _check_limit(self) -> None:
        if (reached := self._session.limit_reached()) is not None:
            raise _LimitReached(reached)

    def _shown(self) -> bool:
        """Whether anything of the reply that is coming was shown."""
        return self._exchange is not None and self._exchange.shown

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
