"""grep and ripgrep: the first operand is a pattern unless an option gave one; folders are gone through."""

from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.verdict import Reads, Search, Unproven

_GREP: Final = options(
    "EFGPiyvwxcLlqosbHhnTZrIaz",
    "eABCmdD",
    "extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match "
    "word-regexp line-regexp "
    "count color colour files-without-match files-with-matches quiet silent only-matching no-messages byte-offset "
    "with-filename no-filename line-number initial-tab null recursive text null-data line-buffered",
    "regexp after-context before-context context max-count include exclude exclude-dir binary-files "
    "directories devices "
    "label",
    numbers=True,
    free="e",
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
    free="e",
)
_TYPES: Final = {
    **{"py": "*.py*", "python": "*.py*", "js": "*.[cmj]*", "ts": "*.[cmt]*", "typescript": "*.[cmt]*", "rust": "*.rs"},
    **{
        "go": "*.go",
        "java": "*.j*",
        "c": "*.[ch]*",
        "cpp": "*.[chi]*",
        "css": "*.s?css",
        "html": "*.*h*",
        "md": "*.m*",
    },
    **{"ruby": "*.*rb*", "php": "*.php*", "swift": "*.swift", "kotlin": "*.kt*", "cs": "*.cs*", "lua": "*.lua"},
}
"""Names that a type of ripgrep can match at most, for types of source code; any other type can match all."""


class _Given:
    """What the options say about patterns and files."""

    def __init__(self) -> None:
        self.options: list[tuple[str, str]] = []

    def __call__(self, option: str, value: str) -> None:
        self.options.append((option, value))

    def __contains__(self, option: str) -> bool:
        return any(option == given for given, _ in self.options)

    def values(self, *names: str) -> list[str]:
        return [value for option, value in self.options if option in names]


def grep(words: Sequence[str]) -> Reads:
    """Without `-f` (patterns from a file) and `-R` (links are followed)."""
    given = _Given()
    files = _search("grep", words, _GREP, given)
    recursive = "-r" in given or "--recursive" in given or "recurse" in given.values("-d", "--directories")
    if not recursive:
        return Reads(files)
    # A file that none of them is about is read, unless the first of them is --include.
    choices = [option for option, _ in given.options if option in ("--include", "--exclude")]
    only = given.values("--include") if choices and choices[0] == "--include" else []
    return Reads(files, search=Search(files or (".",), only=tuple(only), without=tuple(given.values("--exclude-dir"))))


def rg(words: Sequence[str]) -> Reads:
    """Without what runs programs (`--pre`, `-z`, `--hostname-bin`), follows links or looks into hidden files."""
    given = _Given()
    files = _search("rg", words, _RG, given)
    if "--files" in given or "--type-list" in given:
        return Reads(files)
    globs = given.values("-g", "--glob", "--iglob")
    # What a glob or a type picks is read though it is hidden.
    picked = [glob for glob in globs if not glob.startswith("!")]
    picked += [_TYPES.get(name, "*") for name in given.values("-t", "--type")]
    named = (*files, *(glob.lstrip("/") for glob in picked))
    return Reads(named, search=Search(files or (".",), hidden=bool(picked), only=tuple(map(_widened, picked))))


def _widened(glob: str) -> str:
    """A glob of names that matches at least the names of what this glob of paths matches."""
    name = glob.rpartition("/")[2] if "{" not in glob else "*" + glob.rpartition("}")[2]
    return "*" if not name or "\\" in name or "/" in name else name


def _search(program: str, words: Sequence[str], known: Options, given: _Given) -> tuple[str, ...]:
    """The files and folders that are searched; none means standard input or the working directory."""
    found = operands(program, words, known, given)
    if not any(option in given for option in ("-e", "--regexp", "--files", "--type-list")):
        if not found:
            raise Unproven(f"`{program}` has no pattern")
        found = found[1:]
    return tuple(found)
