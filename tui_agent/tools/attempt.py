"""One call on its way through the executor, and how it ended."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from tui_agent.conversation.events import DecisionMade, ToolStatus
from tui_agent.conversation.messages import ToolCall
from tui_agent.permissions.approval import Access, ApprovalRequest, Ask, Terms, WriteAccess
from tui_agent.permissions.policy import grant_text
from tui_agent.text.bounds import bound
from tui_agent.text.own_keys import own_keys
from tui_agent.tools.protocol import ToolResult

MAX_RESULT_CHARACTERS: Final = 100_000
"""No result is longer; the built-in tools have narrower bounds of their own."""

_PLAIN_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """One call from beginning to end.

    `tool` is the tool's own name (or the name as called when there is no such tool), `title` a short line for people.
    `understood` is False when the name or arguments were not; `stop` is True when the user denied and ended the turn.
    `decision` is None when it did not come to one. `seconds` counts the work, not the waiting for an answer. `repairs`
    says how the call as written was understood where it was not quite right.
    """

    tool: str
    title: str
    status: ToolStatus
    result: ToolResult
    decision: DecisionMade | None
    seconds: float
    understood: bool = True
    stop: bool = False
    repairs: tuple[str, ...] = ()


class Attempt:
    """One call on its way, and what is known of it so far."""

    def __init__(
        self,
        call: ToolCall,
        tool: str,
        position: int,
        total: int,
        on_decision: Callable[[DecisionMade], Awaitable[None]] | None,
        sandboxed: bool,
    ) -> None:
        self.tool: Final = tool
        self.title = ""
        self.repairs: tuple[str, ...] = ()
        self.upcoming: Sequence[ToolCall] = ()
        self.again = ""
        self.comment = ""
        self.edited = ""
        self.snapshot = ""
        self.stop = False
        self._call = call
        self._place = (position, total)
        self._on_decision = on_decision
        self._sandboxed = sandboxed
        self._decision: DecisionMade | None = None
        self._seconds = 0.0

    def following(self, call: ToolCall, tool: str, place: int) -> "Attempt":
        """A later call of the same reply, so many places behind this one."""
        position, total = self._place
        return Attempt(call, tool, position + place, total, None, self._sandboxed)

    def request(self, access: Access, verdict: Ask, following: tuple[ApprovalRequest, ...] = ()) -> ApprovalRequest:
        """The question about it, and those that later calls of the reply will ask."""
        position, total = self._place
        digest = access.plan.digest if isinstance(access, WriteAccess) else _digest(self.tool, access)
        return ApprovalRequest(
            self._call.id,
            self.tool,
            self.title,
            access,
            (self.again, *verdict.reasons) if self.again else verdict.reasons,
            digest,
            position,
            total,
            grant_text(access),
            self.repairs,
            verdict.parts,
            verdict.only_reads,
            following,
        )

    async def decide(
        self,
        outcome: Literal["allowed", "denied"],
        by: Literal["user", "session", "policy"],
        reasons: tuple[str, ...],
        comment: str = "",
        digest: str = "",
        terms: Terms = _PLAIN_TERMS,
        *,
        reading: bool = False,
        edited: bool = False,
        command: str = "",
        rule: str = "",
    ) -> bool:
        """Note and report the decision; whether it was yes."""
        self._decision = DecisionMade(
            self._call.id,
            self.tool,
            outcome,
            by,
            reasons,
            comment,
            digest,
            network=terms.network and self._sandboxed,
            reading=reading,
            edited=edited,
            command=command,
            rule=rule,
            snapshot=self.snapshot if outcome == "allowed" else "",
        )
        if self._on_decision is not None:
            await self._on_decision(self._decision)
        return outcome == "allowed"

    async def timed(self, perform: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
        """Do it, counting the time."""
        started = time.monotonic()
        try:
            return await perform()
        finally:
            self._seconds += time.monotonic() - started

    def finished(self, result: ToolResult, stale: str = "") -> ToolOutcome:
        """It was done, well or not; `stale` says what came of an earlier round if this one failed too."""
        if stale and not result.ok:
            result = msgspec.structs.replace(result, content=stale + result.content)
        if self.edited:
            ran = f"the user changed the command before it ran; what ran is:\n{self.edited}\nand it gave:\n"
            result = msgspec.structs.replace(result, content=ran + result.content)
        if self.comment:
            result = msgspec.structs.replace(result, content=f"{result.content}\nthe user says: {self.comment}")
        return self._outcome("ok" if result.ok else "failed", result)

    def failed(self, text: str, *, understood: bool = True) -> ToolOutcome:
        """It was not done, and this is why."""
        return self._outcome("failed", ToolResult(False, text), understood)

    def refused(self, text: str) -> ToolOutcome:
        """It may not be done, whoever is asked."""
        return self._outcome("denied", ToolResult(False, text))

    def denied(self) -> ToolOutcome:
        """It was not allowed."""
        decision = self._decision
        assert decision is not None
        if decision.by == "user":
            text = "denied by the user" + (f": {decision.comment}" if decision.comment else "; it was not done")
        else:
            text = f"refused: {decision.reasons[0]}"
        return self._outcome("denied", ToolResult(False, text))

    def _outcome(self, status: ToolStatus, result: ToolResult, understood: bool = True) -> ToolOutcome:
        bounded = msgspec.structs.replace(result, content=_bounded(result.content))
        return ToolOutcome(
            self.tool,
            self.title,
            status,
            bounded,
            self._decision,
            self._seconds,
            understood,
            self.stop,
            self.repairs,
        )


def _digest(tool: str, access: Access) -> str:
    """What an approval is bound to when nothing is written: every field that is shown."""
    return hashlib.sha256(repr((tool, access)).encode("utf-8", "surrogatepass")).hexdigest()


def _bounded(text: str) -> str:
    """Within MAX_RESULT_CHARACTERS, without our own keys, and without the lone surrogates that no request can carry."""
    text = own_keys.hide(text).encode("utf-8", "replace").decode()
    return bound(text, max_lines=MAX_RESULT_CHARACTERS, max_characters=MAX_RESULT_CHARACTERS)
