"""What is at the foot of the chat: a question when there is one, what goes on, what waits, the prompt, and keys."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from tui_agent.conversation.outbox import Waiting
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.activity import Activity, ActivityLine
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.queued import QueuedLines


class Foot(Vertical):
    """Made around a prompt; questions and the find bar are mounted into it."""

    def __init__(self, prompt: PromptArea, *, symbols: Symbols) -> None:
        super().__init__(id="foot")
        self.prompt = prompt
        self._activity = ActivityLine(symbols=symbols)
        self._queued = QueuedLines(symbols=symbols)

    def compose(self) -> ComposeResult:
        """From the top to the bottom."""
        yield self._activity
        yield self._queued
        yield self.prompt
        yield KeyFooter()

    def show(self, activity: Activity, waiting: Sequence[Waiting], ready: str, hint: str, *, stuck: bool) -> None:
        """What goes on, and the prompts that wait: see `QueuedLines.show`."""
        self._activity.show(activity)
        self._queued.show(waiting, ready, hint, stuck=stuck)

    def type(self, text: str) -> None:
        """Go on typing in the prompt, with what was typed elsewhere."""
        self.prompt.focus()
        self.prompt.insert(text)
