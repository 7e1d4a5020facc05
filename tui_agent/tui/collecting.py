"""Keeping the garbage collector out of the way: looking through all that lives, time and again, holds up keys.

Everything that lasts (modules, the session, what was shown) is frozen: the collector passes over it. Full rounds are
made at quiet moments and cost no more than what was made since the one before; the young objects are looked through as
ever. What was frozen and is dropped later goes by its reference count; only a cycle of such objects stays.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_NEVER = 1_000_000
_SECONDS = 30.0
"""Seconds between two full rounds while a turn goes on."""


class Collector:
    """Full rounds of the garbage collector, made when nobody waits."""

    def __init__(self) -> None:
        self._last = monotonic()
        self._thresholds = gc.get_threshold()

    def begin(self) -> None:
        """From the first paint on; until then nothing is collected at all."""
        young, middle, _ = self._thresholds
        gc.set_threshold(young, middle, _NEVER)
        gc.freeze()
        gc.enable()

    def end(self) -> None:
        """The screen is gone: all as it was."""
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def between(self) -> None:
        """Between two requests of a turn: a round if the last one is long ago."""
        if monotonic() - self._last > _SECONDS:
            self.round()

    def round(self) -> None:
        """A quiet moment: what lives now is passed over from here on."""
        gc.collect()
        gc.freeze()
        self._last = monotonic()


@contextmanager
def lasting() -> Iterator[None]:
    """What is made inside stays: it is not looked through, neither meanwhile nor later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
