"""Line differences between two texts: what a person reviews before a change is written.

Lines end at LF and nowhere else: form feeds, U+2028 and lone CR are ordinary characters of a line, so the lines of a
text joined again are exactly that text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal

from msgspec import Struct

from tui_agent.conversation.events import FileDelta
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.matching import Stretch, changed_stretches

Side = Literal["context", "removed", "added"]
Kind = Literal["created", "modified", "overwritten", "binary"]

CONTEXT = 3


class Row(Struct, frozen=True, gc=False):
    """One line of a hunk: its text with its ending, and its 1-based number before and after (0: not there)."""

    side: Side
    old: int
    new: int
    line: str

    @property
    def text(self) -> str:
        """The line without its LF."""
        return self.line[:-1] if self.line.endswith("\n") else self.line

    @property
    def ends(self) -> bool:
        """False for a last line without a final newline."""
        return self.line.endswith("\n")


class Hunk(Struct, frozen=True):
    """Neighbouring changes with their context; starts are 1-based, and as in a unified diff 0 before the first line.

    `heading` is the definition that the first line stands in, or "".
    """

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    rows: tuple[Row, ...]
    heading: str = ""

    @property
    def header(self) -> str:
        """Where it is, as in a unified diff: `@@ -1,4 +1,5 @@`."""
        return f"@@ -{self.old_start},{self.old_lines} +{self.new_start},{self.new_lines} @@"


class FileDiff(Struct, frozen=True, dict=True):
    """One file before and after, line by line.

    `kind`: `created` (no file yet), `overwritten` (not one line stays), `binary` (the new bytes are no text; both sides
    are hexadecimal dumps), else `modified`. `notes` are facts that lines alone do not show.
    """

    name: str
    kind: Kind
    encoding: str
    before: str
    after: str
    hunks: tuple[Hunk, ...]
    added: int
    removed: int
    notes: tuple[str, ...] = ()

    @cached_property
    def old_lines(self) -> list[str]:
        """The lines before, each with its ending."""
        return split_lines(self.before)

    @cached_property
    def new_lines(self) -> list[str]:
        """The lines after, each with its ending."""
        return split_lines(self.after)


def split_lines(text: str) -> list[str]:
    """Lines with their endings; joined they are `text` again."""
    lines = text.split("\n")
    last = lines.pop()
    lines = [line + "\n" for line in lines]
    return [*lines, last] if last else lines


def diff_plan(plan: ChangePlan) -> tuple[FileDiff, ...]:
    """The difference of each file of a plan, in its order."""
    return tuple(diff_change(change) for change in plan.changes)


def diff_change(change: FileChange) -> FileDiff:
    """The difference of one prepared change; never fails, whatever the bytes are."""
    notes = [f"edit found its place by {change.match}"] if change.match else []
    old = change.before or b""
    ways = _reading(old), _reading(change.after)
    if ways[1] == "binary":
        encoding, before, after = "binary", hex_dump(old), hex_dump(change.after)
        notes.append("not text: shown as bytes")
    else:
        if ways[0] == "binary":
            notes.append(f"replaces {len(old):,} bytes that are not text")
        encoding = "latin-1" if "other" in ways and "utf-8" not in ways else "utf-8"
        before = "" if ways[0] == "binary" else old.decode(encoding, "surrogateescape")
        after = change.after.decode(encoding, "surrogateescape")
        if encoding == "latin-1":
            notes.append("not UTF-8: shown as Latin-1")
        elif "other" in ways:
            notes.append("becomes UTF-8" if ways[0] == "other" else "is no longer UTF-8")
    hunks = diff_texts(before, after)
    added, removed = count_sides(hunks)
    kind: Kind = "modified"
    if encoding == "binary":
        kind = "binary"
    elif change.before is None:
        kind = "created"
    elif old and removed == len(split_lines(before)):
        kind = "overwritten"
    if encoding != "binary":
        notes += text_notes(before, after)
    return FileDiff(change.name, kind, encoding, before, after, hunks, added, removed, tuple(notes))


def diff_texts(before: str, after: str, context: int = CONTEXT) -> tuple[Hunk, ...]:
    """The hunks that turn `before` into `after`, each with up to `context` unchanged lines around it."""
    old, new = split_lines(before), split_lines(after)
    return tuple(_hunks(old, new, changed_stretches(old, new), context))


def unified(diff: FileDiff, limit_lines: int, limit_columns: int = 2_000) -> str:
    """A unified diff for reading; what the limits (lines, characters of a line) cut is said in its place."""
    out: list[str] = []
    total = 0
    for line in _unified_lines(diff):
        total += 1
        if total <= limit_lines:
            hidden = len(line) - limit_columns
            out.append(f"{line[:limit_columns]}… {hidden:,} more characters" if hidden > 0 else line)
    if total > limit_lines:
        out.append(f"… {total - limit_lines:,} more lines")
    return "\n".join(out)


def file_delta(change: FileChange, limit_lines: int = 200) -> FileDelta:
    """What the log keeps of one changed file: counts, and a unified diff of at most `limit_lines` lines."""
    diff = diff_change(change)
    text = _storable(unified(diff, limit_lines))
    return FileDelta(_storable(change.name), diff.added, diff.removed, text, created=diff.kind == "created")


def _storable(text: str) -> str:
    """Without the lone surrogates that stand for undecodable bytes: JSON cannot hold them."""
    return text.encode("utf-8", "replace").decode()


def hex_dump(data: bytes) -> str:
    """Sixteen bytes a line: offset, hexadecimal, printable ASCII."""
    lines = []
    for offset in range(0, len(data), 16):
        piece = data[offset : offset + 16]
        lines.append(f"{offset:08x}  {piece.hex(' '):47}  {piece.translate(_PRINTABLE).decode('ascii')}\n")
    return "".join(lines)


# ---- bytes ----

_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


def _reading(data: bytes) -> Literal["ascii", "utf-8", "other", "binary"]:
    """What the bytes are; NUL in valid UTF-8 is text (and is shown), in anything else it means they are no text."""
    if data.isascii():
        return "ascii"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "binary" if b"\0" in data else "other"
    return "utf-8"


def text_notes(before: str, after: str) -> Iterator[str]:
    """Facts about line endings, marks and ends of two texts."""
    old, new = line_ending(before), line_ending(after)
    if old and new and old != new:
        yield f"line endings change from {old} to {new}"
    elif new not in ("", "LF"):
        yield f"{new} line endings"
    if before.startswith("\ufeff") != after.startswith("\ufeff") and before and after:
        yield "byte order mark added" if after.startswith("\ufeff") else "byte order mark removed"
    if not after:
        yield "empty file"
    elif not after.endswith("\n"):
        yield "no newline at end of file"
    elif before and not before.endswith("\n"):
        yield "newline at end of file added"


def line_ending(text: str) -> Literal["", "LF", "CRLF", "mixed"]:
    """Which line ending a text uses; "" when it has none."""
    every, crlf = text.count("\n"), text.count("\r\n")
    if not every:
        return ""
    return "LF" if not crlf else "CRLF" if crlf == every else "mixed"


# ---- hunks ----

_HEADING = 200
_DEFINITION = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|internal|static|abstract|final|pub(?:\(\w+\))?|async|unsafe)\s+)*"
    r"(?:def|class|fn|func|function|impl|struct|enum|trait|interface|namespace|module|mod)\b"
)


def _hunks(old: list[str], new: list[str], changes: list[Stretch], context: int) -> Iterator[Hunk]:
    groups: list[list[Stretch]] = []
    for change in changes:
        if groups and change[0] - groups[-1][-1][1] <= 2 * context:
            groups[-1].append(change)
        else:
            groups.append([change])
    heading, seen = "", 0
    for group in groups:
        lead = min(context, group[0][0])
        start_old, start_new = group[0][0] - lead, group[0][2] - lead
        end_old = min(len(old), group[-1][1] + context)
        rows: list[Row] = []
        i, j = start_old, start_new
        for i0, i1, j0, j1 in [*group, (end_old, end_old, 0, 0)]:
            rows += (Row("context", k + 1, j + k - i + 1, old[k]) for k in range(i, i0))
            if i1 > i0 or j1 > j0:
                rows += (Row("removed", k + 1, 0, old[k]) for k in range(i0, i1))
                rows += (Row("added", 0, k + 1, new[k]) for k in range(j0, j1))
                i, j = i1, j1
        while seen < start_old:
            if _DEFINITION.match(old[seen], 0, _HEADING):
                heading = old[seen][: 2 * _HEADING].strip()[:_HEADING]
            seen += 1
        old_lines = sum(row.side != "added" for row in rows)
        new_lines = sum(row.side != "removed" for row in rows)
        yield Hunk(start_old + bool(old_lines), old_lines, start_new + bool(new_lines), new_lines, tuple(rows), heading)


def count_sides(hunks: Iterable[Hunk]) -> tuple[int, int]:
    """Lines added and removed."""
    sides = Counter(row.side for hunk in hunks for row in hunk.rows)
    return sides["added"], sides["removed"]


def _unified_lines(diff: FileDiff) -> Iterator[str]:
    yield f"--- {'/dev/null' if diff.kind == 'created' else diff.name}"
    yield f"+++ {diff.name}"
    for hunk in diff.hunks:
        heading = f" {hunk.heading}" if hunk.heading else ""
        yield f"{hunk.header}{heading}"
        for row in hunk.rows:
            yield {"context": " ", "removed": "-", "added": "+"}[row.side] + row.text
            if not row.ends:
                yield "\\ No newline at end of file"
