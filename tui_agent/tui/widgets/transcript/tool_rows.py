"""A tool call as rows: what it is about and how it went, and under it the diff or the result."""

from collections.abc import Callable, Iterator, Sequence

from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.widgets.transcript.document import ToolBlock
from tui_agent.tui.widgets.transcript.lines import Line, Spans, clip, text_of, width_of, wrap
from tui_agent.tui.widgets.transcript.long_text import SourceLine, Stacked, text_rows
from tui_agent.tui.widgets.transcript.text_rows import duration, first_line, wrapped

_TAIL_LINES = 5
# Characters whose lines are counted one by one for an estimate.
_COUNTED = 200_000


def tool_rows(block: ToolBlock, width: int, clock: Callable[[], float]) -> Sequence[Line]:
    """The rows of a call; the last ones of an unfolded call are made when they are asked for."""
    row = _tool_row(block, width, clock)
    rows = _with_repairs(row, block, width) if block.repairs else [row]
    if block.note and block.status == "denied":
        rows += wrapped(block.note, "muted", width, (("→ ", "faint"),))
    if not block.folded:
        return Stacked([rows, *_detail(block, width)])
    if block.status == "running" and block.tail:
        rows += _tail(block, _TAIL_LINES, "faint", width)
    elif block.status == "failed" and block.exit_code is None and block.content:
        rows.append(Line(clip(((first_line(block.content, ""), "error"),), width)))
    return rows


def estimated_rows(block: ToolBlock, width: int) -> int:
    """About how many rows a call takes."""
    if block.folded:
        return 1
    return 1 + sum(_about(text.rstrip("\n"), width) for text in _texts(block))


def _about(text: str, width: int) -> int:
    if len(text) > _COUNTED:
        return text.count("\n") + len(text) // width
    return sum((length - 1) // width + 1 if length else 1 for length in map(len, text.split("\n")))


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
    notes: list[Spans] = []
    if block.note and block.status != "denied":
        # Where there is no room for all, what was allowed besides the call says more than how.
        said = first_line(block.note)
        notes = [(("   ", "text"), (text, "muted")) for text in (said, said.rpartition(", ")[2])]
    room = width - width_of(end) - (2 if end else 0)
    # What the call is about comes before how it was allowed and how much it changed.
    wanted = width_of(name) + min(width_of(title), max(20, room // 2))
    rests = [*((*counts, *note) for note in notes), counts]
    after = next((rest for rest in rests if wanted + width_of(rest) <= room), ())
    shown = clip((*name, *title), room - width_of(after))
    item = SourceLine(text_of((*name, *title)), "text", 0)
    same = len(text_of(shown)) - (shown != (*name, *title))
    return Line((*shown, *after), "", end, item, start=-1, pieces=((0, 0, same),))


def _with_repairs(row: Line, block: ToolBlock, width: int) -> list[Line]:
    """The row, with what was repaired behind it or, where that has no room, in a row below."""
    said: Spans = ((f"repaired: {'; '.join(map(one_line, block.repairs))}", "faint"),)
    beside = (*row.spans, (" · ", "faint"), *said)
    if width_of(beside) + width_of(row.end) + 2 <= width:
        return [row._replace(spans=beside)]
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


def _detail(block: ToolBlock, width: int) -> Iterator[Sequence[Line]]:
    """What stands under the row, as `ToolBlock.source` has it: its lines are counted from the one after the title."""
    number = _head_lines(block)
    if not any(file.diff for file in block.files):
        if block.content:
            yield from text_rows(block.content.rstrip("\n"), "muted", width, number)
        else:
            yield _tail(block, 200, "muted", width)
        return
    from tui_agent.tui.widgets.transcript.diff_rows import DiffRows  # the first paint has no diff

    several = sum(bool(file.diff) for file in block.files) > 1
    for file in block.files:
        if file.diff:
            if several or file.created:
                new = "  new file" if file.created else ""
                yield [Line(clip(((first_line(file.path), "muted"), (new, "faint")), width))]
            yield DiffRows(file.diff.rstrip("\n"), width, number)
            number += file.diff.count("\n") + 1


def _tail(block: ToolBlock, count: int, role: str, width: int) -> list[Line]:
    """The last lines of what a running call printed, each clipped to one row."""
    lines = sanitize(block.tail).rstrip("\n").split("\n")
    number = _head_lines(block) + max(0, len(lines) - count)
    items = [SourceLine(line.expandtabs(4), role, number + index) for index, line in enumerate(lines[-count:])]
    return [Line(clip(item.spans, width), item=item) for item in items]


def _head_lines(block: ToolBlock) -> int:
    """Lines of the block's source above what it gave."""
    head = f"{block.name} {block.title}".strip()
    return head.count("\n") + 1 if head else 0
