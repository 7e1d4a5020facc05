"""A pane of laid-out lines of which only those in view are ever painted."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_items import Item, Paint
from tui_agent.tui.widgets.diff_syntax import Syntax

if TYPE_CHECKING:
    from tui_agent.tui.theming import Palette

KEPT = 1_000
"""Painted lines kept, a few screens."""

Build = Callable[[int], Sequence[Item]]
"""Gives the items for a width."""


class LineView(ScrollView, can_focus=True):
    """Shows items from `show`; long lines wrap, so scrolling up and down reaches every character.

    The place at the top stays when the width or the layout changes. Colours come from `app.palette`.
    """

    DEFAULT_CSS = """
    LineView {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
    }
    """

    class Scrolled(Message):
        """Other lines are in view than before."""

    def __init__(self, *, symbols: Symbols = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self._symbols = symbols
        self._build: Build = lambda width: ()
        self._items: Sequence[Item] = ()
        self._ends: list[int] = []  # line after each item
        self._width = 0
        self._strips: OrderedDict[int, Strip] = OrderedDict()
        self._syntaxes: Sequence[Syntax] = ()
        self._highlighting = False

    # ---- content ----

    def show(self, build: Build, syntaxes: Sequence[Syntax] = ()) -> None:
        """Replace the content and go to its beginning; `syntaxes` are worked off for the lines in view."""
        self._build, self._syntaxes = build, syntaxes
        self._lay_out(self._width or self.scrollable_content_region.width)
        self._resized()
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self.refresh(layout=True)

    def rebuild(self) -> None:
        """Lay the same content out again, keeping the place at the top."""
        place = self.place
        self._lay_out(self._width)
        self._resized()
        self.go_to(place)

    @property
    def items(self) -> Sequence[Item]:
        """What is laid out now."""
        return self._items

    @property
    def place(self) -> int:
        """The place of the item at the top."""
        if not self._items:
            return 0
        index = min(bisect_right(self._ends, self.scroll_offset.y), len(self._items) - 1)
        return self._items[index].place

    @property
    def lines(self) -> int:
        """Lines in all."""
        return self._ends[-1] if self._ends else 0

    def line_of(self, index: int) -> int:
        """The first line of an item."""
        return self._ends[index - 1] if index else 0

    def go_to(self, place: int) -> None:
        """Bring the first item at or after a place to the top."""
        index = bisect_left(self._items, place, key=lambda item: item.place)
        if index < len(self._items):
            self.go_to_line(self.line_of(index))

    def go_to_line(self, line: int) -> None:
        """Bring a line to the top."""
        self.scroll_to(y=line, animate=False, immediate=True, force=True)

    # ---- keys: what Textual would slide to, jumps ----

    def action_scroll_up(self) -> None:
        """A line up."""
        self.scroll_up(animate=False)

    def action_scroll_down(self) -> None:
        """A line down."""
        self.scroll_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page down."""
        self.scroll_page_down(animate=False)

    def action_scroll_home(self) -> None:
        """To the beginning."""
        self.scroll_home(animate=False)

    def action_scroll_end(self) -> None:
        """To the end."""
        self.scroll_end(animate=False)

    # ---- layout ----

    def _lay_out(self, width: int) -> None:
        if width <= 0:
            return
        self._width = width
        self._items = self._build(width)
        self._ends = list(accumulate(item.height(width) for item in self._items))
        self._strips.clear()

    def _resized(self) -> None:
        self.virtual_size = Size(self._width, self.lines)
        self.refresh()
        self.post_message(self.Scrolled())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """For `height: auto`: what it needs, but never more than its container has."""
        return min(self.lines_at(width - self.scrollbar_size_vertical), max(1, container.height))

    def lines_at(self, width: int) -> int:
        """Lines at a width of the text, at least one; it is laid out for that width then."""
        if width != self._width:
            self._lay_out(width)
        return max(1, self.lines)

    def on_resize(self, event: events.Resize) -> None:
        """Lay out for the new width; what was at the top stays there."""
        width = self.scrollable_content_region.width
        if width == self._width and self.virtual_size.height == self.lines:
            return
        place = self.place
        self._lay_out(width)
        self._resized()
        if self.scroll_offset.y:
            self.go_to(place)

    def on_mount(self) -> None:
        """Repaint with another theme."""
        self.watch(self.app, "theme", self._theme_changed, init=False)

    def _theme_changed(self) -> None:
        self._strips.clear()
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell whoever shows how much is out of sight."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Scrolled())

    # ---- painting ----

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        line = y + self.scroll_offset.y
        ground = self.rich_style
        if line >= self.lines:
            return Strip.blank(self.size.width, ground)
        strip = self._strips.get(line)
        if strip is None:
            index = bisect_right(self._ends, line)
            paint = Paint(cast("_Themed", self.app).palette, ground, self._symbols)
            strip = self._items[index].strip(self._width, line - self.line_of(index), paint)
            self._strips[line] = strip
            if len(self._strips) > KEPT:
                self._strips.popitem(last=False)
            self._highlight()
        return strip.adjust_cell_length(self.size.width, ground)

    # ---- highlighting ----

    def _highlight(self) -> None:
        if not self._highlighting and self.is_attached:
            self._highlighting = True
            self.run_worker(self._work(), exit_on_error=False)

    async def _work(self) -> None:
        """Highlight what the painted lines asked for, in a thread, until nothing is wanted."""
        import asyncio

        try:
            for syntax in self._wanted():
                key = syntax.next_block()
                if key is not None:
                    syntax.done(key, await asyncio.to_thread(syntax.work, key))
                    self._strips.clear()
                    self.refresh()
        finally:
            self._highlighting = False

    def _wanted(self) -> Iterator[Syntax]:
        while syntax := next((syntax for syntax in self._syntaxes if syntax.wanted), None):
            yield syntax


class _Themed:
    """What is needed of the app."""

    palette: "Palette"
