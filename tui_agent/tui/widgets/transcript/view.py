"""The transcript on the screen: one widget, whatever the length; only rows in view are laid out and painted."""

from asyncio import TimerHandle
from time import monotonic
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from textual.events import Blur, Click, Focus
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.later import later
from tui_agent.tui.theming import UNICODE, Palette, Symbols
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    Document,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
)
from tui_agent.tui.widgets.transcript.layout import gutter_for, mark_of
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.paint import Painter, text_width
from tui_agent.tui.widgets.transcript.viewport import Viewport

FRAME = 1 / 30
"""Seconds between two repaints while text streams."""

# Painted rows to keep of one block: a few screens, a strip is some kilobytes.
_STRIPS = 400

_NAMES: dict[type[Block], str] = {
    UserBlock: "prompt",
    AgentBlock: "answer",
    ThoughtBlock: "thought",
    ToolBlock: "tool call",
    NoticeBlock: "notice",
    SwitchBlock: "model",
}


class TranscriptView(ScrollView, can_focus=True):
    """Shows a document, following its end until the user scrolls up.

    However often the document changes, at most one repaint a frame; no timer runs while nothing changes.
    """

    BINDINGS = bindings_for("transcript")
    ALLOW_SELECT = True

    DEFAULT_CSS = """
    TranscriptView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        background: $background;
    }
    """

    class Copied(Message):
        """The user copied a block: its source, and what kind of block it was in a word."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    class FoldToggled(Message):
        """The user folded or unfolded a block."""

        def __init__(self, block_id: int, folded: bool) -> None:
            super().__init__()
            self.block_id = block_id
            self.folded = folded

    def __init__(
        self,
        document: Document,
        *,
        palette: Palette,
        symbols: Symbols = UNICODE,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.document = document
        self.cursor: int | None = None
        """Id of the block that the keys act on."""
        self._palette = palette
        self._symbols = symbols
        self._painter = Painter(palette, symbols)
        self._port = Viewport(document)
        self._area = Size()
        self._shown: tuple[object, ...] = ()
        self._frame: TimerHandle | None = None
        self._second: TimerHandle | None = None
        self._last_frame = 0.0
        self._cost = 0.0
        self._painting = False
        document.on_change = self._document_changed

    @property
    def follow(self) -> bool:
        """True while new content scrolls into view."""
        return self._port.follow

    @property
    def palette(self) -> Palette:
        """Colours; setting it repaints, nothing is laid out again."""
        return self._palette

    @palette.setter
    def palette(self, palette: Palette) -> None:
        self._palette = palette
        self._repaint()

    @property
    def symbols(self) -> Symbols:
        """Signs; setting it repaints."""
        return self._symbols

    @symbols.setter
    def symbols(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._repaint()

    def _repaint(self) -> None:
        self._painter = Painter(self._palette, self._symbols)
        self._port.restyled()
        self.refresh()

    # ---- changes of the document, at most one frame at a time ----

    def _document_changed(self, block_id: int | None) -> None:
        self._port.changed(block_id)
        if self._frame is None and self.is_running:
            # A frame that cost much makes the next one wait longer: half of the time stays free for keys.
            wait = max(FRAME - self._cost, self._cost) - (monotonic() - self._last_frame)
            self._frame = later(self, wait, self._show_changes)

    def on_mount(self) -> None:
        """Show what the document holds already."""
        self._sync()

    def _show_changes(self) -> None:
        self._frame = None
        began = monotonic()
        self._sync()
        self._last_frame = monotonic()
        self._cost = self._last_frame - began

    def _sync(self) -> None:
        """Bring position and screen in line with the document."""
        port = self._port
        port.settle()
        if port.place_of(self.cursor) is None:
            self.cursor = None
            if self.has_focus and len(port):
                self._cursor_index()
        self._place_view()
        shown = port.shown()
        counting = port.at_work()
        if shown != self._shown or counting:
            self._shown = shown
            self.refresh()
        if counting and self._second is None:
            self._second = later(self, 1.0, self._second_passed)

    def _second_passed(self) -> None:
        """Something counts seconds; otherwise no timer runs."""
        self._second = None
        self._port.second_passed()
        self._sync()

    def _place_view(self) -> None:
        """Tell Textual where the view stands."""
        port = self._port
        size = Size(self._area.width, max(port.total, self._area.height))
        if size != self.virtual_size:
            # Setting the reactive would lay out the whole screen; the bar is always there, so only it has to know.
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        if round(self.scroll_y) != port.top or self.scroll_target_y != port.top:
            self.scroll_target_y = self.scroll_y = port.top

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        resized = super()._size_updated(size, virtual_size, container_size, layout)
        inner = size - self.styles.gutter.totals
        area = Size(max(0, inner.width - self.scrollbar_size_vertical), inner.height)
        if area != self._area:
            self._area = area
            self._port.resize(text_width(area.width, gutter_for(area.width)) if area.width else 0, area.height)
            self._sync()
        return resized

    # ---- scrolling: whatever comes here was the user's wish ----

    def _scroll_to(self, x: float | None = None, y: float | None = None, **_how: Any) -> bool:
        """Every way of scrolling that Textual has ends here; `_how` asks for animations that we do not make."""
        return y is not None and self._go(round(y))

    def _go(self, top: int) -> bool:
        before = self._port.top
        self._port.go(top)
        self._sync()
        return self._port.top != before

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
                # Blocks on the way were measured only by going there; the second time the place is exact.
                self._go(self._port.first_row(index))
                self._go(self._port.first_row(index))
                return True
            index += way
        return False

    # ---- the block under the cursor ----

    def _cursor_index(self) -> int:
        """The block the keys act on: the cursor's while it is in view, else the last one in view."""
        first, last = self._port.in_view()
        index = self._port.place_of(self.cursor)
        if index is None or not first <= index <= last:
            index = last
            self._set_cursor(index)
        return index

    def _set_cursor(self, index: int) -> None:
        block_id = self.document.blocks[index].id
        if block_id != self.cursor:
            self.cursor = block_id
            self.refresh()

    def on_focus(self, _event: Focus) -> None:
        """Show the cursor."""
        if len(self._port):
            self._cursor_index()
        self.refresh()

    def on_blur(self, _event: Blur) -> None:
        """Hide the cursor."""
        self.refresh()

    def action_fold(self) -> None:
        """Fold or unfold the block under the cursor."""
        if len(self._port):
            self._toggle(self._cursor_index())

    def action_copy(self) -> None:
        """Copy the source of the block under the cursor."""
        if len(self._port):
            block = self.document.blocks[self._cursor_index()]
            if text := sanitize(block.source):
                self.post_message(self.Copied(text, _NAMES.get(type(block), "text")))

    def _toggle(self, index: int) -> None:
        block = self.document.blocks[index]
        if block.foldable and isinstance(block, ThoughtBlock | ToolBlock):
            self.document.set_folded(block, not block.folded)
            self._port.hold()
            self._sync()
            self.post_message(self.FoldToggled(block.id, block.folded))

    def on_click(self, event: Click) -> None:
        """A click puts the cursor on a block; on the first row of one that folds it also toggles it."""
        row = self._port.row(self._port.top + event.y)
        if row is not None and self.text_selection is None:
            self._set_cursor(row.place)
            if row.row == 0:
                self._toggle(row.place)

    # ---- painting ----

    def render(self) -> RenderableType:
        """Nothing: rows are drawn one by one."""
        return ""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint rows; outside of here rows carry the offsets that selecting by mouse asks for."""
        self._painting = True
        try:
            return super().render_lines(crop)
        finally:
            self._painting = False

    def render_line(self, y: int) -> Strip:
        """Paint the row `y` of the view."""
        row = self._port.top + y
        strip = self._strip(row)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row)) is not None:
            strip = self._selected(strip, *span)
        return strip if self._painting else strip.apply_offsets(0, row)

    def _strip(self, number: int) -> Strip:
        width = self._area.width
        row = self._port.row(number)
        if row is None or row.row < 0:
            return self._painter.blank(width)
        rows = self._port.rows_of(row.block)
        if row.row >= len(rows.lines):
            return self._painter.blank(width)
        cursor = row.block.id == self.cursor and self.has_focus
        strip = rows.strips.get((row.row, cursor))
        if not isinstance(strip, Strip) or strip.cell_length != width:
            if len(rows.strips) > _STRIPS:
                rows.strips.clear()
            mark = mark_of(row.block) if row.row == 0 else None
            strip = self._painter.strip(rows.lines[row.row], mark, gutter_for(width), width, cursor)
            rows.strips[row.row, cursor] = strip
        return strip

    # ---- selecting by mouse ----

    def _selected(self, strip: Strip, start: int, end: int) -> Strip:
        text = strip.text
        left, right = cell_len(text[:start]), cell_len(text[:end]) if end >= 0 else strip.cell_length
        middle = strip.crop(left, right).apply_style(self._painter.selection)
        return Strip.join([strip.crop(0, left), middle, strip.crop(right)])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text of the selected rows, without the gutter."""
        port = self._port
        first = selection.start.y if selection.start else 0
        last = min(selection.end.y if selection.end else port.total, port.total - 1)
        gutter = gutter_for(self._area.width).width
        lines = []
        for number in range(first, last + 1):
            row = port.row(number)
            rows = port.rows_of(row.block).lines if row else []
            text = text_of(rows[row.row].spans) if row and 0 <= row.row < len(rows) else ""
            start, end = selection.get_span(number) or (0, 0)
            lines.append(text[max(0, start - gutter) : len(text) if end < 0 else max(0, end - gutter)])
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaint with the selection."""
        self.refresh()
