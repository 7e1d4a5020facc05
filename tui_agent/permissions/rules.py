"""Rules of the user: what runs unasked, what always asks, what is refused. Deny wins, then ask, then allow."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from tui_agent.permissions.shell.analysis import analyse, literal_words
from tui_agent.permissions.shell.script import SimpleCommand
from tui_agent.text.globs import compile_glob

RuleKind = Literal["command", "read", "write", "tool"]

_KIND: Final = re.compile(r"(command|read|write|tool)\((.*)\)", re.DOTALL)
_QUOTING: Final = re.compile(r"[\"'\\]")
_BETWEEN_WORDS: Final = re.compile(r"[\s;&|()<>{}`]+")


class RuleError(ValueError):
    """A rule that cannot be one; the text says why and what to write."""


class Rule(Struct, frozen=True):
    """One rule. `text` is how it was written.

    A `command` rule holds the first words of the commands it is about; `read` and `write` rules a glob of paths
    relative to the working directory (`**` crosses folders); a `tool` rule a tool's name or `server/*` for MCP.
    """

    kind: RuleKind
    text: str
    words: tuple[str, ...] = ()
    pattern: str = ""

    def covers(self, command: SimpleCommand) -> bool:
        """True when the command begins with these words, word by word, and does nothing else."""
        words = literal_words(command)
        return words is not None and not command.discards and words[: len(self.words)] == self.words

    def names(self, name: str) -> bool:
        """True when the pattern of a path or tool rule matches, as `compile_glob` has it."""
        return _matcher(self.pattern)(name)

    def touches(self, line: str) -> bool:
        """True when these words follow each other anywhere in a line, quoted or not: too often rather than too seldom."""
        words = _BETWEEN_WORDS.split(_QUOTING.sub("", line))
        count = len(self.words)
        return any(_same(words[at : at + count], self.words) for at in range(len(words) - count + 1))


class Rules(Struct, frozen=True):
    """All rules in force, and whether commands that provably only read run unasked."""

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    read_only: bool = False


def parse_rule(text: str) -> Rule:
    """A rule as it stands in the settings: `git status`, `command(npm test)`, `write(docs/**)`, `read(.env.example)`,
    `tool(mcp__files__*)`.

    Raises:
        RuleError: it is none.
    """
    written = text.strip()
    found = _KIND.fullmatch(written)
    kind, body = (found[1], found[2].strip()) if found else ("command", written)
    if not body:
        raise RuleError("the rule is empty; write the first words of a command, like `git status`")
    match kind:
        case "command":
            return Rule("command", written, _command_words(body))
        case _:
            try:
                _matcher(body)
            except ValueError as error:
                raise RuleError(f"`{body}`: {error}") from None
            return Rule("read" if kind == "read" else "write" if kind == "write" else "tool", written, pattern=body)


@lru_cache(256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    return compile_glob(pattern)


def _command_words(body: str) -> tuple[str, ...]:
    body = body.removesuffix(" *")
    script = analyse(body)
    words = literal_words(script.commands[0]) if len(script.commands) == 1 else None
    if not script.plain or words is None:
        why = script.obstacles[0] if script.obstacles else "it has several commands"
        raise RuleError(f"`{body}`: a rule is the first words of one command ({why})")
    return words


def parse_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Rules from their texts, in order.

    Raises:
        RuleError: as `parse_rule`.
    """
    return tuple(map(parse_rule, texts))


def _same(words: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the words are these; a program may be written with its path."""
    first = words[0].rpartition("/")[2] if words else ""
    return [first, *words[1:]] == list(wanted) or list(words) == list(wanted)
