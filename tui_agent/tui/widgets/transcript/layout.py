"""Blocks as rows of a given width: what each kind looks like, without any colour."""

from collections.abc import Callable
from typing import NamedTuple

from tui_agent.conversation.events import FileDelta
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    GrowingText,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.lines import EMPTY, Line, Spans, clip, width_of, wrap
from tui_agent.tui.widgets.transcript.markdown import MarkdownText, WrappedMarkdown

WIDEST = 120
"""Cells of text on a row, however wide the screen: longer rows are hard to read."""

_TAIL_LINES = 5
_THOUGHT_LINES = 3

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
    return "", " ", "faint"


def gap_before(previous: Block | None, block: Block) -> int:
    """Empty rows above a block: one of air, but none between a thought and what came of it, nor between calls."""
    if isinstance(previous, ThoughtBlock):
        return 0 if isinstance(block, AgentBlock | ToolBlock | ThoughtBlock) else 1
    return 0 if isinstance(previous, ToolBlock) and isinstance(block, ToolBlock | ThoughtBlock) else 1


def estimated_height(block: Block, width: int) -> int:
    """About how many rows a block takes, without laying it out."""
    match block:
        case AgentBlock():
            return max(1, block.text.newlines + block.text.length // width)
        case UserBlock():
            return 1 + block.text.count("\n") + len(block.text) // width
        case ThoughtBlock() if not block.folded:
            return 1 + block.text.newlines + block.text.length // width
        case ToolBlock() if not block.folded:
            return 2 + (sum(file.diff.count("\n") for file in block.files) or block.content.count("\n"))
        case NoticeBlock():
            return 1 + (1 if block.hint else 0) + len(block.text) // width
        case WelcomeBlock():
            return len(block.lines)
    return 1


def duration(seconds: float) -> str:
    """A time for people: `12 ms`, `2.1 s`, `43 s`, `2 min 05 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


class BlockRows:
    """The rows of one block at one width, kept until the block or the width changes.

    An answer keeps its parsed Markdown, so a change of width only wraps again and an appended piece only adds.
    """

    __slots__ = ("_block", "_epoch", "_fed", "_markdown", "_version", "_wrapped", "frozen", "lines", "strips", "width")

    def __init__(self, block: Block) -> None:
        self._block = block
        self._version = -1
        self.width = 0
        self.lines: list[Line] = []
        self.frozen = 0
        self.strips: dict[tuple[int, bool], object] = {}
        """Painted rows, by row and whether the cursor is on the block; the view's to fill."""
        self._markdown: MarkdownText | None = None
        self._wrapped: WrappedMarkdown | None = None
        self._fed = 0
        self._epoch = 0

    def update(self, width: int, clock: Callable[[], float]) -> int:
        """Bring the rows up to date; returns their number."""
        block = self._block
        if self._version == block.version and self.width == width:
            return len(self.lines)
        rewrapped = self.width != width
        self._version = block.version
        self.width = width
        if isinstance(block, AgentBlock):
            self._update_answer(block, width, rewrapped)
        else:
            self.lines = rows_of(block, width, clock)
            self.frozen = 0
            self.strips.clear()
        return len(self.lines)

    def outdate(self) -> None:
        """Time passed: what shows seconds is to be laid out again."""
        self._version = -1

    def _update_answer(self, block: AgentBlock, width: int, rewrapped: bool) -> None:
        markdown = self._markdown
        if markdown is None or self._epoch != block.text.epoch or (markdown.finished and self._fed < block.text.length):
            markdown = self._markdown = MarkdownText()
            self._epoch = block.text.epoch
            self._fed = 0
            rewrapped = True
        markdown.feed(block.text.since(self._fed))
        self._fed = block.text.length
        if not block.streaming:
            markdown.finish()
        if rewrapped or self._wrapped is None:
            self._wrapped = WrappedMarkdown(markdown, width)
            self.strips.clear()
            self.frozen = 0
        for row in range(self.frozen, len(self.lines)):
            self.strips.pop((row, False), None)
            self.strips.pop((row, True), None)
        self._wrapped.update()
        self.lines = self._wrapped.lines
        self.frozen = self._wrapped.frozen
        if block.note:
            self.lines = [*self.lines, *_wrapped(block.note, "warning", width)]
        if not self.lines:
            self.lines = [EMPTY]


def rows_of(block: Block, width: int, clock: Callable[[], float]) -> list[Line]:
    """The rows of any block but an answer."""
    match block:
        case UserBlock():
            return [Line(line.spans, "user") for line in _wrapped(block.text, "text", width)]
        case ThoughtBlock():
            return _thought(block, width, clock)
        case ToolBlock():
            return _tool(block, width, clock)
        case NoticeBlock():
            rows = _wrapped(block.text, _LEVELS[block.level][1], width)
            if block.hint:
                rows += _wrapped(block.hint, "muted", width, (("→ ", "faint"),))
            return rows
        case SwitchBlock():
            label = " · ".join(filter(None, (_one_line(block.provider), _one_line(block.model))))
            return [Line(clip(((label, "muted"), ("  answers from here on", "faint")), width))]
        case WelcomeBlock():
            return [Line(row) for line in block.lines for row in wrap(_clean(line), width)] or [EMPTY]
    return [EMPTY]


def _thought(block: ThoughtBlock, width: int, clock: Callable[[], float]) -> list[Line]:
    if block.streaming:
        passed = clock() - block.started if block.started is not None else 0.0
        head = "thinking" + (f" for {passed:.0f} s" if passed >= 1 else "")
    else:
        head = f"thought for {duration(block.seconds)}" if block.seconds else "thought"
    rows = [Line(clip(((head, "muted+i"),), width))]
    if not block.folded:
        return rows + _wrapped(str(block.text).strip("\n"), "muted+i", width)
    if block.streaming:
        return rows + _last_lines(_end_of(block.text), _THOUGHT_LINES, "faint+i", width)
    return rows


def _tool(block: ToolBlock, width: int, clock: Callable[[], float]) -> list[Line]:
    row = _tool_row(block, width, clock)
    rows = _with_repairs(row, block, width) if block.repairs else [row]
    if block.note and block.status == "denied":
        rows += _wrapped(block.note, "muted", width, (("→ ", "faint"),))
    if not block.folded:
        return rows + _tool_detail(block, width)
    if block.status == "running" and block.tail:
        rows += _last_lines(block.tail, _TAIL_LINES, "faint", width)
    elif block.status == "failed" and block.exit_code is None and block.content:
        first = sanitize(block.content.strip().split("\n", 1)[0]).expandtabs(4)
        rows.append(Line(clip(((first, "error"),), width)))
    return rows


def _tool_row(block: ToolBlock, width: int, clock: Callable[[], float]) -> Line:
    end = _outcome(block, clock)
    if width_of(end) + 12 > width:
        end = end[:1]
    if width_of(end) + 6 > width:
        end = ()
    name: Spans = ((_one_line(block.name) or "tool", "text+b"),)
    title: Spans = (("  ", "text"), (_one_line(block.title), "text")) if block.title else ()
    counts: Spans = ()
    if block.files:
        counts = (("   ", "text"), (f"+{block.added}", "added"), (" ", "text"), (f"−{block.removed}", "removed"))
    note: Spans = ()
    if block.note and block.status != "denied":
        note = (("   ", "text"), (_one_line(block.note), "muted"))
    room = width - width_of(end) - (2 if end else 0)
    # What the call is about comes before how it was allowed and how much it changed.
    wanted = width_of(name) + min(width_of(title), max(20, room // 2))
    after = next((rest for rest in ((*counts, *note), counts) if wanted + width_of(rest) <= room), ())
    return Line((*clip((*name, *title), room - width_of(after)), *after), "", end)


def _with_repairs(row: Line, block: ToolBlock, width: int) -> list[Line]:
    """The row, with what was repaired behind it or, where that has no room, in a row below."""
    said: Spans = ((f"repaired: {'; '.join(map(one_line, block.repairs))}", "faint"),)
    beside = (*row.spans, (" · ", "faint"), *said)
    if width_of(beside) + width_of(row.end) + 2 <= width:
        return [Line(beside, "", row.end)]
    rows = [clip(said, width)] if block.folded else wrap(said, width)
    return [row, *map(Line, rows)]


def _outcome(block: ToolBlock, clock: Callable[[], float]) -> Spans:
    """What stands at the right: a sign first, so that the rest can go when room is short."""
    took = f" {duration(block.seconds)}" if block.seconds else ""
    match block.status:
        case "writing":
            return (("…", "muted"), (f" {block.written:,} characters", "faint")) if block.written else (("…", "muted"),)
        case "waiting":
            return (("…", "muted"), (" waiting", "muted"))
        case "running":
            passed = clock() - block.started if block.started is not None else 0.0
            return (("…", "accent"), (f" {passed:.0f} s" if passed >= 1 else " running", "accent"))
        case "ok":
            return (("✓", "success"), (took, "faint"))
        case "failed":
            exit_note = f" exit {block.exit_code}" if block.exit_code is not None else " failed"
            return (("✗", "error"), (exit_note, "error"), (f" ·{took}" if took else "", "faint"))
        case "denied":
            return (("✗", "warning"), (" denied", "warning"))
        case "cancelled":
            return (("–", "muted"), (" stopped", "muted"))


def _tool_detail(block: ToolBlock, width: int) -> list[Line]:
    diffs = [file for file in block.files if file.diff]
    if diffs:
        return [line for file in diffs for line in _diff(file, width, named=len(diffs) > 1 or file.created)]
    if block.content:
        return _wrapped(block.content.rstrip("\n"), "muted", width, hard=True)
    return _last_lines(block.tail, 200, "muted", width)


def _diff(file: FileDelta, width: int, named: bool) -> list[Line]:
    rows = [Line(clip(((_one_line(file.path), "muted"), ("  new file" if file.created else "", "faint")), width))]
    if not named:
        rows.clear()
    in_hunk = False
    for text in sanitize(file.diff.rstrip("\n")).split("\n"):
        text = text.expandtabs(4)
        if text.startswith("@@"):
            in_hunk = True
            rows.append(Line(clip(((text, "faint"),), width)))
        elif not in_hunk and text.startswith(("--- ", "+++ ", "diff ", "index ")):
            continue
        elif text.startswith("+"):
            rows += _diff_line("+", text[1:], "added", width)
        elif text.startswith("-"):
            rows += _diff_line("−", text[1:], "removed", width)
        elif text.startswith("\\"):
            rows.append(Line(clip(((f"  {text[2:]}", "faint"),), width)))
        else:
            rows += _diff_line(" ", text[1:], "", width)
    return rows


def _diff_line(sign: str, text: str, band: str, width: int) -> list[Line]:
    rows = wrap(((text, "text" if band else "muted"),), width - 2, hard=True)
    blank = (("  ", "text"),)
    return [
        Line(((f"{sign} ", band or "faint"), *row) if index == 0 else (*blank, *row), band)
        for index, row in enumerate(rows)
    ]


def _wrapped(text: str, role: str, width: int, lead: Spans = (), hard: bool = False) -> list[Line]:
    """Foreign text, line by line; `lead` stands before the first row and its width before the others."""
    indent = width_of(lead)
    if indent * 2 > width:
        lead, indent = (), 0
    blank: Spans = ((" " * indent, "text"),) if indent else ()
    rows: list[Line] = []
    for line in sanitize(text).split("\n"):
        for row in wrap(((line.expandtabs(4), role),), width - indent, hard):
            rows.append(Line((*(blank if rows else lead), *row)))
    return rows


def _last_lines(text: str, count: int, role: str, width: int) -> list[Line]:
    """The last lines, each clipped to one row."""
    lines = sanitize(text).rstrip("\n").split("\n")[-count:]
    return [Line(clip(((line.expandtabs(4), role),), width)) for line in lines]


def _end_of(text: GrowingText, characters: int = 2000) -> str:
    return text.since(max(0, text.length - characters))


def _one_line(text: str) -> str:
    """The first line of foreign text, with a sign that more follows."""
    first, _, rest = sanitize(text).strip().partition("\n")
    return first.expandtabs(1) + (" …" if rest else "")


def _clean(spans: Spans) -> Spans:
    return tuple((sanitize(text).replace("\n", " ").expandtabs(1), role) for text, role in spans)
