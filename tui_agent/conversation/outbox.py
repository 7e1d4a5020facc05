"""Prompts that were typed and not sent yet."""

from collections.abc import Iterable
from itertools import count
from typing import Literal, NamedTuple

When = Literal["ready", "step", "turn"]
"""What a prompt waits for: the model to be ready, the end of the step that runs, or the end of the turn."""

_ORDER: tuple[When, ...] = ("ready", "step", "turn")


class Waiting(NamedTuple):
    """A prompt that waits; no two ever have the same `number`, a higher one was added later."""

    number: int
    text: str
    when: When


class Outbox:
    """Always in the order in which it will be sent: what steers a turn goes before what follows it.

    While it is `paused`, nothing leaves it to be sent.
    """

    def __init__(self) -> None:
        self.paused = False
        self._waiting: list[Waiting] = []
        self._numbers = count(1)

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """All of them, the next one first."""
        return tuple(self._waiting)

    def texts(self, when: When) -> tuple[str, ...]:
        """Those of one kind, in order."""
        return tuple(one.text for one in self._waiting if one.when == when)

    def add(self, text: str, when: When) -> None:
        """Behind all others of its kind."""
        self._put([*self._waiting, Waiting(next(self._numbers), text, when)])

    def put_first(self, texts: Iterable[str], when: When) -> None:
        """Before all others of their kind."""
        self._put([*(Waiting(next(self._numbers), text, when) for text in texts), *self._waiting])

    # ---- leaving ----

    def has(self, when: When) -> bool:
        """Whether `next` has one of this kind."""
        return not self.paused and any(one.when == when for one in self._waiting)

    def next(self, when: When) -> str | None:
        """The first of a kind, to be sent now; it is taken out."""
        return self.take(next(one.number for one in self._waiting if one.when == when)) if self.has(when) else None

    def take(self, number: int) -> str:
        """Take one out; empty when it is not there any more."""
        text = next((one.text for one in self._waiting if one.number == number), "")
        self._put(one for one in self._waiting if one.number != number)
        return text

    def take_newest(self) -> str:
        """Take out what was added last; empty when there is nothing."""
        return self.take(max((one.number for one in self._waiting), default=0))

    def take_all(self, when: When | None = None) -> list[str]:
        """Take out everything, or all of one kind."""
        taken = [one for one in self._waiting if when in (None, one.when)]
        self._put(one for one in self._waiting if one not in taken)
        return [one.text for one in taken]

    # ---- changing ----

    def edit(self, number: int, text: str) -> None:
        """Give one another text; without any it is gone."""
        edited = (one._replace(text=text) if one.number == number else one for one in self._waiting)
        self._put(one for one in edited if one.text.strip())

    def move(self, number: int, step: int) -> None:
        """Send one earlier (-1) or later (1); over the border between two kinds it becomes one of the other."""
        at = next((at for at, one in enumerate(self._waiting) if one.number == number), None)
        if at is None:
            return
        one, other = self._waiting[at], at + step
        if 0 <= other < len(self._waiting) and self._waiting[other].when == one.when:
            self._waiting[at], self._waiting[other] = self._waiting[other], one
        elif one.when == ("turn" if step < 0 else "step"):
            self.turn(number)

    def turn(self, number: int) -> None:
        """Make what follows the turn steer it, as the last that does; or the other way, as the first that follows."""
        one = next((one for one in self._waiting if one.number == number), None)
        if one is None or one.when == "ready":
            return
        rest = [other for other in self._waiting if other is not one]
        self._put([*rest, one._replace(when="step")] if one.when == "turn" else [one._replace(when="turn"), *rest])

    def _put(self, waiting: Iterable[Waiting]) -> None:
        self._waiting = sorted(waiting, key=lambda one: _ORDER.index(one.when))
