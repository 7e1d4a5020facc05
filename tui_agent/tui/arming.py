"""When a question may be answered: never by a key that was meant for something else."""

import math

SILENCE = 0.4
"""Seconds without a key, and since the question was painted, before a key may answer it (docs/approval.md)."""

BEHIND = 0.3
"""Seconds without a key behind one that allows this call, or opens a line: who types a word goes on sooner (the mean of
many typists is 0.24 s from key to key), and who means it hardly notices, because the key is marked at once."""

HELD = 0.8
"""Seconds for which a key that was pressed before may only be the same press: keyboards begin to repeat a key that is
held after up to 0.7 s."""


class ArmingGuard:
    """Decides whether a key or click at a moment may answer; moments are seconds on one monotonic clock.

    A question opens `SILENCE` seconds after the latest of: its paint, the last key or paste meant for the prompt, and
    the terminal getting its focus back. Nothing is shown until `shown`, and nothing after `hidden`. A key that was
    pressed last before, for the prompt or as an answer, opens later by itself: `HELD` seconds after that.
    """

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._quiet_since = -math.inf
        self._visible = False
        self._last = ("", -math.inf)

    def shown(self, at: float) -> None:
        """A question has just been painted."""
        self._visible = True
        self._disturb(at)

    def hidden(self) -> None:
        """No question is on the screen any more."""
        self._visible = False

    def prompt_key(self, at: float, key: str = "") -> None:
        """A key or paste went, or belongs, to the prompt; `key` is its name, where it is a key."""
        self._disturb(at)
        self.pressed(at, key)

    def pressed(self, at: float, key: str) -> None:
        """A key was pressed, for whatever."""
        if key and at >= self._last[1]:
            self._last = (key, at)

    def refocused(self, at: float) -> None:
        """The terminal window got or lost the focus."""
        self._disturb(at)

    def opens_at(self, key: str = "") -> float:
        """The moment from which an answer, or that key, counts if nothing else happens; infinity without a question."""
        if not self._visible:
            return math.inf
        held = self._last[1] + HELD if key and key == self._last[0] else -math.inf
        return max(self._quiet_since + self._silence, held)

    def armed(self, at: float, key: str = "") -> bool:
        """True when a key pressed at this moment may answer."""
        return at >= self.opens_at(key)

    def _disturb(self, at: float) -> None:
        self._quiet_since = max(self._quiet_since, at)
