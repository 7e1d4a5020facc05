"""The transcript on the screen: one widget, whatever the length; only rows in view are laid out and painted."""

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
from textual.timer import Timer
from textual.widget import Widget

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import bindings_for
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
from tui_agent.tui.widgets.transcript.layout import (
    BlockRows,
    estimated_height,
    gap_before,
    gutter_for,
    mark_of,
)
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.paint import Painter, text_width
from tui_agent.tui.widgets.transcript.rows import RowIndex

FRAME = 1 / 30
"""Seconds between two repaints while text streams."""

# Laid-out blocks to keep when they are out of view.
_KEPT = 300

_NAMES: dict[type[Block], str] = {
    UserBlock: "prompt",
    AgentBlock: "answer",
    ThoughtBlock: "thought",
    ToolBlock: "tool call",
    NoticeBlock: "notice",
    SwitchBlock: "model",
}


class TranscriptView(ScrollView, can_focus=True):
    """Shows a document and follows its end until the user scrolls up.

    `follow` is changed by the user only: scrolling up clears it, reaching the end sets it. Where the view stands while
    it does not follow is remembered as a block and a row in it, so that nothing above can move what is being read.
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
        self.follow = True
        self.cursor: int | None = None
        self._palette = palette
        self._symbols = symbols
        self._painter = Painter(palette, symbols)
        self._rows: dict[int, BlockRows] = {}
        self._heights: dict[int, int] = {}  # of laid-out blocks at the present width, without the gap above
        self._index = RowIndex()
        self._place: dict[int, int] = {}
        self._top: tuple[int, int] | None = None  # block id and row in it, at the top of the view
        self._changed: set[int] = set()
        self._restructured = True
        self._frame: Timer | None = None
        self._second: Timer | None = None
        self._last_frame = 0.0
        self._cost = 0.0
        self._painting = False
        document.on_change = self._document_changed

    # ---- what the app sets ----

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
        for rows in self._rows.values():
            rows.strips.clear()
        self.refresh()

    # ---- changes of the document, at most one frame at a time ----

    def _document_changed(self, block_id: int | None) -> None:
        if block_id is None:
            self._restructured = True
        else:
            self._changed.add(block_id)
        if self._frame is None and self.is_running:
            # A frame that cost much makes the next one wait longer: half of the time stays free for keys.
            wait = max(FRAME, 2 * self._cost) - (monotonic() - self._last_frame)
            self._frame = self.set_timer(max(0.001, wait), self._show_changes)

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
        """Bring heights, position and screen in line with the document."""
        if not self.size.width:
            return
        changed, self._changed = self._changed, set()
        if self._restructured:
            self._restructure()
        for block_id in changed:
            self._heights.pop(block_id, None)
            self._measure_roughly(block_id)
        self._settle()
        self._watch_seconds()
        self.refresh()

    def _restructure(self) -> None:
        self._restructured = False
        width = self._text_width
        blocks = self.document.blocks
        self._place = {block.id: index for index, block in enumerate(blocks)}
        known = self._heights
        heights = []
        previous: Block | None = None
        for block in blocks:
            height = known.get(block.id)
            heights.append(gap_before(previous, block) + (estimated_height(block, width) if height is None else height))
            previous = block
        self._index.reset(heights)
        for gone in [block_id for block_id in self._rows if block_id not in self._place]:
            del self._rows[gone]
            self._heights.pop(gone, None)
        if self.cursor not in self._place:
            self.cursor = None

    def _measure_roughly(self, block_id: int) -> None:
        index = self._place.get(block_id)
        if index is None:
            return
        block = self.document.blocks[index]
        if block_id in self._rows and index >= len(self.document) - 2:
            self._lay_out(index)
        else:
            self._index.set(index, self._gap(index) + estimated_height(block, self._text_width))

    @property
    def _text_width(self) -> int:
        return text_width(self.size.width, gutter_for(self.size.width))

    def _gap(self, index: int) -> int:
        blocks = self.document.blocks
        return gap_before(blocks[index - 1] if index else None, blocks[index])

    def _lay_out(self, index: int) -> int:
        """Make a block's height exact; returns it with its gap."""
        block = self.document.blocks[index]
        height = self._heights.get(block.id)
        if height is None:
            rows = self._rows.get(block.id)
            if rows is None:
                rows = self._rows[block.id] = BlockRows(block)
            height = self._heights[block.id] = rows.update(self._text_width, self.document.clock)
            self._index.set(index, self._gap(index) + height)
        return self._index.height(index)

    def _settle(self) -> None:
        """Lay out what is in view and a page around it, then place the view where it has to be."""
        view = self.size.height
        count = len(self.document)
        if not count:
            self._place_view(0, 0)
            return
        if self.follow or self._top is None:
            self._lay_out_up(count - 1, 2 * view)
            total = self._index.total
            self._place_view(total, total - view)
            return
        index, row = self._place.get(self._top[0], count - 1), self._top[1]
        row = min(row, self._lay_out(index) - 1)
        below = self._lay_out_down(index, row + 2 * view)
        if below < row + view:
            self._lay_out_up(index, row + view - below + view)
        self._lay_out_up(index - 1, view)
        self._place_view(self._index.total, self._index.start(index) + row)

    def _lay_out_up(self, index: int, rows: int) -> None:
        while index >= 0 and rows > 0:
            rows -= self._lay_out(index)
            index -= 1

    def _lay_out_down(self, index: int, rows: int) -> int:
        found = 0
        while index < len(self.document) and found < rows:
            found += self._lay_out(index)
            index += 1
        return found

    def _place_view(self, total: int, top: int) -> None:
        height = self.size.height
        size = Size(self.size.width, max(total, height))
        if size != self.virtual_size:
            # Setting the reactive would lay out the whole screen; the bar is always there, so only it has to know.
            self.set_reactive(Widget.virtual_size, size)
            self._scroll_update(size)
        top = max(0, min(top, total - height))
        if round(self.scroll_y) != top or self.scroll_target_y != top:
            self.scroll_target_y = self.scroll_y = top
        if not self.follow and total:
            index, row = self._index.locate(top)
            self._top = self.document.blocks[index].id, row
        self._forget()

    def _forget(self) -> None:
        """Keep rows near the view only; heights stay known."""
        if len(self._rows) <= 2 * _KEPT or not len(self._index):
            return
        middle, _ = self._index.locate(round(self.scroll_y))
        near = {block.id for block in self.document.blocks[max(0, middle - _KEPT // 2) : middle + _KEPT // 2]}
        self._rows = {block_id: rows for block_id, rows in self._rows.items() if block_id in near}

    def _watch_seconds(self) -> None:
        """Something in view that counts seconds is laid out again every second; otherwise no timer runs."""
        if self._second is None and any(self._counting()):
            self._second = self.set_timer(1.0, self._second_passed)

    def _counting(self) -> list[Block]:
        return [
            block
            for block in self.document.blocks[-20:]
            if isinstance(block, ToolBlock | ThoughtBlock) and block.started is not None
        ]

    def _second_passed(self) -> None:
        self._second = None
        for block in self._counting():
            if rows := self._rows.get(block.id):
                rows.outdate()
            self._document_changed(block.id)

    # ---- size ----

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        before = self.size
        resized = super()._size_updated(size, virtual_size, container_size, layout)
        if self.size != before:
            if self.size.width != before.width:
                self._heights.clear()
                self._restructured = True
            self._sync()
        return resized

    # ---- scrolling: whatever comes here was the user's wish ----

    def _scroll_to(self, x: float | None = None, y: float | None = None, **_how: Any) -> bool:
        """Every way of scrolling that Textual has ends here; `_how` asks for animations that we do not make."""
        return y is not None and self._go(round(y))

    def _go(self, top: int) -> bool:
        """Put a row of the transcript at the top of the view."""
        if not len(self._index):
            return False
        before = round(self.scroll_y)
        last = max(0, self._index.total - self.size.height)
        top = max(0, min(top, last))
        self.follow = top >= last
        index, row = self._index.locate(top)
        self._top = self.document.blocks[index].id, row
        self._settle()
        return round(self.scroll_y) != before

    def action_line_up(self) -> None:
        """A line up, or to the block above when it is in view."""
        self._step(-1)

    def action_line_down(self) -> None:
        """A line down, or to the block below when it is in view."""
        self._step(1)

    def _step(self, way: int) -> None:
        if not len(self._index):
            return
        top, view = round(self.scroll_y), self.size.height
        index = self._cursor_index()
        start, end = self._index.start(index), self._index.start(index + 1)
        if (way < 0 and start < top) or (way > 0 and end > top + view):
            self._go(top + way)
            return
        other = index + way
        if not 0 <= other < len(self.document):
            self._go(top + way)
            return
        self._set_cursor(other)
        first = self._index.start(other) + self._gap(other)
        if (way < 0 and self._index.start(other + 1) <= top) or first < top:
            self._go(top - 1)
        elif first >= top + view:
            self._go(first - view + 1)
        elif way < 0:
            self.follow = False
            self._top = self._row_at(top)
            self.refresh()

    def _row_at(self, row: int) -> tuple[int, int]:
        index, within = self._index.locate(row)
        return self.document.blocks[index].id, within

    def action_page_up(self) -> None:
        """A page up."""
        self._page(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self._page(1)

    def _page(self, way: int) -> None:
        self._go(round(self.scroll_y) + way * max(1, self.size.height - 1))
        self._cursor_into_view()

    def action_home(self) -> None:
        """To the start."""
        if len(self._index):
            self._go(0)
            self._set_cursor(0)

    def action_end(self) -> None:
        """To the end, and follow it."""
        self.follow = True
        self._sync()
        if len(self.document):
            self._set_cursor(len(self.document) - 1)

    def action_previous_prompt(self) -> None:
        """To the prompt above the cursor."""
        self._jump(-1)

    def action_next_prompt(self) -> None:
        """To the prompt below the cursor, else to the end."""
        if not self._jump(1):
            self.action_end()

    def _jump(self, way: int) -> bool:
        if not len(self._index):
            return False
        index = self._cursor_index() + way
        while 0 <= index < len(self.document):
            if isinstance(self.document.blocks[index], UserBlock):
                self._set_cursor(index)
                self._go(self._index.start(index) + self._gap(index))
                # Blocks on the way were measured only now; the place is right after a second look.
                self._go(self._index.start(index) + self._gap(index))
                return True
            index += way
        return False

    # ---- the block under the cursor ----

    def _cursor_index(self) -> int:
        """The block the keys act on: the cursor's if it is in view, else the last one in view."""
        index = self._place.get(self.cursor) if self.cursor is not None else None
        first, last = self._in_view()
        if index is None or not first <= index <= last:
            index = last
            self._set_cursor(index)
        return index

    def _in_view(self) -> tuple[int, int]:
        top = round(self.scroll_y)
        return self._index.locate(top)[0], self._index.locate(top + self.size.height - 1)[0]

    def _cursor_into_view(self) -> None:
        if len(self._index):
            first, last = self._in_view()
            index = self._place.get(self.cursor) if self.cursor is not None else None
            if index is None or index > last:
                self._set_cursor(last)
            elif index < first:
                self._set_cursor(first)

    def _set_cursor(self, index: int) -> None:
        block_id = self.document.blocks[index].id
        if block_id != self.cursor:
            self.cursor = block_id
            self.refresh()

    def on_focus(self, _event: Focus) -> None:
        """Show the cursor."""
        if len(self._index):
            self._cursor_index()
        self.refresh()

    def on_blur(self, _event: Blur) -> None:
        """Hide the cursor."""
        self.refresh()

    def action_fold(self) -> None:
        """Fold or unfold the block under the cursor."""
        if len(self._index):
            self._toggle(self._cursor_index())

    def action_copy(self) -> None:
        """Copy the source of the block under the cursor."""
        if len(self._index):
            block = self.document.blocks[self._cursor_index()]
            if text := sanitize(block.source):
                self.post_message(self.Copied(text, _NAMES.get(type(block), "text")))

    def _toggle(self, index: int) -> None:
        block = self.document.blocks[index]
        if not block.foldable or not isinstance(block, ThoughtBlock | ToolBlock):
            return
        if not block.folded or index < len(self.document) - 1:
            # What is read must stay where it is, also when the end moves.
            self._top = self._row_at(round(self.scroll_y))
            self.follow = self.follow and index == len(self.document) - 1
        self.document.set_folded(block, not block.folded)
        self.post_message(self.FoldToggled(block.id, block.folded))

    def on_click(self, event: Click) -> None:
        """A click puts the cursor on a block; on the first row of one that folds it also toggles it."""
        if self.text_selection is not None or not len(self._index):
            return
        row = round(self.scroll_y) + event.y
        if row >= self._index.total:
            return
        index, within = self._index.locate(row)
        self._set_cursor(index)
        if within == self._gap(index):
            self._toggle(index)

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
        row = round(self.scroll_y) + y
        strip = self._strip(row)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row)) is not None:
            strip = self._selected(strip, *span)
        return strip if self._painting else strip.apply_offsets(0, row)

    def _strip(self, row: int) -> Strip:
        width = self.size.width
        if not 0 <= row < self._index.total:
            return self._painter.blank(width)
        index, within = self._index.locate(row)
        within -= self._gap(index)
        block = self.document.blocks[index]
        rows = self._rows.get(block.id)
        if rows is None:
            rows = self._rows[block.id] = BlockRows(block)
            rows.update(self._text_width, self.document.clock)
        if not 0 <= within < len(rows.lines):
            return self._painter.blank(width)
        cursor = block.id == self.cursor and self.has_focus
        strip = rows.strips.get((within, cursor))
        if not isinstance(strip, Strip) or strip.cell_length != width:
            mark = mark_of(block) if within == 0 else None
            strip = self._painter.strip(rows.lines[within], mark, gutter_for(width), width, cursor)
            rows.strips[within, cursor] = strip
        return strip

    # ---- selecting by mouse ----

    def _selected(self, strip: Strip, start: int, end: int) -> Strip:
        text = strip.text
        if end == -1:
            end = len(text)
        left, right = cell_len(text[:start]), cell_len(text[:end])
        middle = strip.crop(left, right).apply_style(self._painter.selection)
        return Strip.join([strip.crop(0, left), middle, strip.crop(right)])

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text of the selected rows, without the gutter."""
        first = selection.start.y if selection.start else 0
        last = min(selection.end.y if selection.end else self._index.total, self._index.total - 1)
        gutter = gutter_for(self.size.width).width
        lines = []
        for row in range(first, last + 1):
            index, within = self._index.locate(row)
            self._lay_out(index)
            within -= self._gap(index)
            rows = self._rows.get(self.document.blocks[index].id)
            text = text_of(rows.lines[within].spans) if rows and 0 <= within < len(rows.lines) else ""
            start, end = selection.get_span(row) or (0, 0)
            stop = len(text) if end == -1 else max(0, end - gutter)
            lines.append(text[max(0, start - gutter) : stop])
        return "\n".join(lines), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Repaint with the selection."""
        self.refresh()
