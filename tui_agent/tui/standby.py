"""Getting a model ready before it is asked: fetching it when the user wants that, and letting it read its beginning."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from tui_agent.tui.host import Offer
from tui_agent.tui.widgets.activity import Activity, preparing

if TYPE_CHECKING:
    from tui_agent.agent.session import Session
    from tui_agent.conversation.outbox import Outbox
    from tui_agent.providers.embedded.download import PullProgress


class Standby:
    """What is done for the model while no turn runs; `changed` is called whenever there is something else to show.

    Prompts that are sent meanwhile are held in `outbox`. One thing is done at a time: what replaces another waits for
    its end.
    """

    def __init__(
        self, changed: Callable[[], None], outbox: "Outbox", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fetching: Offer | None = None
        """The model that is being downloaded."""
        self.share = 0.0
        """How much of it is there, from 0 to 1."""
        self.changed = changed
        """Call it when something else is to be shown."""
        self._outbox = outbox
        self._clock = clock
        self._activity = Activity()
        self._runs = 0
        self._lock = asyncio.Lock()

    @property
    def going(self) -> bool:
        """Something is being done, and a prompt has to wait for it."""
        return self._runs > 0

    @property
    def held(self) -> tuple[str, ...]:
        """Prompts that wait for the model, in order."""
        return self._outbox.texts("ready")

    @property
    def waited_for(self) -> bool:
        """The user wants the end of it: what is done is not only in the background, and can be stopped."""
        return self.fetching is not None or bool(self.held)

    @property
    def activity(self) -> Activity:
        """What to show."""
        done = self._activity
        return done if self.waited_for or done.kind == "idle" else Activity("quiet", done.text, details=done.details)

    def hold(self, prompt: str) -> None:
        """Keep a prompt until the model is ready."""
        self._outbox.add(prompt, "ready")
        self.changed()

    def release(self) -> list[str]:
        """The prompts that wait; they wait no longer."""
        return self._outbox.take_all("ready")

    async def fetch(self, offer: Offer, steps: "AsyncGenerator[PullProgress]") -> None:
        """Download a model; raises what `steps` raises."""
        from tui_agent.providers.embedded.launch import Meter

        meter, since = Meter(offer.model), self._clock()
        with self._run():
            async with self._lock, aclosing(steps):
                self.fetching, self.share = offer, offer.here / offer.size
                try:
                    async for step in steps:
                        self.share = step.done / step.total
                        self._tell(preparing(meter.text(step, self._clock()), since))
                finally:
                    self.fetching = None

    async def prime(self, session: "Session") -> None:
        """Let the session's provider get ready, if it can; raises what it raises."""
        since = self._clock()
        with self._run():
            async with self._lock, aclosing(session.prime()) as statuses:
                async for status in statuses:
                    self._tell(preparing(status.text, since) if status.text else Activity())

    @contextmanager
    def _run(self) -> Iterator[None]:
        self._runs += 1
        try:
            yield
        finally:
            self._runs -= 1
            self._activity = Activity()
            self.changed()

    def _tell(self, activity: Activity) -> None:
        if activity != self._activity:
            self._activity = activity
            self.changed()
