"""The gate of a screen that asks: its answering keys count once it was painted and nothing was pressed for a while."""

import time
from asyncio import TimerHandle
from collections.abc import Callable
from typing import Any

from textual import events
from textual.screen import Screen

from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.bindings import keys_of
from tui_agent.tui.later import later


class Gate:
    """Decides for `screen`, whose place in the registry is `place`, about its actions `answers` (their methods).

    The screen hands on every key that reaches it, and asks `armed` before it does one of these actions.
    """

    def __init__(
        self, screen: Screen[Any], place: str, answers: frozenset[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._place = place
        self._answers = answers
        self._clock = clock
        self._guard = ArmingGuard()
        self._timer: TimerHandle | None = None

    @property
    def armed(self) -> bool:
        """True when a key pressed now would answer."""
        return self._guard.armed(self._clock())

    @property
    def opens_at(self) -> float:
        """The moment from which a key would answer, if nothing disturbs; infinity while nothing is shown."""
        return self._guard.opens_at()

    def begin(self) -> None:
        """The screen is mounted; what gives the terminal its focus back answers nothing."""
        self._screen.watch(self._screen.app, "app_focus", self.disturbed, init=False)
        self._screen.call_after_refresh(self.painted)

    def painted(self) -> None:
        """The question has just been painted."""
        self._guard.shown(self._clock())
        self.look()

    def hidden(self) -> None:
        """Something else is shown: no key answers."""
        self._guard.hidden()
        self.look()

    def disturbed(self) -> None:
        """The terminal got or lost the focus."""
        self._guard.refocused(self._clock())
        self.look()

    def look(self) -> None:
        """Tell the footer now, and again when the gate opens."""
        self._screen.refresh_bindings()
        left = self._guard.opens_at() - self._clock()
        if self._timer is None and 0 < left < float("inf"):
            self._timer = later(self._screen, left, self._due)

    def _due(self) -> None:
        self._timer = None
        self.look()

    def key(self, event: events.Key) -> None:
        """Keep out answers that were pressed before the gate was open, whenever they arrive."""
        keymap = self._screen.app._keymap
        own = {
            key: action.method for action in ACTIONS if action.place == self._place for key in keys_of(action, keymap)
        }
        method = own.get(event.key)
        pressed = self._clock() - max(0.0, time.monotonic() - event.time)
        if method in self._answers and not self._guard.armed(pressed):
            event.stop()
        elif method is not None:
            return
        self._guard.prompt_key(self._clock())
        self.look()
