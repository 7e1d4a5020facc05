"""What changed within a line that was replaced by another, in words, as a person would mark it."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tui_agent.workspace.matching import changed_stretches

Span = tuple[int, int]
Spans = tuple[tuple[Span, ...], tuple[Span, ...]]
"""What differs in the line before and in the one after."""

Change = tuple[int, int, int, int]
"""Characters that differ: old start, old end, new start, new end."""

WORDS: Final = 2_000
"""Words compared one by one; of longer lines the pieces between `;`, `{` and `}` are compared first."""

LONG: Final = 40_000
"""Characters of such a piece, or of one that differs, beyond which its words are not looked at."""

LONGEST: Final = 10_000_000
"""Characters of a line beyond which nothing in it is compared."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_PIECE = re.compile(r"[^;{}]{0,200}[;{}]?")
_INK = re.compile(r"\w")


def intraline(old: str, new: str) -> Spans:
    """Which characters of two paired lines differ, as (start, end) spans of each; none when little is alike.

    What is outside the spans is the same text on both sides. Lines of megabytes take a good part of a second.
    """
    if max(len(old), len(new)) > LONGEST:
        return (), ()
    changes = list(_word_changes(old, new) if min(len(old), len(new)) <= LONG and _few(old, new) else _long(old, new))
    changes = list(_settled(old, changes))
    kept = len(old) - sum(i1 - i0 for i0, i1, _, _ in changes)
    if kept * 3 < max(len(old.strip()), len(new.strip())):
        return (), ()
    gone = tuple((i0, i1) for i0, i1, _, _ in changes if i0 < i1)
    come = tuple((j0, j1) for _, _, j0, j1 in changes if j0 < j1)
    return gone, come


def _few(old: str, new: str) -> bool:
    return all(len(text) <= LONG and len(_WORD.findall(text)) <= WORDS for text in (old, new))


def _word_changes(old: str, new: str) -> Iterator[Change]:
    from rapidfuzz.distance import LCSseq

    before, after = _WORD.findall(old), _WORD.findall(new)
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(word, len(numbers)) for word in before]
    b = [numbers.setdefault(word, len(numbers)) for word in after]
    at_old, at_new = _offsets(before), _offsets(after)
    for step in LCSseq.opcodes(a, b):
        if step.tag != "equal":
            yield at_old[step.src_start], at_old[step.src_end], at_new[step.dest_start], at_new[step.dest_end]


def _long(old: str, new: str) -> Iterator[Change]:
    """Pieces first, then words in those that differ."""
    # Not `findall`: it would keep the interpreter from everything else for the whole of a line.
    before, after = ([match[0] for match in _PIECE.finditer(text)] for text in (old, new))
    at_old, at_new = _offsets(before), _offsets(after)
    for i0, i1, j0, j1 in changed_stretches(before, after):
        start_old, end_old, start_new, end_new = at_old[i0], at_old[i1], at_new[j0], at_new[j1]
        gone, come = old[start_old:end_old], new[start_new:end_new]
        if not _few(gone, come):
            head = _common_prefix(gone, come)
            tail = _common_prefix(gone[head:][::-1], come[head:][::-1])
            yield start_old + head, end_old - tail, start_new + head, end_new - tail
            continue
        for k0, k1, l0, l1 in _word_changes(gone, come):
            yield start_old + k0, start_old + k1, start_new + l0, start_new + l1


def _settled(old: str, changes: Iterable[Change]) -> Iterator[Change]:
    """Changes with nothing but a few signs or blanks between them made one: `a b` that became `c d` is one change."""
    last: Change | None = None
    for change in changes:
        if last is None:
            last = change
            continue
        between = old[last[1] : change[0]]
        if not between or (len(between) <= min(_size(last), _size(change)) and not _INK.search(between)):
            last = last[0], change[1], last[2], change[3]
        else:
            yield last
            last = change
    if last is not None:
        yield last


def _size(change: Change) -> int:
    return max(change[1] - change[0], change[3] - change[2])


def _offsets(pieces: list[str]) -> list[int]:
    out = [0]
    for piece in pieces:
        out.append(out[-1] + len(piece))
    return out


def _common_prefix(one: str, other: str) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
