"""What runs in the background: each command with the end of what it prints, and a key that stops it."""

import time
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Sequence

from textual import events, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.sandbox.background import BackgroundCommand, how_it_ended
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.later import later
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.diff_cells import Item, notes
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.key_footer import KeyFooter

LOOK_SECONDS = 0.15
"""Between two looks at what a command prints."""

_MOST_LINES = 2_000
_STATE = 19


class Output(LineView):
    """Stays at its end when other text comes, unless the reader has scrolled up."""

    can_focus = False

    def __init__(self, *, symbols: Symbols = UNICODE) -> None:
        super().__init__(symbols=symbols)
        self.following = True

    def put(self, items: Sequence[Item]) -> None:
        """Show this, at its end."""
        self.following = True
        self.show(lambda width: Laid([items]))
        self._to_end()

    def on_resize(self, event: events.Resize) -> None:
        """The end stays the end."""
        super().on_resize(event)
        self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling away from the end, and back to it, counts."""
        placed = self._placing
        super().watch_scroll_y(old_value, new_value)
        if not placed:
            self.following = self.scroll_offset.y + self.size.height >= self.lines

    def _to_end(self) -> None:
        if self.following:
            self.go_to_end()


class BackgroundScreen(ClosingScreen[None]):
    """Newest command first; its output follows as it comes, unless the reader has scrolled up."""

    BINDINGS = bindings_for("background")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    BackgroundScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        #about { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        ChoiceList { height: 1; }
        LineView { height: 1fr; padding: 0 0 0 2; }
    }
    """

    def __init__(
        self,
        commands: Sequence[BackgroundCommand],
        stop: Callable[[BackgroundCommand], Awaitable[None]],
        *,
        symbols: Symbols = UNICODE,
    ) -> None:
        """`commands`, oldest first; `stop` ends one of them."""
        super().__init__()
        self._commands = tuple(reversed(commands))
        self._stop = stop
        self._watched: BackgroundCommand | None = None
        self._looking: TimerHandle | None = None
        self._title = Static(id="title", markup=False)
        self._about = Static(id="about", markup=False)
        self._list = ChoiceList(marker=symbols.prompt)
        self._output = Output(symbols=symbols)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._list
        yield self._about
        yield self._output
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show the newest one."""
        self._draw()
        self._watch()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._unwatch()

    def on_resize(self) -> None:
        """The list may take a third of the height."""
        self._list.styles.height = max(1, min(len(self._commands), self.size.height // 3))
        self._draw()

    # ---- what is shown ----

    @property
    def _selected(self) -> BackgroundCommand:
        number = self._list.selected
        return self._commands[number if isinstance(number, int) else 0]

    def _draw(self) -> None:
        rows = [Row(number, self._line(command)) for number, command in enumerate(self._commands)]
        self._list.show(rows, self._list.selected)
        running = sum(command.running for command in self._commands)
        title = Content.styled("in the background", "bold $text")
        self._title.update(Content.assemble(title, Content.styled(f"  {running} running", "$tui-muted")))
        command = self._selected
        self._about.update(Content(f"process {command.pid}  {one_line(str(command.log))}"))
        self.refresh_bindings()

    def _line(self, command: BackgroundCommand) -> Callable[[int], Content]:
        def draw(width: int) -> Content:
            since = time.strftime("%H:%M", time.localtime(command.since))
            running = "stopping" if command.stopped else f"since {since}"
            state = Content.styled(
                running if command.running else how_it_ended(command).removeprefix("ended with "),
                "$success" if command.running else "$tui-muted",
            )
            name = Content.styled(one_line(command.command), "$text")
            return columns(width, (name, width - _STATE - 1), (Content(" "), 1), (state, -_STATE))

        return draw

    def _watch(self) -> None:
        """Follow the highlighted one."""
        self._unwatch()
        self._watched = command = self._selected
        command.on_output = self._printed
        self._look(follow=True)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched.on_output = lambda: None
            self._watched = None

    def _printed(self) -> None:
        if self._looking is None and self.is_running:
            self._looking = later(self, LOOK_SECONDS, self._look)

    def _look(self, *, follow: bool = False) -> None:
        self._looking = None
        if self._watched is None or not (follow or self._output.following):
            return
        text = sanitize(self._watched.tail()).strip("\n")
        lines = text.split("\n")[-_MOST_LINES:] if text else ["(no output)"]
        items = [note for line in lines for note in notes(line, "text" if text else "faint")]
        self._output.put(items)

    def ended(self) -> None:
        """One has ended."""
        if self.is_running:
            self._draw()
            self._printed()

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what runs can be stopped."""
        return action != "stop" or self._selected.running

    @work(exit_on_error=False)
    async def action_stop(self) -> None:
        """Stop the highlighted one."""
        command = self._selected
        if command.running and not command.stopped:
            command.stopped = True
            self._draw()
            await self._stop(command)

    def action_up(self) -> None:
        """A command up."""
        self._list.move(-1)

    def action_down(self) -> None:
        """A command down."""
        self._list.move(1)

    def on_choice_list_highlighted(self) -> None:
        """Another one is highlighted."""
        self._draw()
        self._watch()

    def action_page_up(self) -> None:
        """A page of the output up."""
        self._output.action_page_up()

    def action_page_down(self) -> None:
        """A page of the output down."""
        self._output.action_page_down()
        self._printed()

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)
