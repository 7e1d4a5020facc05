"""The keys of the transcript while something was looked for in it."""

from typing import Protocol

from textual.events import Key
from textual.geometry import Size

from tui_agent.tui.bindings import TAKES_KEYS, passed_on, run_in_order
from tui_agent.tui.widgets.transcript.selecting import SelectingPane


class Steps(Protocol):
    """The search whose marks are shown."""

    def step(self, ways: int) -> None:
        """Go to the next hit (1) or the one before (-1)."""

    def stop(self) -> None:
        """Take the marks off."""

    def resized(self) -> None:
        """The rows are others."""


class FindingPane(SelectingPane):
    """A pane in which one can go from hit to hit; `finding` is None while nothing is looked for."""

    finding: Steps | None = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Going to hits needs some."""
        if action in ("find_next", "find_previous"):
            return self.finding is not None
        return super().check_action(action, parameters)

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        before = self._area
        resized = super()._size_updated(size, virtual_size, container_size, layout)
        if self._area != before and self.finding is not None:
            self.finding.resized()
        return resized

    async def _on_key(self, event: Key) -> None:
        active = self.screen.active_bindings.get(event.key)
        if not passed_on(event, self) and active is not None and active.binding.id in TAKES_KEYS:
            await run_in_order(event, self, self)

    def action_find_next(self) -> None:
        """To the next hit."""
        if self.finding is not None:
            self.finding.step(1)

    def action_find_previous(self) -> None:
        """To the hit before."""
        if self.finding is not None:
            self.finding.step(-1)

    def action_unselect(self) -> None:
        """Nothing is selected any more, or if nothing was, nothing is marked."""
        if self.selecting or self.finding is None:
            super().action_unselect()
        else:
            self.finding.stop()
