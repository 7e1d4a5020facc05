"""A line or more of keys with what they do, dim or bright, for the mouse too."""

from collections.abc import Collection
from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.widgets.diff_text import cells

GAP = 3

ROOMY = 20
"""From this height of the screen on, an empty line stands above the keys."""


class Hint(NamedTuple):
    """A key, what it does, and the action that a click runs."""

    action: str
    key: str
    label: str

    @property
    def width(self) -> int:
        """Cells it takes."""
        return cells(self.key) + 1 + cells(self.label)


def flow(hints: Collection[Hint], width: int, gap: int = GAP) -> list[list[tuple[int, Hint]]]:
    """Hints in lines of a width, each with its column; one that is wider than a line has a line of its own."""
    lines: list[list[tuple[int, Hint]]] = []
    column = 0
    for hint in hints:
        if lines and column + hint.width <= width:
            lines[-1].append((column, hint))
        else:
            lines.append([(0, hint)])
            column = 0
        column += hint.width + gap
    return lines


class KeyHints(Widget):
    """The keys of a question, a line or more; dim until they work, then also clickable."""

    DEFAULT_CSS = """
    KeyHints {
        height: auto;
        color: $tui-faint;
        &.-armed { color: $tui-muted; }
        .hints--key { color: $tui-faint; }
        .hints--armed { color: $accent; text-style: bold; }
        .hints--marked { color: $tui-on-accent; background: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"hints--key", "hints--armed", "hints--marked"}
    ALLOW_SELECT = False

    class Pressed(Message):
        """A hint was clicked; `event` is when and where the button went down."""

        def __init__(self, action: str, event: events.MouseEvent) -> None:
            super().__init__()
            self.action = action
            self.event = event

    def __init__(self) -> None:
        super().__init__()
        self.hints: tuple[Hint, ...] = ()
        self.short: tuple[Hint, ...] = ()
        self._above = 0
        self._marked = ""
        self._down: events.MouseDown | None = None

    def lines(self, width: int) -> list[list[tuple[int, Hint]]]:
        """The full labels when two lines hold them, else the short ones."""
        lines = flow(self.hints, width)
        if len(lines) <= 2 and all(hint.width <= width for hint in self.hints):
            return lines
        return flow(self.short, width, gap=2)

    def fits(self, width: int) -> bool:
        """True when the full labels are shown at a width."""
        return any(hint in self.hints and hint not in self.short for line in self.lines(width) for _, hint in line)

    def mark(self, action: str) -> None:
        """Show of one action that its key was pressed; "" for none."""
        if action != self._marked:
            self._marked = action
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines at a width, with an empty one above where the screen has room for it."""
        self._above = int(viewport.height >= ROOMY)
        return self._above + max(1, len(self.lines(width)))

    def render_line(self, y: int) -> Strip:
        """One line of hints."""
        width = self.size.width
        lines = self.lines(width)
        y -= self._above
        armed = self.has_class("-armed")
        style = self.get_visual_style("hints--armed" if armed else "hints--key", partial=True)
        marked = self.get_visual_style("hints--marked")
        parts: list[Content] = []
        column = 0
        for start, hint in lines[y] if 0 <= y < len(lines) else ():
            said = Content.assemble((hint.key, style), " ", hint.label)
            if hint.action == self._marked:
                said = Content.styled(said.plain, marked)
            parts.append(Content.assemble(" " * (start - column), said))
            column = start + hint.width
        line = Content.assemble(*parts).truncate(width, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Remember when the button went down: a click is as old as that."""
        self._down = event

    def on_click(self, event: events.Click) -> None:
        """Answer for the hint under the pointer."""
        event.stop()
        down, self._down = self._down, None
        lines = self.lines(self.size.width)
        y = event.y - self._above
        if down is None or not 0 <= y < len(lines):
            return
        for start, hint in lines[y]:
            if start <= event.x < start + hint.width:
                self.post_message(self.Pressed(hint.action, down))
