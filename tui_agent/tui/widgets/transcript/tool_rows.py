"""A tool call as rows: what it is about and how it went, and under it the diff or the result."""

from collections.abc import Callable

from tui_agent.conversation.events import FileDelta
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.widgets.transcript.document import ToolBlock
from tui_agent.tui.widgets.transcript.lines import Line, Spans, clip, width_of, wrap
from tui_agent.tui.widgets.transcript.text_rows import duration, first_line, last_lines, wrapped

_TAIL_LINES = 5


def tool_rows(block: ToolBlock, width: int, clock: Callable[[], float]) -> list[Line]:
    row = _tool_row(block, width, clock)
    rows = _with_repairs(row, block, width) if block.repairs else [row]
    if block.note and block.status == "denied":
        rows += wrapped(block.note, "muted", width, (("→ ", "faint"),))
    if not block.folded:
        return rows + _tool_detail(block, width)
    if block.status == "running" and block.tail:
        rows += last_lines(block.tail, _TAIL_LINES, "faint", width)
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


def _tool_detail(block: ToolBlock, width: int) -> list[Line]:
    diffs = [file for file in block.files if file.diff]
    if diffs:
        return [line for file in diffs for line in _diff(file, width, named=len(diffs) > 1 or file.created)]
    if block.content:
        return wrapped(block.content.rstrip("\n"), "muted", width, hard=True)
    return last_lines(block.tail, 200, "muted", width)


def _diff(file: FileDelta, width: int, named: bool) -> list[Line]:
    rows = [Line(clip(((first_line(file.path), "muted"), ("  new file" if file.created else "", "faint")), width))]
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
