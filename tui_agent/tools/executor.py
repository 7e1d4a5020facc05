"""The one way a call takes: understood, prepared, decided, asked about, done, and its result bounded."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from tui_agent.conversation.errors import RefusedError, TuiAgentError
from tui_agent.conversation.events import DecisionMade
from tui_agent.conversation.messages import ToolCall, ToolSpec
from tui_agent.permissions.approval import (
    Access,
    Allow,
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    Approver,
    Ask,
    CommandAccess,
    Denied,
    ForeignAccess,
    Refuse,
    Terms,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.policy import (
    Policy,
    RulePolicy,
    SessionGrants,
    grant_text,
)
from tui_agent.sandbox.background import BackgroundCommands
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.attempt import Attempt, ToolOutcome
from tui_agent.tools.builtin.desk import Desk, in_thread
from tui_agent.tools.builtin.provider import BuiltinTools
from tui_agent.tools.protocol import (
    Prepared,
    PreparingProvider,
    Recorder,
    Say,
    ToolContext,
    ToolProvider,
    ToolResult,
)
from tui_agent.tools.reviewing import as_proposed, comments, refuses_all
from tui_agent.tools.schema import ArgumentsError, parse_arguments
from tui_agent.tools.threads import LoopThread
from tui_agent.workspace.apply import StaleChange
from tui_agent.workspace.paths import Workspace

COMMANDS_DISABLED: Final = "Command execution is disabled"
ROUNDS: Final = 3
"""How often one call is prepared and asked about, when files change or an answer is to something else."""

MOST_FOLLOWING: Final = 50
"""Later calls of a reply that are looked at for changes to show with the present one."""

_WRITING: Final = ("write_file", "edit_file")
_NO_SANDBOX: Final = Sandbox()
_PLAIN_TERMS: Final = Terms()


async def _say_nothing(text: str, hint: str) -> None:
    pass


class ToolExecutor:
    """Runs calls under a policy.

    Without `approver` whatever asks is denied, unless `approve_all`: then whoever made the executor answers yes to all
    that the policy does not refuse. `policy` may be replaced at any time, for instance when the mode changes.

    `providers` are asked after the built-in tools; `tools` names the ones on offer (default: all). Commands run in
    `sandbox` (`sandbox.choose` finds one); without it they have the rights of the program.

    Raises:
        WorkspaceError: the working directory or an allowed one is missing.
    """

    def __init__(
        self,
        working_directory: str | Path = ".",
        allow_commands: bool = True,
        allowed_directories: Iterable[str | Path] = (),
        *,
        policy: Policy | None = None,
        approver: Approver | None = None,
        approve_all: bool = False,
        providers: Sequence[ToolProvider] = (),
        tools: Iterable[str] | None = None,
        sandbox: Sandbox = _NO_SANDBOX,
    ) -> None:
        self.policy: Policy = policy or RulePolicy()
        self.approver = approver
        self.recorder: Recorder | None = None
        """What keeps the changes of calls, so that they can be undone."""
        self._approve_all = approve_all
        self._allow_commands = allow_commands
        self._desk = Desk(Workspace(working_directory, allowed_directories), sandbox=sandbox)
        self._builtin = BuiltinTools(self._desk, commands=allow_commands)
        self._providers: tuple[ToolProvider, ...] = (self._builtin, *providers)
        self._grants = SessionGrants()
        self._loop_thread: LoopThread | None = None
        self._offered: frozenset[str] | None = None
        self._told: frozenset[str] | None = None
        if tools is not None:
            self.offer(tools)

    @property
    def workspace(self) -> Workspace:
        """Where the tools work."""
        return self._desk.workspace

    @property
    def sandbox(self) -> Sandbox:
        """What commands run in."""
        return self._desk.sandbox

    @property
    def background(self) -> BackgroundCommands:
        """The commands that keep running after their call."""
        return self._desk.background

    @property
    def allows_commands(self) -> bool:
        """False when every command is refused."""
        return self._allow_commands

    @property
    def grants(self) -> SessionGrants:
        """What the user allowed for as long as this executor is there."""
        return self._grants

    @property
    def lets_reading_run(self) -> bool:
        """True when the user let commands that provably only read run unasked, which holds as long as this executor."""
        return self._grants.reading

    def simplify(self, simple: bool) -> None:
        """Word results and forgive slips as it suits a small model, or not; policy and questions stay as they are."""
        self._desk.simple = simple

    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools on offer, as a model is told of them."""
        limits = [names for names in (self._offered, self._told) if names is not None]
        return tuple(
            spec
            for provider in self._providers
            for spec in provider.get_tools()
            if all(spec.name in names for names in limits)
        )

    def offer(self, tools: Iterable[str]) -> None:
        """Offer and run only these tools from now on, by their names or aliases."""
        self._offered = frozenset(map(self.canonical, tools))

    def tell_of(self, tools: Iterable[str]) -> None:
        """Tell models only of these of the tools on offer; calls of the others are decided by the policy as ever."""
        self._told = frozenset(map(self.canonical, tools))

    def recall(self, other: "ToolExecutor") -> None:
        """Know the files that were read with another one of the same folders, as they were then."""
        self._desk.recall(other._desk)

    def canonical(self, name: str) -> str:
        """A tool's own name for a name or alias; other names as they are."""
        return self._builtin.canonical(name) if self._builtin.can_handle(name) else name

    async def run(
        self,
        call: ToolCall,
        *,
        position: int = 1,
        total: int = 1,
        upcoming: Sequence[ToolCall] = (),
        on_prepared: Callable[[str], None] = lambda title: None,
        on_decision: Callable[[DecisionMade], Awaitable[None]] | None = None,
        on_output: Callable[[str], None] = lambda text: None,
        on_notice: Say = _say_nothing,
    ) -> ToolOutcome:
        """Carry out one call; whatever is wrong with it becomes a result for the model.

        `position` and `total` place it among the calls of its reply, of which `upcoming` come after it: a question
        about a change shows theirs too. `on_prepared` gets the title before anything is asked, `on_decision` the
        decision before anything is done, `on_output` pieces of what a command prints, `on_notice` why it cannot be
        undone. Cancelling stops it: processes are killed, a write that has begun is finished.
        """
        attempt = Attempt(call, self.canonical(call.name), position, total, on_decision, self.sandbox.on)
        attempt.upcoming = upcoming
        provider = self._provider_of(call.name, attempt.tool)
        if provider is None:
            names = ", ".join(spec.name for spec in self.specs())
            return attempt.failed(f"unknown tool {call.name[:100]!a}; the tools are: {names}", understood=False)
        context = ToolContext(call.id, on_output)
        stale = ""
        for _ in range(ROUNDS):
            try:
                prepared = await _prepared(provider, call, context)
                attempt.title, attempt.repairs = prepared.title, prepared.repairs
                if not stale:
                    on_prepared(prepared.title)
                attempt.snapshot = self.recorder.name_for(prepared.access) if self.recorder else ""
                if (allowed := await self._allowed(attempt, prepared)) is None:
                    return attempt.denied()
                attempt.title = allowed.title
                return attempt.finished(await self._performed(attempt, allowed, on_notice), stale)
            except StaleChange as error:
                stale = f"{error.message}, so nothing was written. "
                attempt.again = f"{error.message}: look again"
            except RefusedError as error:
                return attempt.refused(stale + _text(error))
            except TuiAgentError as error:
                return attempt.failed(stale + _text(error), understood=not isinstance(error, ArgumentsError))
            except Exception as error:  # a fault in a tool costs the call, not the turn
                logging.getLogger(__name__).exception("tool %s failed", attempt.tool)
                return attempt.failed(f"{stale}{attempt.tool} failed: {error}")
        return attempt.failed(f"{stale}It kept changing; try again later")

    def execute(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run one tool and wait for it; for programs without an event loop (inside one it blocks).

        Reading works as it is; what writes or runs commands needs `approver` or `approve_all`.
        """
        return self.run_and_wait(ToolCall("call", name, json.dumps(dict(arguments)))).result

    def run_and_wait(self, call: ToolCall) -> ToolOutcome:
        """As `run`, for programs without an event loop."""
        if self._loop_thread is None:
            self._loop_thread = LoopThread(self._desk.background.aclose)
        return self._loop_thread.run(self.run(call))

    async def aclose(self) -> None:
        """Kill what still runs in the background."""
        if self.recorder is not None:
            await self.recorder.aclose()
        await self._desk.background.aclose()

    def close(self) -> None:
        """The same for users of `execute`; it also happens when the program ends."""
        if self._loop_thread is not None:
            self._loop_thread.close()
            self._loop_thread = None

    async def _performed(self, attempt: Attempt, allowed: Prepared, say: Say) -> ToolResult:
        """Do it, and keep what it changes."""

        async def perform() -> ToolResult:
            return await attempt.timed(allowed.perform)

        if self.recorder is None or not attempt.snapshot:
            return await perform()
        return await self.recorder.record(attempt.snapshot, allowed.access, perform, say)

    def _provider_of(self, name: str, tool: str) -> ToolProvider | None:
        if self._offered is not None and tool not in self._offered:
            return None
        return next((provider for provider in self._providers if provider.can_handle(name)), None)

    async def _allowed(self, attempt: Attempt, prepared: Prepared) -> Prepared | None:
        """Decide, ask if need be, and report the decision; the call as it may be carried out, None for a no."""
        access = prepared.access
        verdict = await self._judged(attempt.tool, access)
        if isinstance(access, CommandAccess) and not self._allow_commands:
            verdict = Refuse(COMMANDS_DISABLED)
        match verdict:
            case Refuse(reason):
                yes, terms = await attempt.decide("denied", "policy", (reason,)), _PLAIN_TERMS
            case Allow(because, terms):
                yes = await attempt.decide("allowed", "policy", (because,), terms=terms)
            case Ask() if (granted := self._grants.terms(access)) is not None:
                covered = grant_text(prepared.under(granted).access)
                reasons = (f"allowed for this session: {covered}",)
                yes, terms = await attempt.decide("allowed", "session", reasons, terms=granted), granted
            case Ask(reasons, terms=terms) if self._approve_all:
                yes = await attempt.decide("allowed", "policy", ("the caller approves all", *reasons), terms=terms)
            case Ask(reasons, terms=terms) if self.approver is None:
                nobody = "it needs approval and there is nobody to ask"
                yes = await attempt.decide("denied", "policy", (nobody, *reasons))
            case Ask():
                return await self._asked(attempt, prepared, verdict)
        return prepared.under(terms) if yes else None

    async def _judged(self, tool: str, access: Access) -> Verdict:
        """The verdict; that on a command may have to look at the disk and at what Git says, which takes its time."""
        if isinstance(access, CommandAccess):
            return await in_thread(self._verdict, tool, access)
        return self._verdict(tool, access)

    def _verdict(self, tool: str, access: Access) -> Verdict:
        policy = self.policy.letting_reading_run() if self._grants.reading else self.policy
        return policy.decide(tool, access)

    async def _asked(self, attempt: Attempt, prepared: Prepared, verdict: Ask) -> Prepared | None:
        access = prepared.under(verdict.terms).access
        if self.recorder is not None and (lasting := await self.recorder.foresee(access)):
            verdict = replace(verdict, reasons=(*verdict.reasons, lasting))
        following = await self._following(attempt, access) if prepared.on_review is not None else ()
        request, reasons, terms = attempt.request(access, verdict, following), verdict.reasons, verdict.terms
        attempt.comment = attempt.edited = ""
        answer = await self._answer(request)
        if isinstance(answer, Denied):
            attempt.stop = answer.stop
            if answer.by == "policy":
                await attempt.decide("denied", "policy", (answer.comment, *reasons), "", request.digest)
            else:
                await attempt.decide("denied", "user", reasons, answer.comment, request.digest)
            return None
        if isinstance(answer, AllowReading):
            if reading := verdict.only_reads:
                self._grants.reading = True
                reasons = (*reasons, "from now on commands that only read run unasked in this session")
                if isinstance(allowed := await self._judged(attempt.tool, access), Allow):
                    terms = allowed.terms
            await attempt.decide("allowed", "user", reasons, "", request.digest, terms, reading=reading)
            return prepared.under(terms)
        if answer.network and isinstance(access, CommandAccess) and access.network_offered:
            terms, reasons = Terms(network=True), (*reasons, "the network was allowed with it")
        if isinstance(answer, AllowForSession):
            if request.session_grant:
                self._grants.add(access, terms)
            await attempt.decide("allowed", "user", reasons, "", request.digest, terms)
            return prepared.under(terms)
        return await self._agreed(attempt, request, prepared, terms, reasons, answer)

    async def _following(self, attempt: Attempt, access: Access) -> tuple[ApprovalRequest, ...]:
        """What later calls of the reply will ask about other files, as far as that is known now."""
        assert isinstance(access, WriteAccess)
        paths = {change.path for change in access.plan.changes}
        found = []
        for place, call in enumerate(attempt.upcoming[:MOST_FOLLOWING], start=1):
            tool = self.canonical(call.name)
            if tool not in _WRITING or self._provider_of(call.name, tool) is not self._builtin:
                continue
            later = attempt.following(call, tool, place)
            try:
                prepared = await _prepared(self._builtin, call, ToolContext(call.id))
            except TuiAgentError:
                continue  # it will fail when its turn comes, or do better then
            wants = prepared.access
            if not isinstance(wants, WriteAccess):
                continue
            fresh = paths.isdisjoint(change.path for change in wants.plan.changes)
            paths |= {change.path for change in wants.plan.changes}
            verdict = self._verdict(tool, wants)
            if fresh and isinstance(verdict, Ask) and self._grants.terms(wants) is None:
                later.title, later.repairs = prepared.title, prepared.repairs
                found.append(later.request(wants, verdict))
        return tuple(found)

    async def _agreed(
        self,
        attempt: Attempt,
        request: ApprovalRequest,
        prepared: Prepared,
        terms: Terms,
        reasons: tuple[str, ...],
        answer: AllowOnce,
    ) -> Prepared | None:
        """A yes to this one call, as it was proposed or as the user would have it."""
        changed, command, said = prepared, "", answer.comment
        if isinstance(request.access, WriteAccess):
            said = await in_thread(comments, request.access.plan, answer.files, answer.comment)
        if isinstance(request.access, CommandAccess) and answer.command not in ("", request.access.command):
            if prepared.on_command is not None:
                changed, command = prepared.on_command(answer.command), answer.command
                found = await self._judged(attempt.tool, changed.access)
                if isinstance(found, Refuse):
                    await attempt.decide("denied", "policy", (found.reason,), "", request.digest)
                    return None
                # What rules gave the proposed command was not for this one.
                reads = isinstance(found, Allow) and found.terms.read_only and not answer.network
                terms = Terms(network=answer.network and bool(request.access.sandbox), read_only=reads)
        elif isinstance(request.access, WriteAccess) and answer.files and prepared.on_review is not None:
            if refuses_all(request.access.plan, answer.files):
                await attempt.decide("denied", "user", reasons, said, request.digest)
                return None
            if not as_proposed(request.access.plan, answer.files):
                changed = await in_thread(prepared.on_review, answer.files)
        attempt.comment = said
        edited, about = changed is not prepared, (answer.comment, request.digest)
        await attempt.decide(
            "allowed", "user", reasons, *about, terms, edited=edited, command=command, rule=answer.rule
        )
        attempt.edited = command
        return changed.under(terms)

    async def _answer(self, request: ApprovalRequest) -> ApprovalDecision:
        """The answer to this very request; one to something else is none, and it is asked again."""
        assert self.approver is not None
        for _ in range(ROUNDS):
            decision = await self.approver.approve(request)
            if isinstance(decision, Denied) or decision.digest == request.digest:
                return decision
        return Denied("the answers were to something else than was asked")


async def _prepared(provider: ToolProvider, call: ToolCall, context: ToolContext) -> Prepared:
    if isinstance(provider, PreparingProvider):
        return await provider.prepare(call, context)
    arguments, repairs = parse_arguments(call.arguments)
    if repairs:  # what is approved is what runs
        call = ToolCall(call.id, call.name, json.dumps(arguments))
    return Prepared(call.name, ForeignAccess(arguments), lambda: provider.execute(call, context), repairs)


def _text(error: TuiAgentError) -> str:
    return f"{error.message}. {error.hint}" if error.hint else error.message
