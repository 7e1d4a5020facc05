"""One line above the prompt to find text in the transcript: what is looked for, and how many there are."""

from typing import Protocol

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import KEEPS_KEYS, bindings_for, run_in_order

LONGEST = 1_000
"""Characters of what can be looked for."""


class Finding(Protocol):
    """What the bar tells."""

    def look_for(self, text: str, regular: bool) -> None:
        """This is wanted now."""

    def step(self, ways: int) -> None:
        """The next one (1), or the one before (-1)."""

    def keep(self) -> None:
        """Go on where the present one is."""

    def give_up(self) -> None:
        """Go back to where it began."""


class FindInput(Input, inherit_bindings=False):
    """The line to type in; its keys and those of the bar run in the order in which they are typed."""

    BINDINGS = [binding for binding in Input.BINDINGS if not isinstance(binding, tuple) and binding.key != "enter"]

    def on_mount(self) -> None:
        """A steady cursor: nothing is painted while nothing happens."""
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        assert self.parent is not None
        if not await run_in_order(event, self, self.parent):
            await run_in_order(event, self, self)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = sanitize(event.text[: 10 * LONGEST].replace("\r", "\n"))
        line = next((line for line in text.split("\n") if line.strip()), "")
        self.replace(line.expandtabs(4)[:LONGEST], *self.selection)


class FindBar(Horizontal):
    """The line, which of the hits is the present one, and what is special about the search."""

    BINDINGS = bindings_for("find")

    DEFAULT_CSS = """
    FindBar {
        height: 1;
        padding: 0 1 0 0;
        background: $tui-raised;
        .find--label { width: auto; padding: 0 1 0 0; color: $tui-muted; }
        .find--state { width: auto; max-width: 60%; padding: 0 0 0 1; color: $tui-muted; }
        .find--state.-warning { color: $warning; }
        FindInput, FindInput:focus {
            width: 1fr;
            height: 1;
            border: none;
            padding: 0;
            background: $tui-raised;
            background-tint: $background 0%;
            & .input--placeholder { color: $tui-faint; }
        }
    }
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.display = False
        self.regular = False
        self._finding = finding
        self._label = Static("find", classes="find--label", markup=False)
        self._input = FindInput(
            compact=True,
            max_length=LONGEST,
            select_on_focus=False,
            placeholder="in the transcript",
            classes=KEEPS_KEYS,
        )
        self._state = Static(classes="find--state", markup=False)
        self._said = ""

    def compose(self) -> ComposeResult:
        """From left to right."""
        yield self._label
        yield self._input
        yield self._state

    @property
    def text(self) -> str:
        """What is looked for."""
        return self._input.value

    @property
    def has_keys(self) -> bool:
        """Whether typing goes into the bar."""
        return self._input.has_focus

    def open(self) -> None:
        """Show it and take the keys; what was looked for last is selected, to be typed over."""
        self.display = True
        self._input.select_all()
        self.screen.set_focus(self._input, scroll_visible=False)

    def close(self) -> None:
        """Hide it; what was looked for stays for the next time."""
        self.display = False

    def say(self, state: str, warning: bool = False) -> None:
        """How it stands with the search."""
        if self._said != state:
            self._said = state
            self._state.update(state)
        self._state.set_class(warning, "-warning")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self._look()

    def _look(self) -> None:
        self._finding.look_for(self.text, self.regular)

    def action_next(self) -> None:
        """To the next hit."""
        self._look()  # what was typed last may not have been taken yet
        self._finding.step(1)

    def action_previous(self) -> None:
        """To the hit before."""
        self._look()
        self._finding.step(-1)

    def action_regex(self) -> None:
        """Take what is typed as a regular expression, or as it is."""
        self.regular = not self.regular
        self._look()

    def action_keep(self) -> None:
        """Stay at the present hit and go on in the transcript."""
        self._look()
        self._finding.keep()

    def action_close(self) -> None:
        """Back to where it began."""
        self._finding.give_up()
