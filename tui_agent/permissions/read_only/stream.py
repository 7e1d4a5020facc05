"""sed, awk and jq, as far as they only print: all three have languages that can do more."""

import re
from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.options import operands, options
from tui_agent.permissions.read_only.verdict import Reads, Unproven

_SED: Final = options(
    "nEruzs", "el", "quiet silent regexp-extended unbuffered null-data posix sandbox separate", "expression line-length"
)
_DELIMITERS: Final = "/|#,:@"


def _pattern(end: str) -> str:
    """A pattern up to its end. What ends it is not in brackets: programs differ about that, some read on."""
    class_ = r"\[:[a-z]+:\]"
    bracket = rf"\[\^?(?:{class_}|[^\[\]\\^\n{end}])(?:{class_}|[^\[\]\\\n{end}])*\]"
    return rf"(?:[^\\\[\n{end}]|\\[^\n]|{bracket})*"


def _plain(end: str) -> str:
    return rf"(?:[^\\\n{end}]|\\[^\n])*"


_ADDRESS: Final = rf"(?:[0-9]+(?:~[0-9]+)?|\$|/{_pattern('/')}/I?)"
_EDITS: Final = "|".join(
    rf"s{end}{_pattern(end)}{end}{_plain(end)}{end}[gpiI0-9]*|y{end}{_plain(end)}{end}{_plain(end)}{end}"
    for end in map(re.escape, _DELIMITERS)
)
_PRINTS: Final = re.compile(
    rf"(?:{_ADDRESS}(?:,(?:{_ADDRESS}|[+~][0-9]+))? *)?(?:! *)?(?:[pPdDnNgGhHx=l]|[qQ] *[0-9]*|{_EDITS})"
)


def sed(words: Sequence[str]) -> Reads:
    """Only scripts that print, drop or replace: with `w` and `e`, also behind `s///`, it writes and runs."""
    scripts: list[str] = []

    def given(option: str, value: str) -> None:
        if option in ("-e", "--expression"):
            scripts.append(value)

    found = operands("sed", words, _SED, given)
    if not scripts:
        if not found:
            raise Unproven("`sed` has no script")
        scripts.append(found.pop(0))
    parts = [part.strip(" ") for script in scripts for part in re.split(r"[;\n]", script)]
    if not any(parts) or not all(_PRINTS.fullmatch(part) for part in parts if part):
        raise Unproven("only `sed` scripts that print, drop or replace in what is printed are known to be harmless")
    return Reads(tuple(found))


_AWK: Final = options("", "Fv", ordered=True)
_AWK_REACHES: Final = re.compile(r"[<>|@`]|\\\n|system|getline|ENVIRON|PROCINFO|ARG[VC]|SYMTAB|FUNCTAB")
"""Without any of these awk has no way to a program, a file or the environment."""
_FIELD: Final = r"(?:NR|NF|FNR|\$(?:NF|[0-9]+)|length)"
_CONDITION: Final = (
    rf"!?(?:/{_pattern('/')}/|{_FIELD} *(?:[=!<>]=|[<>]|!?~) *(?:[0-9.]+|\"[^\"\\\n]*\"|/{_pattern('/')}/))"
)
_AWK_VALUE: Final = r"(?:\$?(?:NF|NR|[0-9]+)|\"[^\"\\\n]*\")"
_AWK_PRINTS: Final = re.compile(
    rf"{_CONDITION}(?: *(?:&&|\|\||,) *{_CONDITION})*"
    rf"(?: *\{{ *(?:print(?: +{_AWK_VALUE}(?: *[, ] *{_AWK_VALUE})*)?(?: *;)?(?: *exit)? *)?\}})?"
)


def awk(words: Sequence[str]) -> Reads:
    """Programs without a way out, or of conditions and one `print`: `>` and `|` write and run, but not in those."""
    found = operands("awk", words, _AWK)
    program = found[0].strip() if found else ""
    if not program or (_AWK_REACHES.search(program) and not _AWK_PRINTS.fullmatch(program)):
        raise Unproven("only `awk` programs that print are known to be harmless")
    return Reads(tuple(found[1:]))


_JQ: Final = options(
    "rcSesMajCnR",
    "",
    "raw-output compact-output sort-keys exit-status slurp monochrome-output ascii-output tab color-output "
    "null-input raw-input join-output",
)
_JQ_REACHES: Final = re.compile(
    r"\b(?:env|import|include|inputs?|modulemeta|debug|stderr|halt\w*|get_search_list)\b|ENV|\$__"
)


def jq(words: Sequence[str]) -> Reads:
    """Filters without the environment, modules and further input; jq itself writes no file and runs nothing."""
    found = operands("jq", words, _JQ)
    if not found or _JQ_REACHES.search(found[0]):
        raise Unproven("this `jq` filter reaches beyond the files it is given")
    return Reads(tuple(found[1:]))
