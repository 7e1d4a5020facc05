"""What a project's settings ask for, each with what would come of it, and the question whether it may count."""

import time
from asyncio import to_thread
from collections.abc import Callable, Iterator

from textual import events, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.config.problems import printable
from tui_agent.config.project import ProjectFile
from tui_agent.conversation.errors import StoreError
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.gate import Gate
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.diff_cells import Item, Note, notes
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.key_footer import KeyFooter

_HEADS = {
    "new": "asks for these settings, which do not count:",
    "changed": "has changed since you trusted it; these settings do not count:",
}


class TrustScreen(ClosingScreen[bool]):
    """Dismisses with True when the content that is shown was trusted.

    As on the approval panel no key answers before this was painted and 400 ms went by without one, and Enter never
    does; the keys are in the footer while they work.
    """

    BINDINGS = bindings_for("trust")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    TrustScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        LineView { height: 1fr; padding: 0 0 0 2; }
    }
    """

    def __init__(
        self,
        project: ProjectFile,
        trust: Callable[[], None],
        *,
        problem: str = "",
        symbols: Symbols = UNICODE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trust` keeps that this content is trusted, in a thread; `problem` is why nothing of it can be."""
        super().__init__()
        self._project = project
        self._trust = trust
        self._problem = problem
        self._symbols = symbols
        self._gate = Gate(self, "trust", frozenset({"accept", "leave"}), clock)
        self._title = Static(id="title", markup=False)
        self._view = LineView(symbols=symbols)
        self._view.can_focus = False

    def compose(self) -> ComposeResult:
        """Title, what is asked for, keys."""
        yield self._title
        yield self._view
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show it; what gave the terminal its focus back answers nothing."""
        self._view.show(lambda width: Laid([list(self._items())]))
        self._gate.begin()

    def _items(self) -> Iterator[Item]:
        project = self._project
        if self._problem:
            yield Note(self._problem, "error")
        yield from notes(f"{printable(str(project.path))} {_HEADS[project.state]}", "muted")
        for wish in project.held:
            yield from notes(f"line {wish.line}  {printable(wish.key)}: {printable(wish.change)}", "text")
            yield Note(f"  {wish.effect}", "warning")
        yield Note(f"sha256 {project.digest}", "faint")

    # ---- the gate ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers are taken when the gate is open, and yes only where trust can be given."""
        if action == "accept":
            return not self._problem and self._gate.armed
        return action != "leave" or self._gate.armed

    def on_key(self, event: events.Key) -> None:
        """Some keys come too early."""
        self._gate.key(event)

    # ---- keys ----

    @work(exclusive=True, exit_on_error=False)
    async def action_accept(self) -> None:
        """Trust exactly what is shown."""
        try:
            await to_thread(self._trust)
        except StoreError as error:
            self._problem = f"{error.message}: {error.hint}" if error.hint else error.message
            self._view.rebuild()
            self._view.action_scroll_home()
            self.refresh_bindings()
        else:
            self.dismiss(True)

    def action_leave(self) -> None:
        """Back; nothing has changed."""
        self.dismiss(False)

    def action_up(self) -> None:
        """A line up."""
        self._view.action_scroll_up()

    def action_down(self) -> None:
        """A line down."""
        self._view.action_scroll_down()

    def action_page_up(self) -> None:
        """A page up."""
        self._view.action_page_up()

    def action_page_down(self) -> None:
        """A page down."""
        self._view.action_page_down()

    # ---- what is out of sight ----

    def on_line_view_scrolled(self) -> None:
        """Say how much is below."""
        self._draw_title()

    def on_resize(self) -> None:
        """The right end of the title moves."""
        self._draw_title()

    def _draw_title(self) -> None:
        below = self._view.lines - self._view.scroll_offset.y - self._view.size.height
        left = Content.styled("trust these settings?", "bold $text")
        right = Content.styled(f"{self._symbols.down} {below:,} more" if below > 0 else "", "$accent")
        gap = max(1, self.size.width - 3 - left.cell_length - right.cell_length)
        self._title.update(Content.assemble(left, " " * gap, right))
