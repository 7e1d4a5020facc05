"""What stands around a diff under review: the line above it, and the list of files beside it."""

from collections.abc import Iterable, Sequence
from typing import Final

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.file_review import FileReview
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.diff_cells import Item, Note, notes
from tui_agent.tui.widgets.diff_text import cells, shortened

LOST_LINES: Final = 500
"""Lines shown of a text that fits no hunk any more."""


def decided_sign(file: FileReview, symbols: Symbols, *, seen: bool) -> str:
    """What was decided about a file, in one sign: all, nothing, something else, or not even looked at."""
    states = {file.state(hunk) for hunk in range(file.count)}
    if states == {"rejected"}:
        return symbols.cross
    if states != {"accepted"}:
        return symbols.pencil
    return symbols.check if seen else symbols.pending


def lost_items(texts: Iterable[str]) -> list[Item]:
    """Texts that the user gave hunks which are no more."""
    items: list[Item] = []
    for text in texts:
        items += [Note(""), Note("what you wrote here fits no hunk any more; it was:", "warning")]
        items += [item for line in text.split("\n")[:LOST_LINES] for item in notes(line, "muted")]
    return items


class ReviewHead(Widget):
    """One line: the file, its counts, where in it we are."""

    DEFAULT_CSS = """
    ReviewHead {
        dock: top;
        height: 1;
        padding: 0 2;
        background: $background;
        color: $tui-muted;
        .review--name { color: $foreground; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"review--name"}

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self._ellipsis = symbols.ellipsis
        self._parts = ("", "", "", "")

    def show(self, name: str, counts: str, place: str, short: str) -> None:
        """Set the parts; `short` is the place for when the long one leaves the name too little room."""
        self._parts = (name, counts, place, short)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; a long name loses its beginning, which says least."""
        width = self.content_size.width
        name, counts, place, short = self._parts
        if cells(f"{name}  {counts}   {place}") > width:
            place = short
        tail = f"  {counts}   {place}"
        name = shortened(name, max(8, width - cells(tail)), self._ellipsis)
        line = Content.assemble(
            (name, self.get_visual_style("review--name", partial=True)),
            f"  {counts}",
            " " * max(3, width - cells(name) - cells(counts) - 2 - cells(place)),
            place,
        ).truncate(width, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)


class FileList(Widget):
    """The files of the plan, one a line; the present one is marked."""

    DEFAULT_CSS = """
    FileList {
        width: 30;
        padding: 0 1 0 2;
        background: $background;
        color: $tui-muted;
        display: none;
        .files--present { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"files--present"}

    class Chosen(Message):
        """A file was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self._symbols = symbols
        self._rows: list[tuple[str, str]] = []
        self._present = 0

    def list_files(self, rows: Sequence[tuple[str, str]]) -> None:
        """Set the files: the name of each, and its counts."""
        self._rows = list(rows)
        self.refresh()

    def show(self, index: int) -> None:
        """Mark a file."""
        self._present = index
        self.refresh()

    @property
    def _first(self) -> int:
        """The row at the top, so that the present one is in view."""
        return max(0, min(self._present - self.size.height // 2, len(self._rows) - self.size.height))

    def render_line(self, y: int) -> Strip:
        """One file."""
        width, index = self.content_size.width, y + self._first
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        name, counts = self._rows[index]
        name = shortened(name, max(4, width - cells(counts) - 1), self._symbols.ellipsis)
        style = self.get_visual_style("files--present", partial=True) if index == self._present else ""
        gap = " " * max(1, width - cells(name) - cells(counts))
        line = Content.assemble((name, style), gap, counts).truncate(width, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)

    def on_click(self, event: events.Click) -> None:
        """Choose the file under the pointer."""
        index = event.y + self._first
        if index < len(self._rows):
            self.post_message(self.Chosen(index))
