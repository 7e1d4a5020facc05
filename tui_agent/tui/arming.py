"""When a question may be answered: never by a key that was meant for something else."""

import math

SILENCE = 0.4
"""Seconds without a key, and since the question was painted, before a key may answer it (TUI.md, "Approval")."""


class ArmingGuard:
    """Decides whether a key or click at a moment may answer; moments are seconds on one monotonic clock.

    A question opens `SILENCE` seconds after the latest of: its paint, the last key or paste meant for the prompt, and
    the terminal getting its focus back. Nothing is shown until `shown`, and nothing after `hidden`.
    """

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._quiet_since = -math.inf
        self._visible = False

    def shown(self, at: float) -> None:
        """A question has just been painted."""
        self._visible = True
        self._disturb(at)

    def hidden(self) -> None:
        """No question is on the screen any more."""
        self._visible = False

    def prompt_key(self, at: float) -> None:
        """A key or paste went, or belongs, to the prompt."""
        self._disturb(at)

    def refocused(self, at: float) -> None:
        """The terminal window got or lost the focus."""
        self._disturb(at)

    def opens_at(self) -> float:
        """The moment from which an answer counts, if nothing else happens; infinity when nothing is shown."""
        return self._quiet_since + self._silence if self._visible else math.inf

    def armed(self, at: float) -> bool:
        """True when a key pressed at this moment may answer."""
        return at >= self.opens_at()

    def _disturb(self, at: float) -> None:
        self._quiet_since = max(self._quiet_since, at)
