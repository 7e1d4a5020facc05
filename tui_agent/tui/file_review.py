"""What the user has made of one proposed file so far, hunk by hunk, and what would be written of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from msgspec.structs import replace

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.permissions.approval import Reviewed
from tui_agent.workspace.changes import FileChange
from tui_agent.workspace.diff import FileDiff, count_sides, diff_change
from tui_agent.workspace.hunks import (
    Choice,
    as_shown,
    assemble,
    is_one_unit,
    new_text,
    old_text,
    same_hunks,
    to_bytes,
    what_became,
    with_rejected,
)

State = Literal["accepted", "rejected", "edited"]

MAX_EDITED_LINES: Final = 2_000
MAX_EDITED_CHARACTERS: Final = 100_000
"""A hunk beyond this is not edited in place: laying it out for that would keep everything waiting."""


@dataclass(slots=True)
class _Unit:
    """What is decided about together; `own` when its lines came from the user and not from the model."""

    accepted: bool = True
    text: str | None = None
    own: bool = False
    comment: str = ""

    @property
    def choice(self) -> Choice:
        return Choice(self.accepted, self.text)

    @property
    def state(self) -> State:
        if not self.accepted:
            return "rejected"
        return "accepted" if self.text is None and not self.own else "edited"


class FileReview:
    """One proposed change under review. `diff` is that of the change.

    Hunks are counted from 0, as they are shown; a file that is one unit has one decision for all of them.
    """

    def __init__(self, change: FileChange, diff: FileDiff) -> None:
        self.change: Final = change
        self.proposal: Final = diff
        self._based_on = change  # this change, or what an editor made of it
        self._base = diff
        self.whole = is_one_unit(change, diff)
        self._units = [_Unit() for _ in range(1 if self.whole else len(diff.hunks))]
        self.shown = diff
        """The diff with the user's texts in it; what was rejected is shown as it would be."""
        self._counted: FileDiff | None = None  # the one that these are of
        self._sides: list[tuple[int, int]] = []

    # ---- what is there ----

    @property
    def count(self) -> int:
        """How many decisions there are to make."""
        return len(self._units)

    @property
    def accepted(self) -> int:
        """How many of them are a yes."""
        return sum(unit.accepted for unit in self._units)

    @property
    def untouched(self) -> bool:
        """True when the file would be written as it was proposed and nothing is said about it."""
        return self.as_proposed and not any(unit.comment for unit in self._units)

    @property
    def as_proposed(self) -> bool:
        """True when the file would be written as it was proposed."""
        return self._base is self.proposal and all(unit.state == "accepted" for unit in self._units)

    def state(self, hunk: int) -> State:
        """What was decided about a hunk."""
        return self._unit(hunk).state

    def comment(self, hunk: int) -> str:
        """What is said about a hunk."""
        return self._unit(hunk).comment

    def lines(self) -> tuple[int, int]:
        """Lines added and removed by what is accepted."""
        if self._counted is not self.shown:
            self._counted, self._sides = self.shown, [count_sides([hunk]) for hunk in self.shown.hunks]
        sides = [sides for index, sides in enumerate(self._sides) if self._unit(index).accepted]
        return sum(added for added, _ in sides), sum(removed for _, removed in sides)

    def after(self) -> bytes | None:
        """The bytes that would be written; None when the file is left alone."""
        if not any(unit.accepted for unit in self._units):
            return None
        if all(unit.accepted and unit.text is None for unit in self._units):
            return self._based_on.after
        text = assemble(self._base.before, self._base.hunks, [unit.choice for unit in self._units])
        return to_bytes(text, self._base.encoding)

    def reviewed(self) -> Reviewed:
        """The answer for this file. It may take as long as a comparison does."""
        after = self.after()
        comments = tuple(self._comments())
        if after is None or self.as_proposed:
            return Reviewed(after, comments=comments)
        if self._base is self.proposal:
            states = [unit.state for unit in self._units]
            refused, edited = (
                tuple(number for number, state in enumerate(states, start=1) if state == wanted)
                for wanted in ("rejected", "edited")
            )
        elif self.proposal.encoding == "binary":
            refused, edited = (), tuple(range(1, len(self.proposal.hunks) + 1))
        else:
            refused, edited = what_became(self.proposal, after.decode(self.proposal.encoding, "surrogateescape"))
        return Reviewed(after, refused, edited, comments)

    def _comments(self) -> Iterator[tuple[int, str]]:
        same = dict(same_hunks(self._base.hunks, self.proposal.hunks)) if self._base is not self.proposal else {}
        for index, unit in enumerate(self._units):
            if unit.comment:
                number = index if self._base is self.proposal else same.get(index, -1)
                yield (0 if self.whole else number + 1), unit.comment

    def _unit(self, hunk: int) -> _Unit:
        return self._units[0 if self.whole else hunk]

    # ---- deciding ----

    def toggle(self, hunk: int) -> None:
        """Accept what was rejected, with the text it had, and the other way round."""
        unit = self._unit(hunk)
        unit.accepted = not unit.accepted

    def decide(self, accepted: bool) -> None:
        """Accept or reject all of the file."""
        for unit in self._units:
            unit.accepted = accepted

    def say(self, hunk: int, comment: str) -> None:
        """Comment on a hunk; an empty one takes it back."""
        self._unit(hunk).comment = comment

    def text(self, hunk: int) -> str:
        """The new text of a hunk, to be edited.

        Raises:
            WorkspaceError: it is none, or too long.
        """
        if self._base.encoding == "binary":
            raise WorkspaceError("not text: accept or reject it whole")
        if not self._base.hunks:
            raise WorkspaceError("there are no lines to edit")
        text = new_text(self.shown.hunks[hunk])
        if len(text) > MAX_EDITED_CHARACTERS or text.count("\n") > MAX_EDITED_LINES:
            raise WorkspaceError("too long to edit in place; your own editor can")
        return text

    def old_text(self, hunk: int) -> str:
        """The text of a hunk as it is in the file."""
        return old_text(self.shown.hunks[hunk])

    def edit(self, hunk: int, text: str) -> None:
        """Give a hunk another new text, and accept it; a text that is the old one rejects it.

        Raises:
            WorkspaceError: it cannot be written in the encoding of the file.
        """
        to_bytes(text, self._base.encoding)
        base = self._base.hunks[hunk]
        unit = self._unit(hunk)
        if text == old_text(base) and not self.whole:
            unit.accepted, unit.text = False, None
        else:
            unit.accepted, unit.text = True, None if text == new_text(base) else text
        self._show()

    def for_editor(self) -> bytes:
        """The file as it would be written now, for an editor; all of the proposal when everything is rejected.

        Raises:
            WorkspaceError: it is no text.
        """
        if self._base.encoding == "binary":
            raise WorkspaceError("not text: accept or reject it whole")
        after = self.after()
        return to_bytes(self.shown.after, self.shown.encoding) if after is None else after

    def replace(self, after: bytes) -> None:
        """Let exactly these bytes be what would be written; what was rejected and is not in them stays in view.

        It takes as long as a comparison does.
        """
        was, units, whole = self.shown, self._units, self.whole
        change = replace(self.change, after=after, match="")
        base = diff_change(change)
        rejected = [hunk for unit, hunk in zip(units, was.hunks, strict=False) if not unit.accepted and not whole]
        if len(rejected) < len(units) and base.encoding == was.encoding != "binary":
            text = with_rejected(base.before, base.after, rejected)
            if text != base.after:
                change = replace(change, after=to_bytes(text, base.encoding))
        else:
            rejected = []
        base = self.proposal if change.after == self.change.after else diff_change(change)
        self.whole = is_one_unit(change, base)
        self._units = made = [_Unit(own=base is not self.proposal) for _ in range(1 if self.whole else len(base.hunks))]
        if not self.whole:
            for index, _ in same_hunks(base.hunks, self.proposal.hunks):
                made[index].own = False
            if base.after != after.decode(base.encoding, "surrogateescape"):  # what was rejected is in view again
                for index, _ in same_hunks(base.hunks, rejected):
                    made[index].accepted = False
        if self.whole == whole:
            for index, earlier in same_hunks(base.hunks, was.hunks):
                made[0 if whole else index].comment = units[0 if whole else earlier].comment
        self._based_on, self._base = change, base
        self._show()

    def take_over(self, earlier: "FileReview") -> tuple[int, list[str]]:
        """Decide about hunks as was decided about the same ones of an earlier proposal for the file.

        How many decisions were taken over, and the texts of the user for which there is no hunk any more.
        """
        texts = dict(earlier._texts())
        taken = 0
        if not self.whole and not earlier.whole:
            for index, other in same_hunks(self._base.hunks, earlier._base.hunks):
                unit = earlier._units[other]
                texts.pop(other, None)
                if unit.state != "accepted" or unit.comment:
                    self._units[index] = _Unit(unit.accepted, unit.text, comment=unit.comment)
                    taken += 1
            self._show()
        return taken, list(texts.values())

    def _texts(self) -> Iterator[tuple[int, str]]:
        """What the user wrote, by hunk."""
        for index, unit in enumerate(self._units):
            if unit.text is not None or unit.own:
                text = unit.text
                yield index, "".join(map(new_text, self.shown.hunks[index : index + 1])) if text is None else text

    def _show(self) -> None:
        if all(unit.text is None for unit in self._units):
            self.shown = self._base
        elif self.whole:
            self.shown = as_shown(self._base, [self._units[0].choice] * len(self._base.hunks))
        else:
            self.shown = as_shown(self._base, [unit.choice for unit in self._units])
