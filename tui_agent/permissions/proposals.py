"""The rules that "always" would save: the narrowest that cover what was asked about, and what else they would. Pure."""

import shlex
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import zip_longest
from pathlib import PurePath
from typing import Final

from msgspec import Struct

from tui_agent.permissions.approval import (
    ApprovalRequest,
    CommandAccess,
    ForeignAccess,
    ReadAccess,
    WriteAccess,
)
from tui_agent.permissions.rules import Rule, RuleError, parse_rule
from tui_agent.permissions.runners import NoRule, first_words
from tui_agent.permissions.sensitive import is_control, is_secret
from tui_agent.permissions.shell.analysis import analyse, literal_words
from tui_agent.permissions.shell.script import Script, SimpleCommand
from tui_agent.workspace.changes import ChangePlan

LONGEST_RULE: Final = 200
"""Characters of a rule that is proposed; a longer one is not read before it is saved."""

_NOT_WRITABLE: Final = "it cannot be written as a rule"
_GLOB_SIGNS: Final = frozenset("*?[]{}\\,!")


class Proposal(Struct, frozen=True):
    """What `rule` is for (a simple command, a file, a tool); without one, `reason` says why.

    `possible` is false where no rule can cover it, whoever writes it.
    """

    about: str
    rule: str = ""
    reason: str = ""
    possible: bool = True


def proposals(request: ApprovalRequest) -> tuple[Proposal, ...]:
    """One for each part of a question that no rule covers yet; what several would say is said once."""
    access = request.access
    match access:
        case CommandAccess():
            found = _for_command(request, access.command)
        case WriteAccess(plan):
            found = _for_writes(plan)
        case ForeignAccess():
            found = [_named(request.tool, f"tool({_literal(request.tool)})")]
        case ReadAccess(paths):
            found = [_impossible(paths[0] if paths else "", "what may hold secrets is asked about each time")]
        case _:
            found = []
    if found and all(one.possible for one in found) and (why := _held_by(request)):
        return (_impossible(found[0].about, why),)
    told: dict[str, Proposal] = {}
    for one in found:
        told.setdefault(one.rule or one.about, one)
    return tuple(told.values())


def covers(rules: Sequence[Rule], request: ApprovalRequest) -> bool:
    """Whether the call would not have been asked about with these rules besides those in force then."""
    access = request.access
    if _held_by(request):
        return False
    match access:
        case CommandAccess(command):
            script = _taken_apart(command)
            return script.plain and all(covers_part(rules, one) for one in _open(request, script))
        case WriteAccess(plan):
            names = [change.name for change in plan.changes]
            unsensitive = not any(map(_sensitivity, (change.path for change in plan.changes)))
            return unsensitive and all(
                any(rule.kind == "write" and rule.names(name) for rule in rules) for name in names
            )
        case ForeignAccess():
            return any(rule.kind == "tool" and rule.names(request.tool) for rule in rules)
        case _:
            return False


def covers_part(rules: Iterable[Rule], command: SimpleCommand) -> bool:
    """Whether one of the rules lets this simple command run."""
    return any(rule.kind in ("command", "network") and rule.covers(command) for rule in rules)


def uncovered(request: ApprovalRequest) -> tuple[SimpleCommand, ...]:
    """The simple commands of a question that no rule covers; none where the line cannot be taken apart."""
    access = request.access
    if not isinstance(access, CommandAccess):
        return ()
    script = _taken_apart(access.command)
    return _open(request, script) if script.plain else ()


def covered_before(rules: Sequence[Rule], questions: Iterable[ApprovalRequest]) -> tuple[ApprovalRequest, ...]:
    """Which of these questions the rules would have saved."""
    return tuple(question for question in questions if covers(rules, question))


def too_wide(rule: Rule) -> str:
    """Why a command rule lets more run than it looks; "" when it does not."""
    if rule.kind not in ("command", "network"):
        return ""
    try:
        first_words(rule.words)
    except NoRule as reason:
        return str(reason)
    return ""


@lru_cache(512)
def _taken_apart(command: str) -> Script:
    return analyse(command)


def _open(request: ApprovalRequest, script: Script) -> tuple[SimpleCommand, ...]:
    """The commands whose parts are not covered; all of them where the question has no parts."""
    pairs = zip_longest(script.commands, request.parts)
    return tuple(command for command, part in pairs if command and not (part and part.covered_by))


def _held_by(request: ApprovalRequest) -> str:
    """A reason to ask that stays whatever is allowed: a rule that asks, or that it keeps running."""
    access = request.access
    if isinstance(access, CommandAccess):
        told = {part.reason for part in request.parts}
        script = _taken_apart(access.command)
        told |= set(script.obstacles)
        return next((reason for reason in request.reasons if reason not in told), "") if request.parts else ""
    return next((reason for reason in request.reasons if reason.startswith("the rule `ask: ")), "")


def _for_command(request: ApprovalRequest, command: str) -> list[Proposal]:
    script = _taken_apart(command)
    if not script.plain:
        why = (script.refused, *script.obstacles)
        return [_impossible(command, next(filter(None, why)))]
    return [_for_part(one) for one in _open(request, script)]


def _for_part(command: SimpleCommand) -> Proposal:
    words = literal_words(command)
    if words is None or command.discards or command.inputs:
        return _impossible(command.text, "a rule covers nothing that redirects: 2>/dev/null, 2>&1, < FILE")
    try:
        rule = " ".join(map(shlex.quote, first_words(words)))
    except NoRule as reason:
        return Proposal(command.text, reason=str(reason))
    found = _checked(command.text, rule)
    if found.rule and not parse_rule(rule).covers(command):
        return Proposal(command.text, reason=_NOT_WRITABLE)
    return found


def _for_writes(plan: ChangePlan) -> list[Proposal]:
    for change in plan.changes:
        if why := _sensitivity(change.path):
            return [_impossible(change.name, f"{change.name} {why}, which is asked about each time")]
    names = [change.name for change in plan.changes]
    if outside := next((name for name in names if name.startswith("/")), ""):
        return [_impossible(outside, "a rule is about files of the working directory")]
    folders = {str(PurePath(name).parent) for name in names}
    if len(names) > 1 and len(folders) == 1 and "." not in folders:
        return [_checked(f"{len(names)} files", f"write({_literal(folders.pop())}/**)")]
    return [_named(name, f"write({_literal(name)})") for name in names]


def _sensitivity(path: str) -> str:
    return "is a control file" if is_control(path) else "is a secret file" if is_secret(path) else ""


def _checked(about: str, rule: str) -> Proposal:
    """The proposal, if it can stand as a rule in one line of the settings."""
    if len(rule) > LONGEST_RULE:
        return Proposal(about, reason="a rule for it would be longer than anybody reads")
    if not rule.isprintable():
        return Proposal(about, reason="a rule for it would hold characters that cannot be seen")
    try:
        parse_rule(rule)
    except RuleError as error:
        return Proposal(about, reason=str(error))
    return Proposal(about, rule)


def _named(name: str, rule: str) -> Proposal:
    """As `_checked`, for a pattern that has to match this name; blanks at the ends of a rule do not count."""
    found = _checked(name, rule)
    if found.rule and not parse_rule(rule).names(name):
        return Proposal(name, reason=_NOT_WRITABLE)
    return found


def _impossible(about: str, reason: str) -> Proposal:
    return Proposal(about, reason=reason, possible=False)


def _literal(name: str) -> str:
    """A name as a pattern that matches nothing else."""
    return "".join(f"\\{character}" if character in _GLOB_SIGNS else character for character in name)
