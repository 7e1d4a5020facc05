"""Escape pressed twice: told from one that is held, from one that did something else, and from a cut key sequence."""

import math
from typing import Literal

from tui_agent.tui.arming import HELD

AGAIN = 1.0
"""Seconds in which the second press counts."""

APART = 0.03
"""Seconds between two presses of a finger, at least: a terminal sends Alt as an escape before the key's own one."""


class Twice:
    """Times are seconds on the clock of the events."""

    def __init__(self) -> None:
        self._before = self._last = -math.inf
        self._first = -math.inf

    def typed(self, key: str, at: float) -> None:
        """A key was pressed, whoever takes it; call it for every one."""
        if key == "escape":
            self._before, self._last = self._last, at
        else:
            self._first = -math.inf

    def pressed(self, at: float, idle_since: float) -> Literal["first", "second", ""]:
        """What the escape that was `typed` at this moment is, where nobody else has taken it.

        A first one has nothing that could be the same press for `HELD` seconds before it: no escape, and no turn.
        """
        if APART <= at - self._first <= AGAIN:
            self._first = -math.inf
            return "second"
        first = at - max(self._before, idle_since) >= HELD
        self._first = at if first else -math.inf
        return "first" if first else ""
