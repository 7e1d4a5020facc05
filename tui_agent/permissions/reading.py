"""A policy tightened so that nothing is done but look, and nobody is asked."""

from dataclasses import dataclass

from tui_agent.permissions.approval import (
    Access,
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    Refuse,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.policy import Policy


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """What `policy` lets read unasked runs, commands only where they provably do no more; all else is refused.

    `why` is what the model is told then.
    """

    policy: Policy
    why: str

    def decide(self, tool: str, access: Access) -> Verdict:
        """As `Policy.decide`; never a question."""
        verdict = self.policy.decide(tool, access)
        match verdict:
            case Refuse():
                return verdict
            case Ask(reasons):
                return Refuse("; ".join((*reasons, self.why)))
            case Allow() if isinstance(access, WriteAccess | ForeignAccess):
                return Refuse(self.why)
            case Allow(terms=terms) if isinstance(access, CommandAccess) and not terms.read_only:
                return Refuse(self.why)
        return verdict

    def letting_reading_run(self) -> "ReadingPolicy":
        """As `Policy.letting_reading_run`."""
        return ReadingPolicy(self.policy.letting_reading_run(), self.why)
