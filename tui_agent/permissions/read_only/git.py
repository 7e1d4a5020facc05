"""Git commands that read; what the repository's own settings make of them is another question (`repository.py`)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.verdict import Reads, Search, Unproven

# What stands behind the option in a word of its own is its value only where Git always takes it for one: `-U x` and
# `--min-parents x` read the file x.
_DIFF_LONG: Final = (
    "patch no-patch raw patch-with-raw patch-with-stat stat numstat shortstat summary name-only "
    "name-status cached staged "
    "minimal patience histogram color no-color color-words no-color-moved word-diff no-renames check full-index binary "
    "ignore-space-at-eol ignore-space-change ignore-all-space ignore-blank-lines function-context exit-code quiet "
    "no-ext-diff no-textconv merge-base text relative no-relative find-renames find-copies dirstat "
    "no-prefix cc combined-all-paths ignore-submodules "
    "ignore-cr-at-eol ita-invisible-in-index indent-heuristic no-indent-heuristic color-moved abbrev compact-summary "
    "unified"
)
_DIFF_VALUED: Final = (
    "diff-algorithm stat-width stat-name-width stat-count diff-filter word-diff-regex inter-hunk-context "
    "src-prefix dst-prefix line-prefix"
)
_LOG_LONG: Final = (
    "oneline graph all branches tags remotes decorate no-decorate reverse merges no-merges first-parent follow "
    "abbrev-commit no-abbrev-commit full-history topo-order date-order author-date-order source "
    "left-right cherry-pick cherry-mark "
    "simplify-by-decoration ancestry-path parents children boundary no-walk regexp-ignore-case invert-grep all-match "
    "extended-regexp fixed-strings perl-regexp relative-date no-notes root clear-decorations no-patch pretty format "
    "pickaxe-all pickaxe-regex full-diff simplify-merges sparse dense left-only right-only cherry count "
    "show-pulls exclude-first-parent-only min-parents max-parents not walk-reflogs reflog"
)
_LOG_VALUED: Final = (
    "max-count skip since after until before author committer grep date decorate-refs "
    "decorate-refs-exclude "
    "glob exclude encoding"
)
_DIFF: Final = options("abpuRswzW", "SG", _DIFF_LONG, _DIFF_VALUED, optional="MCU")
_LOG: Final = options(
    "abpuRswzigEFPcmW",
    "SGnL",
    f"{_DIFF_LONG} {_LOG_LONG}",
    f"{_DIFF_VALUED} {_LOG_VALUED}",
    numbers=True,
    optional="MCU",
)
_DIFF_TREE: Final = options(
    "abpuRswzWrtcm", "SG", f"{_DIFF_LONG} no-commit-id root pretty format", _DIFF_VALUED, optional="MCU"
)
_STATUS: Final = options(
    "sbvz",
    "",
    "short branch show-stash porcelain long verbose null untracked-files ignored no-column column "
    "ahead-behind no-ahead-behind "
    "renames no-renames find-renames ignore-submodules",
    optional="u",
)
_REV_PARSE: Final = options(
    "q",
    "",
    "show-toplevel git-dir absolute-git-dir git-common-dir is-inside-work-tree is-inside-git-dir is-bare-repository "
    "show-prefix show-cdup abbrev-ref short verify quiet symbolic symbolic-full-name all branches tags remotes",
)
_LS_FILES: Final = options(
    "cdmostuikzv",
    "x",
    "cached deleted modified others ignored stage unmerged killed directory no-empty-directory eol full-name "
    "exclude-standard error-unmatch deduplicate abbrev",
    "exclude format",
)
_BLAME: Final = options(
    "bcefhlnpstw", "L", "line-porcelain porcelain show-name show-number show-email root abbrev", "date"
)
_GREP: Final = options(
    "IivwnHhlLczcEFGPpqWa",
    "eABCm",
    "ignore-case invert-match word-regexp line-number files-with-matches files-without-match name-only count "
    "extended-regexp fixed-strings basic-regexp perl-regexp quiet cached untracked break heading show-function "
    "function-context full-name column only-matching all-match and or not text null color",
    "max-depth after-context before-context context threads max-count",
    free="e",
)
_CAT_FILE: Final = options("tspe")
_SHOWN_SETTING: Final = re.compile(r"(?:user|core|init|branch|color|diff|merge|pull|push)\.[\w.-]+")


def _reading(name: str, known: Options, *, most: int = 10_000) -> tuple[str, Callable[[Sequence[str]], Reads]]:
    def judge(words: Sequence[str]) -> Reads:
        lines: list[str] = []
        found = operands(
            f"git {name}", words, known, lambda option, value: lines.append(value) if option == "-L" else None
        )
        if len(found) > most:
            raise Unproven(f"`git {name}` with {len(found)} operands is not known to be harmless")
        behind = [line.partition(":")[2] for line in lines]  # `-L 1,5:FILE`
        return Reads(_paths_in((*found, *behind)), repository=True)

    return name, judge


def _grep(words: Sequence[str]) -> Reads:
    """What Git tracks is searched, or with `--untracked` what is there."""
    given: set[str] = set()
    found = operands("git grep", words, _GREP, lambda option, _value: given.add(option))
    if "-e" not in given:
        found = found[1:]
    behind = tuple(words[words.index("--") + 1 :]) if "--" in words else ()
    search = Search((".",)) if "--untracked" in given else Search(behind or (".",), tracked=True)
    return Reads(_paths_in(found), repository=True, search=search)


def _listing(name: str, known: Options, *, with_operands: str = "") -> tuple[str, Callable[[Sequence[str]], Reads]]:
    """A command that lists without operands, and makes something with them unless one of the options is given."""

    def judge(words: Sequence[str]) -> Reads:
        given: set[str] = set()
        found = operands(f"git {name}", words, known, lambda option, _value: given.add(option))
        if found and given.isdisjoint(with_operands.split()):
            raise Unproven(f"`git {name}` with a name makes or changes something")
        return Reads(repository=True)

    return name, judge


def _verbs(name: str, *allowed: tuple[str, ...]) -> tuple[str, Callable[[Sequence[str]], Reads]]:
    """A command of which only these exact forms are known to be harmless."""

    def judge(words: Sequence[str]) -> Reads:
        if tuple(words) not in allowed:
            raise Unproven(f"this form of `git {name}` is not known to be harmless")
        return Reads(repository=True)

    return name, judge


def _config(words: Sequence[str]) -> Reads:
    rest = list(words[1:] if words and words[0] in ("--global", "--local") else words)
    if len(rest) == 2 and rest[0] == "--get" and _SHOWN_SETTING.fullmatch(rest[1]):
        return Reads(repository=True)
    if rest in (["user.name"], ["user.email"]):
        return Reads(repository=True)
    raise Unproven("`git config` changes settings, or may show secrets")


_ABOUT: Final = "contains no-contains merged no-merged points-at"
_LISTS: Final = " ".join(f"--{name}" for name in _ABOUT.split())
_BRANCHES: Final = _listing(
    "branch",
    options(
        "avri",
        "",
        f"list all remotes verbose show-current no-color color no-abbrev abbrev column no-column {_ABOUT}",
        "sort format",
    ),
    with_operands=f"--list {_LISTS}",
)[1]
_REMOTES: Final = _listing("remote", options("v", "", "verbose"))[1]


def _stash(words: Sequence[str]) -> Reads:
    if words and words[0] in ("list", "show"):
        known = _LOG if words[0] == "list" else _DIFF
        return Reads(_paths_in(operands(f"git stash {words[0]}", words[1:], known)), repository=True)
    raise Unproven("this form of `git stash` is not known to be harmless")


def _reflog(words: Sequence[str]) -> Reads:
    shown = bool(words) and words[0] == "show"
    found = operands("git reflog", words[shown:], _LOG)
    if found and not shown:
        raise Unproven("`git reflog` with a name is only known to be harmless behind `show`")
    return Reads(_paths_in(found), repository=True)


def _branch(words: Sequence[str]) -> Reads:
    if list(words) == ["-l"]:  # with a name it made a branch before Git 2.20
        return Reads(repository=True)
    return _BRANCHES(words)


def _remote(words: Sequence[str]) -> Reads:
    if list(words) == ["show"] or (len(words) == 2 and words[0] == "get-url" and not words[1].startswith("-")):
        return Reads(repository=True)
    return _REMOTES(words)


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], Reads]]] = dict(
    (
        _reading("status", _STATUS),
        _reading("diff", _DIFF),
        _reading("log", _LOG),
        _reading("show", _LOG),
        _reading(
            "shortlog",
            options(
                "snec",
                "",
                "summary numbered email committer all branches tags remotes merges no-merges format",
                "since until author",
            ),
        ),
        _reading("blame", _BLAME),
        _reading("rev-parse", _REV_PARSE),
        _reading("rev-list", _LOG),
        _reading("ls-files", _LS_FILES),
        _reading(
            "ls-tree",
            options("drtlz", "", "name-only name-status long full-name full-tree object-only abbrev", "format"),
        ),
        _reading("cat-file", _CAT_FILE),
        ("grep", _grep),
        _reading(
            "describe",
            options(
                "",
                "",
                "tags all always long contains exact-match first-parent abbrev",
                "match exclude candidates",
            ),
        ),
        _reading("diff-tree", _DIFF_TREE),
        _reading("diff-index", _DIFF),
        _reading("cherry", options("v", "", "verbose abbrev")),
        _reading("merge-base", options("a", "", "all octopus is-ancestor independent")),
        _reading("name-rev", options("", "", "tags name-only always", "refs")),
        _reading("show-ref", options("ds", "", "heads tags head dereference hash abbrev")),
        _reading("for-each-ref", options("", "", "", "format sort count")),
        _reading("count-objects", options("vH", "", "verbose human-readable"), most=0),
        _reading("check-ignore", options("vqn", "", "verbose quiet no-index non-matching")),
        ("branch", _branch),
        _listing(
            "tag",
            options("li", "", f"list no-column column color {_ABOUT}", "sort format", optional="n"),
            with_operands=f"--list -l {_LISTS}",
        ),
        ("remote", _remote),
        ("stash", _stash),
        _verbs("worktree", ("list",), ("list", "--porcelain"), ("list", "-v")),
        ("reflog", _reflog),
        _verbs("symbolic-ref", ("HEAD",), ("--short", "HEAD"), ("-q", "HEAD"), ("-q", "--short", "HEAD")),
        _verbs("version", (), ("--build-options",)),
        ("config", _config),
    )
)


def git(words: Sequence[str]) -> Reads:
    """`git SUBCOMMAND …`, without options before the subcommand but `--no-pager`, `-P` and one `-C DIR`."""
    rest = list(words)
    directory = ""
    while rest:
        if rest[0] in ("--no-pager", "-P", "--no-optional-locks"):
            rest.pop(0)
        elif rest[0] == "-C" and len(rest) > 1 and rest[1] and not directory:
            directory = rest[1]
            rest = rest[2:]
        else:
            break
    if rest == ["--version"]:
        return Reads()
    if not rest or rest[0].startswith("-"):
        raise Unproven("an option before the git command can change which programs it runs")
    known = _COMMANDS.get(rest[0])
    if known is None:
        raise Unproven(f"`git {rest[0]}` is not known to be read-only")
    if any(word in ("--no-index", "--ext-diff", "--textconv") for word in rest):
        raise Unproven("the option reaches beyond the repository or runs other programs")
    if any("%G" in word or "signature" in word for word in rest):
        raise Unproven("checking a signature runs another program")
    return replace(known(rest[1:]), directory=directory)


def _paths_in(operands: Iterable[str]) -> tuple[str, ...]:
    """The paths that operands may name: what stands behind any colon (`HEAD:x`, `:0:x`, `:(top)x`), or all of one."""
    found: list[str] = []
    for operand in operands:
        found.append(operand)
        # Behind a colon at the start a slash means the top of the repository (gitglossary(7), pathspec).
        rest = operand
        while ":" in rest:
            rest = rest.partition(":")[2]
            found.append(re.sub(r"^(?:\([^)]*\)|[!^]*/?)", "", rest))
    return tuple(path for path in found if path)
