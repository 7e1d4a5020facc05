"""A screen of diffs: the files of a change, one at a time at full height, and the ways through them."""

from collections.abc import Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui_agent.tui.review_list import Answers
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import Item, Marks
from tui_agent.tui.widgets.diff_items import counts_text
from tui_agent.tui.widgets.diff_outline import Outline
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.diff_view import DiffView, Layout
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.key_hints import ROOMY
from tui_agent.tui.widgets.review_head import FileList, ReviewHead

WIDE = 100
"""From this many columns on, several files have a list at the left."""


class DiffsScreen(ClosingScreen[Answers | None]):
    """Shows the diffs it is given with `present`; `title` stands before the name of each file."""

    DEFAULT_CSS = """
    DiffsScreen {
        background: $background;
        layout: vertical;
        #news { display: none; height: auto; max-height: 2; padding: 0 2; color: $warning; }
        #news.-open { display: block; }
        Horizontal { height: 1fr; padding: 1 0 0 0; }
        &.-low Horizontal { padding: 0; }
        DiffView { width: 1fr; height: 1fr; padding: 0 0 0 2; overflow-y: scroll; }
        &.-several.-wide FileList { display: block; }
    }
    """
    AUTO_FOCUS = "DiffView"

    def __init__(self, title: str = "", *, layout: Layout = "auto", symbols: Symbols = UNICODE) -> None:
        super().__init__()
        self._title = one_line(title)
        self._symbols = symbols
        self._changes: list[Outline] = []
        self._known = False
        self._index = 0
        self._head = ReviewHead(symbols)
        self._news = Static(id="news", markup=False)
        self._files = FileList(symbols)
        self._view = DiffView(layout, symbols=symbols)

    def compose(self) -> ComposeResult:
        """Head, files, diff, keys."""
        yield self._head
        yield self._news
        with Horizontal():
            yield self._files
            yield self._view
        yield KeyFooter()

    def on_mount(self) -> None:
        """Say what is known."""
        self.set_class(self._symbols.gutter.isascii(), "-ascii")
        self._tell()

    def on_resize(self, event: events.Resize) -> None:
        """The list of files needs room."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height < ROOMY, "-low")

    # ---- what is shown ----

    def _present(self, changes: Sequence[Outline]) -> None:
        self._changes, self._known = list(changes), True
        self.set_class(len(changes) > 1, "-several")
        self._show(0)
        self.refresh_bindings()

    def _show(self, index: int, *, stay: bool = False) -> None:
        """Show a file from its beginning, or `stay` at the place that is in view."""
        self._index = index
        if index < len(self._changes):
            self._view.show_diff(self._changes[index], self._tail(index), self._marks(index), stay=stay)
        self._files.list_files([self._row(at) for at in range(len(self._changes))])
        self._files.show(index)
        self._tell()

    def _marks(self, index: int) -> Marks | None:
        """What was decided about the hunks of a file, where something can be decided."""
        return None

    def _tail(self, index: int) -> Sequence[Item]:
        """What stands below the diff of a file."""
        return ()

    def _counts(self, index: int) -> str:
        """How many lines of a file change."""
        return counts_text(self._changes[index].diff, self._symbols)

    def _row(self, index: int) -> tuple[str, str]:
        """A file in the list: its name and what is said behind it."""
        return one_line(self._changes[index].diff.name), self._counts(index)

    def _tell(self) -> None:
        if not self._changes:
            self._head.show(self._title or ("nothing changes" if self._known else ""), "", "", "")
            return
        diff = self._changes[self._index].diff
        places: list[tuple[str, int, int]] = []
        if len(self._changes) > 1:
            places.append(("file", self._index + 1, len(self._changes)))
        if diff.hunks:
            places.append(("hunk", self._view.hunk + 1, len(diff.hunks)))
        place = f" {self._symbols.separator} ".join(f"{what} {at} of {total}" for what, at, total in places)
        short = " ".join(f"{at}/{total}" for _, at, total in places)
        name = one_line(diff.name)
        if self._title:
            name = f"{self._title} {self._symbols.separator} {name}"
        self._head.show(name, self._counts(self._index), place, short)

    def _tell_news(self, *texts: str) -> None:
        """Say something about what is shown, below the head; nothing takes no room."""
        said = [text for text in texts if text]
        self._news.update(Content(f" {self._symbols.separator} ".join(said)))
        self._news.set_class(bool(said), "-open")

    @on(DiffView.Moved)
    def _moved(self) -> None:
        self._tell()

    @on(FileList.Chosen)
    def _file_chosen(self, event: FileList.Chosen) -> None:
        self._show(event.index)

    # ---- actions ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nowhere to go are not offered."""
        if action in ("next_file", "previous_file"):
            return len(self._changes) > 1
        if action in ("next_hunk", "previous_hunk"):
            return sum(len(change.hunks) for change in self._changes) > 1
        return True

    def action_next_hunk(self) -> None:
        """Go to the next hunk, and after the last one to the next file."""
        if self._changes and self._view.hunk + 1 < len(self._changes[self._index].hunks):
            self._view.next_hunk()
        else:
            self.action_next_file()

    def action_previous_hunk(self) -> None:
        """Go to the hunk before, and from the first one to the end of the file before."""
        if self._view.hunk > 0:
            self._view.previous_hunk()
        elif self._index > 0:
            self._show(self._index - 1)
            self._view.go_to_hunk(len(self._changes[self._index].hunks) - 1)

    def action_next_file(self) -> None:
        """Go to the next file."""
        if self._index + 1 < len(self._changes):
            self._show(self._index + 1)

    def action_previous_file(self) -> None:
        """Go to the file before."""
        if self._index > 0:
            self._show(self._index - 1)

    def action_toggle_layout(self) -> None:
        """Change between unified and side by side."""
        self._view.toggle_layout()

    def action_close(self) -> None:
        """Back, without an answer."""
        self.dismiss(None)
