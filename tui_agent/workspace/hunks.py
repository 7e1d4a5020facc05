"""What comes of a file when each hunk of its diff is accepted, rejected, or given another text.

A hunk is a unit: the changes that share its context are decided about together. Its new text is all of its lines as
they would be, context included, so an edit may change the context too. Nothing is normalised: carriage returns, NUL,
byte order marks and bytes that are no UTF-8 (as surrogates) stay what they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.changes import FileChange
from tui_agent.workspace.diff import FileDiff, Hunk, Row, count_sides, diff_texts, split_lines, text_notes
from tui_agent.workspace.matching import Stretch, changed_stretches


class Choice(Struct, frozen=True):
    """What becomes of a hunk; `text` stands in place of its proposed new text."""

    accepted: bool = True
    text: str | None = None


ACCEPTED = Choice()
REJECTED = Choice(False)


def old_text(hunk: Hunk) -> str:
    """The lines of a hunk as they are, context included."""
    return "".join(row.line for row in hunk.rows if row.side != "added")


def new_text(hunk: Hunk) -> str:
    """The lines of a hunk as they are proposed, context included."""
    return "".join(row.line for row in hunk.rows if row.side != "removed")


def assemble(before: str, hunks: Sequence[Hunk], choices: Sequence[Choice]) -> str:
    """`before` with what was chosen for each of its hunks.

    An edited text that something follows ends with a line feed, given or not: lines stay lines.
    """
    old = split_lines(before)
    parts: list[str] = []
    done = 0
    for hunk, choice in zip(hunks, choices, strict=True):
        start = _first(hunk)
        end = start + hunk.old_lines
        parts += old[done:start]
        if not choice.accepted:
            parts += old[start:end]
        elif choice.text is None:
            parts += (row.line for row in hunk.rows if row.side != "removed")
        else:
            parts.append(_closed(choice.text, followed=end < len(old)))
        done = end
    parts += old[done:]
    return "".join(parts)


def as_shown(diff: FileDiff, choices: Sequence[Choice]) -> FileDiff:
    """The diff with the user's texts in it; rejected hunks are shown as they would be if they were accepted."""
    hunks: list[Hunk] = []
    shift = 0  # lines that came with the texts so far
    total = len(diff.old_lines)
    for hunk, choice in zip(diff.hunks, choices, strict=True):
        if choice.text is None:
            made = _renumbered(hunk, hunk.rows, shift) if shift else hunk
        else:
            text = _closed(choice.text, followed=_first(hunk) + hunk.old_lines < total)
            made = _renumbered(hunk, _compared(hunk, text), shift)
        hunks.append(made)
        shift += made.new_lines - hunk.new_lines
    after = assemble(diff.before, diff.hunks, [Choice(True, choice.text) for choice in choices])
    added, removed = count_sides(hunks)
    notes = [note for note in diff.notes if note not in set(text_notes(diff.before, diff.after))]
    kind = diff.kind
    if kind in ("modified", "overwritten"):
        kind = "overwritten" if diff.before and removed == total else "modified"
    notes += text_notes(diff.before, after)
    return FileDiff(diff.name, kind, diff.encoding, diff.before, after, tuple(hunks), added, removed, tuple(notes))


def is_one_unit(change: FileChange, diff: FileDiff) -> bool:
    """True when a file is accepted or rejected whole: there is no text before, or what is shown is not the text."""
    if change.before is None or diff.kind == "binary" or not diff.hunks:
        return True
    return diff.before.encode(diff.encoding, "surrogateescape") != change.before


def to_bytes(text: str, encoding: str) -> bytes:
    """The bytes of a text that came from a `FileDiff` of this encoding.

    Raises:
        WorkspaceError: there is a character in it that cannot be written.
    """
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError as error:
        code = f"<U+{ord(text[error.start]):04X}>"
        if encoding == "latin-1":
            raise WorkspaceError(f"the file is Latin-1, which has no {code}") from error
        raise WorkspaceError(f"{code} is half a character and cannot be written") from error


def same_hunks(some: Iterable[Hunk], others: Iterable[Hunk]) -> Iterator[tuple[int, int]]:
    """Which hunks hold the same lines, wherever they stand: pairs of indexes, each index at most once."""
    places: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for index, hunk in enumerate(others):
        places.setdefault(_key(hunk), []).append(index)
    for index, hunk in enumerate(some):
        if found := places.get(_key(hunk)):
            yield index, found.pop(0)


def with_rejected(before: str, text: str, rejected: Sequence[Hunk]) -> str:
    """`text` with those of the rejected hunks of `before` that its own changes leave alone, so that they stay in view.

    They are hunks again in the difference to `before`; what joins another change is left out.
    """
    old, new = split_lines(before), split_lines(text)
    changes = changed_stretches(old, new)
    hunks = [hunk for hunk in rejected if not _touching(changes, hunk)]
    while hunks:
        steps = [(i0, i1, new[j0:j1]) for i0, i1, j0, j1 in changes]
        steps += [(_first(hunk), _first(hunk) + hunk.old_lines, split_lines(new_text(hunk))) for hunk in hunks]
        lines, done = [], 0
        for start, end, come in sorted(steps):
            lines += [*old[done:start], *come]
            done = end
        made = "".join([*lines, *old[done:]])
        found = diff_texts(before, made)
        same = {index for _, index in same_hunks(found, hunks)}
        choices = [ACCEPTED] * len(found)
        for index, _ in same_hunks(found, hunks):
            choices[index] = REJECTED
        if len(same) == len(hunks):
            return made if assemble(before, found, choices) == text else text
        hunks = [hunk for index, hunk in enumerate(hunks) if index in same]
    return text


def what_became(diff: FileDiff, result: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which hunks of a proposal are not in a text at all, and which are there in another way; counted from 1."""
    old, new = diff.old_lines, split_lines(result)
    changes = changed_stretches(old, new)
    refused, edited = [], []
    for number, hunk in enumerate(diff.hunks, start=1):
        start = _first(hunk)
        end = start + hunk.old_lines
        touching = _touching(changes, hunk)
        if not touching:
            refused.append(number)
            continue
        (i0, _, j0, _), (_, i1, _, j1) = touching[0], touching[-1]
        inside = i0 >= start and i1 <= end
        if not inside or "".join(new[j0 - (i0 - start) : j1 + (end - i1)]) != new_text(hunk):
            edited.append(number)
    return tuple(refused), tuple(edited)


def _first(hunk: Hunk) -> int:
    """The index of the first old line of a hunk."""
    return hunk.old_start - bool(hunk.old_lines)


def _touching(changes: Iterable[Stretch], hunk: Hunk) -> list[Stretch]:
    """The changes of old lines in the range of a hunk, or right beside it."""
    start = _first(hunk)
    end = start + hunk.old_lines
    return [change for change in changes if change[0] <= end and change[1] >= start]


def _closed(text: str, *, followed: bool) -> str:
    return text + "\n" if followed and text and not text.endswith("\n") else text


def _compared(hunk: Hunk, text: str) -> tuple[Row, ...]:
    """The rows between the old text of a hunk and another new text, numbered as the hunk's are."""
    old = old_text(hunk)
    above = _first(hunk), hunk.new_start - bool(hunk.new_lines)
    hunks = diff_texts(old, text, context=len(hunk.rows))
    rows: Iterable[Row] = chain.from_iterable(one.rows for one in hunks)
    if not hunks:  # as it was before
        rows = (Row("context", number, number, line) for number, line in enumerate(split_lines(old), start=1))
    return tuple(_moved(row, *above) for row in rows)


def _moved(row: Row, old: int, new: int) -> Row:
    return Row(row.side, row.old + old if row.old else 0, row.new + new if row.new else 0, row.line)


def _renumbered(hunk: Hunk, rows: Sequence[Row], shift: int) -> Hunk:
    if shift:
        rows = [_moved(row, 0, shift) for row in rows]
    new_lines = sum(row.side != "removed" for row in rows)
    above = hunk.new_start - bool(hunk.new_lines) + shift
    return replace(hunk, rows=tuple(rows), new_start=above + bool(new_lines), new_lines=new_lines)


def _key(hunk: Hunk) -> tuple[tuple[str, str], ...]:
    return tuple((row.side, row.line) for row in hunk.rows)
