"""The lines in which the user writes during a review: the new text of a hunk, and a comment."""

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from tui_agent.tui.bindings import KEEPS_KEYS, bindings_for, run_in_order
from tui_agent.tui.hunk_draft import HunkDraft, spelled

_HELP = "ctrl+s keeps it, esc goes back"
_SURE = "esc again throws away what you typed"


class HunkText(TextArea):
    """The text area; its keys belong to the `HunkEditor` around it."""

    BINDINGS = bindings_for("editor")

    def __init__(self) -> None:
        super().__init__(
            soft_wrap=True, tab_behavior="indent", show_line_numbers=False, highlight_cursor_line=False, compact=True
        )
        self.cursor_blink = False
        self.add_class(KEEPS_KEYS)
        self.last_key: events.Key | None = None

    async def _on_key(self, event: events.Key) -> None:
        self.last_key = event
        editor = self.parent
        assert isinstance(editor, HunkEditor)
        if event.key != "escape":
            editor.go_on()
        await run_in_order(event, self, self)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.replace(spelled(event.text), *self.selection, maintain_selection_offset=False)

    def action_keep(self) -> None:
        """Take what was typed."""
        editor = self.parent
        assert isinstance(editor, HunkEditor)
        editor.keep()

    def action_discard(self) -> None:
        """Go back; what was typed is only thrown away when asked for twice."""
        editor = self.parent
        assert isinstance(editor, HunkEditor)
        editor.discard()


class HunkEditor(Widget):
    """Edits the new text of one hunk below the diff. It is shown from `edit` until it posts `Done`."""

    DEFAULT_CSS = """
    HunkEditor {
        display: none;
        height: 50%;
        layout: vertical;
        background: $tui-raised;
        padding: 0 1 0 1;
        &.-open { display: block; }
        Static { height: 1; color: $tui-muted; }
        &.-sure Static, &.-problem Static { color: $warning; }
        TextArea {
            height: 1fr;
            border: none;
            padding: 0;
            background: $tui-raised;
            scrollbar-size-vertical: 1;
            scrollbar-background: $tui-raised;
            &:focus { border: none; }
        }
    }
    """

    class Done(Message):
        """The text that was made, or None when it was left as it was."""

        def __init__(self, hunk: int, text: str | None) -> None:
            super().__init__()
            self.hunk = hunk
            self.text = text

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._hunk = 0
        self._draft = HunkDraft("")
        self._line = Static(markup=False)
        self._area = HunkText()

    def compose(self) -> ComposeResult:
        """What is edited, and the text."""
        yield self._line
        yield self._area

    def edit(self, hunk: int, text: str, like: str, title: str) -> None:
        """Open for a hunk; `like` is a text whose line endings are taken when there is none."""
        self._hunk, self._title = hunk, title
        self._draft = HunkDraft(text, like)
        self._area.indent_type = "tabs" if "\n\t" in f"\n{text}" else "spaces"
        self._area.text = self._draft.shown
        self._area.move_cursor((0, 0))
        self.add_class("-open")
        self.go_on()
        self.screen.set_focus(self._area, scroll_visible=False)

    def tell(self, problem: str) -> None:
        """Say why what was typed cannot be kept; it stays."""
        self.add_class("-problem")
        self._line.update(Content(problem))

    @property
    def is_open(self) -> bool:
        """Whether something is edited."""
        return self.has_class("-open")

    def go_on(self) -> None:
        """What was typed is not to be thrown away."""
        self.remove_class("-sure", "-problem")
        self._line.update(Content(f"{self._title}   {_HELP}"))

    def keep(self) -> None:
        """Hand over the text; whoever takes it closes the editor."""
        self.post_message(self.Done(self._hunk, self._draft.read(self._area.text)))

    def discard(self) -> None:
        """Leave, at the second time when something was typed."""
        if self._area.text != self._draft.shown and not self.has_class("-sure"):
            self.add_class("-sure")
            self._line.update(Content(_SURE))
        else:
            self.post_message(self.Done(self._hunk, None))

    def close(self) -> None:
        """Show no more."""
        self.remove_class("-open", "-sure", "-problem")
        self._area.text = ""


class CommentLine(Input):
    """One line for what the user says about a hunk, or about the whole."""

    DEFAULT_CSS = """
    CommentLine, CommentLine:focus {
        display: none;
        height: 1;
        border: none;
        padding: 0 2;
        background: $tui-raised;
        &.-open { display: block; }
    }
    """

    class Done(Message):
        """What was said about a hunk (-1: the whole); None when it was left as it was."""

        def __init__(self, hunk: int, text: str | None) -> None:
            super().__init__()
            self.hunk = hunk
            self.text = text

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._hunk = 0
        self.cursor_blink = False
        self.add_class(KEEPS_KEYS)
        self.last_key: events.Key | None = None

    def write(self, hunk: int, text: str) -> None:
        """Open for a hunk, or for the whole (-1), with what was said so far."""
        self._hunk = hunk
        about = "the whole" if hunk < 0 else f"hunk {hunk + 1}"
        self.placeholder = f"about {about}, for the model; enter keeps it, esc goes back"
        self.value = text
        self.add_class("-open")
        self.screen.set_focus(self, scroll_visible=False)

    @property
    def is_open(self) -> bool:
        """Whether something is written."""
        return self.has_class("-open")

    def close(self) -> None:
        """Show no more."""
        self.remove_class("-open")

    def on_key(self, event: events.Key) -> None:
        """Escape leaves it."""
        self.last_key = event
        if event.key == "escape":
            event.stop()
            self.post_message(self.Done(self._hunk, None))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps it."""
        event.stop()
        self.post_message(self.Done(self._hunk, event.value.strip()))
