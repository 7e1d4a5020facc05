"""What happens with a command line, and why: one answer for every face."""

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Final, Literal

from msgspec import Struct

from tui_agent.permissions.approval import CommandPart
from tui_agent.permissions.read_only.programs import judge
from tui_agent.permissions.read_only.verdict import Reads, Unproven
from tui_agent.permissions.rules import Rule, Rules
from tui_agent.permissions.sensitive import is_secret
from tui_agent.permissions.shell.analysis import analyse, literal_words
from tui_agent.permissions.shell.characters import odd_characters
from tui_agent.permissions.shell.script import Script, SimpleCommand

MOST_REASONS: Final = 8
READ_ONLY: Final = "read-only"

# fmt: off
_SHELL_STATE: Final = frozenset(
    {
        "cd", "pushd", "popd", "source", ".", "eval", "exec", "export", "declare", "typeset", "local", "readonly",
        "set", "shopt", "alias", "unalias", "unset", "read", "mapfile", "readarray", "trap", "hash", "enable",
        "builtin", "command", "printf", "getopts", "let", "umask", "ulimit", "bind",
    }
)
# fmt: on
"""Builtins that change the shell itself: what comes after them is not what it looks like."""


class Scene(Struct, frozen=True):
    """Where a command would run: working directory, directories it may read, and how to look at the disk.

    `resolve` follows links; `repository` says, for a directory, why Git would run other programs there, or "".
    """

    directory: str
    roots: tuple[str, ...]
    resolve: Callable[[str], str] = os.path.realpath
    repository: Callable[[str], str] = lambda directory: ""


class Decision(Struct, frozen=True):
    """Allow, ask or deny, with the reasons (none for allow) and the line taken apart.

    `binding` are those of the reasons that hold also for what a sandbox keeps in: a rule of the user's, or characters
    that hide what is run.
    """

    decision: Literal["allow", "ask", "deny"]
    reasons: tuple[str, ...]
    parts: tuple[CommandPart, ...]
    binding: tuple[str, ...] = ()


def decide(command: str, rules: Rules, scene: Scene) -> Decision:
    """Decide about a command line. Pure but for looks at the disk through `scene`; whatever is not known asks."""
    script = analyse(command)
    if script.refused:
        return Decision("deny", (script.refused,), ())
    if denied := next((rule for rule in rules.deny if rule.kind == "command" and rule.concerns(command, script)), None):
        return Decision("deny", (f"the rule `deny: {denied.text}` refuses it",), _bare(script))
    parts = _parts(script, rules, scene)
    ruled = []
    for kind, some in (("ask", rules.ask), ("deny", rules.deny)):
        about = [rule for rule in some if rule.kind == "command" and rule.might_concern(command, script)]
        ruled += [f"the rule `{kind}: {rule.text}` may be about it" for rule in about]
    reasons = [*script.obstacles, *ruled, *(part.reason for part in parts if part.reason)]
    if not reasons and parts:
        return Decision("allow", (), parts)
    binding = [*odd_characters(command), *ruled]
    if not script.plain and any(rule.kind == "command" for rule in (*rules.ask, *rules.deny)):
        binding.append("what it runs is not known word by word, so a rule that asks or denies may be about it")
    return Decision("ask", tuple(dict.fromkeys(reasons))[:MOST_REASONS], parts, tuple(binding))


def _bare(script: Script) -> tuple[CommandPart, ...]:
    return tuple(CommandPart(command.text) for command in script.commands)


def _parts(script: Script, rules: Rules, scene: Scene) -> tuple[CommandPart, ...]:
    parts = []
    directory = scene.directory
    changed = ""
    for index, command in enumerate(script.commands):
        if rule := _covering(command, rules):
            parts.append(CommandPart(command.text, f"allow: {rule.text}", network=rule.kind == "network"))
            changed = changed or (str(command.words[0]) if command.words[0] in _SHELL_STATE else "")
            continue
        if not rules.read_only:
            parts.append(CommandPart(command.text, reason=f"`{_short(command)}` is not covered by a rule"))
            continue
        try:
            if changed:
                raise Unproven(f"after `{changed}` it is not known what `{_short(command)}` does")
            if index == 0 and (target := _entered(script)):
                directory = _inside(target, directory, scene)
            else:
                reads = _reads(command)
                for path in reads.paths:
                    _inside(path, directory, scene)
                if reads.repository and (why := scene.repository(directory)):
                    raise Unproven(why)
        except Unproven as error:
            parts.append(CommandPart(command.text, reason=str(error)))
        else:
            parts.append(CommandPart(command.text, covered_by=READ_ONLY))
    return tuple(parts)


def _covering(command: SimpleCommand, rules: Rules) -> Rule | None:
    """The rule that lets a command run; before others one that lets it use the network too."""
    rules_about = [rule for rule in rules.allow if rule.kind in ("network", "command") and rule.covers(command)]
    return min(rules_about, key=lambda rule: rule.kind != "network", default=None)


def _reads(command: SimpleCommand) -> Reads:
    words = literal_words(command)
    if words is None:
        raise Unproven(f"what `{_short(command)}` gets is only known when it runs")
    return judge(words)


def _entered(script: Script) -> str:
    """The directory of a `cd` at the beginning that all the rest depends on, or ""."""
    first, *rest = script.commands
    if len(first.words) != 2 or first.words[0] != "cd" or not first.words[1] or first.words[1].startswith("-"):
        return ""
    return first.words[1] if all(command.after in ("&&", "|") for command in rest) and script.plain else ""


def _inside(path: str, directory: str, scene: Scene) -> str:
    """The real path.

    Raises:
        Unproven: it lies outside, or may hold secrets.
    """
    if path in ("", "-", "/dev/null"):
        return directory
    joined = str(PurePath(directory, path))
    full, real = os.path.normpath(joined), scene.resolve(joined)
    if not all(any(_within(place, root) for root in scene.roots) for place in (full, real)):
        raise Unproven(f"`{path}` is outside the working directory")
    if is_secret(path) or is_secret(real):
        raise Unproven(f"`{path}` may hold secrets that the model would see")
    return real


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _short(command: SimpleCommand) -> str:
    words = " ".join(word or "…" for word in command.words[:2]) or command.text
    return words if len(words) <= 40 else words[:39] + "…"
