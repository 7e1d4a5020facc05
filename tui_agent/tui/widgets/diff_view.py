"""The difference of one file: unified or side by side, painted line by line however long it is."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import HunkHead, Item, Line, Marks, Paint, Pair
from tui_agent.tui.widgets.diff_items import Laid, diff_items
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.diff_outline import Outline
from tui_agent.tui.widgets.diff_syntax import Syntax

Layout = Literal["auto", "unified", "split"]

SPLIT_WIDTH = 116
"""From this width of the text on, `auto` puts before and after side by side: a terminal of 120 columns has it."""


class DiffView(LineView):
    """Shows one `FileDiff`."""

    class Moved(Message):
        """Another hunk is at the top, or the layout is another."""

    class Clicked(Message):
        """The head of a hunk that shows what was decided was clicked, which made it the present one."""

    def __init__(self, layout: Layout = "auto", *, symbols: Symbols = UNICODE, id: str | None = None) -> None:
        super().__init__(symbols=symbols, id=id)
        self._wished: Layout = layout
        self._split = False
        self._hunk = 0
        self._marks: Marks | None = None

    def show_diff(
        self, outline: Outline, tail: Sequence[Item] = (), marks: Marks | None = None, *, stay: bool = False
    ) -> None:
        """Show a diff from its beginning, and the items of `tail` below it; `stay` at the place that is in view.

        `marks` tell what was decided about each hunk; `repaint` when that changed.
        """
        diff = outline.diff
        self._marks = marks
        syntax = Syntax(diff.name, diff.old_lines, diff.new_lines)

        def build(width: int) -> Laid:
            self._split = self._splits(width, diff.kind == "created")
            return diff_items(outline, self._split, syntax, self._symbols, width=width, tail=tail, marks=marks)

        if not stay:
            self._hunk = 0
        hunk = self._hunk
        self.show(build, [syntax], stay=stay)
        self._hunk = min(hunk, max(0, len(self.items.heads) - 1))

    @property
    def split(self) -> bool:
        """True when before and after stand side by side."""
        return self._split

    @property
    def hunk(self) -> int:
        """The hunk that was gone to, or that the top of the view is in; 0-based."""
        return self._hunk

    def _splits(self, width: int, new: bool) -> bool:
        """A new file has nothing to stand beside it: it is split only on demand."""
        return self._wished == "split" or (self._wished == "auto" and width >= SPLIT_WIDTH and not new)

    def toggle_layout(self) -> None:
        """Change between unified and side by side, keeping the place."""
        self._wished = "unified" if self._split else "split"
        self.rebuild()
        self.post_message(self.Moved())

    def go_to_hunk(self, number: int) -> None:
        """Bring the head of a hunk to the top, or as near as the end allows."""
        heads = self.items.heads
        if heads:
            number = max(0, min(number, len(heads) - 1))
            self.go_to_item(heads[number] if number else 0)
            self._move_to(number)

    def next_hunk(self) -> None:
        """Go to the hunk after the present one."""
        self.go_to_hunk(self._hunk + 1)

    def previous_hunk(self) -> None:
        """Go to the hunk before the present one."""
        self.go_to_hunk(self._hunk - 1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling by hand makes the hunk at the top the present one."""
        super().watch_scroll_y(old_value, new_value)
        no_room = new_value < old_value and round(new_value) >= self.max_scroll_y  # nobody scrolls up to the end
        if self._placing or no_room:
            return  # another size, or another layout
        hunk = max(0, bisect_right(self.items.heads, self.top_item) - 1)
        if hunk != self._hunk:
            self._move_to(hunk)

    def _move_to(self, hunk: int) -> None:
        heads = self.items.heads
        for number in {self._hunk, hunk} if self._marks is not None else ():
            if number < len(heads):
                self._strips.pop((heads[number], 0), None)
        self._hunk = hunk
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Tell which hunk is meant."""
        found = self._heights.window(event.y + self.scroll_offset.y, 1)
        if self._marks is not None and found and found[0][0] in self.items.heads:
            hunk = self.items.heads.index(found[0][0])
            self._move_to(hunk)
            self.post_message(self.Clicked())

    def _dressed(self, index: int, item: Item, strip: Strip, paint: Paint) -> Strip:
        """The lines of a rejected hunk are faint and lose their colours."""
        if self._marks is None or isinstance(item, HunkHead):
            return strip
        hunk = bisect_right(self.items.heads, index) - 1
        if hunk < 0 or self._marks(hunk).state != "rejected" or not isinstance(item, Line | Pair):
            return strip
        style = paint.ground + paint.palette.faint
        return Strip([Segment(segment.text, style) for segment in strip], strip.cell_length)
