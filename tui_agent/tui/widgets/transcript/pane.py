"""The transcript as a pane: mounted, scrolled and painted; only rows in view are laid out, whatever the length."""

from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import monotonic
from typing import Any

from rich.console import RenderableType
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.later import later
from tui_agent.tui.theming import UNICODE, Palette, Symbols
from tui_agent.tui.widgets.plain_lines import plain_lines
from tui_agent.tui.widgets.transcript.code import SHARE, colour, coloured
from tui_agent.tui.widgets.transcript.document import Document
from tui_agent.tui.widgets.transcript.layout import BlockRows, gutter_for, mark_of
from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.overlay import Mark, marked, overlaid
from tui_agent.tui.widgets.transcript.paint import Painter, text_width
from tui_agent.tui.widgets.transcript.viewport import Row, Standing, Viewport

FRAME = 1 / 30
"""Seconds between two repaints while text streams."""

# Painted rows to keep in all: some screens, a strip is some kilobytes.
_STRIPS = 1_000

Marks = Callable[[int, int], Sequence[Mark]]
"""What is to be highlighted on a row, by the id of its block and its number in the block; asked at every painting."""


class TranscriptPane(ScrollView, can_focus=True):
    """Shows a document, following its end until the user scrolls up.

    However often the document changes, at most one repaint a frame; no timer runs while nothing changes.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    TranscriptPane {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        background: $background;
    }
    """

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
        self._marks: Marks | None = None
        self._palette = palette
        self._symbols = symbols
        self._painter = Painter(palette, symbols)
        self._port = Viewport(document)
        self._area = Size()
        self._shown: tuple[object, ...] = ()
        self._frame: TimerHandle | None = None
        self._second: TimerHandle | None = None
        self._idle: TimerHandle | None = None
        self._last_frame = 0.0
        self._painted: deque[tuple[int, tuple[int, bool]]] = deque()
        self._cost = 0.0
        self._on_screen: list[Strip | None] = []
        self._held = False  # a row was painted as it was before a change
        self._until = 0.0
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

    @property
    def marks(self) -> Marks | None:
        """What is highlighted; setting it repaints. `refresh()` when the same callable has other answers."""
        return self._marks

    @marks.setter
    def marks(self, marks: Marks | None) -> None:
        self._marks = marks
        self.refresh()

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
        self._settled()
        self._place_view()
        shown = port.shown()
        counting = port.at_work()
        if shown != self._shown or counting or self._held:
            self._shown, self._held = shown, False
            self._repaint_rows()
        if counting and self._second is None:
            self._second = later(self, 1.0, self._second_passed)
        if port.unread:
            self._go_on()

    def _repaint_rows(self) -> None:
        """Repaint the rows that differ from what is on the screen: while text streams most do not."""
        on_screen = self._on_screen
        if self._overlaid or len(on_screen) != self._area.height:
            self.refresh()
            return
        self._until = monotonic() + SHARE
        top, width = self._port.top, self.region.width
        changed = [y for y, painted in enumerate(on_screen) if self._strip(top + y) is not painted]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    # ---- what takes longer than a frame goes on in slices between frames ----

    def _go_on(self) -> None:
        if self._idle is None:
            self._idle = later(self, SHARE / 3, self._slice)

    def _slice(self) -> None:
        """Read long answers further, then colour the code in view that was painted without its colours."""
        self._idle = None
        until = monotonic() + SHARE
        if self._port.unread:
            if self._port.read_on(until):
                self._shown = ()
                self._sync()
            else:
                self._go_on()
        elif colour(self._lines_in_view(), until):
            self.refresh()
        else:
            self._go_on()

    def _lines_in_view(self) -> Iterator[Line]:
        port = self._port
        for number in range(port.top, port.top + self._area.height):
            row = port.row(number)
            lines = port.rows_of(row.block).lines if row else ()
            if row and 0 <= row.row < len(lines):
                yield lines[row.row]

    def _settled(self) -> None:
        """Called when the place is found and before it is shown."""

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
        if port.top < port.last_top:
            # The thumb is drawn in eighths of a cell: only the end may look like the end.
            nearly = port.last_top - port.total / (8 * max(1, self._area.height))
            self.vertical_scrollbar.position = max(0.0, min(float(port.top), nearly))

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        resized = super()._size_updated(size, virtual_size, container_size, layout)
        inner = size - self.styles.gutter.totals
        area = Size(max(0, inner.width - self.scrollbar_size_vertical), inner.height)
        if area != self._area:
            self._area = area
            self._on_screen = [None] * area.height
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

    def show_row(self, block_id: int, row: int) -> None:
        """Bring a row of a block into view, a third down the screen unless it is there already.

        The end is no longer followed, unless it is in view then. Does nothing for a block that is gone.
        """
        port = self._port
        index = port.place_of(block_id)
        if index is None:
            return
        if port.top <= port.first_row(index) + row < port.top + self._area.height:
            port.hold()
        else:
            port.show(block_id, row, self._area.height // 3)
        self._sync()

    @property
    def reading(self) -> tuple[int, int, int] | None:
        """The block at the top of the view and its row there, and the block at the bottom; None when nothing is."""
        port = self._port
        if not len(port) or len(port) > len(self.document):
            return None
        first, last = port.in_view()
        row = max(0, port.top - port.first_row(first))
        return self.document.blocks[first].id, row, self.document.blocks[last].id

    def shows(self, block_id: int) -> bool:
        """Whether something of a block is in view."""
        place = self._port.place_of(block_id)
        if place is None:
            return False
        first, last = self._port.in_view()
        return first <= place <= last

    def stay(self) -> None:
        """Follow the end no longer, also when it is in view."""
        self._port.follow = False

    def let_go(self) -> None:
        """Follow the end again if it is in view."""
        self._port.hold()

    @property
    def place(self) -> Standing:
        """Where the view stands; setting it goes back there."""
        return self._port.standing

    @place.setter
    def place(self, place: Standing) -> None:
        self._port.standing = place
        self._sync()

    def rows_of(self, block_id: int) -> BlockRows | None:
        """The rows of a block, laid out as the block is now."""
        block = self.document.get(block_id)
        if block is None or not self._port.width:
            return None
        rows = self._port.rows_of(block)
        if not rows.complete:
            self._go_on()
        return rows

    # ---- painting ----

    def render(self) -> RenderableType:
        """Nothing: rows are drawn one by one."""
        return ""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Paint rows, colouring code for a share of the frame only."""
        self._until = monotonic() + SHARE
        return plain_lines(self, crop, self.render_line)

    def render_line(self, y: int) -> Strip:
        """Paint the row `y` of the view."""
        number = self._port.top + y
        painted = self._on_screen[y] if y < len(self._on_screen) else None
        # Between a change and the frame that takes it over, rows and places do not belong together.
        if painted is not None and self._port.unsettled:
            strip, self._held = painted, True
        else:
            strip = self._strip(number)
        if y < len(self._on_screen):
            self._on_screen[y] = strip
        row = self._port.row(number) if self._overlaid else None
        return strip if row is None else overlaid(strip, self._overlays(row))

    @property
    def _overlaid(self) -> bool:
        """Whether something may lie over painted rows."""
        return self._marks is not None

    def _overlays(self, row: Row) -> Iterable[tuple[int, int, Style]]:
        """Ranges of cells of a row that are painted over in another style."""
        if self._marks is None or row.row < 0 or not (marks := self._marks(row.block.id, row.row)):
            return ()
        painter = self._painter
        lines = self._port.rows_of(row.block).lines
        text = text_of(lines[row.row].spans) if row.row < len(lines) else ""
        return marked(text, marks, gutter_for(self._area.width).width, painter.mark, painter.present)

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
            mark = mark_of(row.block) if row.row == 0 else None
            line = rows.lines[row.row]
            known = coloured(line, self._until)
            strip = self._painter.strip(known or line, mark, gutter_for(width), width, cursor)
            if known is None:
                self._go_on()
            else:
                rows.strips[row.row, cursor] = strip
                self._keep_painted(row.block.id, (row.row, cursor))
        return strip

    def _keep_painted(self, block_id: int, key: tuple[int, bool]) -> None:
        """Of the rows that are painted the oldest go when there are too many."""
        self._painted.append((block_id, key))
        if len(self._painted) > _STRIPS + self._area.height:
            block_id, key = self._painted.popleft()
            self._port.forget_strip(block_id, key)
