"""What was at a path at one moment, and how a call changed it: plain data, and what follows from it."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["absent", "file", "link", "folder"]


class State(Struct, frozen=True, array_like=True):
    """What is at a path; `mode` are the permission bits, `mtime` nanoseconds.

    `content` is the SHA-256 of a file, and the target of a link. `lost` says why the bytes of a file are not kept;
    such a file equals nothing, not even itself.
    """

    kind: Kind
    mode: int = 0
    mtime: int = 0
    content: bytes = b""
    lost: str = ""

    def same(self, other: "State") -> bool:
        """Whether it is the same but for times."""
        if self.lost or other.lost or self.kind != other.kind:
            return False
        return self.content == other.content and (self.mode == other.mode or self.kind == "link")


ABSENT: Final = State("absent")


class Change(Struct, frozen=True, array_like=True):
    """One path (absolute, as the system has it) before and after."""

    path: bytes
    before: State
    after: State


class Left(Struct, frozen=True, array_like=True):
    """A path that is not kept, or was not put back, and why."""

    path: bytes
    reason: str


class Record(Struct, frozen=True, array_like=True):
    """What one call changed; `left` is what it may have changed besides, of which nothing is kept."""

    changes: tuple[Change, ...]
    left: tuple[Left, ...] = ()


class Step(Struct, frozen=True):
    """A path to put back: it has to be `expected` now, and becomes `target`.

    `short` says why it cannot go back as far as was asked for; empty when it can.
    """

    path: bytes
    expected: State
    target: State
    short: str = ""


BETWEEN: Final = "it was changed by something else in between: put back only as far as that"


def net(records: Sequence[Record]) -> dict[bytes, Step]:
    """The way back over several calls, oldest first; `expected` is what the last of them left at a path.

    Where something else changed a path between two calls, the way ends there.
    """
    steps: dict[bytes, Step] = {}
    for record in reversed(records):
        for change in record.changes:
            known = steps.get(change.path)
            if known is None:
                steps[change.path] = Step(change.path, change.after, change.before)
            elif known.short:
                continue
            elif change.after.same(known.target):
                steps[change.path] = Step(change.path, known.expected, change.before)
            else:
                steps[change.path] = Step(change.path, known.expected, known.target, BETWEEN)
    return {path: step for path, step in steps.items() if not step.expected.same(step.target)}


def contents(changes: Iterable[Change]) -> set[bytes]:
    """The hashes of all files in them that are kept."""
    states = (state for change in changes for state in (change.before, change.after))
    return {state.content for state in states if state.kind == "file" and not state.lost}


def parents_first(paths: Iterable[bytes]) -> list[bytes]:
    """So that a folder comes before what is in it."""
    return sorted(paths, key=lambda path: (path.count(b"/"), path))


def counted(number: int, what: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
