"""The questions and answers of an approval."""

from typing import Any, Literal, Protocol

from msgspec import Struct

from tui_agent.workspace.changes import ChangePlan


class NoAccess(Struct, frozen=True, tag="none"):
    """Touches nothing outside the session (a plan update)."""


class ReadAccess(Struct, frozen=True, tag="read"):
    """Reads files or folders; absolute, resolved paths."""

    paths: tuple[str, ...]


class WriteAccess(Struct, frozen=True, tag="write"):
    """Writes exactly this plan."""

    plan: ChangePlan


class CommandAccess(Struct, frozen=True, tag="command"):
    """Runs a shell command in `working_directory`; `timeout` in seconds.

    `sandbox` names what keeps it in (`bwrap`), "" when nothing does. In one it has no network but with `network`, and
    with `read_only` it can write nowhere; both mean nothing without a sandbox.
    """

    command: str
    working_directory: str
    timeout: float
    background: bool = False
    sandbox: str = ""
    network: bool = False
    read_only: bool = False

    @property
    def network_offered(self) -> bool:
        """True when the answer to a question about it may grant the network."""
        return bool(self.sandbox) and not self.network


class ForeignAccess(Struct, frozen=True, tag="foreign"):
    """Does something we cannot see into: an MCP or user-written tool."""

    arguments: dict[str, Any]


Access = NoAccess | ReadAccess | WriteAccess | CommandAccess | ForeignAccess


class Terms(Struct, frozen=True):
    """On which terms a command runs in its sandbox: with the network, or without being able to write anywhere."""

    network: bool = False
    read_only: bool = False


class CommandPart(Struct, frozen=True):
    """A simple command of a command line: the rule that covers it, or else why it asks.

    `network` is true when the rule lets it use the network.
    """

    text: str
    covered_by: str = ""
    reason: str = ""
    network: bool = False


class Allow(Struct, frozen=True):
    """Runs unasked, on these terms; `because` names what covered it."""

    because: str
    terms: Terms = Terms()


class Ask(Struct, frozen=True):
    """A person decides; `reasons` say why it asks. `parts` is a command line taken apart.

    `only_reads` is true of a command that would run unasked if the user let read-only commands do so. `terms` are those
    that rules give it, if the answer is yes.
    """

    reasons: tuple[str, ...]
    parts: tuple[CommandPart, ...] = ()
    only_reads: bool = False
    terms: Terms = Terms()


class Refuse(Struct, frozen=True):
    """Never runs; `reason` goes to the model."""

    reason: str


Verdict = Allow | Ask | Refuse


class ApprovalRequest(Struct, frozen=True):
    """What a face shows when it asks.

    `digest` is the hash of what is shown; an answer carries it back, and an answer to something else counts as none.
    `position` and `total` place it among the calls of this reply (1-based). `session_grant` says in words what
    "allow for this session" would cover; empty means that is not offered. `repairs` says how the call as written was
    understood where it was not quite right; what is shown and approved is the repaired call. `parts` and `only_reads`
    are those of the verdict (`Ask`). `following` are the questions about other files that later calls of the reply will
    ask; a face may show them with this one, and answer each when it is asked.
    """

    call_id: str
    tool: str
    title: str
    access: Access
    reasons: tuple[str, ...]
    digest: str
    position: int = 1
    total: int = 1
    session_grant: str = ""
    repairs: tuple[str, ...] = ()
    parts: tuple[CommandPart, ...] = ()
    only_reads: bool = False
    following: "tuple[ApprovalRequest, ...]" = ()

    @property
    def further_reasons(self) -> tuple[str, ...]:
        """The reasons that are not those of a part, where parts are shown: when there are several."""
        if len(self.parts) < 2:
            return self.reasons
        told = {part.reason for part in self.parts}
        return tuple(reason for reason in self.reasons if reason not in told)


class Reviewed(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user made of one proposed file: the bytes to write in place of those, None to leave it alone.

    `refused` and `edited` are hunks of the proposal, counted from 1; `comments` are about single hunks, or about the
    whole file where the number is 0.
    """

    after: bytes | None
    refused: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    comments: tuple[tuple[int, str], ...] = ()


class AllowOnce(Struct, frozen=True, tag="allow_once", forbid_unknown_fields=True):
    """Yes, this one; with `network` a command in a sandbox may use the network (`CommandAccess.network_offered`).

    It may be a yes to something else than was proposed: to `command` in place of the proposed one, or to `files`, what
    the user made of each file of the plan, in its order. Empty means as proposed. Another command has the network with
    `network` only, whatever rules gave the proposed one. `comment` goes to the model with the result. `rule` is the
    rule that was saved with this answer, for the log.
    """

    digest: str
    network: bool = False
    command: str = ""
    files: tuple[Reviewed, ...] = ()
    comment: str = ""
    rule: str = ""


class AllowForSession(Struct, frozen=True, tag="allow_for_session", forbid_unknown_fields=True):
    """Yes, and do not ask again this session for what `session_grant` said; `network` as for `AllowOnce`, each time."""

    digest: str
    network: bool = False


class AllowReading(Struct, frozen=True, tag="allow_reading", forbid_unknown_fields=True):
    """Yes, and let commands that provably only read run unasked for the rest of this session.

    It says so much only in answer to a question with `only_reads`; otherwise it is a yes to this one.
    """

    digest: str


class Denied(Struct, frozen=True, tag="denied", forbid_unknown_fields=True):
    """No; `comment` goes to the model; `stop` also ends the turn (Esc).

    `by` is "policy" where nobody was asked and the answer stood before.
    """

    comment: str = ""
    stop: bool = False
    by: Literal["user", "policy"] = "user"


ApprovalDecision = AllowOnce | AllowForSession | AllowReading | Denied


class Approver(Protocol):
    """The one thing the engine asks of a face. Questions and answers are plain data: `permissions.wire` has them as
    JSON, for a face in another process."""

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Show the request and wait for the answer; cancelled when the turn is."""
        ...
