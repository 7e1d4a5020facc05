"""What a review shows when it opens: each file compared, with what the user made of it earlier."""

from collections.abc import Sequence
from threading import Event

from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.tui.review_list import ReviewList, plan_of
from tui_agent.tui.widgets.diff_outline import Outline, outlines
from tui_agent.workspace.changes import ChangePlan


def opened(
    request: ApprovalRequest, known: Sequence[Outline], earlier: Sequence[ReviewList], stopped: Event | None = None
) -> tuple[list[Outline], ReviewList]:
    """The files of a question and of those that follow it; `known` are the first of them. A thread may do it."""
    rest = plan_of(request).changes[len(known) :]
    made = [*known, *outlines(ChangePlan(rest), stopped)]
    review = ReviewList(request, [outline.diff for outline in made], earlier)
    shown = [
        outline if file.shown is outline.diff else Outline.of(file.shown)
        for outline, file in zip(made, review.files, strict=False)
    ]
    return shown, review
