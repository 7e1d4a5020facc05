"""sed, awk and jq, as far as they only print: all three have languages that can do more."""

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


_AWK: Final = options("", "F")
_VALUE: Final = r"(?:\$?(?:NF|NR|[0-9]+)|\"[^\"\\\n]*\")"
_CONDITION: Final = rf"(?:/{_PART}/|(?:NR|NF|\$[0-9]+) *(?:==|!=|>=|<=|~) *(?:[0-9]+|\"[^\"\\\n]*\"|/{_PART}/))"
_AWK_PRINTS: Final = re.compile(
    rf" *(?:{_CONDITION} *(?:&& *{_CONDITION} *)*)?(?:\{{ *print(?: +{_VALUE}(?: *, *{_VALUE})*)? *;? *\}})? *"
)


def awk(words: Sequence[str]) -> Reads:
    """Only programs of one condition and one `print` of fields: `>` and `|` in awk write and run."""
    found = operands("awk", words, _AWK)
    if not found or not found[0].strip() or not _AWK_PRINTS.fullmatch(found[0]):
        raise Unproven("only `awk` programs that print fields are known to be harmless")
    return Reads(tuple(found[1:]))


_JQ: Final = options(
    "rcSesMaj", "", "raw-output compact-output sort-keys exit-status slurp monochrome-output ascii-output tab"
)
_JQ_REACHES: Final = re.compile(r"env|ENV|import|include|input|modulemeta|\$__|debug|stderr|halt|get_search_list")


def jq(words: Sequence[str]) -> Reads:
    """Filters without the environment, modules and further input; jq itself writes no file and runs nothing."""
    found = operands("jq", words, _JQ)
    if not found or _JQ_REACHES.search(found[0]):
        raise Unproven("this `jq` filter reaches beyond the files it is given")
    return Reads(tuple(found[1:]))
