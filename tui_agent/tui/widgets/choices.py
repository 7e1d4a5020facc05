"""A list of one-line choices under headings; only the lines in view are drawn, so thousands cost nothing."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style


class Row(NamedTuple):
    """One line. `key` identifies a choice and is None for a heading or a remark; `draw` gives its line for a width."""

    key: Hashable
    draw: Callable[[int], Content]


class ChoiceList(ScrollView):
    """Rows with a cursor. It has no keys of its own: the screen moves it, so that a filter can keep the focus."""

    DEFAULT_CSS = """
    ChoiceList {
        background: $background;
        color: $text;
        scrollbar-size-vertical: 1;
        scrollbar-color: $tui-line;
        scrollbar-color-hover: $tui-muted;
        scrollbar-color-active: $accent;
        scrollbar-background: $background;
        scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
        .choices--selected { background: $tui-raised; }
        .choices--cursor { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"choices--selected", "choices--cursor"}
    can_focus = False

    class Highlighted(Message):
        """The cursor is on another choice; None when there is none."""

        def __init__(self, key: Hashable) -> None:
            super().__init__()
            self.key = key

    class Clicked(Message):
        """The choice under the cursor was clicked again."""

        def __init__(self, key: Hashable) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, marker: str = "›", id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[Row, ...] = ()
        self._choices: tuple[int, ...] = ()  # indexes of rows with a key
        self._at = 0  # index into _choices
        self._marker = marker

    @property
    def selected(self) -> Hashable:
        """The key under the cursor, or None."""
        return self._rows[self._choices[self._at]].key if self._choices else None

    def show(self, rows: Sequence[Row], select: Hashable = None) -> None:
        """Replace the rows; the cursor goes to `select` when it is there, else to the first choice."""
        before = self.selected
        self._rows = tuple(rows)
        self._choices = tuple(index for index, row in enumerate(self._rows) if row.key is not None)
        self._at = next((at for at, index in enumerate(self._choices) if self._rows[index].key == select), 0)
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self._follow()
        self.refresh()
        if self.selected != before:
            self.post_message(self.Highlighted(self.selected))

    def move(self, step: int) -> None:
        """Move the cursor by choices, stopping at the ends."""
        if not self._choices:
            return
        at = max(0, min(self._at + step, len(self._choices) - 1))
        if at != self._at:
            self._at = at
            self.post_message(self.Highlighted(self.selected))
        self._follow()
        self.refresh()

    def page(self, direction: int) -> None:
        """Move the cursor by about a screen: 1 down, -1 up."""
        self.move(direction * max(1, self.size.height - 1))

    def render_line(self, y: int) -> Strip:
        """The row in this line, behind two columns for the cursor."""
        width, index = self.size.width, y + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row, style, cursor = self._rows[index], self.visual_style, Style()
        chosen = bool(self._choices) and index == self._choices[self._at]
        if chosen:
            style = self.get_visual_style("choices--selected")
            cursor = self.get_visual_style("choices--cursor", partial=True)
        mark = Content.styled(self._marker, cursor) if chosen else Content(" ")
        line = Content.assemble(mark, " ", row.draw(width - 3)).truncate(width - 1, ellipsis=True)
        return Strip(line.render_segments(style), line.cell_length).extend_cell_length(width, style.rich_style)

    def _follow(self) -> None:
        if not self._choices:
            self.scroll_to(y=0, animate=False, immediate=True)
            return
        index = self._choices[self._at]
        # With the heading above the first choice of a group in view.
        above = 1 if index > 0 and self._rows[index - 1].key is None else 0
        if self._at == 0:
            above = index
        self.scroll_to_region(Region(0, index - above, 1, above + 1), animate=False, immediate=True, force=True)

    def _on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self._follow()

    async def _on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if index not in self._choices:
            return
        event.stop()
        at = self._choices.index(index)
        if at == self._at:
            self.post_message(self.Clicked(self.selected))
        else:
            self.move(at - self._at)


def columns(width: int, *cells: tuple[Content, int]) -> Content:
    """Cells side by side, each cut or padded to its width; a cell of negative width is aligned to the right."""
    parts = []
    for content, size in cells:
        room = abs(size)
        cut = content.truncate(room, ellipsis=True)
        gap = " " * (room - cut.cell_length)
        parts.append(Content.assemble(gap, cut) if size < 0 else Content.assemble(cut, gap))
    return Content("").join(parts).truncate(width, ellipsis=True)
