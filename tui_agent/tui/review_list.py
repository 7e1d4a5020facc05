"""All files that are reviewed together: those of a question and of the questions that follow it, and the answers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui_agent.permissions.approval import (
    AllowOnce,
    ApprovalDecision,
    ApprovalRequest,
    Denied,
    Reviewed,
    WriteAccess,
)
from tui_agent.tools.reviewing import comments
from tui_agent.tui.file_review import FileReview
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import FileDiff


class Answers(NamedTuple):
    """What was decided about a question, and ahead about those that follow it."""

    decision: ApprovalDecision
    ahead: tuple[tuple[ApprovalRequest, ApprovalDecision], ...] = ()


def changes_of(request: ApprovalRequest) -> list[tuple[ApprovalRequest, FileChange]]:
    """Every change of a question and of those that follow it, with the question that asks about it."""
    return [
        (asks, change)
        for asks in (request, *request.following)
        if isinstance(asks.access, WriteAccess)
        for change in asks.access.plan.changes
    ]


def plan_of(request: ApprovalRequest) -> ChangePlan:
    """All of these changes as one plan, to be compared."""
    return ChangePlan(tuple(change for _, change in changes_of(request)))


class ReviewList:
    """The files under review, in order, and what is to be answered.

    `diffs` are those of `changes_of(request)`. `earlier` are reviews of this turn: one of the same change goes on, and
    of one of another change to the same file the decisions about equal hunks are taken over.
    """

    def __init__(
        self, request: ApprovalRequest, diffs: Sequence[FileDiff], earlier: Sequence["ReviewList"] = ()
    ) -> None:
        self.request: Final = request
        self.comment = ""
        """What is said about the whole."""
        self.seen: set[int] = set()
        """The files whose diff was shown."""
        self.news: dict[int, str] = {}
        """What happened to a file since it was reviewed before."""
        self.lost: dict[int, list[str]] = {}
        """Texts that the user gave hunks which are no more."""
        self._changes: Final = changes_of(request)
        known = {
            file.change.path: (asks.call_id, file)
            for one in earlier
            for (asks, _), file in zip(one._changes, one.files, strict=True)
        }
        self.files: list[FileReview] = []
        for index, ((asks, change), diff) in enumerate(zip(self._changes, diffs, strict=True)):
            call, file = known.get(change.path, ("", None))
            if file is None or (call != asks.call_id and file.untouched):
                file = FileReview(change, diff)
            elif file.change != change or call != asks.call_id:
                file = self._newer(index, FileReview(change, diff), file, same_call=call == asks.call_id)
            self.files.append(file)
        for one in earlier:
            if one.request.call_id == request.call_id:
                self.comment = one.comment

    def _newer(self, index: int, file: FileReview, earlier: FileReview, *, same_call: bool) -> FileReview:
        kept, lost = file.take_over(earlier)
        hunks = f"what you decided about {kept} equal hunk{'' if kept == 1 else 's'}"
        if same_call:
            self.lost[index] = lost
            self.news[index] = "changed on disk since; this is the new diff" + (f", with {hunks}" if kept else "")
        elif kept:
            self.news[index] = f"proposed again: {hunks} was taken over"
        return file

    # ---- what is there ----

    @property
    def untouched(self) -> bool:
        """True when everything is to be done as it was proposed, without a word."""
        return not self.comment and all(file.untouched for file in self.files)

    @property
    def _answered(self) -> list[int]:
        """The files that a yes would be about: no others than were shown, but for those that are left alone."""
        own = {id(self.request)}
        return [
            index
            for index, ((asks, _), file) in enumerate(zip(self._changes, self.files, strict=True))
            if id(asks) in own or index in self.seen or not file.accepted
        ]

    def label(self, *, short: bool) -> str:
        """What a yes would do."""
        files = [self.files[index] for index in self._answered]
        accepted, count = sum(file.accepted for file in files), sum(file.count for file in files)
        if not accepted:
            return "write nothing"
        written = sum(bool(file.accepted) for file in files)
        if short:
            said = "write" if accepted == count else f"write {accepted}/{count}"
            return said if len(self.files) == 1 else f"{said} in {written}/{len(self.files)} files"
        if count == 1:
            said = "write it"
        elif accepted == count:
            said = f"write all {count:,} hunks"
        else:
            said = f"write {accepted:,} of {count:,} hunks"
        if len(self.files) > 1:
            said += f" in {written} of {len(self.files)} files"
        return said

    def decide(self, accepted: bool, index: int | None = None) -> None:
        """Accept or reject all of one file, or of every file."""
        for file in self.files if index is None else [self.files[index]]:
            file.decide(accepted)

    # ---- answers ----

    def answers(self, decision: ApprovalDecision) -> Answers:
        """The answers that a key of the question stands for. It may take as long as a comparison does."""
        if isinstance(decision, Denied):
            own = [self.files[index].reviewed() for index in self._of(self.request)]
            said = comments(_plan(self.request), own, decision.comment or self.comment)
            ahead = tuple((asks, Denied()) for asks in self.request.following)
            return Answers(Denied(said, decision.stop, decision.by), () if decision.stop else ahead)
        if not isinstance(decision, AllowOnce):
            return Answers(decision)
        answered = set(self._answered)
        return Answers(
            self._yes(self.request, self.comment),
            tuple(
                (asks, self._yes(asks, "")) for asks in self.request.following if answered.issuperset(self._of(asks))
            ),
        )

    def _yes(self, request: ApprovalRequest, comment: str) -> AllowOnce:
        files = [self.files[index] for index in self._of(request)]
        made: tuple[Reviewed, ...] = ()
        if not all(file.untouched for file in files):
            made = tuple(file.reviewed() for file in files)
        return AllowOnce(request.digest, files=made, comment=comment)

    def _of(self, request: ApprovalRequest) -> list[int]:
        return [index for index, (asks, _) in enumerate(self._changes) if asks is request]


def _plan(request: ApprovalRequest) -> ChangePlan:
    assert isinstance(request.access, WriteAccess)
    return request.access.plan
