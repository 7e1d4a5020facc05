"""Find what differs between two lists of lines, as a person would see it, in bounded time."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

Stretch = tuple[int, int, int, int]
"""Lines that differ: old start, old end, new start, new end."""

Match = tuple[int, int, int]
"""Equal lines: index before, index after, how many."""

COMPARISONS = 250_000_000
"""Pairs of lines compared (64 at a time) before the rest is shown as replaced whole: some 0.1 s and 32 MB."""

COUNTING = 200
"""What counting one line costs, in comparisons; it ends the search after about a million lines counted."""


def changed_stretches(old: list[str], new: list[str]) -> list[Stretch]:
    """The stretches that differ, in order, never touching; both sides without them are equal."""
    numbers: dict[str, int] = {}
    a = [numbers.setdefault(line, len(numbers)) for line in old]
    b = [numbers.setdefault(line, len(numbers)) for line in new]
    changes: list[Stretch] = []
    i = j = 0
    for start_a, start_b, size in [*_matches(a, b), (len(a), len(b), 0)]:
        if i < start_a or j < start_b:
            changes.append((i, start_a, j, start_b))
        i, j = start_a + size, start_b + size
    return _settled(old, new, changes)


def _matches(a: list[int], b: list[int]) -> list[Match]:
    """Equal stretches in order: common ends, then lines unique on both sides (patience), then the longest common
    subsequence of what is left between them."""
    found: list[Match] = []
    budget = COMPARISONS
    todo = [(0, len(a), 0, len(b))]
    while todo:
        a0, a1, b0, b1 = todo.pop()
        head = 0
        while a0 + head < a1 and b0 + head < b1 and a[a0 + head] == b[b0 + head]:
            head += 1
        found.append((a0, b0, head))
        a0, b0 = a0 + head, b0 + head
        tail = 0
        while a1 - tail > a0 and b1 - tail > b0 and a[a1 - tail - 1] == b[b1 - tail - 1]:
            tail += 1
        a1, b1 = a1 - tail, b1 - tail
        found.append((a1, b1, tail))
        if a0 == a1 or b0 == b1:
            continue
        budget -= (a1 - a0 + b1 - b0) * COUNTING
        anchors = _unique_matches(a, b, a0, a1, b0, b1) if budget > 0 else []
        if anchors:
            for i, j in anchors:
                todo.append((a0, i, b0, j))
                a0, b0 = i, j
            todo.append((a0, a1, b0, b1))
        elif (cost := (a1 - a0) * (b1 - b0)) <= budget:
            budget -= cost
            found += _subsequence(a, b, a0, a1, b0, b1)
    return _joined(found)


def _unique_matches(a: list[int], b: list[int], a0: int, a1: int, b0: int, b1: int) -> list[tuple[int, int]]:
    """The longest ordered run of lines that occur exactly once in each stretch."""
    once_a, once_b = Counter(a[a0:a1]), Counter(b[b0:b1])
    place = {b[j]: j for j in range(b0, b1) if once_b[b[j]] == 1}
    pairs = [(i, place[a[i]]) for i in range(a0, a1) if once_a[a[i]] == 1 and a[i] in place]
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        pile = bisect_left(ends, j)
        before.append(last[pile - 1] if pile else -1)
        ends[pile : pile + 1] = [j]
        last[pile : pile + 1] = [index]
    run: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _subsequence(a: list[int], b: list[int], a0: int, a1: int, b0: int, b1: int) -> Iterator[Match]:
    from rapidfuzz.distance import LCSseq

    for step in LCSseq.opcodes(a[a0:a1], b[b0:b1]):
        if step.tag == "equal":
            yield a0 + step.src_start, b0 + step.dest_start, step.src_end - step.src_start


def _joined(matches: Iterable[Match]) -> list[Match]:
    """Sorted, without empty ones, touching ones made one."""
    out: list[Match] = []
    for i, j, size in sorted(match for match in matches if match[2]):
        if out and out[-1][0] + out[-1][2] == i and out[-1][1] + out[-1][2] == j:
            out[-1] = (out[-1][0], out[-1][1], out[-1][2] + size)
        else:
            out.append((i, j, size))
    return out


def _settled(old: list[str], new: list[str], changes: list[Stretch]) -> list[Stretch]:
    """Pure insertions and removals moved, where the text allows several places, to where a person would put them: to
    begin at the least indented line, else as late as possible."""
    out: list[Stretch] = []
    for index, (i0, i1, j0, j1) in enumerate(changes):
        if (i0 == i1) == (j0 == j1):
            out.append((i0, i1, j0, j1))
            continue
        lines, start, end = (new, j0, j1) if i0 == i1 else (old, i0, i1)
        floor = out[-1][3 if i0 == i1 else 1] + 1 if out else 0
        following = changes[index + 1][2 if i0 == i1 else 0] if index + 1 < len(changes) else len(lines) + 1
        up = 0
        while start - up > floor and lines[start - up - 1] == lines[end - up - 1]:
            up += 1
        down = 0
        while end + down + 1 < following and lines[start + down] == lines[end + down]:
            down += 1
        shift = min(range(-up, down + 1), key=lambda by: (_indent(lines[start + by]), -by))
        out.append((i0 + shift, i1 + shift, j0 + shift, j1 + shift))
    return out


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else 1_000
