"""All keys and commands, generated from the action registry: the help screen and the table of the README."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.actions import ACTIONS, PLACES
from tui_agent.tui.bindings import bindings_for, key_name, keys_of
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.widgets.completion import Command
from tui_agent.tui.widgets.key_footer import KeyFooter

_KEYS_WIDTH = 32
_NARROW_KEYS_WIDTH = 14


def key_sections(keys: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Title of each place with its rows (keys, what they do), under the user's bindings `keys` (those of `keymap`)."""
    return [
        (
            title,
            [
                (", ".join(key_name(key) for key in keys_of(action, keys)), action.help)
                for action in ACTIONS
                if action.place == place
            ],
        )
        for place, title in PLACES
        if any(action.place == place for action in ACTIONS)
    ]


def key_table_markdown() -> str:
    """The shipped keys as a Markdown table, for the README."""
    lines = ["| where | keys | what | id for `ui.keys` |", "| --- | --- | --- | --- |"]
    for place, title in PLACES:
        for action in ACTIONS:
            if action.place != place:
                continue
            keys = ", ".join(f"`{key_name(key)}`" for key in keys_of(action, {}))
            lines.append(f"| {title} | {keys} | {action.help} | {'fixed' if action.fixed else f'`{action.id}`'} |")
    return "\n".join(lines) + "\n"


class HelpScreen(ClosingScreen[None]):
    """Scrolls with the arrow and page keys; closes with the key that opened it."""

    BINDINGS = bindings_for("help")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    HelpScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; color: $text; text-style: bold; }
        #keys {
            height: 1fr;
            padding: 0 1 0 2;
            scrollbar-size-vertical: 1;
            Static { height: auto; }
        }
    }
    """

    def __init__(self, keys: Mapping[str, str] | None = None, commands: Sequence[Command] = ()) -> None:
        """`keys` are the user's bindings that are in force, `commands` the slash commands."""
        super().__init__()
        self._keys = keys or {}
        self._commands = tuple(commands)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield Static("keys and commands", id="title", markup=False)
        with VerticalScroll(id="keys", can_focus=False):
            yield Static(id="text", markup=False)
        yield KeyFooter()

    def on_resize(self) -> None:
        """Lay the columns out for the width."""
        self.query_one("#text", Static).update(self._text(self.size.width - 4))

    def _text(self, width: int) -> Content:
        left = _KEYS_WIDTH if width >= 76 else _NARROW_KEYS_WIDTH
        lines: list[Content] = []
        commands = [(sanitize(command.name), sanitize(command.help)) for command in self._commands]
        for title, rows in [("commands", commands)] * bool(commands) + key_sections(self._keys):
            lines += [Content(""), Content.styled(title, "bold $accent")]
            for keys, told in rows:
                lines += _row(keys, told, left, width)
        return Content("\n").join(lines)

    def _scroll(self) -> VerticalScroll:
        return self.query_one("#keys", VerticalScroll)

    def action_up(self) -> None:
        """A line up."""
        self._scroll().scroll_up(animate=False)

    def action_down(self) -> None:
        """A line down."""
        self._scroll().scroll_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self._scroll().scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page down."""
        self._scroll().scroll_page_down(animate=False)

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)


def _row(keys: str, told: str, left: int, width: int) -> list[Content]:
    """A row of two columns; what is told wraps in its own column, keys that are too long stand on their own line."""
    name = Content.styled(keys, "$text")
    wrapped = Content.styled(told, "$tui-muted").wrap(max(10, width - left))
    pad = Content(" " * left)
    if name.cell_length > left - 2:
        return [name, *(Content.assemble(pad, line) for line in wrapped)]
    first = Content.assemble(name, " " * (left - name.cell_length), wrapped[0])
    return [first, *(Content.assemble(pad, line) for line in wrapped[1:])]
