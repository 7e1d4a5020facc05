"""grep and ripgrep: the first operand is a pattern unless an option gave one."""

from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.verdict import Reads, Unproven

_GREP: Final = options(
    "EFGPiyvwxcLlqosbHhnTZrIaz",
    "eABCmdD",
    "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match "
    "word-regexp line-regexp "
    "count color colour files-without-match files-with-matches quiet silent only-matching no-messages byte-offset "
    "with-filename no-filename line-number initial-tab null recursive text null-data",
    "regexp after-context before-context context max-count include exclude exclude-dir binary-files "
    "directories devices "
    "label",
    numbers=True,
)
_RG: Final = options(
    "iSsvwxFPUcloqnNHIa0p",
    "egtTABCmdjErM",
    "ignore-case smart-case case-sensitive invert-match word-regexp line-regexp fixed-strings pcre2 multiline "
    "multiline-dotall count count-matches files-with-matches files-without-match only-matching quiet line-number "
    "no-line-number with-filename no-filename heading no-heading column no-column text null pretty json vimgrep files "
    "type-list stats trim no-messages no-config no-ignore-messages crlf passthru byte-offset "
    "max-columns-preview one-file-system no-follow sort-files",
    "regexp glob iglob type type-not after-context before-context context max-count max-depth "
    "maxdepth max-columns max-filesize "
    "threads encoding engine replace color colors sort sortr path-separator context-separator field-match-separator "
    "field-context-separator regex-size-limit dfa-size-limit",
)


def grep(words: Sequence[str]) -> Reads:
    """Without `-f` (patterns from a file) and `-R` (links are followed)."""
    return _search("grep", words, _GREP, listing=False)


def rg(words: Sequence[str]) -> Reads:
    """Without what runs programs (`--pre`, `-z`, `--hostname-bin`), follows links or looks into hidden files."""
    listing = any(word in ("--files", "--type-list") for word in words)
    return _search("rg", words, _RG, listing)


def _search(program: str, words: Sequence[str], known: Options, listing: bool) -> Reads:
    patterns = 0

    def given(option: str, _value: str) -> None:
        nonlocal patterns
        patterns += option in ("-e", "--regexp")

    found = operands(program, words, known, given)
    if not patterns and not listing:
        if not found:
            raise Unproven(f"`{program}` has no pattern")
        found = found[1:]
    return Reads(tuple(found))
