"""From a command line to what it runs: two readings that have to agree before anything counts as known."""

from typing import Final

from tui_agent.permissions.shell.characters import odd_characters
from tui_agent.permissions.shell.script import LONGEST, Script, SimpleCommand
from tui_agent.permissions.shell.syntax import MOST_COMMANDS, Tangled, Tree
from tui_agent.permissions.shell.words import NotPlain, plain_commands

_LONGEST_TANGLE: Final = 2_500
"""Characters of a line that is not plain up to which it is parsed: the parser is quadratic in some texts."""
_TANGLED: Final = "it is too tangled to be taken apart"


def analyse(command: str) -> Script:
    """Take a command line apart. Whatever is not understood is an obstacle, never a guess.

    The plain part of the grammar is read by a reader that knows nothing else, and by a parser of the whole grammar; a
    line is plain when both say so. The time it takes is bounded for any input: what is longer than the bound is not
    looked at.
    """
    if "\0" in command:
        return Script((), ("it holds a NUL character",), "no command can hold a NUL character")
    odd = odd_characters(command)
    if len(command) > LONGEST:
        return Script((), odd)
    if not command.strip(" \t\n"):
        return Script((), ("there is nothing to run",))
    try:
        plain = plain_commands(command)
    except NotPlain as reason:
        return _not_plain(command, odd, str(reason))
    if len(plain) > MOST_COMMANDS:
        return Script(tuple(plain[:MOST_COMMANDS]), (*odd, f"it has more than {MOST_COMMANDS} commands"))
    try:
        tree = Tree(command)
    except Tangled:
        return Script(tuple(plain), (*odd, _TANGLED))
    if odd or not tree.is_plain(plain):
        return Script(tuple(plain), (*odd, *tree.meanings()) or ("two readings of it differ",))
    return Script(tuple(plain))


def _not_plain(command: str, odd: tuple[str, ...], reason: str) -> Script:
    """What a line holds that does more than run plain commands, as far as that can be told in short time."""
    if len(command) > _LONGEST_TANGLE:
        return Script((), (*odd, reason))
    try:
        tree = Tree(command)
    except Tangled:
        return Script((), (*odd, _TANGLED))
    return Script(tree.commands(), (*odd, *(tree.meanings() or (reason,))))


def literal_words(command: SimpleCommand) -> tuple[str, ...] | None:
    """The words of a command when all are known."""
    words = tuple(word for word in command.words if word is not None)
    return words if len(words) == len(command.words) else None
