"""What is known of the session that is shown: its blocks and how far it is, both from its events."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui_agent.conversation.events import Level, Noticed
from tui_agent.tui.collecting import lasting
from tui_agent.tui.progress import Progress
from tui_agent.tui.widgets.activity import Activity
from tui_agent.tui.widgets.transcript.document import Document, ThoughtBlock, ToolBlock
from tui_agent.tui.widgets.transcript.layout import prepare
from tui_agent.tui.widgets.transcript.projection import Projector, blocks_of

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event, Record


class Transcript:
    """One session at a time; `document` stays the same, `progress` is that of the session."""

    def __init__(
        self,
        *,
        thoughts_folded: bool,
        changes_key: Callable[[], str] = str,
        currency: Callable[[], str] = lambda: "$",
    ) -> None:
        self.document = Document()
        self.progress = Progress()
        self._told = changes_key, currency
        self._projector = Projector(self.document, thoughts_folded, *self._told)
        self._details_folded = True

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        self._projector.apply(event)
        self.progress.take(event, time.monotonic())

    def say(self, level: Level, text: str, hint: str = "") -> None:
        """Put a notice of ours at the end."""
        self._projector.apply(Noticed(level, text, hint))

    # ---- which session ----

    def clear(self) -> None:
        """Begin with nothing."""
        self.document.clear()
        self.progress = Progress()
        self._projector = Projector(self.document, self.thoughts_folded, *self._told)

    async def begin_with(self, end: "Sequence[Record]") -> None:
        """Show the last turns of a session, or all of them, and nothing else."""
        blocks = await asyncio.to_thread(blocks_of, end, self.thoughts_folded, *self._told)
        await asyncio.to_thread(prepare)
        self.clear()
        self.document.put_first(blocks)
        for record in end:
            self.progress.take(record.event, time.monotonic())
        self.progress.activity = Activity()  # a log that was cut ends in the middle of a turn

    async def put_above(self, earlier: "Sequence[Record]") -> None:
        """Show the turns before those that are shown."""
        with lasting():
            blocks = await asyncio.to_thread(blocks_of, earlier, self.thoughts_folded, *self._told)
        self.document.put_first(blocks)

    # ---- what is folded ----

    @property
    def thoughts_folded(self) -> bool:
        """Whether thoughts come folded from now on."""
        return self._projector.thoughts_folded

    @thoughts_folded.setter
    def thoughts_folded(self, folded: bool) -> None:
        self._projector.thoughts_folded = folded

    def toggle_thoughts(self) -> None:
        """Fold or unfold all thoughts, also those to come."""
        self.thoughts_folded = not self.thoughts_folded
        self.document.fold_all(ThoughtBlock, self.thoughts_folded)

    def toggle_details(self) -> None:
        """Fold or unfold all tool calls."""
        self._details_folded = not self._details_folded
        self.document.fold_all(ToolBlock, self._details_folded)
