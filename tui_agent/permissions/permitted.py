"""What a mode lets happen, asks about and refuses here: found out by asking the policy, so that no more is promised."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import (
    Access,
    Allow,
    Ask,
    CommandAccess,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import Grant, RulePolicy
from tui_agent.permissions.rules import Rule, Rules, parse_rule
from tui_agent.workspace.changes import ChangePlan, FileChange

Outcome = Literal["runs", "asks", "refused"]

Kind = Literal[
    "plan",
    "read",
    "read_secret",
    "write",
    "write_control",
    "write_secret",
    "command_reads",
    "command",
    "command_odd",
    "command_unclear",
    "command_background",
    "foreign",
    "rule",
    "grant",
]

_READING_TOOLS: Final = ("read_file", "list_directory", "glob_files", "grep_search")
_OTHER_TOOLS: Final = ("write_file", "edit_file", "run_command", "update_plan")

_PLACE: Final = "/project"
_SCENE: Final = Scene(_PLACE, (_PLACE,), resolve=lambda path: path)


class Permit(Struct, frozen=True):
    """Something that the model may want to do, and what comes of it."""

    kind: Kind
    what: str
    outcome: Outcome


def permitted(
    mode: Mode,
    rules: Rules,
    sandbox: str = "",
    *,
    commands: bool = True,
    grants: Sequence[Grant] = (),
    directory: str = _PLACE,
) -> tuple[Permit, ...]:
    """What comes of each kind of thing in this mode, then of what rules and answers of this session are about.

    `sandbox` names what commands run in, or is ""; without `commands` there are none; `directory` is worked in. The
    kinds are decided as if there were no rules, but for whether reading runs: rules go before the mode, and what they
    are about is told by themselves.
    """
    binding = [rule for rule in (*rules.ask, *rules.deny) if rule.kind == "command"]
    plain = Rules(read_only=rules.read_only)
    policy = RulePolicy(mode, plain, _SCENE, bool(sandbox))
    held = RulePolicy(mode, Rules(deny=(parse_rule("_"),), read_only=rules.read_only), _SCENE, bool(sandbox))

    def outcome(access: Access, tool: str = "a_tool", by: RulePolicy = policy) -> Outcome:
        if isinstance(access, CommandAccess) and not commands:
            return "refused"
        match by.decide(tool, access):
            case Allow():
                return "runs"
            case Ask():
                return "asks"
            case _:
                return "refused"

    def command(text: str, *, background: bool = False) -> CommandAccess:
        return CommandAccess(text, _PLACE, 1.0, background, sandbox)

    ordinary = outcome(command("make"))
    found = [
        Permit("plan", "keeping a plan", outcome(NoAccess())),
        Permit("read", "reading and searching files", outcome(_reading("a.py"))),
        Permit("read_secret", "reading secret files (.env, *.pem, id_* and the like)", outcome(_reading(".env"))),
        Permit("write", "writing plain files", outcome(_writing("a.py"))),
        Permit("write_control", "writing control files (.git/hooks, .envrc and the like)", outcome(_writing(".envrc"))),
        Permit("write_secret", "writing secret files", outcome(_writing(".env"))),
        Permit("command_reads", "commands that provably only read", outcome(command("ls"))),
        Permit("command", "other commands", ordinary),
        Permit("foreign", "tools that are not built in", outcome(ForeignAccess({}))),
    ]
    special = [
        Permit("command_background", "commands in the background", outcome(command("make", background=True))),
        Permit("command_odd", "commands with hidden characters", outcome(command("make \u200b"))),
    ]
    if binding:
        unclear = "commands that cannot be taken apart, because rules ask or deny"
        special.append(Permit("command_unclear", unclear, outcome(command("$(make)"), by=held)))
    found += [permit for permit in special if permit.outcome != ordinary]
    found += _of_rules(mode, rules, commands)
    ruled = RulePolicy(mode, rules, Scene(directory, (directory,), resolve=lambda path: path), bool(sandbox))
    for grant in grants:
        access = grant.access(sandbox)
        # It is a yes to what would be asked, and to nothing that is refused.
        refused = outcome(access, "run_command" if grant.kind == "command" else "write_file", ruled) == "refused"
        found.append(Permit("grant", grant.describe(directory), "refused" if refused else "runs"))
    return tuple(found)


def _reading(name: str) -> ReadAccess:
    return ReadAccess((f"{_PLACE}/{name}",))


def _writing(name: str) -> WriteAccess:
    return WriteAccess(ChangePlan((FileChange(f"{_PLACE}/{name}", name, None, b"", None),)))


def _of_rules(mode: Mode, rules: Rules, commands: bool) -> list[Permit]:
    """What each rule comes to, but for those without effect; in `plan` they lift no refusal to write or run."""
    found = [Permit("rule", f"deny: {rule.text}", "refused") for rule in rules.deny]
    found += [
        Permit("rule", f"ask: {rule.text}", _asking(mode, rule, commands))
        for rule in rules.ask
        if rule.kind != "tool" or rule.pattern != "update_plan"
    ]
    found += [
        Permit("rule", f"allow: {rule.text}", _allowing(mode, rule, commands))
        for rule in rules.allow
        if rule.kind != "tool" or rule.pattern not in (*_READING_TOOLS, *_OTHER_TOOLS)
    ]
    return found


def _asking(mode: Mode, rule: Rule, commands: bool) -> Outcome:
    if rule.kind == "command" and not commands:
        return "refused"
    reads = rule.kind == "read" or (rule.kind == "tool" and any(map(rule.names, _READING_TOOLS)))
    return "asks" if mode != "plan" or reads else "refused"


def _allowing(mode: Mode, rule: Rule, commands: bool) -> Outcome:
    if rule.kind in ("command", "network") and not commands:
        return "refused"
    return "runs" if mode != "plan" or rule.kind == "read" else "refused"
