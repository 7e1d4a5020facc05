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
_WHERE: Final = rf"(?:{_ADDRESS}(?:,(?:{_ADDRESS}|[+~][0-9]+))? *)?(?:! *)?"
# Labels and added text reach at least as far as is read here, so nothing behind them is more than it looks.
_COMMAND: Final = rf"(?:[pPdDnNgGhHx=l]|[qQ](?: *[0-9]+)?|[bt](?: *[a-z]+)?|[aic] [^\\\n]++|{_EDITS})"
_PRINTS: Final = re.compile(rf"(?:{_WHERE}\{{ *)?(?:{_WHERE}{_COMMAND}|:[a-z]+)? *(?:\}} *)*")


def sed(words: Sequence[str]) -> Reads:
    """Only scripts that print, drop or replace: with `w` and `e`, also behind `s///`, it writes and runs."""
    scripts: list[str] = []

    def given(option: str, value: str) -> None:
        if option in ("-e", "--expression"):
            scripts.append(value)
        elif option == "-l" and not value.isdigit():  # it has no value in BSD, where the next word would be the script
            raise Unproven(f"`sed -l {value}` can be read in two ways")

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
_AWK_REACHES: Final = re.compile(r"[@`]|\\\n|system|getline|ENVIRON|PROCINFO|ARG[VC]|SYMTAB|FUNCTAB")
"""Without any of these, and `>` and `|` behind `print`, awk has no way to a program, a file or the environment."""
_AWK_STRING: Final = re.compile(r"\"(?:[^\"\\\n]|\\[^\n])*\"")
_FIELD: Final = r"(?:NR|NF|FNR|\$(?:NF|[0-9]+)|length)"
_CONDITION: Final = (
    rf"!?(?:/{_pattern('/')}/|{_FIELD} *(?:[=!<>]=|[<>]|!?~) *(?:[0-9.]+|\"[^\"\\\n]*\"|/{_pattern('/')}/))"
)
_AWK_VALUE: Final = r"(?:\$?(?:NF|NR|[0-9]+)|\"[^\"\\\n]*\")"
_AWK_PRINTS: Final = re.compile(
    rf"{_CONDITION}(?: *(?:&&|\|\||,) *{_CONDITION})*"
    rf"(?: *\{{ *(?:print(?: +{_AWK_VALUE}(?: *[, ] *{_AWK_VALUE})*)?(?: *;)?(?: *exit)? *)?\}})?"
)


def _only_compares(program: str) -> bool:
    """True when every `>` of an awk program compares: it stands outside all braces, or in brackets without `print`.

    (`for (;; print > "x")` has one in brackets.) Where a slash may begin a pattern, or a comment begins, it is not
    known what is text; nor where a single `|` pipes.
    """
    code = _AWK_STRING.sub(" ", program)
    if not set("|>").intersection(program):
        return True
    if set('"/#\\').intersection(code) or "|" in code.replace("||", " "):
        return False
    braces = brackets = 0
    for at, character in enumerate(code):
        braces += (character == "{") - (character == "}")
        brackets += (character == "(") - (character == ")")
        if braces < 0 or brackets < 0:
            return False
        if (character == ">" and braces and not brackets) or (brackets and code.startswith("print", at)):
            return False
    return True


def awk(words: Sequence[str]) -> Reads:
    """Programs without a way out: with `print`, `>` writes and `|` runs; anywhere else they do not."""
    found = operands("awk", words, _AWK)
    program = found[0].strip() if found else ""
    if not program or _AWK_REACHES.search(program) or not (_only_compares(program) or _AWK_PRINTS.fullmatch(program)):
        raise Unproven("only `awk` programs that print are known to be harmless")
    return Reads(tuple(found[1:]))


_JQ: Final = options(
    "rcSesMajCnR",
    "",
    "raw-output compact-output sort-keys exit-status slurp monochrome-output ascii-output tab color-output "
    "null-input raw-input join-output stream seq",
)
_JQ_REACHES: Final = re.compile(
    r"(?<!\.)\b(?:env|import|include|inputs?|modulemeta|debug|stderr|halt\w*|get_search_list)\b|ENV|\$__"
)


def _without_values(words: Sequence[str]) -> list[str]:
    """The words without `--arg NAME VALUE`, `--argjson NAME VALUE` and `--indent NUMBER`, in their order: any of them
    could stand for a value of another."""
    rest = list(words)
    kept: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*kept, word, *rest]
        if word in ("--arg", "--argjson") and len(rest) >= 2:
            rest = rest[2:]
        elif word == "--indent" and rest and rest[0].isdigit():
            rest = rest[1:]
        else:
            kept.append(word)
    return kept


def jq(words: Sequence[str]) -> Reads:
    """Filters without the environment, modules and further input; jq itself writes no file and runs nothing."""
    found = operands("jq", _without_values(words), _JQ)
    if not found or _JQ_REACHES.search(found[0]):
        raise Unproven("this `jq` filter reaches beyond the files it is given")
    return Reads(tuple(found[1:]))
