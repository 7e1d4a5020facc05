"""What the prompt offers while a `/command` or an `@file` is typed, and the list above it that shows it."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from tui_agent.text.sanitize import sanitize

ROWS = 6
"""Candidates shown at once."""

_FILE = re.compile(r'(?:^|\s)@(?:"([^"]*)|([^\s"]*))$')


class Command(NamedTuple):
    """A slash command: its name with the slash and what it does."""

    name: str
    help: str


class Word(NamedTuple):
    """The word before the cursor that can be completed; `start` is its column, the sign included."""

    kind: str
    text: str
    start: int


def word_before(line: str, first_line: bool) -> Word | None:
    """The word that ends at the cursor: a `/name` that opens the prompt, or an `@path` anywhere."""
    if first_line and re.fullmatch(r"/\S*", line):
        return Word("command", line, 0)
    if match := _FILE.search(line):
        path = match[1] if match[1] is not None else match[2]
        return Word("file", path, line.rindex('@"' if match[1] is not None else "@"))
    return None


def file_word(path: str) -> str:
    """`path` as it is written in a prompt: quoted when it has a space."""
    return f'@"{path}"' if re.search(r"\s", path) else f"@{path}"


class Candidate(NamedTuple):
    """One row of the list: what is put in place of the word, what is shown, and a remark."""

    insert: str
    label: str
    remark: str = ""


class CompletionList(Widget):
    """The candidates, one a line, drawn over what is above the prompt; it never takes the focus."""

    DEFAULT_CSS = """
    CompletionList {
        overlay: screen;
        width: 1fr;
        height: auto;
        background: $surface;
        color: $text;
        display: none;
        .completion--remark { color: $tui-muted; }
        .completion--selected { background: $tui-raised; }
        .completion--selected-label { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"completion--remark", "completion--selected", "completion--selected-label"}
    can_focus = False

    def __init__(self, take: Callable[[Candidate], None]) -> None:
        """`take` is called with a candidate that is clicked."""
        super().__init__()
        self._take = take
        self._candidates: tuple[Candidate, ...] = ()
        self._index = 0
        self._label_width = 0

    @property
    def selected(self) -> Candidate | None:
        """The candidate that Tab and Enter take; None when the list is closed."""
        return self._candidates[self._index] if self._candidates else None

    def show(self, candidates: Sequence[Candidate]) -> None:
        """Open with these candidates, or close when there are none; the selected one stays selected."""
        kept = self.selected
        self._candidates = tuple(candidates)
        self._index = self._candidates.index(kept) if kept in self._candidates else 0
        self._label_width = max((Content(row.label).cell_length for row in self._candidates), default=0)
        self.display = bool(self._candidates)
        self.styles.offset = (0, -min(ROWS, len(self._candidates)))
        self.refresh(layout=True)

    def move(self, step: int) -> None:
        """Select another candidate, around the ends."""
        self._index = (self._index + step) % len(self._candidates)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The candidate in this line."""
        width, index = self.size.width, self._top() + y
        if index >= len(self._candidates):
            return Strip.blank(width, self.rich_style)
        candidate, style = self._candidates[index], self.visual_style
        label_style = Style()
        if index == self._index:
            style = self.get_visual_style("completion--selected")
            label_style = self.get_visual_style("completion--selected-label", partial=True)
        remark_style = self.get_visual_style("completion--remark", partial=True)
        label = Content.styled(candidate.label, label_style)
        line = Content.assemble(
            "  ",
            label,
            " " * (self._label_width - label.cell_length + 2),
            Content.styled(candidate.remark, remark_style),
        ).truncate(width - 1, ellipsis=True)
        strip = Strip(line.render_segments(style), line.cell_length)
        return strip.extend_cell_length(width, style.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A row for each candidate, up to the limit."""
        return min(ROWS, len(self._candidates))

    def _top(self) -> int:
        return max(0, min(self._index - ROWS // 2, len(self._candidates) - ROWS))

    async def _on_click(self, event: events.Click) -> None:
        row = self._top() + event.y
        if row < len(self._candidates):
            event.stop()
            self._take(self._candidates[row])


def command_candidates(commands: Sequence[Command], typed: str) -> list[Candidate]:
    """The commands that begin with `typed`, then those that contain it; none once one is typed in full."""
    word = typed.removeprefix("/").lower()
    named = [(command, command.name.removeprefix("/").lower()) for command in commands]
    if [name for _, name in named if name.startswith(word)] == [word]:
        return []
    begin = [command for command, name in named if name.startswith(word)]
    contain = [command for command, name in named if word in name and not name.startswith(word)]
    return [Candidate(f"{command.name} ", command.name, command.help) for command in begin + contain]


def file_candidates(paths: Sequence[str]) -> list[Candidate]:
    """Paths as candidates; a folder (trailing slash) stays open for more, a name with odd characters is left out."""
    return [
        Candidate(file_word(path).rstrip('"') if path.endswith("/") else f"{file_word(path)} ", path)
        for path in paths
        if sanitize(path) == path and "\n" not in path and '"' not in path
    ]
