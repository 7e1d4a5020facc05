"""Blocks as rows of a given width: what each kind looks like, without any colour."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    GrowingText,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    TurnBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.lines import EMPTY, Line, Spans, clip, text_of, width_of, wrap_at
from tui_agent.tui.widgets.transcript.long_text import SourceLine
from tui_agent.tui.widgets.transcript.places import ItemIndex
from tui_agent.tui.widgets.transcript.text_rows import duration, first_line, last_lines, wrapped
from tui_agent.tui.widgets.transcript.tool_rows import tool_rows

if TYPE_CHECKING:  # the first paint has no answer
    from tui_agent.tui.widgets.transcript.markdown import MarkdownText, WrappedMarkdown

WIDEST = 120
"""Cells of text on a row, however wide the screen: longer rows are hard to read."""

_THOUGHT_LINES = 3

# Seconds of a frame that reading a long answer may take.
_READING = 0.015

_LEVELS = {"info": ("·", "muted"), "warning": ("!", "warning"), "error": ("✗", "error")}


class Gutter(NamedTuple):
    """The column left of all text: `width` cells, with words when `labels`, else with signs."""

    width: int
    labels: bool


def gutter_for(width: int) -> Gutter:
    """The gutter of a view without its scroll bar: words on 80 columns, signs below, nothing where cells are dear.

    Words begin in the third column, where status, prompt and keys begin too.
    """
    if width >= 79:
        return Gutter(10, True)
    return Gutter(2, False) if width >= 16 else Gutter(0, False)


def mark_of(block: Block) -> tuple[str, str, str]:
    """Word, sign and role of a block's gutter; the word is empty where the sign is always used."""
    match block:
        case UserBlock():
            return "you", "›", "accent+b"
        case AgentBlock():
            return "agent", " ", "muted"
        case ThoughtBlock():
            return "", "▸" if block.folded else "▾", "faint"
        case ToolBlock():
            sign = "▸" if block.folded else "▾"
            return "", sign if block.foldable else "·", "faint"
        case NoticeBlock():
            sign, role = _LEVELS[block.level]
            return "", sign, role
        case SwitchBlock():
            return "", "→", "accent"
        case TurnBlock():
            return ("", "±", "muted") if block.files else ("", "=", "faint")
    return "", " ", "faint"


def gap_before(previous: Block | None, block: Block) -> int:
    """Empty rows above a block: one of air, but none between a thought and what came of it, between calls, and where
    only counts follow."""
    if isinstance(block, TurnBlock) and not block.files:
        return 0
    if isinstance(previous, ThoughtBlock):
        return 0 if isinstance(block, AgentBlock | ToolBlock | ThoughtBlock) else 1
    return 0 if isinstance(previous, ToolBlock) and isinstance(block, ToolBlock | ThoughtBlock) else 1


class BlockRows:
    """The rows of one block at one width, kept until the block or the width changes.

    An answer keeps its parsed Markdown, so a change of width only wraps again and an appended piece only adds.
    """

    __slots__ = (
        "_block",
        "_epoch",
        "_fed",
        "_index",
        "_markdown",
        "_version",
        "_wrapped",
        "complete",
        "frozen",
        "lines",
        "strips",
        "width",
    )

    def __init__(self, block: Block) -> None:
        self._block = block
        self._version = -1
        self.width = 0
        self.lines: Sequence[Line] = []
        self.frozen = 0
        self.complete = True
        """Whether all of the block was read; if not, there are more rows to come: `read_on`."""
        self.strips: dict[tuple[int, bool], object] = {}
        """Painted rows, by row and whether the cursor is on the block; the view's to fill."""
        self._markdown: MarkdownText | None = None
        self._wrapped: WrappedMarkdown | None = None
        self._fed = 0
        self._epoch = 0
        self._index = ItemIndex()

    @property
    def firsts(self) -> Sequence[int]:
        """The row with which each item of the block begins."""
        return self._index.firsts(self.lines)

    def update(self, width: int, clock: Callable[[], float]) -> int:
        """Bring the rows up to date; returns their number."""
        block = self._block
        if self._version == block.version and self.width == width:
            return len(self.lines)
        rewrapped = self.width != width
        self._version = block.version
        self.width = width
        if isinstance(block, AgentBlock):
            self._update_answer(block, width, rewrapped, monotonic() + _READING)
        else:
            self.lines = rows_of(block, width, clock)
            self.frozen = 0
            self.strips.clear()
            self._index.cut(0)
        return len(self.lines)

    def read_on(self, until: float) -> bool:
        """Read the block further, until a moment (monotonic seconds); returns whether it is complete now."""
        if isinstance(self._block, AgentBlock) and self.width:
            self._update_answer(self._block, self.width, False, until)
        return self.complete

    def outdate(self) -> None:
        """Time passed: what shows seconds is to be laid out again."""
        self._version = -1

    def _update_answer(self, block: AgentBlock, width: int, rewrapped: bool, until: float) -> None:
        from tui_agent.tui.widgets.transcript.markdown import MarkdownText, WrappedMarkdown

        markdown = self._markdown
        if markdown is None or self._epoch != block.text.epoch or (markdown.finished and self._fed < block.text.length):
            markdown = self._markdown = MarkdownText()
            self._epoch = block.text.epoch
            self._fed = 0
            rewrapped = True
        self.complete = markdown.feed(block.text.since(self._fed), until)
        self._fed = block.text.length
        if self.complete and not block.streaming:
            markdown.finish()
        if rewrapped or self._wrapped is None:
            self._wrapped = WrappedMarkdown(markdown, width)
            self.strips.clear()
            self.frozen = 0
        for row in range(self.frozen, len(self.lines)):
            self.strips.pop((row, False), None)
            self.strips.pop((row, True), None)
        self._index.cut(self.frozen)
        self._wrapped.update()
        self.lines = self._wrapped.lines
        self.frozen = self._wrapped.frozen
        if block.note and self.complete:
            self.lines = [*self.lines, *wrapped(block.note, "warning", width)]
        if not self.lines:
            self.lines = [EMPTY]


def prepare() -> None:
    """Import what lays out answers and changes; blocks for about 10 ms, so call it in a thread before it is needed."""
    import tui_agent.tui.widgets.transcript.diff_rows
    import tui_agent.tui.widgets.transcript.markdown  # noqa: F401 - imported for its effect


def rows_of(block: Block, width: int, clock: Callable[[], float]) -> Sequence[Line]:
    """The rows of any block but an answer."""
    match block:
        case UserBlock():
            return [line._replace(band="user") for line in wrapped(block.text, "text", width, number=0)]
        case ThoughtBlock():
            return _thought(block, width, clock)
        case ToolBlock():
            return tool_rows(block, width, clock)
        case NoticeBlock():
            rows = wrapped(block.text, _LEVELS[block.level][1], width, number=0)
            if block.hint:
                rows += wrapped(block.hint, "muted", width, (("→ ", "faint"),), number=block.text.count("\n") + 1)
            return rows
        case SwitchBlock():
            label = " · ".join(filter(None, (first_line(block.provider), first_line(block.model))))
            item = SourceLine(label, "muted", 0)
            shown = clip(((label, "muted"), ("  answers from here on", "faint")), width)
            return [Line(shown, item=item, start=-1, pieces=((0, 0, min(len(label), len(text_of(shown)))),))]
        case TurnBlock():
            return [_turn(block, width)]
        case WelcomeBlock():
            return _welcome(block, width) or [EMPTY]
    return [EMPTY]


def _thought(block: ThoughtBlock, width: int, clock: Callable[[], float]) -> list[Line]:
    if block.streaming:
        passed = clock() - block.started if block.started is not None else 0.0
        head = "thinking" + (f" for {passed:.0f} s" if passed >= 1 else "")
    else:
        head = f"thought for {duration(block.seconds)}" if block.seconds else "thought"
    rows = [Line(clip(((head, "muted+i"),), width))]
    if not block.folded:
        text = str(block.text)
        number = len(text) - len(text.lstrip("\n"))
        return rows + wrapped(text.strip("\n"), "muted+i", width, number=number)
    if block.streaming:
        return rows + last_lines(_end_of(block.text), _THOUGHT_LINES, "faint+i", width)
    return rows


def _turn(block: TurnBlock, width: int) -> Line:
    """The counts of what changed, behind them the ways to look at it and to take it back; then what was used."""
    spent: Spans = ((block.spent, "faint"),) if block.spent else ()
    pieces: list[tuple[int, int, int]] = []
    if not block.files:
        row = clip(spent, width)
        pieces.append((0, 0, len(text_of(row))))
    else:
        what, _, lines = block.changed.partition("  ")
        added, _, removed = lines.partition(" ")
        counts: Spans = (("  ", "text"), (added, "added"), (" ", "text"), (removed, "removed")) if lines else ()
        keys: Spans = (("   ", "text"), (block.key, "muted"), (" review", "faint")) if block.key else ()
        row = clip(((what, "text"), *counts, *keys, ("   ", "text"), ("/undo", "faint")), width)
        pieces.append((0, 0, min(len(block.changed), len(text_of(row)))))
        if spent and width_of(row) + 3 + width_of(spent) <= width:
            row = (*row, ("   ", "text"), *spent)
            pieces.append((len(text_of(row)) - len(block.spent), len(block.changed) + 3, len(block.spent)))
    return Line(row, item=SourceLine(block.source, "text", 0), start=-1, pieces=tuple(pieces))


def _welcome(block: WelcomeBlock, width: int) -> list[Line]:
    rows = []
    for number, spans in enumerate(block.lines):
        shown = _clean(spans)
        item = SourceLine(text_of(shown), "text", number)
        rows += [Line(row, item=item, start=at) for row, at in zip(*wrap_at(shown, width), strict=True)]
    return rows


def _end_of(text: GrowingText, characters: int = 2000) -> str:
    return text.since(max(0, text.length - characters))


def _clean(spans: Spans) -> Spans:
    return tuple((sanitize(text).replace("\n", " ").expandtabs(1), role) for text, role in spans)
