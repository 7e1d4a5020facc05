"""What runs, what asks and what is refused; and what the user has allowed for the rest of the session."""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

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
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.sensitive import is_control, is_secret
from tui_agent.workspace.changes import ChangePlan, FileChange

PLAN_MODE: Final = "plan mode: nothing is written or run; say what you would do instead"


_QUOTING: Final = re.compile(r"[\"'\\\\]")
_BETWEEN_WORDS: Final = re.compile(r"[\s;&|()<>{}`]+")


class Policy(Protocol):
    """Decides about a call before it does anything."""

    def decide(self, tool: str, access: Access) -> Verdict:
        """Pure: the same access gets the same verdict."""
        ...


@dataclass(frozen=True, slots=True)
class BasicPolicy:
    """Reads run, every write and every command asks; `mode` may tighten (plan) or loosen (accept-edits) that.

    A command that has the words of a `deny` rule anywhere in it, quoted or not, is refused: without a shell parser that
    is more than was meant at times, and never less where the words are written out.

    The mode `auto` asks like `ask`: it needs a sandbox (see `mode_available`).
    """

    mode: Mode = "ask"
    deny: tuple[str, ...] = ()

    def decide(self, tool: str, access: Access) -> Verdict:
        """As `Policy.decide`; paths of the access are taken to be inside the allowed directories."""
        match access:
            case NoAccess():
                return Allow("touches no file and runs nothing")
            case ReadAccess(paths):
                secret = tuple(f"{path} may hold secrets that the model would see" for path in paths if is_secret(path))
                return Ask(secret) if secret else Allow("reads inside the allowed directories")
            case CommandAccess(command) if rule := next((rule for rule in self.deny if _has_words(command, rule)), ""):
                return Refuse(f"the rule `deny: {rule}` refuses this command")
            case WriteAccess() | CommandAccess() | ForeignAccess() if self.mode == "plan":
                return Refuse(PLAN_MODE)
            case WriteAccess(plan):
                return self._about_writes(plan)
            case CommandAccess(background=background):
                return Ask(("every command asks", *(("it keeps running in the background",) if background else ())))
            case ForeignAccess():
                return Ask((f"what {tool} does cannot be seen from here",))

    def _about_writes(self, plan: ChangePlan) -> Verdict:
        sensitive = tuple(f"{change.name} {_sensitivity(change)}" for change in plan.changes if _sensitivity(change))
        if self.mode == "accept-edits" and not sensitive:
            return Allow("mode accept-edits")
        return Ask((*sensitive, *(_what(change) for change in plan.changes)))


def _has_words(command: str, rule: str) -> bool:
    """Whether the words of the rule follow each other somewhere in the command, quoted or not."""
    words = _BETWEEN_WORDS.split(_QUOTING.sub("", command))
    wanted = rule.split()
    if wanted[-1:] == ["*"]:
        wanted.pop()
    return bool(wanted) and any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def mode_available(mode: Mode) -> str:
    """Why a mode cannot be chosen, or "" when it can."""
    return "auto needs a sandbox, and there is none" if mode == "auto" else ""


@dataclass(slots=True)
class SessionGrants:
    """What the user allowed for the rest of the session: exact commands, and writes to single files."""

    _given: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, access: Access) -> None:
        """Allow the like of this access from now on, if it is something that can be granted."""
        if key := _grant_key(access):
            self._given.add(key)

    def covers(self, access: Access) -> bool:
        """True when the like of it was allowed."""
        return _grant_key(access) in self._given


def grant_text(access: Access) -> str:
    """What "allow for this session" would cover, in words; "" when that is not offered.

    Control files and secret files are asked about each time.
    """
    match access:
        case CommandAccess() if _grant_key(access):
            return "this exact command"
        case WriteAccess(plan) if _grant_key(access):
            return f"writes to {plan.changes[0].name}"
        case _:
            return ""


def _grant_key(access: Access) -> tuple[str, ...]:
    match access:
        case CommandAccess(command, directory, _, False):
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
