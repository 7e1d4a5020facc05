"""What happens with a command line, and why: one answer for every face."""

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

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
MOST_PLACES: Final = 6
"""Directories in which one line may run."""
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
        place.come(command.after)
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
            if command.words[0] == "cd":
                behind = script.commands[index + 1].after if index + 1 < len(script.commands) else ""
                place.enter(_target(command), sure=command.after not in ("|", "||") and behind != "|")
            else:
                place.check(_reads(command))
        except Unproven as error:
            # What follows an unknown `cd` runs nobody knows where.
            changed = changed or ("cd" if command.words[0] == "cd" else "")
            parts.append(CommandPart(command.text, reason=str(error)))
        else:
            parts.append(CommandPart(command.text, covered_by=READ_ONLY))
    return tuple(parts)


class _Place:
    """Where the commands of a line may run, and what they may read there: in each of these places the same must hold.

    A `cd` may fail, or not be reached; only what is joined to it by `&&` runs where it leads, and nowhere else.
    """

    def __init__(self, rules: Rules, scene: Scene) -> None:
        self._rules = rules
        self._scene = scene
        self._here = [scene.directory]
        self._ever = [scene.directory]
        self._paths = 0
        self._hazards: dict[str, str] = {}
        self._about_reading = any(rule.kind == "read" for rule in (*rules.allow, *rules.ask, *rules.deny))

    def come(self, after: str) -> None:
        """Go on to a command behind this connection."""
        if after in (";", "||"):
            self._here = self._ever

    def enter(self, target: str, sure: bool) -> None:
        """Go there; `sure`: what is joined to it by `&&` runs nowhere else.

        Raises:
            Unproven: it lies outside, or there are too many places by now.
        """
        found = []
        for directory in self._here:
            self._inside(target, directory)
            joined = str(PurePath(directory, target))
            # The shell drops `..` with what stands before it; where it cannot go there it asks the system, which
            # follows links first.
            found += [os.path.normpath(joined), self._scene.resolve(joined)]
            self._inside(found[-2], directory)
        self._ever = list(dict.fromkeys([*self._ever, *found]))
        self._here = list(dict.fromkeys(found)) if sure else self._ever
        if len(self._ever) > MOST_PLACES:
            raise Unproven("it changes the directory too often")

    def check(self, reads: Reads) -> None:
        """Look at what a command reads.

        Raises:
            Unproven: something of it lies outside, may hold secrets, or is none of the model's business by a rule.
        """
        for place in self._here:
            here = self._inside(reads.directory, place) if reads.directory else place
            for path in reads.paths:
                self._inside(path, here)
            if reads.repository and (why := self._hazard(here)):
                raise Unproven(why)
            if reads.search and (found := self._scene.read_by(reads.search, here, lambda path: bool(self._held(path)))):
                raise Unproven(f"it would read `{self._name(found)}`, which {self._held(found)}")

    def _hazard(self, directory: str) -> str:
        if directory not in self._hazards:
            self._hazards[directory] = self._scene.repository(directory)
        return self._hazards[directory]

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
    found = judge(words)
    return replace(found, paths=(*found.paths, *command.inputs)) if command.inputs else found


def _target(command: SimpleCommand) -> str:
    """Where a `cd` leads."""
    target = command.words[1] if len(command.words) == 2 else None
    if not target or target.startswith("-") or command.inputs:
        raise Unproven("only `cd DIR` is known to be harmless")
    return target


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _short(command: SimpleCommand) -> str:
    words = " ".join(word or "…" for word in command.words[:2]) or command.text
    return words if len(words) <= 40 else words[:39] + "…"
