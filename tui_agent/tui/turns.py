"""Prompts and their turns: what is sent while one runs steers it, what is queued follows it, and nothing is lost."""

import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Literal

from tui_agent.conversation.events import PromptSubmitted, TurnEnded, TurnReason
from tui_agent.conversation.outbox import Outbox
from tui_agent.permissions.approval import Denied
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host
from tui_agent.tui.models import Models
from tui_agent.tui.questions import Questions
from tui_agent.tui.standby import Standby

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.tui.face import Face

RUNNING = "turn"
"""The group of what runs turns."""

_STOPPED: tuple[TurnReason, ...] = ("interrupted", "denied")


class Turns:
    """One turn at a time; `outbox` has what waits for the end of a step or of the turn.

    A turn that ended well is followed by what waits, each prompt a turn of its own. After one that the user stopped all
    of it comes back into the prompt. After any other it stays until `go_on` or `give_back`.
    """

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        models: Models,
        standby: Standby,
        questions: Questions,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.going = False
        """A turn runs, or the next one is about to begin."""
        self._coming = 0  # prompts on their way to one
        self.idle_since = clock()
        """When the last turn was over, as `clock` has it."""
        self._face = face
        self._engine = engine
        self._models = models
        self._standby = standby
        self._questions = questions
        self._outbox = outbox
        self._clock = clock
        self._reason: TurnReason = "done"  # why the last turn ended
        self._over = False  # the user knows that the turn ends: they stopped it, or saw its end
        self._stopped = False  # by the user
        self._sent_since = False  # something was sent since then
        self._unlogged: str | None = None  # the prompt that the turn began with, until the log has it

    @property
    def busy(self) -> bool:
        """Whether what is queued now has something to wait for."""
        return self.going or self._coming > 0

    def send(self, prompt: str) -> None:
        """Begin a turn, or steer the one that runs."""
        self._bring(prompt, "step")

    def queue(self, prompt: str) -> None:
        """Begin a turn, when the one that runs has ended well."""
        self._bring(prompt, "turn")

    def _bring(self, prompt: str, when: Literal["step", "turn"]) -> None:
        self._coming += 1
        self._face.aside(partial(self._brought, prompt, when), RUNNING, instead=False)

    def go_on(self) -> None:
        """Send what waits although no turn runs."""
        self._face.aside(self._go_on, RUNNING, instead=False)

    async def _brought(self, prompt: str, when: Literal["step", "turn"]) -> None:
        try:
            host = await self._engine.ready()
        finally:
            self._coming -= 1
        if host is None:
            self._face.changed()
            self._face.give_back(prompt)
            if (failure := self._engine.failure) is not None:
                self._face.say("error", failure.message, failure.hint)
            return
        self._outbox.add(prompt, when)
        self._sent_since = self._sent_since or self._over
        await self._begin(host)

    async def _go_on(self) -> None:
        if (host := await self._engine.ready()) is not None:
            await self._begin(host)

    async def _begin(self, host: Host) -> None:
        """Send the next of what waits, unless a turn runs, which looks for it itself."""
        if self.going or host.session.busy or (prompt := self._next()) is None:
            self._face.changed()
        elif self._standby.going:
            self._standby.hold(prompt)
        elif host.trouble is not None:
            await self._look_for_somebody(host, prompt)
        else:
            await self._run(host, prompt)

    async def _look_for_somebody(self, host: Host, prompt: str) -> None:
        if await self._models.look(host):
            self._standby.hold(prompt)
            self._models.prepare()
        else:
            self._face.give_back(prompt)
            self._models.still_nobody()
            self._face.changed()

    async def _run(self, host: Host, text: str) -> None:
        self.going = True
        prompt: str | None = text
        try:
            while prompt is not None:
                await self._turn(host, prompt)
                await self._engine.ready()  # what is done to the session between two turns comes first
                if (self._reason == "done" and not self._stopped) or self._sent_since:
                    prompt = self._next()
                else:
                    prompt = None
                    if self._stopped or self._reason in _STOPPED:
                        self.give_back()
        finally:
            self.going = False
            self.idle_since = self._clock()
            self._face.changed()

    async def _turn(self, host: Host, prompt: str) -> None:
        host.session.outbox = self._outbox
        self._reason, self._over, self._stopped, self._sent_since = "error", False, False, False
        self._unlogged = prompt
        try:
            async with aclosing(host.session.run(prompt)) as happening:
                async for event in happening:
                    self._face.show(event)
        finally:
            if self._unlogged is not None:  # stopped, or failed, before it was the model's
                self._outbox.put_first([self._unlogged], "step")

    def _next(self) -> str | None:
        return self._outbox.next("step") or self._outbox.next("turn")

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        match event:
            case PromptSubmitted():
                self._unlogged = None
            case TurnEnded():
                self._reason, self._over = event.reason, True
                self._questions.forget()
                self._face.call_back()
            case _:
                pass

    # ---- what waits ----

    def give_back(self) -> None:
        """Put everything that waits back into the prompt, in order."""
        if waiting := self._outbox.take_all():
            self._face.give_back("\n\n".join(waiting))

    def take_back(self) -> None:
        """Put what was queued last back into the prompt; in its turn, behind what is being queued."""
        self._face.aside(self._take_back, RUNNING, instead=False)

    async def _take_back(self) -> None:
        await self._engine.ready()
        if text := self._outbox.take_newest():
            self._face.give_back(text)

    def hold(self) -> None:
        """Send nothing of what waits: the user looks it through."""
        self._outbox.paused = True

    def release(self) -> None:
        """Go on after `hold`; what a turn that ended well meanwhile would have been followed by follows it now."""
        self._outbox.paused = False
        if not self.going and self._reason == "done":
            self.go_on()
        self._face.changed()

    # ---- stopping ----

    def stop(self) -> None:
        """Stop the turn that runs; what was typed meanwhile and not yet sent is given back."""
        host = self._engine.host
        if host is None or not (self.going or host.session.busy):
            return
        self.stopping()
        if (asked := self._questions.first) is not None:
            self._questions.answer(asked, Denied(stop=True))
        else:
            host.session.interrupt()
        self._face.changed()

    def stopping(self) -> None:
        """The user stops the turn: all of what waits comes back."""
        self.give_back()
        self._over, self._stopped, self._sent_since = True, True, False
