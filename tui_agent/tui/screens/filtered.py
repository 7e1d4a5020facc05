"""A full screen with a filter, a list of choices and a line about the highlighted one."""

from collections.abc import Hashable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ScreenResultType
from textual.widgets import Input, Static

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import run_in_order
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row
from tui_agent.tui.widgets.key_footer import KeyFooter


def matches(text: str, words: str) -> bool:
    """Whether every word of `words` stands somewhere in `text`; case does not matter."""
    text = text.lower()
    return all(word in text for word in words.lower().split())


class FilterInput(Input, inherit_bindings=False):
    """One line of typed filter; the keys of its screen run in the order in which they are typed."""

    BINDINGS = [binding for binding in Input.BINDINGS if not isinstance(binding, tuple) and binding.key != "enter"]

    def on_mount(self) -> None:
        """A steady cursor: nothing is painted while nothing happens."""
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        if not await run_in_order(event, self, self.screen):
            await run_in_order(event, self, self)  # ctrl+u, and an enter right behind it

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(one_line(event.text[:1000]))


class FilteredScreen(ClosingScreen[ScreenResultType]):
    """Title, filter, list, note and keys; a subclass says what the rows are and what choosing one does."""

    AUTO_FOCUS = "FilterInput"
    HEADING = ""
    PLACEHOLDER = "type to filter"

    DEFAULT_CSS = """
    FilteredScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        FilterInput {
            border: none;
            border-bottom: solid $tui-line;
            height: 2;
            padding: 0 2;
            background: $background;
            &:focus { border: none; border-bottom: solid $tui-line; background-tint: $background 0%; }
            & .input--placeholder, & .input--suggestion { color: $tui-faint; }
        }
        &.-ascii FilterInput, &.-ascii FilterInput:focus { border-bottom: ascii $tui-line; }
        ChoiceList { height: 1fr; }
        #note { height: auto; max-height: 50%; padding: 0 1 0 2; color: $tui-muted; }
        #note.-warning { color: $warning; }
    }
    """

    def __init__(self, symbols: Symbols = UNICODE) -> None:
        super().__init__()
        self._symbols = symbols
        self.set_class(symbols.rule.isascii(), "-ascii")
        self._warned: tuple[Hashable] | None = None  # the choice that the warning is about
        self.touched = False
        """Whether the user has moved the cursor or typed: from then on only they move it."""
        # Kept and not queried: what is still looked up may come when the screen has been left and has no children.
        self._filtered_by = FilterInput(placeholder=self.PLACEHOLDER, select_on_focus=False)
        self._list = ChoiceList(marker=symbols.prompt)
        self._note = Static(id="note", markup=False)
        self._title = Static(id="title", markup=False)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._filtered_by
        yield self._list
        yield self._note
        yield KeyFooter()

    def rows(self, words: str) -> Sequence[Row]:
        """The rows that fit the filter."""
        raise NotImplementedError

    def heading(self) -> tuple[Content, Content]:
        """The title line, left and right."""
        return Content.styled(self.HEADING, "bold $text"), Content("")

    def note(self, key: Hashable) -> Content:
        """The line about the highlighted choice."""
        return Content("")

    def choose(self, key: Hashable) -> None:
        """A choice was made."""
        raise NotImplementedError

    def rebuild(self, select: Hashable = None) -> None:
        """Build the rows again; the cursor stays where it is, or goes to `select`."""
        rows = self.rows(self._filtered_by.value)
        self._list.show(rows, self.standing(rows, self._list.selected if select is None else select))
        self._draw_title()
        self._draw_note()

    def standing(self, rows: Sequence[Row], key: Hashable) -> Hashable:
        """Where the cursor belongs after new rows came, when it was on `key`."""
        return key

    def _filter(self) -> None:
        self._list.show(self.rows(self._filtered_by.value), self._list.selected)

    def warn(self, text: str) -> None:
        """Say why something was not done, until the cursor is on another choice or something is typed."""
        self._warned = (self._list.selected,)
        self._note.update(Content(text))
        self._note.add_class("-warning")

    def _draw_title(self) -> None:
        left, right = self.heading()
        gap = max(1, self.size.width - 3 - left.cell_length - right.cell_length)
        self._title.update(Content.assemble(left, " " * gap, right))

    def _draw_note(self) -> None:
        if self._warned == (self._list.selected,):
            return
        self._warned = None
        self._note.remove_class("-warning")
        self._note.update(self.note(self._list.selected))

    def on_resize(self) -> None:
        """The right end of the title moves, and the rows may be spaced otherwise."""
        self.rebuild()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter."""
        event.stop()
        self.touched = True
        self._warned = None
        self._filter()
        self._draw_note()

    def on_choice_list_highlighted(self) -> None:
        """Tell about the new choice."""
        self._draw_note()

    def on_mouse_down(self) -> None:
        """A click may move the cursor."""
        self.touched = True

    def on_choice_list_clicked(self, event: ChoiceList.Clicked) -> None:
        """A click on the highlighted row chooses it."""
        self.choose(event.key)

    def choose_selected(self) -> None:
        """Choose what the cursor is on."""
        self._filter()  # what was typed last may not have been filtered yet
        if self._list.selected is not None:
            self.choose(self._list.selected)

    def action_up(self) -> None:
        """A choice up."""
        self.touched = True
        self._list.move(-1)

    def action_down(self) -> None:
        """A choice down."""
        self.touched = True
        self._list.move(1)

    def action_page_up(self) -> None:
        """A page up."""
        self.touched = True
        self._list.page(-1)

    def action_page_down(self) -> None:
        """A page down."""
        self.touched = True
        self._list.page(1)

    def action_close(self) -> None:
        """Back, without a choice."""
        self.dismiss(None)
