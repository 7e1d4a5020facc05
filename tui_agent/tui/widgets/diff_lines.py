"""A pane of laid-out lines of which only those in view are ever painted."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.later import later
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import Item, Paint
from tui_agent.tui.widgets.diff_heights import Heights
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_syntax import Syntax
from tui_agent.tui.widgets.plain_lines import plain_lines

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from tui_agent.tui.shell import Shell

KEPT = 1_000
"""Painted lines kept, a few screens."""

ITEMS = 100
"""Items kept that were painted last: a long one is on many lines."""

FIRST = 200
"""Lines whose place is exact as soon as they are laid out: more than a screen has."""

SLICE = 0.004
PAUSE = 0.012
"""Seconds of measuring what is out of sight, and between two times of it."""

Build = Callable[[int], Laid]
"""Gives the items for a width."""


class LineView(ScrollView, can_focus=True):
    """Shows items from `show`; long lines wrap, so scrolling up and down reaches every character.

    The place at the top stays when the width or the layout changes. Colours come from `app.palette`. Heights are exact
    for what is in view and a page above, and guessed for the rest until there was time to measure it, so nothing that
    is looked at moves.
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
        self._build: Build = lambda width: Laid(())
        self._items = Laid(())
        self._heights = Heights(self._items.heights(), lambda index: 1)
        self._width = 0
        self._top = (0, 0)  # the item at the top, and which of its lines
        self._placing = False
        self._refining: TimerHandle | None = None
        self._ahead: TimerHandle | None = None
        self._strips: OrderedDict[tuple[int, int], Strip] = OrderedDict()
        self._made: OrderedDict[int, Item] = OrderedDict()
        self._syntaxes: Sequence[Syntax] = ()
        self._highlighting = False
        self._plain: set[tuple[int, int]] = set()

    # ---- content ----

    def show(self, build: Build, syntaxes: Sequence[Syntax] = (), *, stay: bool = False) -> None:
        """Replace the content and go to its beginning, or `stay` where it was looked at.

        `syntaxes` are worked off for the lines in view.
        """
        place = self.place if stay else 0
        self._build, self._syntaxes = build, syntaxes
        self._lay_out(self._width or self.scrollable_content_region.width)
        if stay:
            self.go_to(place)
        else:
            self._stand(0, 0)
        self.refresh(layout=True)

    def rebuild(self) -> None:
        """Lay the same content out again, keeping the place at the top."""
        place = self.place
        self._lay_out(self._width)
        self.go_to(place)

    @property
    def items(self) -> Laid:
        """What is laid out now."""
        return self._items

    @property
    def place(self) -> int:
        """The place of the item at the top."""
        return self._items[self._top[0]].place if self._items else 0

    @property
    def top_item(self) -> int:
        """The number of the item at the top."""
        return self._top[0]

    @property
    def lines(self) -> int:
        """Lines in all; those far out of sight may be guessed for a while."""
        return self._heights.total

    def go_to(self, place: int) -> None:
        """Bring the item at a place to the top, or as near as the end allows."""
        low, high = 0, len(self._items)
        while low < high:
            middle = (low + high) // 2
            if self._items[middle].place < place:
                low = middle + 1
            else:
                high = middle
        if low == len(self._items) or self._items[low].place > place:
            low -= 1
        self.go_to_item(max(0, low))

    def go_to_item(self, index: int) -> None:
        """Bring an item to the top, or as near as the end allows."""
        self._stand(index, 0)
        self.refresh()

    def go_to_end(self) -> None:
        """Bring the last line to the bottom."""
        if last := len(self._items):
            self._stand(last - 1, self._heights.exact(last - 1) - 1)
            self.refresh()

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
        self._items = items = self._build(width)
        self._heights = Heights(items.heights(), lambda index: items[index].height(width))
        self._heights.measure_down(0, FIRST)
        self._strips.clear()
        self._plain.clear()
        self._made.clear()
        if self._refining is None and self.is_running:
            self._refining = later(self, PAUSE, self._refine)

    def _refine(self) -> None:
        """Measure some of what is out of sight; what is in view stays where it is."""
        self._refining = None
        before = self.lines
        if self._heights.refine(SLICE):
            self._refining = later(self, PAUSE, self._refine)
        if self.lines != before:
            self._stand(*self._top)

    def _stand(self, item: int, line: int) -> None:
        """Bring a line of an item to the top, or as near as the end allows."""
        heights = self._heights
        item = min(item, max(0, len(heights) - 1))
        page = max(1, self.size.height)
        missing = heights.measure_down(item, line + page)
        heights.measure_up(item, page + missing)
        size = Size(self._width, heights.total)
        top = 0
        if heights.total:
            top = heights.start(item) + min(line, heights.exact(item) - 1)
            top = max(0, min(top, heights.total - page))
            self._top = heights.locate(top)
        self._placing = True
        try:
            if size != self.virtual_size:
                # Setting the reactive would lay out the whole screen; only the scroll bar has to know.
                self.set_reactive(Widget.virtual_size, size)
                self._scroll_update(size)
            if round(self.scroll_y) != top or self.scroll_target_y != top:
                self.scroll_target_y = self.scroll_y = top
        finally:
            self._placing = False
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
        if width <= 0:
            return
        place, (_, line) = self.place, self._top
        if width != self._width:
            self._lay_out(width)
            line = 0
        if self._top == (0, 0):
            self._stand(0, 0)
        elif line:
            self._stand(*self._top)
        else:
            self.go_to(place)
        self.refresh()

    def on_mount(self) -> None:
        """Repaint with another theme."""
        self.watch(self.app, "theme", self._theme_changed, init=False)

    def _theme_changed(self) -> None:
        self.repaint()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Wherever the user scrolls to is measured; tell whoever shows how much is out of sight."""
        super().watch_scroll_y(old_value, new_value)
        if self._placing or not self._items:
            return
        if round(new_value) >= self.max_scroll_y:
            self.go_to_end()
        else:
            self._stand(*self._heights.locate(round(new_value)))

    # ---- painting ----

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the screen, with what is left of them as padding, without Textual's detour."""
        ground, left = self.rich_style, self.styles.padding.left
        keys = self._heights.window(crop.y + self.scroll_offset.y, crop.height)
        blank = Strip.blank(left + self.size.width, ground)

        def line(y: int) -> Strip:
            index = y - crop.y
            return self._painted(keys[index], ground, left) if index < len(keys) else blank

        if self._ahead is None:
            self._ahead = later(self, PAUSE, self._paint_ahead)
        return plain_lines(self, crop, line)

    def _paint_ahead(self) -> None:
        """Paint the pages below and above while somebody looks at this one, some lines at a time."""
        self._ahead = None
        ground, left = self.rich_style, self.styles.padding.left
        top, height = self.scroll_offset.y, self.size.height
        until = perf_counter() + SLICE
        for first in (top + height, max(0, top - height)):
            for key in self._heights.window(first, height):
                if key not in self._strips:
                    self._painted(key, ground, left)
                    if perf_counter() > until:
                        self._ahead = later(self, PAUSE, self._paint_ahead)
                        return

    def _painted(self, key: tuple[int, int], ground: Style, left: int) -> Strip:
        width = left + self.size.width
        strip = self._strips.get(key)
        if strip is None or strip.cell_length != width:
            paint = Paint(cast("Shell", self.app).palette, ground, self._symbols)
            item = self._item(key[0])
            painted = item.strip(self._width, key[1], paint).adjust_cell_length(width - left, ground)
            painted = self._dressed(key[0], item, painted, paint)
            strip = Strip.join([Strip.blank(left, ground), painted]) if left else painted
            self._strips[key] = strip
            if len(self._strips) > KEPT:
                self._strips.popitem(last=False)
            if any(syntax.wanted for syntax in self._syntaxes):
                self._plain.add(key)
                self._highlight()
        return strip

    def _dressed(self, index: int, item: Item, strip: Strip, paint: Paint) -> Strip:
        """How a painted line looks in the end."""
        return strip

    def repaint(self) -> None:
        """Paint all lines anew: they look different, and take the same room."""
        self._strips.clear()
        self._plain.clear()
        self.refresh()

    def _item(self, index: int) -> Item:
        item = self._made.get(index)
        if item is None:
            item = self._made[index] = self._items[index]
            if len(self._made) > ITEMS:
                self._made.popitem(last=False)
        return item

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
            self._repaint_plain()
        finally:
            self._highlighting = False

    def _repaint_plain(self) -> None:
        """Paint the lines anew that were painted before their colours were known."""
        for key in self._plain:
            self._strips.pop(key, None)
        keys = self._heights.window(self.scroll_offset.y, self.size.height)
        width = self.region.width
        rows = [Region(0, y, width, 1) for y, key in enumerate(keys) if key in self._plain]
        self._plain.clear()
        if rows:
            self.refresh(*rows)

    def _wanted(self) -> Iterator[Syntax]:
        while syntax := next((syntax for syntax in self._syntaxes if syntax.wanted), None):
            yield syntax
