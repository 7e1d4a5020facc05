"""The diff review: every changed line of a plan at full height, and, while a question is open, its keys."""

import time
from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.approval_panel import SCROLL
from tui_agent.tui.widgets.diff_cells import Note
from tui_agent.tui.widgets.diff_items import Laid, counts_text
from tui_agent.tui.widgets.diff_outline import Outline, is_small, outlines, outlines_in_thread
from tui_agent.tui.widgets.diff_text import cells, one_line, shortened
from tui_agent.tui.widgets.diff_view import DiffView, Layout
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.key_hints import ROOMY
from tui_agent.workspace.changes import ChangePlan

WIDE = 100
"""From this many columns on, several files have a list at the left."""


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

    def list_files(self, changes: Sequence[Outline]) -> None:
        """Set the files."""
        diffs = [change.diff for change in changes]
        self._rows = [(one_line(diff.name), counts_text(diff, self._symbols)) for diff in diffs]

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


class ReviewScreen(Screen[ApprovalDecision | None]):
    """Shows changes; ends with the decision when `request` was given and answered here, else with None.

    With a question open its keys come before those of the review: `n` denies, `j` goes to the next hunk.
    """

    DEFAULT_CSS = """
    ReviewScreen {
        background: $background;
        layout: vertical;
        Horizontal { height: 1fr; padding: 1 0 0 0; }
        &.-low Horizontal { padding: 0; }
        DiffView { width: 1fr; height: 1fr; padding: 0 0 0 2; overflow-y: scroll; }
        &.-several.-wide FileList { display: block; }
        AnswerBar {
            dock: bottom;
            margin: 0 0 1 0;
            padding: 0 1;
            background: $surface;
            border-left: outer $tui-line;
            &.-armed { border-left: outer $accent; }
        }
        &.-ascii AnswerBar { border-left: ascii $tui-line; }
        &.-ascii AnswerBar.-armed { border-left: ascii $accent; }
    }
    """
    BINDINGS = bindings_for("review")
    AUTO_FOCUS = "DiffView"

    def __init__(
        self,
        changes: ChangePlan | Sequence[Outline],
        title: str = "",
        *,
        request: ApprovalRequest | None = None,
        layout: Layout = "auto",
        clock: Callable[[], float] = time.monotonic,
        symbols: Symbols = UNICODE,
    ) -> None:
        super().__init__()
        self._given = changes
        self._changes: tuple[Outline, ...] = ()
        self._known = False
        self._title = one_line(title)
        self._request = request
        self._symbols = symbols
        self._index = 0
        self._head = ReviewHead(symbols)
        self._files = FileList(symbols)
        self._view = DiffView(layout, symbols=symbols)
        self._bar: AnswerBar | None = None
        if request is not None:
            self._bar = AnswerBar(ArmingGuard(), clock, beside="review")

    def compose(self) -> ComposeResult:
        """Head, files, diff, keys."""
        yield self._head
        with Horizontal():
            yield self._files
            yield self._view
        yield KeyFooter()
        if self._bar is not None:
            yield self._bar

    def on_mount(self) -> None:
        """Show the first file, and ask; a large plan is compared in a thread first."""
        self.set_class(self._symbols.gutter.isascii(), "-ascii")
        given = self._given
        if not isinstance(given, ChangePlan):
            self._present(tuple(given))
        elif is_small(given):
            self._present(outlines(given))
        else:
            self._tell()
            self._view.show(lambda width: Laid([[Note(f"comparing{self._symbols.ellipsis}")]]))
            self.run_worker(self._compare(given), exit_on_error=False)

    async def _compare(self, plan: ChangePlan) -> None:
        try:
            changes = await outlines_in_thread(plan)
        except Exception as error:
            note = Note(f"this cannot be shown: {error}", "error")
            self._view.show(lambda width: Laid([[note]]))
            return
        self._present(changes)

    def _present(self, changes: tuple[Outline, ...]) -> None:
        self._changes, self._known = changes, True
        self.set_class(len(changes) > 1, "-several")
        self._files.list_files(changes)
        self._show(0)
        self.refresh_bindings()
        if self._bar is not None and self._request is not None:
            self._bar.ask(self._request)

    def on_resize(self, event: events.Resize) -> None:
        """The list of files needs room."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height < ROOMY, "-low")

    def on_key(self, event: events.Key) -> None:
        """Scroll from everywhere; before its time a key of the question does nothing, whatever else it means here."""
        bar = self._bar
        if bar is not None and not bar.has_focus_within and event.key in bar.keys:
            event.stop()
            bar.prompt_key()
        elif event.key in SCROLL and self.focused is not self._view:
            event.stop()
            getattr(self._view, f"action_{SCROLL[event.key]}")()

    def _show(self, index: int) -> None:
        self._index = index
        if index < len(self._changes):
            self._view.show_diff(self._changes[index])
        self._files.show(index)
        self._tell()

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
        self._head.show(name, counts_text(diff, self._symbols), place, short)

    @on(DiffView.Moved)
    def _moved(self) -> None:
        self._tell()

    @on(FileList.Chosen)
    def _file_chosen(self, event: FileList.Chosen) -> None:
        self._show(event.index)

    # ---- answers ----

    @on(AnswerBar.Answered)
    def _answered(self, event: AnswerBar.Answered) -> None:
        self.dismiss(event.decision)

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
