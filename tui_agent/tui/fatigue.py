"""How often the user was asked in a session, and which one rule would have saved most of it. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    Denied,
)
from tui_agent.permissions.proposals import covered_before, proposals
from tui_agent.permissions.rules import parse_rule, parse_rules

TIRING: Final = 5
"""Similar questions from which on a rule is pointed at."""

KEPT: Final = 200
"""Questions of a session that are remembered; older ones go."""


class Asked(NamedTuple):
    """A question of the session, and its answer, None while it waits or when it was withdrawn."""

    request: ApprovalRequest
    answer: ApprovalDecision | None = None


class Saving(NamedTuple):
    """A rule that covers `asked` questions; all but the first would not have been asked."""

    rule: str
    asked: int

    @property
    def saved(self) -> int:
        """The questions that it would have saved, had it been saved with the first one."""
        return self.asked - 1


def similar(request: ApprovalRequest, earlier: Sequence[ApprovalRequest]) -> Saving | None:
    """What the rules proposed for a question would have saved since the first one like it; None when nothing."""
    found = proposals(request)
    if not found or not all(one.rule for one in found):
        return None
    before = len(covered_before(parse_rules(one.rule for one in found), earlier))
    return Saving(", ".join(one.rule for one in found), before + 1) if before else None


def best_rule(questions: Sequence[ApprovalRequest]) -> Saving | None:
    """The one rule that would have saved most questions, the first such; None when none would have saved any."""
    offered = Counter(one.rule for request in questions for one in proposals(request) if one.rule)
    savings = (Saving(rule, len(covered_before([parse_rule(rule)], questions))) for rule in offered)
    best = max(savings, key=lambda saving: saving.asked, default=None)
    return best if best is not None and best.saved > 0 else None


def answer_text(asked: Asked) -> str:
    """How a question was answered, in a word or two."""
    match asked.answer:
        case None:
            return "not answered"
        case Denied(stop=True):
            return "denied, stopped"
        case Denied():
            return "denied"
        case AllowForSession():
            return "session"
        case AllowReading():
            return "reading"
        case AllowOnce(rule=rule) if rule:
            return "by rule"
        case AllowOnce(command=command) if command:
            return "edited"
        case AllowOnce():
            return "once"


def title_of(request: ApprovalRequest) -> str:
    """What a question is about, in one line."""
    access = request.access
    return access.command if isinstance(access, CommandAccess) else f"{request.tool} {request.title}".strip()
