"""Prompts and their turns: what is sent while one runs steers it, and what came too late for that opens the next."""

from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from tui_agent.conversation.events import PromptSubmitted, TurnEnded
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


class Turns:
    """One turn at a time; `queued` are the prompts that wait for the end of the step that runs."""

    def __init__(self, face: "Face", engine: Engine, models: Models, standby: Standby, questions: Questions) -> None:
        self._face = face
        self._engine = engine
        self._models = models
        self._standby = standby
        self._questions = questions
        self.queued: tuple[str, ...] = ()
        self._stopped = False  # by the user, and nothing was sent since

    def send(self, prompt: str) -> None:
        """Begin a turn, or steer the one that runs."""
        self._stopped = False
        self._face.aside(partial(self._take, prompt), RUNNING, instead=False)

    async def _take(self, prompt: str) -> None:
        host = await self._engine.ready()
        if host is None:
            self._face.give_back(prompt)
            if (failure := self._engine.failure) is not None:
                self._face.say("error", failure.message, failure.hint)
        elif self._standby.going:
            self._standby.hold(prompt)
        elif host.trouble is not None:
            await self._look_for_somebody(host, prompt)
        elif host.session.busy:
            host.session.steer(prompt)
            self.queued += (prompt,)
            self._face.changed()
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
        prompt: str | None = text
        while prompt is not None:
            async with aclosing(host.session.run(prompt)) as happening:
                async for event in happening:
                    self._face.show(event)
            # What was typed too late to steer this turn opens the next one, unless the user stopped it.
            left = self._take_queue(host)
            prompt = "\n\n".join(left) if left and not self._stopped else None
            if left and prompt is None:
                self._face.give_back("\n\n".join(left))
            self._stopped = False
        self._face.changed()

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        match event:
            case PromptSubmitted():
                self.queued = tuple(text for text in self.queued if text != event.text)
            case TurnEnded():
                self._stopped = event.reason in ("interrupted", "denied")
                self._questions.forget()
                self._face.call_back()
            case _:
                pass

    def stop(self) -> None:
        """Stop the turn that runs; what was typed meanwhile and not yet sent is given back."""
        host = self._engine.host
        if host is None or not host.session.busy:
            return
        if waiting := self._take_queue(host):
            self._face.give_back("\n\n".join(waiting))
        self._stopped = True
        if (asked := self._questions.first) is not None:
            self._questions.answer(asked, Denied(stop=True))
        else:
            host.session.interrupt()
        self._face.changed()

    def _take_queue(self, host: Host) -> list[str]:
        """What was not sent yet; it is no longer queued."""
        self.queued = ()
        return host.session.take_steering()
