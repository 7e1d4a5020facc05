"""Moving through the transcript: the cursor goes from block to block, the view with it."""

from textual.events import Blur, Focus

from tui_agent.tui.widgets.transcript.document import TurnBlock, UserBlock
from tui_agent.tui.widgets.transcript.pane import TranscriptPane


class MovingPane(TranscriptPane):
    """A pane with a cursor on a block; what keys act on is always in view."""

    def _settled(self) -> None:
        if self._port.place_of(self.cursor) is None:
            self.cursor = None
            if self.has_focus and len(self._port):
                self._cursor_index()

    def action_line_up(self) -> None:
        """A line up, or to the block above when it is in view."""
        port = self._port
        if not len(port):
            return
        index = self._cursor_index()
        if index and port.first_row(index) >= port.top:
            self._set_cursor(index - 1)
            if port.end_row(index - 1) > port.top:
                port.hold()
                return
        self._go(port.top - 1)

    def action_line_down(self) -> None:
        """A line down, or to the block below when it is in view."""
        port = self._port
        if not len(port):
            return
        index, bottom = self._cursor_index(), port.top + self._area.height
        if index + 1 < len(port) and port.end_row(index) <= bottom:
            self._set_cursor(index + 1)
            if port.first_row(index + 1) < bottom:
                return
        self._go(port.top + 1)

    def action_page_up(self) -> None:
        """A page up."""
        self._page(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self._page(1)

    def _page(self, way: int) -> None:
        if not len(self._port):
            return
        self._go(self._port.top + way * max(1, self._area.height - 1))
        first, last = self._port.in_view()
        index = self._port.place_of(self.cursor)
        self._set_cursor(last if index is None else min(max(index, first), last))

    def action_home(self) -> None:
        """To the start."""
        if len(self._port):
            self._go(0)
            self._set_cursor(0)

    def action_end(self) -> None:
        """To the end, and follow it."""
        self._port.to_end()
        self._sync()
        if len(self._port):
            self._set_cursor(len(self._port) - 1)

    def action_previous_prompt(self) -> None:
        """To the prompt above the cursor."""
        self._jump(-1)

    def action_next_prompt(self) -> None:
        """To the prompt below the cursor, else to the end."""
        if not self._jump(1):
            self.action_end()

    def _jump(self, way: int) -> bool:
        if not len(self._port):
            return False
        index = self._cursor_index() + way
        while 0 <= index < len(self._port):
            if isinstance(self.document.blocks[index], UserBlock):
                self._set_cursor(index)
                self._port.show(self.document.blocks[index].id, 0, 0)
                self._sync()
                return True
            index += way
        return False

    # ---- the block under the cursor ----

    def _cursor_index(self) -> int:
        """The block the keys act on: the cursor's while it is in view, else the last one in view.

        The line under a turn is passed over: who comes here wants to copy or unfold what is above it.
        """
        first, last = self._port.in_view()
        index = self._port.place_of(self.cursor)
        if index is None or not first <= index <= last:
            index = last
            while index > first and isinstance(self.document.blocks[index], TurnBlock):
                index -= 1
            self._set_cursor(index)
        return index

    def _set_cursor(self, index: int) -> None:
        block_id = self.document.blocks[index].id
        if block_id != self.cursor:
            self.cursor = block_id
            self.refresh()

    def point_at(self, block_id: int) -> None:
        """Put the cursor on a block, if it is in view."""
        index = self._port.place_of(block_id)
        if index is not None:
            self._set_cursor(index)

    def on_focus(self, _event: Focus) -> None:
        """Show the cursor."""
        if len(self._port):
            self._cursor_index()
        self.refresh()

    def on_blur(self, _event: Blur) -> None:
        """Hide the cursor."""
        self.refresh()
