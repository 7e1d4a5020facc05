"""What fills the model's window, as it is now; it follows a turn that runs."""

from typing import Literal

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.context_lines import ContextFacts, context_lines
from tui_agent.tui.widgets.key_footer import KeyFooter

Next = Literal["compact", "edit"]


class ContextScreen(ClosingScreen[Next | None]):
    """Dismisses with what is to be done next, None for nothing."""

    BINDINGS = bindings_for("context")
    AUTO_FOCUS = ""

    app: Shell

    DEFAULT_CSS = """
    ContextScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
        VerticalScroll { height: 1fr; padding: 0 1 0 2; scrollbar-size-vertical: 1; }
        #text { height: auto; }
    }
    """

    def __init__(self, *, symbols: Symbols = UNICODE) -> None:
        super().__init__()
        self._symbols = symbols
        self._facts: ContextFacts | None = None
        self._doing = (True, False)
        self._title = Static(id="title", markup=False)
        self._text = Static(id="text", markup=False)
        self._scroll = VerticalScroll(self._text, can_focus=False)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._scroll
        yield KeyFooter()

    def show(self, facts: ContextFacts, model: str, *, busy: bool, summary: bool) -> None:
        """This is how it is now; `busy`: a turn runs, `summary`: there is one to edit."""
        self._facts = facts
        said = Content.styled(f"  {one_line(model)}", "$tui-muted")
        running = Content.styled("  a turn runs", "$accent") if busy else Content("")
        self._title.update(Content.assemble(Content.styled("context", "bold $text"), said, running))
        if self._doing != (busy, summary):
            self._doing = busy, summary
            self.refresh_bindings()
        self._draw()

    def _draw(self) -> None:
        if self._facts is not None and self.size.width:
            lines = context_lines(self._facts, max(10, self.size.width - 4), self._symbols)
            self._text.update(Content("\n").join(lines))

    def on_mount(self) -> None:
        """As soon as there is a size."""
        self._draw()

    def on_resize(self) -> None:
        """Lay it out for the width."""
        self._draw()

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Room is made between turns; a summary can be edited where there is one."""
        busy, summary = self._doing
        return {"compact": not busy, "edit": summary and not busy}.get(action, True)

    def action_compact(self) -> None:
        """Let the earlier conversation become a summary."""
        self.dismiss("compact")

    def action_edit(self) -> None:
        """Edit the summary that there is."""
        self.dismiss("edit")

    def action_up(self) -> None:
        """A line up."""
        self._scroll.scroll_up(animate=False)

    def action_down(self) -> None:
        """A line down."""
        self._scroll.scroll_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self._scroll.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page down."""
        self._scroll.scroll_page_down(animate=False)

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)
