"""The editor of a document: a plan, a summary."""

from textual import events
from textual.widgets import TextArea

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import run_in_order


class DocumentArea(TextArea):
    """Takes text of many lines; its keys belong to the screen, and what is pasted cannot steer the terminal."""

    DEFAULT_CSS = """
    DocumentArea, DocumentArea:focus {
        height: 1fr;
        border: none;
        padding: 0 0 0 1;
        background: $surface;
        color: $text;
    }
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text, soft_wrap=True, show_line_numbers=False, highlight_cursor_line=False)
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        await run_in_order(event, self, self.screen)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(sanitize(event.text), *self.selection, maintain_selection_offset=False)
