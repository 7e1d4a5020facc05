"""A session to look at: all of it, or as it happened; nothing can be sent there."""

import asyncio
from collections.abc import Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.conversation.events import Record
from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.clipboard import copy, open_or_copy
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.transcript.document import Document
from tui_agent.tui.widgets.transcript.projection import Projector, blocks_of
from tui_agent.tui.widgets.transcript.view import TranscriptView

SPEED = 4.0
"""Times as fast as it was."""


class LookingScreen(ClosingScreen[None]):
    """Shows the records of a session; with a `speed`, one after the other as they came."""

    BINDINGS = bindings_for("looking")
    AUTO_FOCUS = "TranscriptView"

    DEFAULT_CSS = """
    LookingScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        TranscriptView { height: 1fr; }
    }
    """

    app: Shell

    def __init__(
        self,
        heading: str,
        records: Sequence[Record],
        *,
        speed: float | None = None,
        symbols: Symbols = UNICODE,
    ) -> None:
        super().__init__()
        self._heading = heading
        self._records = records
        self._speed = speed
        self._document = Document()
        self._title = Static(id="title", markup=False)
        self._symbols = symbols

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        self._view = TranscriptView(self._document, palette=self.app.palette, symbols=self._symbols)
        yield self._title
        yield self._view
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin."""
        if self._speed is None:
            self._say("nothing can be sent here")
            self._show_all()
        else:
            self._say(f"replay, {self._speed:g} × as fast")
            self._replay(self._speed)

    def _say(self, state: str) -> None:
        self._title.update(Content.assemble((state, "bold $text"), (f"  {one_line(self._heading)}", "$tui-muted")))

    @work(exit_on_error=False)
    async def _show_all(self) -> None:
        self._document.put_first(await asyncio.to_thread(blocks_of, self._records))
        self._view.action_end()

    @work(exit_on_error=False)
    async def _replay(self, speed: float) -> None:
        from tui_agent.store.replay import scenes

        projector = Projector(self._document)
        for pause, event in scenes(self._records, speed):
            await asyncio.sleep(pause)  # also without a pause: keys come in between
            projector.apply(event)
        projector.close()
        self._say("the end")

    @on(TranscriptView.Copied)
    def _copied(self, event: TranscriptView.Copied) -> None:
        copy(self.app, event.text, event.what)

    @on(TranscriptView.LinkOpened)
    @work(exit_on_error=False)
    async def _open_link(self, event: TranscriptView.LinkOpened) -> None:
        await open_or_copy(self.app, event.url)

    def action_close(self) -> None:
        """Back; a replay stops."""
        self.dismiss(None)
