"""Selecting in the transcript, by dragging and with a caret; it stays on the text whatever moves the rows."""

from asyncio import TimerHandle
from collections.abc import Iterable
from time import monotonic

from rich.style import Style
from textual.events import Key, MouseDown, MouseMove, MouseUp

from tui_agent.tui.later import later
from tui_agent.tui.widgets.transcript.caret import MOVES, Caret
from tui_agent.tui.widgets.transcript.layout import gutter_for
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.moving import MovingPane
from tui_agent.tui.widgets.transcript.overlay import cells_of
from tui_agent.tui.widgets.transcript.places import Place, place_at
from tui_agent.tui.widgets.transcript.selection import Selection, Span, Unit, row_number, span_at, stretches
from tui_agent.tui.widgets.transcript.viewport import Row

TWICE = 0.5
"""Seconds in which a second press on the same cell takes the word, a third the line."""

FLASH = 0.8
"""Seconds that copied code stays marked."""

_DRAGGING = 0.04
"""Seconds between two steps of scrolling while something is dragged beyond an edge."""

_UNITS: tuple[Unit, ...] = ("character", "word", "line")


class SelectingPane(MovingPane):
    """A pane in which text can be selected."""

    _selection: Selection | None = None
    _caret: Caret | None = None
    _flashed: Span | None = None
    _flash_end: TimerHandle | None = None
    _pressed: tuple[int, int] | None = None
    _pointer = (0, 0)
    _presses = (0, 0.0, (0, 0))
    """How many on the same cell, when the last was, and on which."""
    _dragged = False
    _drag: TimerHandle | None = None

    @property
    def selecting(self) -> bool:
        """True while something is selected or the caret is there to select."""
        return self._selection is not None

    def _select(self, selection: Selection | None, caret: Caret | None = None) -> None:
        before = self.selecting, self._caret is None
        self._selection, self._caret = selection, caret
        self._flashed = None
        if before != (self.selecting, caret is None):
            self.refresh_bindings()
        self.refresh()

    def _flash(self, span: Span | None, lasting: bool = False) -> None:
        """Show what something was done with, in view, for a moment unless it is lasting."""
        if self._flash_end is not None:
            self._flash_end.cancel()
            self._flash_end = None
        self._flashed = span
        if span is not None:
            rows = row_number(self._port, span.start), row_number(self._port, span.end)
            index = self._port.place_of(span.start.block)
            if None not in rows and index is not None:
                first, last = (row[0] for row in rows if row)
                if last < self._port.top or first >= self._port.top + self._area.height:
                    self.show_row(span.start.block, first - self._port.first_row(index))
            if not lasting:
                self._flash_end = later(self, FLASH, self._end_flash)
        self.refresh()

    def _end_flash(self) -> None:
        self._flash(None)

    def _settled(self) -> None:
        super()._settled()
        if self._selection is not None and self._selection.range(self._port) is None:
            self._select(None)

    # ---- by mouse ----

    def on_mouse_down(self, event: MouseDown) -> None:
        """A press begins a selection, which the first move makes visible."""
        if event.button != 1 or event.ctrl:
            return
        at = event.x, event.y
        count, when, where = self._presses
        again = monotonic() - when < TWICE and where == at
        count = count % len(_UNITS) + 1 if again else 1
        self._presses = count, monotonic(), at
        self._select(None)
        span = self._span_at(at)
        if span is None:
            return
        self._pressed = self._pointer = at
        self._dragged = count > 1
        self._anchor = span
        if self._dragged:
            self._select(Selection(span, span))
        self.capture_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        """Dragging goes on, beyond an edge by itself."""
        if self._pressed is None:
            return
        self._pointer = event.x, event.y
        if self._pointer != self._pressed:
            self._dragged = True
            self._presses = self._presses[0], 0.0, self._presses[2]  # what comes next is no second press
        self._drag_here()

    def on_mouse_up(self, _event: MouseUp) -> None:
        """What is selected stays so until it is copied or left."""
        if self._pressed is not None:
            self._pressed = None
            self.release_mouse()

    def _span_at(self, at: tuple[int, int]) -> Span | None:
        column, y = at
        number = self._port.top + max(0, min(y, self._area.height - 1))
        unit = _UNITS[self._presses[0] - 1]
        return span_at(self._port, min(number, self._port.total - 1), column - self._gutter, unit)

    @property
    def _gutter(self) -> int:
        return gutter_for(self._area.width).width

    def _drag_here(self) -> None:
        """Select up to the pointer; beyond an edge scroll, and come back."""
        if self._pressed is None or not self._dragged:
            return
        y = self._pointer[1]
        beyond = y if y < 0 else max(0, y - self._area.height + 1)
        if beyond and self._drag is None:
            self._go(self._port.top + beyond)
            self._drag = later(self, _DRAGGING, self._drag_on)
        head = self._span_at(self._pointer)
        if head is not None:
            self._select(Selection(self._anchor, head))

    def _drag_on(self) -> None:
        self._drag = None
        self._drag_here()

    # ---- by keys ----

    def action_select(self) -> None:
        """Begin to select at the first row in view of the block under the cursor."""
        if self._caret is None and len(self._port):
            place = self._selection.head.end if self._selection else self._first_place()
            caret = Caret(place)
            self._select(self._selection or Selection(Span(place, place), Span(place, place)), caret)
            self._show_caret()

    def action_select_all(self) -> None:
        """Select the whole conversation."""
        blocks = self.document.blocks
        if blocks:
            first, last = Place(blocks[0].id, 0, 0), Place(blocks[-1].id, 1 << 60, 0)
            self._select(Selection(Span(first, first), Span(last, last), everything=True))

    def action_unselect(self) -> None:
        """Nothing is selected any more."""
        self._select(None)

    def _first_place(self) -> Place:
        port = self._port
        index = self._cursor_index()
        block = self.document.blocks[index]
        rows = port.rows_of(block)
        row = min(max(0, port.top - port.first_row(index)), len(rows.lines) - 1)
        return place_at(block.id, rows.lines, rows.firsts, row, 0)

    def on_key(self, event: Key) -> None:
        """Keys that move the caret; with shift they begin to select."""
        key = event.key.replace("shift+", "")
        shifted = key != event.key
        if self._caret is not None:
            key = {"k": "up", "j": "down"}.get(key, key)
        if key not in MOVES or not (self._caret or shifted) or not len(self._port):
            return
        event.stop()
        event.prevent_default()
        if self._caret is None:
            self.action_select()
        caret, selection = self._caret, self._selection
        if caret is None or selection is None:
            return
        caret.move(key, self._port)
        self._select(Selection(selection.anchor, Span(caret.place, caret.place)), caret)
        self._show_caret()

    def _show_caret(self) -> None:
        """Bring the caret's row into view, no further than needed, and the cursor to its block."""
        if self._caret is None or (found := row_number(self._port, self._caret.place)) is None:
            return
        number, _ = found
        port = self._port
        index = port.place_of(self._caret.place.block)
        assert index is not None
        row = number - port.first_row(index)
        if number < port.top:
            port.show(self._caret.place.block, row, 0)
        elif number >= port.top + self._area.height:
            port.show(self._caret.place.block, row, self._area.height - 1)
        else:
            port.hold()
        self._set_cursor(index)
        self._sync()

    # ---- painting ----

    @property
    def _overlaid(self) -> bool:
        return super()._overlaid or self._selection is not None or self._flashed is not None

    def _overlays(self, row: Row) -> Iterable[tuple[int, int, Style]]:
        yield from super()._overlays(row)
        port = self._port
        text = ""
        for span in (self._selection.range(port) if self._selection else None, self._flashed):
            for start, end in stretches(port, row, span) if span else ():
                text = text or text_of(port.rows_of(row.block).lines[row.row].spans)
                first, last = cells_of(text, start, end)
                yield self._gutter + first, self._gutter + last, self._painter.selection
        if self._caret is not None and self._caret.place.block == row.block.id:
            found = row_number(port, self._caret.place)
            if found is not None and found[0] == port.first_row(row.place) + row.row:
                text = text_of(port.rows_of(row.block).lines[row.row].spans)
                first, last = cells_of(text, found[1], found[1] + 1)
                yield self._gutter + first, self._gutter + max(last, first + 1), self._painter.present
