"""Work that nobody waits for, done when nobody would notice: what the first answer needs, and a tidy memory."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.screen import Screen

from tui_agent.conversation.events import RequestStarted, TurnEnded
from tui_agent.tui.collecting import Collector, lasting
from tui_agent.tui.later import later
from tui_agent.tui.widgets.transcript.layout import prepare

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event

QUIET = 0.5
"""Seconds from the end of a turn to the first work that nobody waits for."""


class Upkeep:
    """Of one screen; `warm_up` imports what the first answer needs, in a thread."""

    def __init__(self, screen: Screen[None], warm_up: Callable[[], None]) -> None:
        self._screen = screen
        self._warm_up = warm_up
        self._warm = False
        self._collector = Collector()

    def begin(self) -> None:
        """From the first paint on."""
        self._collector.begin()

    def end(self) -> None:
        """The screen is gone: all as it was."""
        self._collector.end()

    def typing(self) -> None:
        """The user begins to type: soon there is something to answer."""
        if not self._warm:
            self._warm = True
            self._screen.run_worker(self._get_warm, thread=True, exit_on_error=False)

    def _get_warm(self) -> None:
        with lasting():
            prepare()
            self._warm_up()

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        if isinstance(event, TurnEnded):
            later(self._screen, QUIET, self._collector.round)
        elif isinstance(event, RequestStarted):
            self._collector.between()
