"""What runs, what asks and what is refused; and what the user has allowed for the rest of the session."""

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import (
    Access,
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    Refuse,
    Terms,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.decision import READ_ONLY, Scene, decide
from tui_agent.permissions.rules import Rule, RuleKind, Rules
from tui_agent.permissions.sensitive import is_control, is_secret
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.workspace.changes import ChangePlan, FileChange

PLAN_MODE: Final = "plan mode: nothing is written or run; say what you would do instead"


_NO_RULES: Final = Rules()
_NO_SANDBOX: Final = Sandbox()
_PLAIN_TERMS: Final = Terms()
_READING: Final = Terms(read_only=True)
_NOWHERE: Final = Scene("/", ())


class Policy(Protocol):
    """Decides about a call before it does anything."""

    def decide(self, tool: str, access: Access) -> Verdict:
        """Pure: the same access gets the same verdict."""
        ...

    def letting_reading_run(self) -> "Policy":
        """This policy, but for commands that provably only read: they run unasked."""
        ...


@dataclass(frozen=True, slots=True)
class RulePolicy:
    """Reads run, every write and every command asks; rules and `mode` may tighten or loosen that.

    `mode`: `plan` refuses writes and commands (but for commands that provably only read, where those run unasked),
    `accept-edits` lets plain files of the working directory be written, `auto` also lets commands run that a sandbox
    keeps in, without network and not in the background; where there is no sandbox it asks like `ask` (see
    `mode_available`). No rule lets control files and secret files be written unasked.
    """

    mode: Mode = "ask"
    rules: Rules = _NO_RULES
    scene: Scene = _NOWHERE
    sandboxed: bool = False

    def decide(self, tool: str, access: Access) -> Verdict:
        """As `Policy.decide`; paths of the access are taken to be inside the allowed directories."""
        if rule := self._of_tool(self.rules.deny, tool):
            return Refuse(f"the rule `deny: {rule.text}` refuses {tool}")
        match access:
            case NoAccess():
                return Allow("touches no file and runs nothing")
            case ReadAccess(paths):
                return self._about_reads(tool, paths)
            case CommandAccess():
                return self._about_command(tool, access)
            case WriteAccess() | ForeignAccess() if self.mode == "plan":
                return Refuse(PLAN_MODE)
            case WriteAccess(plan):
                return self._about_writes(tool, plan)
            case ForeignAccess():
                if rule := self._of_tool(self.rules.ask, tool):
                    return Ask((f"the rule `ask: {rule.text}` is about it",))
                if rule := self._of_tool(self.rules.allow, tool):
                    return Allow(f"allow: {rule.text}")
                return Ask((f"what {tool} does cannot be seen from here",))

    def letting_reading_run(self) -> "RulePolicy":
        """As `Policy.letting_reading_run`; rules that ask or deny hold."""
        return RulePolicy(self.mode, replace(self.rules, read_only=True), self.scene, self.sandboxed)

    def _about_command(self, tool: str, access: CommandAccess) -> Verdict:
        scene = replace(self.scene, directory=access.working_directory)
        found = decide(access.command, self.rules, scene)
        if found.decision == "deny":
            return Refuse(found.reasons[0])
        if self.mode == "plan":  # what only reads is not refused for being named by a rule
            rules = tuple(rule for rule in self.rules.allow if rule.kind not in ("command", "network"))
            found = decide(access.command, replace(self.rules, allow=rules), scene)
        reads = found.decision == "allow" and all(part.covered_by == READ_ONLY for part in found.parts)
        if self.mode == "plan":
            return Allow(READ_ONLY, _READING) if reads and not access.background else Refuse(PLAN_MODE)
        rule = self._of_tool(self.rules.ask, tool)
        ruled = (f"the rule `ask: {rule.text}` is about it",) if rule else ()
        terms = Terms(network=bool(found.parts) and all(part.network for part in found.parts))
        reasons = (*ruled, *found.reasons, *(("it keeps running in the background",) if access.background else ()))
        if not reasons:
            because = "; ".join(dict.fromkeys(part.covered_by for part in found.parts))
            return Allow(because, _READING if reads else terms)
        if self.mode == "auto" and access.sandbox and not (ruled or found.binding or access.background):
            return Allow(f"mode auto: it runs in the sandbox {access.sandbox}, without network")
        return Ask(reasons, found.parts, not ruled and self._only_reads(access, scene), terms)

    def _only_reads(self, access: CommandAccess, scene: Scene) -> bool:
        """Whether letting read-only commands run would have let this one run."""
        if self.rules.read_only or access.background:
            return False
        return decide(access.command, replace(self.rules, read_only=True), scene).decision == "allow"

    def _about_reads(self, tool: str, paths: tuple[str, ...]) -> Verdict:
        reasons = []
        for path in paths:
            if rule := self._of_path(self.rules.deny, "read", path):
                return Refuse(f"the rule `deny: {rule.text}` refuses it")
            if rule := self._of_path(self.rules.ask, "read", path) or self._of_tool(self.rules.ask, tool):
                reasons.append(f"the rule `ask: {rule.text}` is about it")
            elif is_secret(path) and not self._of_path(self.rules.allow, "read", path):
                reasons.append(f"{path} may hold secrets that the model would see")
        return Ask(tuple(reasons)) if reasons else Allow("reads inside the allowed directories")

    def _about_writes(self, tool: str, plan: ChangePlan) -> Verdict:
        sensitive, asked, covered = [], [], []
        for change in plan.changes:
            if rule := self._of_path(self.rules.deny, "write", change.path):
                return Refuse(f"the rule `deny: {rule.text}` refuses it")
            if kind := _sensitivity(change):
                sensitive.append(f"{change.name} {kind}")
            elif rule := self._of_path(self.rules.ask, "write", change.path) or self._of_tool(self.rules.ask, tool):
                sensitive.append(f"the rule `ask: {rule.text}` is about it")
            elif rule := self._of_path(self.rules.allow, "write", change.path):
                covered.append(f"allow: {rule.text}")
            else:
                asked.append(_what(change))
        writes = self.mode == "accept-edits" or (self.mode == "auto" and self.sandboxed)
        if sensitive or (asked and not writes):
            return Ask((*sensitive, *map(_what, plan.changes)))
        return Allow("; ".join(dict.fromkeys(covered)) if covered and not asked else f"mode {self.mode}")

    def _of_path(self, rules: tuple[Rule, ...], kind: RuleKind, path: str) -> Rule | None:
        """The rule about a file of the working directory, if there is one."""
        name = path.removeprefix(self.scene.directory.rstrip("/") + "/")
        return next((rule for rule in rules if rule.kind == kind and rule.names(name)), None)

    def _of_tool(self, rules: tuple[Rule, ...], tool: str) -> Rule | None:
        return next((rule for rule in rules if rule.kind == "tool" and rule.names(tool)), None)


def mode_available(mode: Mode, sandbox: Sandbox = _NO_SANDBOX) -> str:
    """Why a mode cannot be chosen, or "" when it can."""
    if mode != "auto" or sandbox.on:
        return ""
    return f"auto needs a sandbox, and {sandbox.reason or 'there is none'}"


class Grant(Struct, frozen=True):
    """What the user allowed for the rest of the session: this command in a directory, or writes to this file."""

    kind: Literal["command", "write"]
    what: str
    directory: str = ""
    terms: Terms = _PLAIN_TERMS

    def access(self, sandbox: str) -> Access:
        """What it is a yes to, where commands run in `sandbox`."""
        if self.kind == "command":
            return CommandAccess(self.what, self.directory, 1.0, sandbox=sandbox, network=self.terms.network)
        return WriteAccess(ChangePlan((FileChange(self.what, self.what, None, b"", None),)))

    def describe(self, directory: str) -> str:
        """It in words, for someone who works in `directory`."""
        if self.kind == "write":
            return f"writes to {self.what.removeprefix(directory.rstrip('/') + '/')}"
        place = "" if self.directory == directory else f" in {self.directory}"
        return f"{self.what}{place}{', with network' if self.terms.network else ''}"


@dataclass(slots=True)
class SessionGrants:
    """What the user allowed for the rest of the session: exact commands, writes to single files, and, with `reading`,
    all commands that provably only read."""

    reading: bool = False
    _given: dict[tuple[str, ...], Terms] = field(default_factory=dict)

    def add(self, access: Access, terms: Terms = _PLAIN_TERMS) -> None:
        """Allow the like of this access from now on, on these terms, if it is something that can be granted."""
        if key := _grant_key(access):
            self._given[key] = terms

    def given(self) -> tuple[Grant, ...]:
        """All of them, oldest first, but for `reading`."""
        return tuple(
            Grant("write", key[1]) if key[0] == "write" else Grant("command", key[1], key[2], terms)
            for key, terms in self._given.items()
        )

    def covers(self, access: Access) -> bool:
        """True when the like of it was allowed."""
        return self.terms(access) is not None

    def terms(self, access: Access) -> Terms | None:
        """The terms on which the like of it was allowed; None when it was not."""
        return self._given.get(_grant_key(access))


def grant_text(access: Access) -> str:
    """What "allow for this session" would cover, in words; "" when that is not offered.

    Control files and secret files are asked about each time.
    """
    match access:
        case CommandAccess() if _grant_key(access):
            return "this exact command, with network" if access.sandbox and access.network else "this exact command"
        case WriteAccess(plan) if _grant_key(access):
            return f"writes to {plan.changes[0].name}"
        case _:
            return ""


def _grant_key(access: Access) -> tuple[str, ...]:
    match access:
        case CommandAccess(command, directory, background=False):
            return ("command", command, directory)
        case WriteAccess(plan) if len(plan.changes) == 1 and not _sensitivity(plan.changes[0]):
            return ("write", plan.changes[0].path)
        case _:
            return ()


def _sensitivity(change: FileChange) -> str:
    if is_control(change.path):
        return "is a control file: programs obey what it says"
    return "is a secret file" if is_secret(change.path) else ""


def _what(change: FileChange) -> str:
    return f"creates {change.name}" if change.before is None else f"changes {change.name}"
