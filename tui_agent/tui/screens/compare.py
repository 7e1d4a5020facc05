"""One prompt, two models: what each says as it comes, what that took, and a key that goes on with it."""

import time
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from tui_agent.conversation.events import Event, ToolFinished
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.clipboard import copy, open_or_copy
from tui_agent.tui.gate import Gate
from tui_agent.tui.progress import Progress
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.activity import ActivityLine
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.transcript.changes import spent_words
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document
from tui_agent.tui.widgets.transcript.projection import Projector
from tui_agent.tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:
    from tui_agent.agent.comparing import Comparison, Side
    from tui_agent.agent.spending import Spent

BESIDE_EACH_OTHER = 100
"""Columns from which both sides are shown."""

TAKING = frozenset({"take", "take_first", "take_second", "stop"})
"""What a key that was meant for something else must not do."""

_ENDS = {"done": "", "interrupted": "stopped", "error": "failed"}


def figure_words(side: "Side", used: "Spent", calls: int, currency: str) -> list[str]:
    """What a side took so far: how it ended, seconds to the first token and in all, calls, tokens, money."""
    times = side.times
    words = []
    if times.reason is not None:
        words.append(_ENDS.get(times.reason, "ended early"))
    if times.seconds is not None:
        words.append(_seconds(times.seconds))
    if times.first is not None:
        words.append(f"first token {_seconds(times.first)}")
    if calls:
        words.append(f"{calls} call{'' if calls == 1 else 's'}")
    if used.requests:
        words.append(spent_words(used, currency))
    return list(filter(None, words))


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


class Column(Vertical):
    """One side."""

    DEFAULT_CSS = """
    Column {
        width: 1fr;
        #name, #figures { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        #figures { height: auto; max-height: 2; }
        TranscriptView { height: 1fr; }
        ActivityLine { padding: 0 1 0 2; }
        &.-present #name { background: $tui-raised; }
        &.-second.-beside { border-left: solid $tui-line; }
        &.-hidden { display: none; }
    }
    """

    def __init__(self, side: "Side", number: int, currency: str, *, symbols: Symbols) -> None:
        super().__init__()
        self.side = side
        self.number = number
        self.document = Document()
        self._currency = currency
        self._symbols = symbols
        self._projector = Projector(self.document, currency=lambda: currency)
        self._progress = Progress()
        self._calls = 0
        self._first = False
        self._title = Static(id="name", markup=False)
        self._figures = Static(id="figures", markup=False)
        self._activity = ActivityLine(symbols=symbols)
        self.set_class(number == 2, "-second")

    def compose(self) -> ComposeResult:
        """Who it is and what it took, what it says, what it does."""
        app: Shell = self.app  # type: ignore[assignment]  # it has no other
        self.view = TranscriptView(self.document, palette=app.palette, symbols=self._symbols)
        self.view.can_focus = False
        yield self._title
        yield self._figures
        yield self.view
        yield self._activity

    def on_mount(self) -> None:
        """Name it."""
        self.draw()

    def take(self, event: Event) -> None:
        """Account for what happened; the head only changes with what it shows."""
        self._projector.apply(event)
        self._progress.take(event, time.monotonic())
        self._calls += isinstance(event, ToolFinished)
        self._activity.show(self._progress.activity)
        first = self.side.times.first is not None
        if first != self._first or self.side.times.reason is not None or isinstance(event, ToolFinished):
            self._first = first
            self.draw()

    def draw(self) -> None:
        """Who answers, and the figures."""
        present = self.has_class("-present")
        number = Content.styled(f"{self.number}  ", "bold $accent" if present else "$tui-faint")
        self._title.update(Content.assemble(number, Content.styled(one_line(self.side.name), "bold $text")))
        words = figure_words(self.side, self.side.spent, self._calls, self._currency)
        self._figures.update(Content(" · ".join(words)))

    @property
    def answer(self) -> str:
        """What it has said, as Markdown."""
        said = (block.source for block in self.document.blocks if isinstance(block, AgentBlock))
        return sanitize("\n\n".join(said))


class CompareScreen(ClosingScreen[int | None]):
    """Dismisses with the place of the side to go on with, 0 or 1; None for neither."""

    BINDINGS = bindings_for("compare")
    AUTO_FOCUS = ""

    app: Shell

    DEFAULT_CSS = """
    CompareScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        Horizontal { height: 1fr; }
        #said { height: auto; max-height: 2; padding: 0 1 0 2; color: $warning; display: none; }
        &.-said #said { display: block; }
    }
    """

    def __init__(self, comparison: "Comparison", prompt: str, currency: str, *, symbols: Symbols = UNICODE) -> None:
        super().__init__()
        self._comparison = comparison
        self._prompt = prompt
        self._present = 0
        self._gate = Gate(self, "compare", TAKING)
        self._title = Static(id="title", markup=False)
        self._said = Static(id="said", markup=False)
        self.columns = tuple(
            Column(side, place + 1, currency, symbols=symbols) for place, side in enumerate(comparison.sides)
        )

    def compose(self) -> ComposeResult:
        """Both, or the one that is looked at."""
        yield self._title
        with Horizontal():
            yield from self.columns
        yield self._said
        yield KeyFooter()

    def on_mount(self) -> None:
        """Ask both."""
        self._draw()
        self._gate.begin()
        for place, column in enumerate(self.columns):
            column.side.start(self._prompt, lambda event, place=place: self._take(place, event))  # type: ignore[misc]

    def on_resize(self) -> None:
        """There may be room for both now, or not any more."""
        self._draw()

    def _take(self, place: int, event: Event) -> None:
        """Something happened on a side; when it has ended, its answer can be taken."""
        if not self.is_running:
            return
        column = self.columns[place]
        column.take(event)
        if column.side.times.reason is not None:
            self._gate.painted()  # what a key would do is another thing now

    @property
    def _both(self) -> bool:
        return self.size.width >= BESIDE_EACH_OTHER

    def _draw(self) -> None:
        for place, column in enumerate(self.columns):
            column.set_class(place == self._present, "-present")
            column.set_class(self._both, "-beside")
            column.set_class(not self._both and place != self._present, "-hidden")
            column.draw()
        what = "side by side" if self._both else f"{self._present + 1} of 2"
        prompt = one_line(self._prompt)
        self._title.update(Content.assemble(Content.styled(what, "bold $text"), f"  {prompt}"))
        self.refresh_bindings()

    def say(self, text: str) -> None:
        """Tell why something was not done, until something else is done."""
        self.set_class(bool(text), "-said")
        self._said.update(Content(text))

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is taken or stopped before the gate is open; only what runs can be stopped."""
        if action in TAKING and not self._gate.armed:
            return False
        return action != "stop" or self.columns[self._present].side.times.reason is None

    def on_key(self, event: events.Key) -> None:
        """Some keys come too early."""
        self._gate.key(event)

    def action_take_first(self) -> None:
        """Go on with the first."""
        self._choose(0)

    def action_take_second(self) -> None:
        """Go on with the second."""
        self._choose(1)

    def action_take(self) -> None:
        """Go on with the one that is looked at."""
        self._choose(self._present)

    def _choose(self, place: int) -> None:
        from tui_agent.agent.comparing import why_not

        side = self._comparison.sides[place]
        if reason := why_not(side.records):
            self.say(f"{one_line(side.name)} cannot be taken: {reason}")
        else:
            self.dismiss(place)

    def action_first(self) -> None:
        """Look at the first."""
        self._look_at(0)

    def action_second(self) -> None:
        """Look at the second."""
        self._look_at(1)

    def action_other(self) -> None:
        """Look at the other one."""
        self._look_at(1 - self._present)

    def _look_at(self, place: int) -> None:
        self._present = place
        self.say("")
        self._draw()

    def action_stop(self) -> None:
        """Stop the one that is looked at; the other one goes on."""
        self.columns[self._present].side.stop()

    def action_copy(self) -> None:
        """Copy what it has said."""
        if text := self.columns[self._present].answer:
            copy(self.app, text, "answer")

    def action_close(self) -> None:
        """Take neither."""
        self.dismiss(None)

    # ---- moving ----

    @property
    def _view(self) -> TranscriptView:
        return self.columns[self._present].view

    def action_up(self) -> None:
        """A line up."""
        self._view.scroll_up(animate=False)

    def action_down(self) -> None:
        """A line down."""
        self._view.scroll_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self._view.action_page_up()

    def action_page_down(self) -> None:
        """A page down."""
        self._view.action_page_down()

    def on_click(self, event: events.Click) -> None:
        """A click on a side looks at it."""
        for place, column in enumerate(self.columns):
            if column.region.contains(event.screen_x, event.screen_y) and place != self._present:
                self._look_at(place)

    @on(TranscriptView.Copied)
    def _copied(self, event: TranscriptView.Copied) -> None:
        copy(self.app, event.text, event.what)

    @on(TranscriptView.LinkOpened)
    @work(exit_on_error=False)
    async def _open_link(self, event: TranscriptView.LinkOpened) -> None:
        await open_or_copy(self.app, event.url)
