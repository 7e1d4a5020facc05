"""The whole grammar, read by tree-sitter: which commands are in a line, and what it does besides running them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from time import thread_time
from typing import TYPE_CHECKING, Final

from tui_agent.permissions.shell.script import SimpleCommand

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

MOST_COMMANDS: Final = 100
SECONDS: Final = 0.03
"""Processor time that one line may take to parse: some texts of brackets take a hundred times that."""

# The grammar looks characters up in a table of the C library that has 256 entries: one of a higher plane reads far
# behind it and can end the process. What is not ASCII means nothing to a shell, so it is hidden from the grammar.
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")

# What a line of the plain part consists of, and nothing else.
_PLAIN: Final = frozenset(
    {
        *("program", "list", "pipeline", "command", "command_name", "word", "number"),
        *("string", "string_content", "raw_string", "concatenation", "redirected_statement", "file_redirect"),
        *("file_descriptor", "&&", "||", "|", ";", "\n", '"', ">", ">>", ">&", "&>", "&>>", "<", "$"),
        *("test_command", "unary_expression", "binary_expression", "test_operator", "[", "]", "!", "=", "!="),
    }
)

_MEANINGS: Final = {
    "command_substitution": "it runs a command to make up part of another: $(…)",
    "process_substitution": "it runs a command in place of a file: <(…)",
    "simple_expansion": "it uses a variable, which is only known when it runs",
    "expansion": "it works out a value when it runs: ${…}",
    "arithmetic_expansion": "it works out a value when it runs: $((…))",
    "ansi_c_string": "it spells characters by escapes: $'…'",
    "translated_string": 'it translates text: $"…"',
    "brace_expression": "it makes several words of one: {…}",
    "variable_assignment": "it sets a variable, which can change what programs do",
    "variable_assignments": "it sets variables, which can change what programs do",
    "declaration_command": "it sets or shows variables",
    "unset_command": "it removes variables",
    "test_command": "it evaluates a condition",
    "subshell": "it runs commands in a shell of their own: ( … )",
    "compound_statement": "it groups commands: { … }",
    "if_statement": "it decides when it runs: if",
    "while_statement": "it repeats commands: while",
    "for_statement": "it repeats commands: for",
    "c_style_for_statement": "it repeats commands: for",
    "case_statement": "it decides when it runs: case",
    "function_definition": "it defines a function",
    "negated_command": "it turns a result round: !",
    "heredoc_redirect": "it feeds text to a command: <<",
    "herestring_redirect": "it feeds text to a command: <<<",
    "file_redirect": "it reads or writes a file by redirection",
    "comment": "it holds a comment",
    "&": "it leaves a command running in the background",
    "|&": "it pipes errors as well: |&",
    "ERROR": "it cannot be parsed",
}


@lru_cache(1)
def _grammar() -> "Language":
    # Loaded with the first command, not with the program.
    import tree_sitter_bash
    from tree_sitter import Language

    return Language(tree_sitter_bash.language())


def _parser() -> "Parser":
    """One for each line: lines are parsed in several threads."""
    from tree_sitter import Parser

    return Parser(_grammar())


class Tangled(Exception):
    """The line takes too long to parse."""


class Tree:
    """A parsed line; nothing in it is walked by recursion."""

    def __init__(self, text: str) -> None:
        """Parse.

        Raises:
            Tangled: it takes too long.
        """
        self._source = text.encode("utf-8", "replace")
        source = _NOT_ASCII.sub(b"%", self._source)
        parser = _parser()
        end = thread_time() + SECONDS
        try:
            # Only a source that is read piece by piece can be given up half-way.
            tree = parser.parse(
                lambda at, _place: source[at : at + 4096], progress_callback=lambda _at, _wrong: thread_time() > end
            )
        except ValueError:
            raise Tangled from None
        self._root = tree.root_node

    def _nodes(self) -> Iterator["Node"]:
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def is_plain(self, commands: list[SimpleCommand]) -> bool:
        """True when this reading of the line agrees that it consists of just these commands."""
        if self._root.has_error:
            return False
        found = 0
        for node in self._nodes():
            if node.type not in _PLAIN or node.is_missing:
                return False
            found += node.type in ("command", "test_command")
        return found == len(commands)

    def meanings(self) -> tuple[str, ...]:
        """What the line does besides running plain commands, each kind once, in order."""
        found: dict[str, None] = {}
        for node in self._nodes():
            if node.is_missing:
                found[_MEANINGS["ERROR"]] = None
            elif node.type in _MEANINGS and not (node.type == "file_redirect" and _is_descriptor(node)):
                found[_MEANINGS[node.type]] = None
        return tuple(found)

    def commands(self) -> tuple[SimpleCommand, ...]:
        """Every simple command, those inside others too, up to a bound."""
        found = []
        for node in self._nodes():
            if node.type in ("command", "declaration_command", "unset_command", "test_command"):
                found.append(SimpleCommand(self._text(node), tuple(self._words(node))))
            if len(found) == MOST_COMMANDS:
                break
        return tuple(found)

    def _words(self, command: "Node") -> Iterator[str | None]:
        for node in command.children:
            if node.type == "command_name":
                node = node.children[0] if node.children else node
            if node.type in ("variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect"):
                continue
            yield self._literal(node)

    def _literal(self, word: "Node") -> str | None:
        """A word as the shell passes it, or None when it is only known later."""
        parts = []
        for node in word.children if word.type == "concatenation" else [word]:
            text = self._text(node)
            match node.type:
                case "raw_string":
                    parts.append(text[1:-1])
                case "string" if all(child.type in ('"', "string_content") for child in node.children):
                    parts.append(text[1:-1].replace("\\\n", ""))
                case "word" | "number" if not set(text) & set("*?[]{}~$`"):
                    parts.append(text.replace("\\\n", "").replace("\\", ""))
                case _ if not node.is_named:
                    parts.append(text)
                case _:
                    return None
        return "".join(parts)

    def _text(self, node: "Node") -> str:
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _is_descriptor(redirect: "Node") -> bool:
    return any(child.type in (">&", "<&") for child in redirect.children) and redirect.children[-1].type == "number"
