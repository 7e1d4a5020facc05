"""What a question about a command says below the command itself: its simple commands, where it runs, why it asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from textual.strip import Strip

from tui_agent.permissions.approval import ApprovalRequest, CommandAccess, CommandPart
from tui_agent.text.sanitize import hidden_count
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.diff_cells import Cell, Item, Note, Paint
from tui_agent.tui.widgets.diff_text import cells, one_line

GAP = 3
"""Cells between a simple command and what is said of it."""


@dataclass(frozen=True)
class PartItem:
    """A simple command with its number; behind it, or below where that has no room, what covers it or why it asks."""

    number: int
    digits: int
    part: CommandPart
    tab: str = "→"
    place: int = -1

    @cached_property
    def _cell(self) -> Cell:
        return Cell("text", (self.number,), self.digits, self.part.text, tab=self.tab)

    @cached_property
    def _said(self) -> Note:
        covered = self.part.covered_by
        return Note(one_line(covered or f"asks: {self.part.reason}"), "faint" if covered else "muted")

    @property
    def _beside(self) -> int:
        return self._cell.gutter + cells(self._cell.shown.text) + GAP

    def _is_one_line(self, width: int) -> bool:
        return self._beside + cells(self._said.text) <= width

    def height(self, width: int) -> int:
        """As `Item`."""
        if self._is_one_line(width):
            return 1
        return self._cell.height(width) + self._said.height(width - self._cell.gutter)

    def strip(self, width: int, index: int, paint: Paint) -> Strip:
        """As `Item`."""
        rows = self._cell.height(width)
        left, row = self._cell.gutter, index - rows
        if self._is_one_line(width):
            left, row = self._beside, 0
            before = Strip(self._cell.paint(left, 0, paint), left)
        elif index < rows:
            return Strip(self._cell.paint(width, index, paint), width)
        else:
            before = Strip.blank(left, paint.ground)
        return Strip.join([before, self._said.strip(width - left, row, paint)]).adjust_cell_length(width, paint.ground)


def command_items(access: CommandAccess, request: ApprovalRequest, symbols: Symbols, reading_key: str) -> list[Item]:
    """Everything in the order in which it matters; `reading_key` lets commands that only read run, if it is not ""."""
    parts = request.parts if len(request.parts) > 1 else ()
    dot = f" {symbols.separator} "
    hidden = hidden_count(access.command)
    measures = dot.join(_measures(access.command, len(parts), hidden))
    items: list[Item] = [Note(measures, "warning" if hidden else "muted")]
    ends = "runs in the background" if access.background else f"stopped after {access.timeout:g} s"
    items.append(Note(dot.join((enclosure_text(access), f"in {access.working_directory}", ends))))
    digits = len(str(len(parts)))
    items += (PartItem(number, digits, part, symbols.arrow) for number, part in enumerate(parts, 1))
    items += (Note(f"ask because: {reason}") for reason in request.further_reasons)
    if request.only_reads and reading_key:
        items.append(Note(_offer(request.parts, reading_key), "faint"))
    return items


def enclosure_text(access: CommandAccess) -> str:
    """In which sandbox it runs, and whether it has network."""
    if not access.sandbox:
        return "no sandbox: it can do what you can"
    network = "with" if access.network else "without"
    return f"runs in {access.sandbox}, {network} network"


def _offer(parts: Sequence[CommandPart], key: str) -> str:
    what = "what asks here only reads" if any(part.covered_by for part in parts) else "it only reads"
    return (
        f"{what}: {key} lets such commands run unasked until this session is left; "
        "for good: `permissions: read_only_commands: allow` in config.yaml"
    )


def _measures(command: str, parts: int, hidden: int) -> list[str]:
    said = [_count(command.count("\n") + 1, "line"), _count(len(command), "character")]
    return [*said, *([f"{hidden:,} hidden"] if hidden else []), *([_count(parts, "command")] if parts else [])]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
