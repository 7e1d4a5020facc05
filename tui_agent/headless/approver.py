"""Answers for when nobody can be asked."""

from typing import Literal

from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest, Denied

ApprovePolicy = Literal["never", "read-only", "rules", "all"]


class StandingAnswer:
    """Answers every question of a turn the same way.

    A question arises only for what no rule and no mode covers, so `all` is the only policy under which it is a yes.
    """

    def __init__(self, policy: ApprovePolicy) -> None:
        self._policy = policy

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Answer at once."""
        if self._policy == "all":
            return AllowOnce(request.digest)
        standing = f"nobody can be asked in this run (--approve {self._policy}); do what is possible without it"
        return Denied(standing, by="policy")
