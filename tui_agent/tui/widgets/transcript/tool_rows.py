"""A tool call as rows: what it is about and how it went, and under it the diff or the result."""

from collections.abc import Callable, Sequence

from tui_agent.conversation.events import FileDelta
from tui_agent.text.sanitize import one_line
from tui_agent.tui.widgets.transcript.diff_rows import DiffRows
from tui_agent.tui.widgets.transcript.document import ToolBlock
from tui_agent.tui.widgets.transcript.lines import Line, Spans, clip, width_of, wrap
from tui_agent.tui.widgets.transcript.long_text import Stacked, text_rows
from tui_agent.tui.widgets.transcript.text_rows import duration, first_line, last_lines, wrapped

_TAIL_LINES = 5


def tool_rows(block: ToolBlock, width: int, clock: Callable[[], float]) -> Sequence[Line]:
    """The rows of a call; the last ones of an unfolded call are made when they are asked for."""
    row = _tool_row(block, width, clock)
    rows = _with_repairs(row, block, width) if block.repairs else [row]
    if block.note and block.status == "denied":
        rows += wrapped(block.note, "muted", width, (("→ ", "faint"),))
    if not block.folded:
        return Stacked([rows, *_detail(block, width)])
    if block.status == "running" and block.tail:
        rows += last_lines(block.tail, _TAIL_LINES, "faint", width)
    elif block.status == "failed" and block.exit_code is None and block.content:
        rows.append(Line(clip(((first_line(block.content, ""), "error"),), width)))
    return rows


def estimated_rows(block: ToolBlock, width: int) -> int:
    """About how many rows a call takes."""
    if block.folded:
        return 1
    return 1 + sum(text.count("\n") + len(text) // width for text in _texts(block))


def _tool_row(block: ToolBlock, width: int, clock: Callable[[], float]) -> Line:
    end = _outcome(block, clock)
    if width_of(end) + 12 > width:
        end = end[:1]
    if width_of(end) + 6 > width:
        end = ()
    name: Spans = ((first_line(block.name) or "tool", "text+b"),)
    title: Spans = (("  ", "text"), (first_line(block.title), "text")) if block.title else ()
    counts: Spans = ()
    if block.files:
        counts = (("   ", "text"), (f"+{block.added}", "added"), (" ", "text"), (f"−{block.removed}", "removed"))
    note: Spans = ()
    if block.note and block.status != "denied":
        note = (("   ", "text"), (first_line(block.note), "muted"))
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


def _texts(block: ToolBlock) -> list[str]:
    return [file.diff for file in block.files if file.diff] or [block.content or block.tail]


def _detail(block: ToolBlock, width: int) -> list[Sequence[Line]]:
    diffs = [file for file in block.files if file.diff]
    if diffs:
        return [rows for file in diffs for rows in _diff(file, width, named=len(diffs) > 1 or file.created)]
    if block.content:
        return text_rows(block.content.rstrip("\n"), "muted", width)
    return [last_lines(block.tail, 200, "muted", width)]


def _diff(file: FileDelta, width: int, named: bool) -> list[Sequence[Line]]:
    rows = DiffRows(file.diff.rstrip("\n"), width)
    if not named:
        return [rows]
    name = Line(clip(((first_line(file.path), "muted"), ("  new file" if file.created else "", "faint")), width))
    return [[name], rows]
