"""Find the one place an edit means and replace it: exactly, else in spite of whitespace or look-alike characters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tui_agent.conversation.errors import WorkspaceError

EXACT: Final = ""
WHITESPACE: Final = "whitespace differences ignored"
UNICODE: Final = "Unicode look-alikes ignored"

PLACES_NAMED: Final = 8
"""How many of several matching places an error names."""
LINES_QUOTED: Final = 12
"""How many lines of the file an error quotes."""

_LOOK_ALIKES: Final = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", "-"),
        **dict.fromkeys(
            "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
        ),
    }
)
_TAB_WIDTHS: Final = (4, 2, 8)


@dataclass(frozen=True, slots=True)
class Edited:
    """The text after an edit, how the place was found (EXACT, WHITESPACE or UNICODE), and how many were replaced."""

    text: str
    how: str
    count: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines `start` to `end` (exclusive) of the file, and what they become."""

    start: int
    end: int
    lines: list[str]


def find_and_replace(text: str, old: str, new: str, replace_all: bool = False) -> Edited:
    """Replace `old` by `new` in `text`, all with LF line ends.

    An exact match wins. Else whole lines match when they differ only by a common shift of indentation, tabs for spaces
    in it, or trailing blanks; else the same with look-alike quotes, dashes and spaces taken as equal. What the edit
    does not change keeps its own characters. A place must be unique unless `replace_all`.

    Raises:
        WorkspaceError: nothing or more than one place found, or nothing would change; the message helps to correct it.
    """
    if not old:
        raise WorkspaceError("old_string is empty", "Quote the lines to replace, or use write_file for a whole file.")
    if old == new:
        raise WorkspaceError(f"old_string and new_string are the same, so nothing would change. {_holding(text, old)}")
    edited = _exact(text, text, old, new, replace_all, EXACT) or _by_lines(
        text, text, old, new, replace_all, WHITESPACE
    )
    if edited is None:
        plain, plain_old = text.translate(_LOOK_ALIKES), old.translate(_LOOK_ALIKES)
        edited = _exact(text, plain, plain_old, new, replace_all, UNICODE) or _by_lines(
            text, plain, plain_old, new, replace_all, UNICODE
        )
    if edited is None:
        raise WorkspaceError(f"old_string was not found. {_holding(text, old, new)}")
    if edited.text == text:
        raise WorkspaceError(f"nothing would change: the file already reads so. {_holding(text, old)}")
    return edited


def _exact(text: str, searched: str, old: str, new: str, replace_all: bool, how: str) -> Edited | None:
    """`searched` is `text` character by character, so a place in one is the same place in the other."""
    starts = list(_starts(searched, old, overlapping=not replace_all))
    if not starts:
        return None
    if len(starts) > 1 and not replace_all:
        raise _several([searched.count("\n", 0, start) + 1 for start in starts])
    pieces, position = [], 0
    for start in starts:
        pieces += [text[position:start], new]
        position = start + len(old)
    return Edited("".join(pieces) + text[position:], how, len(starts))


def _starts(text: str, old: str, *, overlapping: bool) -> Iterator[int]:
    step = 1 if overlapping else len(old)
    start = text.find(old)
    while start >= 0:
        yield start
        start = text.find(old, start + step)


def _by_lines(text: str, searched: str, old: str, new: str, replace_all: bool, how: str) -> Edited | None:
    lines, searched_lines = text.split("\n"), searched.split("\n")
    for old_lines, new_lines in _indentations(*_block(old, new)):
        places = list(_places(lines, searched_lines, old_lines, new_lines))
        if len(places) > 1 and not replace_all:
            raise _several([place.start + 1 for place in places])
        if places:
            for place in reversed(places):
                lines[place.start : place.end] = place.lines
            return Edited("\n".join(lines), how, len(places))
    return None


def _block(old: str, new: str) -> tuple[list[str], list[str]]:
    """Both as whole lines; a line end that both have belongs to the last line, not to a further empty one."""
    if not old.endswith("\n"):
        return old.split("\n"), new.split("\n")
    return old[:-1].split("\n"), new.removesuffix("\n").split("\n") if new else []


def _indentations(old: list[str], new: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The block as it is, then with its indentation in tabs, then in spaces."""
    yield old, new
    if any(line.startswith(" ") for line in old):
        for width in _TAB_WIDTHS:
            yield [_tabbed(line, width) for line in old], [_tabbed(line, width) for line in new]
    if any(line.startswith("\t") for line in old):
        for width in _TAB_WIDTHS:
            yield [_spaced(line, width) for line in old], [_spaced(line, width) for line in new]


def _tabbed(line: str, width: int) -> str:
    body = line.lstrip(" ")
    tabs, rest = divmod(len(line) - len(body), width)
    return "\t" * tabs + " " * rest + body


def _spaced(line: str, width: int) -> str:
    body = line.lstrip("\t")
    return " " * width * (len(line) - len(body)) + body


def _places(lines: list[str], searched: list[str], old: list[str], new: list[str]) -> Iterator[_Place]:
    """The windows of `searched` that are `old` but for a common shift of indentation and trailing blanks."""
    margin = _margin(old)
    wanted = [line[len(margin) :].rstrip() for line in old]
    first = next((i for i, line in enumerate(wanted) if line), None)
    if first is None:
        return
    start, last = 0, len(searched) - len(old)
    while start <= last:
        if wanted[first].lstrip() == searched[start + first].strip():
            window = searched[start : start + len(old)]
            shift = _margin(window)
            if [line[len(shift) :].rstrip() for line in window] == wanted:
                end = start + len(old)
                yield _Place(start, end, _replacement(lines[start:end], old, new, margin, shift))
                start = end
                continue
        start += 1


def _replacement(kept: list[str], old: list[str], new: list[str], margin: str, shift: str) -> list[str]:
    """The new lines at the file's indentation; those that old and new begin or end with stay as they were."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    tail = next((i for i in range(limit - head) if old[-1 - i] != new[-1 - i]), limit - head)
    changed = [_shifted(line, margin, shift) for line in new[head : len(new) - tail]]
    return kept[:head] + changed + kept[len(kept) - tail :]


def _shifted(line: str, margin: str, shift: str) -> str:
    if not line.strip():
        return line.strip(" \t")
    if line.startswith(margin):
        return shift + line[len(margin) :]
    indentation = len(line) - len(line.lstrip(" \t"))
    return shift[: max(0, len(shift) - (len(margin) - indentation))] + line.lstrip(" \t")


def _margin(lines: Sequence[str]) -> str:
    """The blanks that every non-blank line begins with."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return ""
    low, high = min(filled), max(filled)
    size = next((i for i, character in enumerate(low) if character not in " \t" or high[i] != character), len(low))
    return low[:size]


def _several(numbers: list[int]) -> WorkspaceError:
    shown = ", ".join(map(str, numbers[:PLACES_NAMED])) + (", …" if len(numbers) > PLACES_NAMED else "")
    return WorkspaceError(
        f"old_string matches {len(numbers)} places (lines {shown})",
        "Quote more lines around the one you mean, or set replace_all to true.",
    )


def _holding(text: str, old: str, new: str = "") -> str:
    """What the file holds at or nearest to `old`, for a model that quoted it wrongly."""
    # As whole lines only: a short word is somewhere in every file, and a model believes what it is told.
    there = f"\n{text}\n".find("\n" + new.strip("\n") + "\n") if new.strip() else -1
    if there >= 0:
        return f"new_string is already there, at line {text.count(chr(10), 0, there) + 1}: the edit seems done."
    lines = text.split("\n")
    height = min(old.strip("\n").count("\n") + 1, LINES_QUOTED)
    start = text.find(old)
    number = (
        text.count("\n", 0, start + len(old) - len(old.lstrip("\n"))) if start >= 0 else _nearest(lines, old, height)
    )
    if number is None:
        return "Nothing in the file is like it: read the file again and quote it exactly."
    quoted = "\n".join(f"{number + i + 1}\t{line[:300]}" for i, line in enumerate(lines[number : number + height]))
    return f"{'The file holds' if start >= 0 else 'The nearest lines in the file'}:\n{quoted}"


def _nearest(lines: list[str], old: str, height: int) -> int | None:
    """Index of the line at which the most similar block of `height` lines begins."""
    from rapidfuzz import fuzz, process

    wanted = "\n".join(line.strip() for line in old.strip("\n").split("\n")[:height])
    bare = [line.strip()[:300] for line in lines[:50_000]]
    blocks = ("\n".join(bare[i : i + height]) for i in range(max(1, len(bare) - height + 1)))
    best = process.extractOne(wanted[:4_000], blocks, scorer=fuzz.ratio, score_cutoff=50)
    return None if best is None else int(best[2])
