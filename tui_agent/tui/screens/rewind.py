"""The prompts of the session: which one to go back to before, and what goes back."""

import time
from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.filtered import FilteredScreen, matches
from tui_agent.tui.screens.sessions import ago
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import Row, columns

if TYPE_CHECKING:
    from tui_agent.agent.undo import Prompt

_WIDEST = 110
_GOES = (("files", "conversation"), ("conversation",), ("files",))
"""What may go back; the first is offered first."""


class RewindScreen(FilteredScreen["tuple[Prompt, tuple[str, ...]] | None"]):
    """Dismisses with the prompt and what goes back to before it, or None."""

    BINDINGS = bindings_for("rewind")
    HEADING = "go back"
    PLACEHOLDER = "filter by prompt"

    def __init__(self, prompts: "Sequence[Prompt]", *, now: float | None = None, symbols: Symbols = UNICODE) -> None:
        """`prompts`, oldest first; `now` in Unix seconds."""
        super().__init__(symbols)
        self._now = time.time() if now is None else now
        self._prompts = tuple(reversed(prompts))
        self._goes = 0

    def on_mount(self) -> None:
        """Show them."""
        self.rebuild()

    def rows(self, words: str) -> Sequence[Row]:
        """The prompts that fit the filter, the latest first."""
        fitting = [prompt for prompt in self._prompts if matches(prompt.text, words)]
        if fitting:
            return [Row(prompt.seq, partial(self._draw, prompt)) for prompt in fitting]
        return [Row(None, lambda width: Content.styled("nothing fits the filter", "$tui-faint"))]

    def heading(self) -> tuple[Content, Content]:
        """What goes back."""
        return super().heading()[0], Content.styled(" and ".join(_GOES[self._goes]), "$accent")

    def note(self, key: Hashable) -> Content:
        """What would happen."""
        place = next((place for place, prompt in enumerate(self._prompts) if prompt.seq == key), None)
        if place is None:
            return Content("")
        turns = f"{place + 1} prompt" + ("" if place == 0 else "s")
        said = {
            "files": "what calls changed since then is undone, where nothing else changed it",
            "conversation": f"{turns} and what came of them are not sent any more; the text comes back to be edited",
        }
        return Content("; ".join(said[what] for what in _GOES[self._goes]))

    def choose(self, key: Hashable) -> None:
        """Go back to before it."""
        prompt = next((prompt for prompt in self._prompts if prompt.seq == key), None)
        if prompt is not None:
            self.dismiss((prompt, _GOES[self._goes]))

    def action_open(self) -> None:
        """Go back to before the highlighted prompt."""
        self.choose_selected()

    def action_cycle_what(self) -> None:
        """Both, the conversation, the files."""
        self._goes = (self._goes + 1) % len(_GOES)
        self.rebuild()

    def _draw(self, prompt: "Prompt", width: int) -> Content:
        width = min(width, _WIDEST)
        title = Content.styled(one_line(prompt.text) or "(no text)", "$text")
        when = Content.styled(ago(self._now - prompt.time), "$tui-muted")
        return columns(width, (title, width - 16), (when, -16))
