"""What happens with a command line, and why: one answer for every face."""

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Final, Literal

from msgspec import Struct

from tui_agent.permissions.approval import CommandPart
from tui_agent.permissions.read_only.programs import judge
from tui_agent.permissions.read_only.verdict import Reads, Search, Unproven
from tui_agent.permissions.rules import Rule, Rules
from tui_agent.permissions.sensitive import is_secret
from tui_agent.permissions.shell.analysis import analyse, literal_words
from tui_agent.permissions.shell.characters import odd_characters
from tui_agent.permissions.shell.script import Script, SimpleCommand

MOST_REASONS: Final = 8
MOST_PATHS: Final = 300
"""Files that one line may name to be looked at."""
LONGEST_PATH: Final = 4_096
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

    `resolve` follows links; `repository` says, for a directory, why Git would run other programs there, or "";
    `read_by` gives the first file that a search in a directory reads and that is wanted, or "".
    """

    directory: str
    roots: tuple[str, ...]
    resolve: Callable[[str], str] = os.path.realpath
    repository: Callable[[str], str] = lambda directory: ""
    read_by: Callable[[Search, str, Callable[[str], bool]], str] = lambda search, directory, wanted: ""


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
    place = _Place(rules, scene)
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
                place.enter(target)
            elif command.words[0] == "cd":
                raise Unproven("where the rest runs is only known after one `cd DIR &&` at the beginning of it all")
            else:
                place.check(_reads(command))
        except Unproven as error:
            parts.append(CommandPart(command.text, reason=str(error)))
        else:
            parts.append(CommandPart(command.text, covered_by=READ_ONLY))
    return tuple(parts)


class _Place:
    """Where the commands of a line run, and what they may read there."""

    def __init__(self, rules: Rules, scene: Scene) -> None:
        self._rules = rules
        self._scene = scene
        self._directory = scene.directory
        self._paths = 0
        self._about_reading = any(rule.kind == "read" for rule in (*rules.allow, *rules.ask, *rules.deny))

    def enter(self, target: str) -> None:
        """Go there.

        Raises:
            Unproven: it lies outside.
        """
        self._directory = self._inside(target, self._directory)

    def check(self, reads: Reads) -> None:
        """Look at what a command reads.

        Raises:
            Unproven: something of it lies outside, may hold secrets, or is none of the model's business by a rule.
        """
        here = self._inside(reads.directory, self._directory) if reads.directory else self._directory
        for path in reads.paths:
            self._inside(path, here)
        if reads.repository and (why := self._scene.repository(here)):
            raise Unproven(why)
        if reads.search and (found := self._scene.read_by(reads.search, here, lambda path: bool(self._held(path)))):
            raise Unproven(f"it would read `{self._name(found)}`, which {self._held(found)}")

    def _inside(self, path: str, directory: str) -> str:
        """The real path."""
        if path in ("", "-", "/dev/null"):
            return directory
        self._paths += 1
        if self._paths > MOST_PATHS or len(path) > LONGEST_PATH:
            raise Unproven(f"it names more than {MOST_PATHS} files, or one by more than {LONGEST_PATH:,} characters")
        joined = str(PurePath(directory, path))
        full, real = os.path.normpath(joined), self._scene.resolve(joined)
        if not (self._is_ours(full) and self._is_ours(real)):
            raise Unproven(f"`{path}` is outside the working directory")
        if why := self._held(full) or self._held(real):
            raise Unproven(f"`{path}` {why}")
        return real

    def _is_ours(self, path: str) -> bool:
        return any(_within(path, root) for root in self._scene.roots)

    def _held(self, path: str) -> str:
        """Why a file (absolute) is not read unasked, or ""."""
        if self._about_reading:
            name = self._name(path)
            for kind, some in (("deny", self._rules.deny), ("ask", self._rules.ask)):
                if rule := _naming(some, name):
                    return f"is a file that the rule `{kind}: {rule.text}` is about"
            if _naming(self._rules.allow, name):
                return ""
        if not self._is_ours(path):
            return "is outside the working directory"
        return "may hold secrets that the model would see" if is_secret(path) else ""

    def _name(self, path: str) -> str:
        """A path as rules name it: relative to the working directory."""
        return path.removeprefix(self._scene.roots[0].rstrip("/") + "/") if self._scene.roots else path


def _naming(rules: tuple[Rule, ...], name: str) -> Rule | None:
    return next((rule for rule in rules if rule.kind == "read" and rule.names(name)), None)


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
    if not script.plain or (rest and rest[0].after != "&&"):  # in a pipe it would leave the others where they are
        return ""
    return first.words[1] if all(command.after in ("&&", "|") for command in rest) else ""


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _short(command: SimpleCommand) -> str:
    words = " ".join(word or "…" for word in command.words[:2]) or command.text
    return words if len(words) <= 40 else words[:39] + "…"
