"""An editor on the command of a question: every character of it can be seen, and nothing in it runs by a key here."""

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import TextArea

from tui_agent.text.sanitize import read_back, spell_out
from tui_agent.tui.bindings import KEEPS_KEYS, run_in_order
from tui_agent.tui.widgets.diff_text import cells
from tui_agent.tui.widgets.key_hints import ROOMY, Hint, KeyHints

_NEW_LINE = frozenset({"shift+enter", "ctrl+j", "alt+enter"})
_DONE = frozenset({"enter", "ctrl+s"})


_HINTS = (
    Hint("done", "enter", "look at it again"),
    Hint("line", "shift+enter", "new line"),
    Hint("leave", "esc", "back"),
)


class CommandArea(TextArea):
    """Enter is for whoever is around; a new line has keys of its own, as in the prompt."""

    async def _on_key(self, event: events.Key) -> None:
        """At once, and not when the key has bubbled: what was typed behind it must stay behind it."""
        if event.key in _DONE:
            self.post_message(CommandEditor.Done(read_back(self.text)))
        elif event.key == "escape":
            self.post_message(CommandEditor.Left())
        elif event.key in _NEW_LINE:
            self.insert("\n")
        else:
            await run_in_order(event, self, self)
            return
        event.stop()
        event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert(spell_out(event.text.replace("\r\n", "\n").replace("\r", "\n")))


class CommandEditor(Widget):
    """Characters that nobody sees are spelled out (`<U+202E>`) and are themselves again in what comes out."""

    DEFAULT_CSS = """
    CommandEditor {
        height: auto;
        display: none;
        &.-open { display: block; }
        CommandArea, CommandArea:focus { height: auto; border: none; padding: 0; background: $tui-raised; }
    }
    """

    class Done(Message):
        """The command as it is now is the one to look at."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    class Left(Message):
        """The user wants back."""

    def __init__(self) -> None:
        super().__init__()
        self.area = CommandArea(soft_wrap=True, show_line_numbers=False, classes=KEEPS_KEYS)
        self.area.highlight_cursor_line = False
        self.area.cursor_blink = False
        self.hints = KeyHints()

    def compose(self) -> ComposeResult:
        """The text and its keys."""
        yield self.area
        yield self.hints

    @property
    def command(self) -> str:
        """The command as it is now."""
        return read_back(self.area.text)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

    def open(self, command: str) -> None:
        """Begin with a command."""
        self.area.text = spell_out(command)
        self.area.move_cursor(self.area.document.end)
        self.hints.add_class("-armed")
        self.hints.refresh(layout=True)
        self.add_class("-open")

    def close(self) -> None:
        """Show it no more."""
        self.remove_class("-open")

    def lines_at(self, container: Size, viewport: Size, width: int, most: int) -> int:
        """How many lines it takes, of which the text gets what its keys leave of `most`."""
        roomy = viewport.height >= ROOMY
        self.hints.hints = self.hints.short = tuple(hint for hint in _HINTS if roomy or hint.action != "line")
        keys = self.hints.get_content_height(container, viewport, width)
        rows = sum(1 + cells(line) // max(1, width - 1) for line in self.area.text.split("\n"))
        height = max(1, min(rows + 1, most - keys))
        self.area.styles.height = height
        return height + keys

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.refresh(layout=True)

    @on(KeyHints.Pressed)
    def _clicked(self, event: KeyHints.Pressed) -> None:
        event.stop()
        if event.action == "line":
            self.area.insert("\n")
        else:
            self.post_message(self.Left() if event.action == "leave" else self.Done(self.command))
