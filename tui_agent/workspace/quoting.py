"""Lines of a file as a message quotes them: each with its number and a tab before it, bounded."""

import re
from collections.abc import Sequence
from typing import Final

from tui_agent.workspace.matching import changed_stretches

LINE_CHARACTERS: Final = 300
CHANGED_LINES: Final = 12
CHANGED_CHARACTERS: Final = 1_000

_NAME: Final = re.compile(r"[A-Za-z_]\w{2,}")


def quote_lines(lines: Sequence[str], start: int, end: int, room: int) -> str:
    """The lines from index `start` to `end` (exclusive), as many as fit into `room` characters, the first one always.

    What is left out is counted.
    """
    rows: list[str] = []
    for index in range(start, min(end, len(lines))):
        line = lines[index]
        widest = min(LINE_CHARACTERS, max(20, room - 10)) if not rows else LINE_CHARACTERS
        row = f"{index + 1}\t{line if len(line) <= widest else line[:widest] + '…'}"
        if rows and len(row) > room:
            rows.append(f"[… {min(end, len(lines)) - index:,} more]")
            break
        rows.append(row)
        room -= len(row) + 1
    return "\n".join(rows)


def changed_lines(before: str, after: str) -> str:
    """What the changed lines are now, and how many were only taken out; "" when no line differs."""
    old, new = _lines(before), _lines(after)
    rows: list[str] = []
    lines_left, room = CHANGED_LINES, CHANGED_CHARACTERS
    for old_start, old_end, start, end in changed_stretches(old, new):
        if lines_left <= 0 or room <= 0:
            rows.append("[… there are more changed lines]")
            break
        if start == end:
            row = f"[{_count(old_end - old_start)} taken out {f'after line {start}' if start else 'at the top'}]"
        else:
            shown = min(end, start + lines_left)
            row = quote_lines(new, start, shown, room)
            if shown < end:
                row += f"\n[… {end - shown:,} more]"
        rows.append(row)
        lines_left -= row.count("\n") + 1
        room -= len(row)
    return "\n".join(rows)


def left_over(old: str, new: str, text: str) -> str:
    """Where a name that an edit took out of its place still stands; "" when none does, or more than two were taken out.

    Who renames something in one place mostly means the others too.
    """
    gone = sorted(set(_NAME.findall(old)) - set(_NAME.findall(new)))
    if len(gone) > 2:
        return ""
    said = ""
    for name in gone:
        word = re.compile(rf"\b{re.escape(name)}\b")
        places = [str(number) for number, line in enumerate(_lines(text), start=1) if word.search(line)]
        if places:
            more = f" and {len(places) - 5} more" if len(places) > 5 else ""
            said += f"\n`{name}` is still in line {', '.join(places[:5])}{more}."
    return said


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def count_lines(text: str) -> str:
    """How many lines a text has, in words."""
    return _count(len(_lines(text)))


def _count(number: int) -> str:
    return f"{number:,} line{'' if number == 1 else 's'}"
