"""Characters that have no business in a command that runs unseen."""

import re
import unicodedata
from typing import Final

from tui_agent.permissions.shell.script import LONGEST

# C0 without tab and newline, DEL, C1, lone surrogates.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]")
_HIDDEN: Final = frozenset({"Cf", "Zs", "Zl", "Zp", "Cn", "Co"})
# Shown as nothing, or as a blank, though their category is that of a letter or a mark.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def odd_characters(command: str) -> tuple[str, ...]:
    """What about the characters of a command is odd, a reason each; empty when nothing is."""
    reasons = []
    if len(command) > LONGEST:
        reasons.append(f"it has {len(command):,} characters; only {LONGEST:,} are looked at")
        command = command[:LONGEST]
    if control := _CONTROL.search(command):
        reasons.append(f"it holds a control character ({_name(control[0])})")
    if hidden := next((match[0] for match in _NOT_ASCII.finditer(command) if _is_hidden(match[0])), ""):
        reasons.append(f"it holds a hidden character or an odd space ({_name(hidden)})")
    return tuple(reasons)


def _is_hidden(character: str) -> bool:
    return (
        unicodedata.category(character) in _HIDDEN
        or character in _BLANK
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0000" <= character <= "\U000e0fff"
    )


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"
