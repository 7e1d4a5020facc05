"""What waits to be sent: edited, put in another order, made to steer the turn or to follow it, removed."""

from collections.abc import Callable
from functools import partial

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.conversation.outbox import Outbox, Waiting, When
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.key_footer import KeyFooter

_WAITS: dict[When, str] = {"ready": "with the model", "step": "after this step", "turn": "after this turn"}
_LABEL = 17


class QueuedScreen(ClosingScreen[str]):
    """Dismisses with an edited text whose place is gone, because what it was made of has been sent; else with none."""

    BINDINGS = bindings_for("queued")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    QueuedScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        ChoiceList { height: 1fr; }
        DocumentArea, DocumentArea:focus { height: 40%; min-height: 2; padding: 0 0 0 2; }
        DocumentArea { color: $tui-muted; }
        DocumentArea:focus { color: $text; background: $tui-raised; }
    }
    """

    def __init__(self, outbox: Outbox, remember: Callable[[str], None], *, symbols: Symbols = UNICODE) -> None:
        """`remember` keeps a text for the user."""
        super().__init__()
        self._outbox = outbox
        self._remember = remember
        self._edited: int | None = None
        self._title = Static(id="title", markup=False)
        self._list = ChoiceList(marker=symbols.prompt)
        self._text = DocumentArea()
        self._text.can_focus = False

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._list
        yield self._text
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show the next one."""
        self._draw()

    def _draw(self, at: int = 0) -> None:
        """Show what waits now; when nothing does any more, leave. Where the highlighted one is gone, `at` is it."""
        waiting = self._outbox.waiting
        if not waiting:
            self.dismiss("")
            return
        head = "editing" if self._edited is not None else f"{len(waiting)} queued"
        said = "  esc keeps it" if self._edited is not None else "  nothing is sent while you look"
        self._title.update(Content.assemble(Content.styled(head, "bold $text"), Content.styled(said, "$tui-muted")))
        numbers = [one.number for one in waiting]
        select = self._selected if self._selected in numbers else numbers[min(at, len(numbers) - 1)]
        self._list.show([Row(one.number, partial(_line, one)) for one in waiting], select)
        self._tell()

    @property
    def _selected(self) -> int:
        number = self._list.selected
        return number if isinstance(number, int) else 0

    def _tell(self) -> None:
        """The whole text of the highlighted one."""
        if self._edited is None:
            text = next((one.text for one in self._outbox.waiting if one.number == self._selected), "")
            self._text.load_text(sanitize(text))
        self.refresh_bindings()

    @property
    def typed(self) -> str:
        """The prompt that is edited."""
        return self._text.text if self._edited is not None else ""

    def on_choice_list_highlighted(self) -> None:
        """Another one is highlighted."""
        self._tell()

    def on_choice_list_clicked(self) -> None:
        """Edit it."""
        self.action_edit()

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While one is edited the keys are its text's."""
        if self._edited is not None:
            return action == "close"
        if action == "turn":
            return any(one.number == self._selected and one.when != "ready" for one in self._outbox.waiting)
        return True

    def action_edit(self) -> None:
        """Edit the highlighted one."""
        if self._edited is None:
            self._tell()  # a quick reader is ahead of what was shown
            self._edited = self._selected
            self._text.can_focus = True
            self.set_focus(self._text)
            self._text.move_cursor(self._text.document.end)
            self._draw()

    def action_close(self) -> None:
        """Keep what was edited; else back to the chat."""
        number, self._edited = self._edited, None
        if number is None:
            self.dismiss("")
            return
        text = self._text.text
        self.set_focus(None)
        self._text.can_focus = False
        if text.strip():
            self._remember(text)
        if any(one.number == number for one in self._outbox.waiting):
            self._outbox.edit(number, text)
            self._draw()
        else:
            self.dismiss(text)

    def action_turn(self) -> None:
        """Let it steer the turn, or follow it."""
        self._outbox.turn(self._selected)
        self._draw()

    def action_earlier(self) -> None:
        """Send it before the one above it."""
        self._outbox.move(self._selected, -1)
        self._draw()

    def action_later(self) -> None:
        """Send it after the one below it."""
        self._outbox.move(self._selected, 1)
        self._draw()

    def action_remove(self) -> None:
        """Do not send it."""
        numbers = [one.number for one in self._outbox.waiting]
        at = numbers.index(self._selected) if self._selected in numbers else 0
        self._outbox.take(self._selected)
        self._draw(at)

    def action_up(self) -> None:
        """One up."""
        self._list.move(-1)

    def action_down(self) -> None:
        """One down."""
        self._list.move(1)

    def action_page_up(self) -> None:
        """A page up."""
        self._list.page(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self._list.page(1)


def _line(one: Waiting, width: int) -> Content:
    label = Content.styled(_WAITS[one.when], "$tui-muted" if one.when == "turn" else "$accent")
    text = Content.styled(one_line(one.text), "$text")
    return columns(width, (label, _LABEL), (text, max(1, width - _LABEL)))
