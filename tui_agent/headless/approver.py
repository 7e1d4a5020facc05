"""Answers for when nobody can be asked."""

from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest, Denied


class StandingAnswer:
    """Answers every question of a turn the same way.

    A question arises only for what no rule and no mode covers, so `all` is the only policy under which it is a yes.
    """

    editing = False
    """Nobody edits anything: no terminal is needed."""

    def __init__(self, policy: str) -> None:
        """`policy` as `--approve` takes it: `never`, `read-only`, `rules` or `all`."""
        self._policy = policy

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Answer at once."""
        if self._policy == "all":
            return AllowOnce(request.digest)
        standing = f"nobody can be asked in this run (--approve {self._policy}); do what is possible without it"
        return Denied(standing, by="policy")
