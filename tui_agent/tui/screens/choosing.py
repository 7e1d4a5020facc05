"""A short list to choose from, and a name to give."""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from textual.content import Content

from tui_agent.text.sanitize import one_line
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.filtered import FilteredScreen, matches
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import Row, columns

_WIDEST = 110
_LABEL = 20


KeyT = TypeVar("KeyT", bound=str)


class Choice(NamedTuple, Generic[KeyT]):
    """`key` is what comes back; `label` is short, `about` says what it means."""

    key: KeyT
    label: str
    about: str


class ChoosingScreen(FilteredScreen[KeyT | None], Generic[KeyT]):
    """Dismisses with the key of a choice, or None."""

    BINDINGS = bindings_for("choosing")

    def __init__(self, heading: str, choices: Sequence[Choice[KeyT]], *, symbols: Symbols = UNICODE) -> None:
        super().__init__(symbols)
        self._heading = heading
        self._choices = tuple(choices)

    def on_mount(self) -> None:
        """Show them."""
        self.rebuild()

    def rows(self, words: str) -> Sequence[Row]:
        """Those that fit what was typed."""
        fitting = [choice for choice in self._choices if matches(f"{choice.label} {choice.about}", words)]
        if fitting:
            return [Row(choice.key, partial(self._draw, choice)) for choice in fitting]
        return [Row(None, lambda width: Content.styled("nothing fits the filter", "$tui-faint"))]

    def heading(self) -> tuple[Content, Content]:
        """What it is about."""
        return Content.styled(one_line(self._heading), "bold $text"), Content("")

    def choose(self, key: Hashable) -> None:
        """Take it."""
        for choice in self._choices:
            if choice.key == key:
                self.dismiss(choice.key)

    def action_open(self) -> None:
        """Take the highlighted one."""
        self.choose_selected()

    def _draw(self, choice: Choice[KeyT], width: int) -> Content:
        width = min(width, _WIDEST)
        label = Content.styled(one_line(choice.label), "$text")
        about = Content.styled(one_line(choice.about), "$tui-muted")
        return columns(width, (label, _LABEL), (about, max(1, width - _LABEL)))


class NamingScreen(FilteredScreen[str | None]):
    """Dismisses with the name that was typed, which may be empty, or None."""

    BINDINGS = bindings_for("choosing")
    PLACEHOLDER = "its first prompt"

    def __init__(self, name: str, *, symbols: Symbols = UNICODE) -> None:
        super().__init__(symbols)
        self._called = one_line(name)

    def on_mount(self) -> None:
        """Begin with the name of now."""
        self._filtered_by.value = self._called
        self.rebuild()

    def rows(self, words: str) -> Sequence[Row]:
        """What it would be called."""
        name = words.strip() or self.PLACEHOLDER
        return [Row("name", lambda width: Content.assemble(("call it  ", "$tui-muted"), (name, "$text")))]

    def heading(self) -> tuple[Content, Content]:
        """What is done."""
        return Content.styled("rename the session", "bold $text"), Content("")

    def choose(self, key: Hashable) -> None:
        """Take what was typed."""
        self.dismiss(self._filtered_by.value.strip())

    def action_open(self) -> None:
        """Take what was typed."""
        self.choose_selected()
