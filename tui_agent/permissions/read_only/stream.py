"""sed, as far as it only prints lines."""

import re
from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.options import operands, options
from tui_agent.permissions.read_only.verdict import Reads, Unproven

_KNOWN: Final = options(
    "nEruz", "el", "quiet silent regexp-extended unbuffered null-data posix sandbox", "expression line-length"
)
# An address is a line number, `$` or a pattern; a pattern ends at the first unescaped slash.
_ADDRESS: Final = r"(?:[0-9]+|\$|/(?:[^/\\\n]|\\[^\n])*/)"
_PART: Final = r"(?:[^/\\\n]|\\[^\n])*"
_PRINTS: Final = re.compile(
    rf" *(?:{_ADDRESS}(?:,(?:{_ADDRESS}|\+[0-9]+))?)? *(?:[pdq=]|s/{_PART}/{_PART}/[gpiI0-9]*) *"
)


def sed(words: Sequence[str]) -> Reads:
    """Only scripts of `p`, `d`, `q`, `=` and plain `s///`: with `w` and `e`, also behind `s///`, it writes and runs."""
    scripts: list[str] = []

    def given(option: str, value: str) -> None:
        if option in ("-e", "--expression"):
            scripts.append(value)

    found = operands("sed", words, _KNOWN, given)
    if not scripts:
        if not found:
            raise Unproven("`sed` has no script")
        scripts.append(found.pop(0))
    if not all(_PRINTS.fullmatch(part) for script in scripts for part in script.split(";")):
        raise Unproven("only `sed` scripts that print, drop or replace in what is printed are known to be harmless")
    return Reads(tuple(found))
