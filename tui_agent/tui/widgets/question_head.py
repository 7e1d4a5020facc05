"""The first line of a question: who wants what, and how much is waiting or out of sight."""

from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.diff_text import cells, shortened


class QuestionHead(Widget):
    """One line: who wants what, and how much is waiting or out of sight."""

    DEFAULT_CSS = """
    QuestionHead {
        height: 1;
        color: $tui-muted;
        .head--tool { color: $foreground; text-style: bold; }
        .head--below { color: $accent; }
    }
    """
    COMPONENT_CLASSES = {"head--tool", "head--below"}

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self._ellipsis = symbols.ellipsis
        self._parts = ("", "", "", "", "", "")

    def show(self, tool: str, wants: str, what: str, counts: str, below: str, place: str) -> None:
        """Set the parts: who, "wants to change", which file, "+3 −1", what is out of sight, "1 of 2"."""
        parts = (tool, wants, what, counts, below, place)
        if self._parts != parts:
            self._parts = parts
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; when it is too long, "wants to" goes first, then the beginning of the file's name."""
        width = self.size.width
        tool, wants, what, counts, below, place = self._parts
        right = Content("   ").join(
            [
                Content.styled(text, style)
                for text, style in (
                    (below, self.get_visual_style("head--below", partial=True)),
                    (place, ""),
                )
                if text
            ]
        )
        room = max(0, width - right.cell_length - 2 if right else width)
        if what and cells(f"{tool} {wants} {what}  {counts}") > room:
            wants = ""
            what = shortened(what, room - cells(f"{tool}   {counts}"), self._ellipsis)
        said = " ".join(part for part in (wants, what) if part) + (f"  {counts}" if counts else "")
        left = Content.assemble((tool, self.get_visual_style("head--tool", partial=True)), " ", said)
        line = Content.assemble(left.truncate(room, ellipsis=True, pad=True), "  " if right else "", right)
        return Strip(line.render_segments(self.visual_style), line.cell_length).adjust_cell_length(width)
