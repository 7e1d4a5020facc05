"""What was typed and not sent yet, above the prompt: a few lines, none when nothing waits."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.conversation.outbox import Waiting
from tui_agent.text.sanitize import one_line
from tui_agent.tui.theming import UNICODE, Symbols

MOST = 3
"""Prompts that are shown, each in a line; fewer on a short screen."""

_SHORT = 16
_NARROW = 60
_LEAST_TEXT = 24


class QueuedLines(Widget):
    """The next prompts that are sent, the first one first, and how many there are beyond them."""

    DEFAULT_CSS = """
    QueuedLines {
        display: none;
        height: auto;
        padding: 0 1 0 0;
        background: $background;
        color: $tui-faint;
        &.-waiting { display: block; }
        .queued--text { color: $tui-muted; }
        .queued--stuck { color: $warning; }
    }
    """
    COMPONENT_CLASSES = {"queued--text", "queued--stuck"}
    ALLOW_SELECT = False

    def __init__(self, *, symbols: Symbols = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self._symbols = symbols
        self.waiting: tuple[Waiting, ...] = ()
        """What waits, in order."""
        self._ready = self._hint = ""
        self._stuck = False

    def show(self, waiting: Sequence[Waiting], ready: str, hint: str, *, stuck: bool) -> None:
        """These wait from now on.

        `ready` says what those wait for that need a model; `hint` is about all. They are `stuck` when no turn runs that
        they could be sent in or after.
        """
        state = tuple(waiting), ready, hint, stuck
        if state == (self.waiting, self._ready, self._hint, self._stuck):
            return
        self.waiting, self._ready, self._hint, self._stuck = state
        self.set_class(bool(self.waiting), "-waiting")
        self.refresh(layout=True)

    def _shown(self, height: int) -> int:
        """How many prompts have a line on a screen of this height."""
        count = len(self.waiting)
        if height >= _SHORT:
            return min(count, MOST)
        return 1 if self._stuck or count > 2 else count

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """What is stuck has a line above it that says so."""
        shown = self._shown(viewport.height)
        return shown + (self._stuck or shown < len(self.waiting))

    def render_line(self, y: int) -> Strip:
        """A prompt and what it waits for, or how many more there are."""
        width, count, shown = self.content_size.width, len(self.waiting), self._shown(self.screen.size.height)
        at = y - self._stuck
        if at < 0:
            said = self.get_visual_style("queued--stuck", partial=True)
            line = Content.assemble(Content.styled(f"{count} not sent", said), f"  {self._hint}")
        elif at < shown:
            line = self._line(self.waiting[at], width, last=at == shown - 1)
        else:
            line = Content(f"{self._symbols.enter} and {count - shown} more")
        line = line.truncate(width, ellipsis=True, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)

    def _line(self, one: Waiting, width: int, *, last: bool) -> Content:
        waits = {"ready": self._ready, "step": "this step", "turn": "this turn"}[one.when]
        if self._stuck:
            waits = ""
        elif width >= _NARROW:
            waits = f"after {waits}"
        label = f"{self._symbols.enter} {waits}  " if waits else f"{self._symbols.enter} "
        hint = f"  {self._hint}" if last and not self._stuck else ""
        if width - len(label) - len(hint) < _LEAST_TEXT:
            hint = ""
        text = Content.styled(one_line(one.text), self.get_visual_style("queued--text", partial=True))
        return Content.assemble(label, text.truncate(max(1, width - len(label) - len(hint)), ellipsis=True), hint)
