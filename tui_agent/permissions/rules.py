"""Rules of the user: what runs unasked, what always asks, what is refused. Deny wins, then ask, then allow."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from tui_agent.permissions.shell.analysis import analyse, literal_words
from tui_agent.permissions.shell.script import Script, SimpleCommand
from tui_agent.text.globs import compile_glob

RuleKind = Literal["command", "network", "read", "write", "tool"]

_KIND: Final = re.compile(r"(command|network|read|write|tool)\((.*)\)", re.DOTALL)
_QUOTING: Final = re.compile(r"[\"'\\]")
_BETWEEN_WORDS: Final = re.compile(r"[\s;&|()<>{}`]+")

# fmt: off
_RUNS_OTHERS: Final = frozenset(
    {
        "sudo", "doas", "su", "env", "xargs", "nice", "ionice", "nohup", "timeout", "time", "command", "exec",
        "builtin", "busybox", "stdbuf", "setsid", "flock", "watch", "script", "bash", "sh", "dash", "zsh",
        "ksh", "fish", "eval", "find", "fd", "fdfind", "parallel", "ssh", "unshare", "chroot", "runuser",
        "systemd-run", "strace", "ltrace", "entr", "trap", "coproc", "start-stop-daemon", "docker", "podman",
        "make", "npx", "uv", "poetry",
    }
)
# fmt: on
"""Programs that run another one which stands among their words."""


class RuleError(ValueError):
    """A rule that cannot be one; the text says why and what to write."""


class Rule(Struct, frozen=True):
    """One rule. `text` is how it was written.

    A `command` rule holds the first words of the commands it is about, and so does a `network` rule, which also lets
    them use the network from inside a sandbox; `read` and `write` rules a glob of paths relative to the working
    directory (`**` crosses folders); a `tool` rule a tool's name or `server/*` for MCP.
    """

    kind: RuleKind
    text: str
    words: tuple[str, ...] = ()
    pattern: str = ""

    def covers(self, command: SimpleCommand) -> bool:
        """True when the command begins with these words, word by word, and does nothing else."""
        words = literal_words(command)
        return words is not None and not (command.discards or command.inputs) and words[: len(self.words)] == self.words

    def names(self, name: str) -> bool:
        """True when the pattern of a path or tool rule matches, as `compile_glob` has it."""
        return bool(_matcher(self.pattern)(name))

    def concerns(self, line: str, script: Script) -> bool:
        """True when a command of the line begins with these words, also behind `sudo`, `bash -c` and the like.

        A line that is not known word by word is looked through for the words as they stand, quoted or not.
        """
        if not script.plain:
            return self._stands_in(line)
        for command in script.commands:
            words = tuple(str(word) for word in command.words)
            if _begins(words, self.words) or (_program(words) in _RUNS_OTHERS and self._stands_in(command.text)):
                return True
        return False

    def might_concern(self, line: str, script: Script) -> bool:
        """True also when other words stand between these, as in `git -C elsewhere push`."""
        if self.concerns(line, script):
            return True
        for command in script.commands:
            rest = iter(command.words)
            if all(any(word == wanted for word in rest) for wanted in self.words):
                return True
        return False

    def _stands_in(self, line: str) -> bool:
        words = _BETWEEN_WORDS.split(_QUOTING.sub("", line))
        first = self.words[0]
        return any(
            _begins(words[at : at + len(self.words)], self.words)
            for at, word in enumerate(words)
            if word.endswith(first)
        )


class Rules(Struct, frozen=True):
    """All rules in force, and whether commands that provably only read run unasked."""

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    read_only: bool = False


def parse_rule(text: str) -> Rule:
    """A rule as it stands in the settings: `git status`, `command(npm test)`, `network(npm install)`, `write(docs/**)`,
    `read(.env.example)`, `tool(mcp__files__*)`.

    Raises:
        RuleError: it is none.
    """
    written = text.strip()
    found = _KIND.fullmatch(written)
    kind, body = (found[1], found[2].strip()) if found else ("command", written)
    if not body:
        raise RuleError("the rule is empty; write the first words of a command, like `git status`")
    match kind:
        case "command" | "network":
            return Rule("network" if kind == "network" else "command", written, _command_words(body))
        case _:
            try:
                _matcher(body)
            except ValueError as error:
                raise RuleError(f"`{body}`: {error}") from None
            return Rule("read" if kind == "read" else "write" if kind == "write" else "tool", written, pattern=body)


@lru_cache(256)
def _matcher(pattern: str) -> Callable[[str], object]:
    return compile_glob(pattern)


def _command_words(body: str) -> tuple[str, ...]:
    body = body.removesuffix(" *")
    script = analyse(body)
    words = literal_words(script.commands[0]) if len(script.commands) == 1 else None
    redirected = any(command.discards or command.inputs for command in script.commands)
    if not script.plain or words is None or redirected:
        known = "it has a redirection" if redirected else "it has several commands"
        why = script.obstacles[0] if script.obstacles else known
        raise RuleError(f"`{body}`: a rule is the first words of one command ({why})")
    return words


def parse_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Rules from their texts, in order.

    Raises:
        RuleError: as `parse_rule`.
    """
    return tuple(map(parse_rule, texts))


def _begins(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the words begin with these; a program may be written with its path."""
    count = len(wanted)
    return list(words[:count]) == list(wanted) or [_program(words), *words[1:count]] == list(wanted)


def _program(words: Sequence[str]) -> str:
    return words[0].rpartition("/")[2] if words else ""
