"""A command line taken apart: its simple commands, and what keeps it from being known."""

from typing import Final

from msgspec import Struct

LONGEST: Final = 10_000
"""Characters of a command line that are looked at; a longer one is not known."""


class SimpleCommand(Struct, frozen=True):
    """One program and its arguments, as the shell will pass them.

    `text` is how it is written. A word is None where it is not known before the command runs. `discards` is true when
    output goes to /dev/null or to another output of the command, which changes nothing. `after` is what connects it to
    the command before it (`;`, `&&`, `||`, `|`); empty for the first, and where that was not looked at. `inputs` are
    the files that it is given by `<`.
    """

    text: str
    words: tuple[str | None, ...]
    discards: bool = False
    after: str = ""
    inputs: tuple[str, ...] = ()


class Script(Struct, frozen=True):
    """All simple commands of a line, in the order in which they are written, those inside others too.

    With `obstacles` (reasons, in words) the line does more than run these commands, or other words than these; without,
    it runs exactly these, one after another or piped. `refused` says why no shell can run it at all.
    """

    commands: tuple[SimpleCommand, ...]
    obstacles: tuple[str, ...] = ()
    refused: str = ""

    @property
    def plain(self) -> bool:
        """True when nothing but these simple commands runs."""
        return not self.obstacles and not self.refused
