"""Git commands that read; what the repository's own settings make of them is another question (`repository.py`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tui_agent.permissions.read_only.options import Options, operands, options
from tui_agent.permissions.read_only.verdict import Reads, Unproven

_DIFF_LONG: Final = (
    "patch no-patch raw patch-with-raw patch-with-stat stat numstat shortstat summary name-only "
    "name-status cached staged "
    "minimal patience histogram color no-color color-words no-color-moved word-diff no-renames check full-index binary "
    "ignore-space-at-eol ignore-space-change ignore-all-space ignore-blank-lines function-context exit-code quiet "
    "no-ext-diff no-textconv merge-base text relative no-relative find-renames find-copies dirstat "
    "no-prefix cc combined-all-paths "
    "ignore-cr-at-eol ita-invisible-in-index indent-heuristic no-indent-heuristic color-moved abbrev stat submodule"
)
_DIFF_VALUED: Final = (
    "unified diff-algorithm stat-width stat-name-width stat-count diff-filter word-diff-regex inter-hunk-context "
    "src-prefix dst-prefix line-prefix ignore-submodules"
)
_LOG_LONG: Final = (
    "oneline graph all branches tags remotes decorate no-decorate reverse merges no-merges first-parent follow "
    "abbrev-commit no-abbrev-commit full-history topo-order date-order author-date-order source "
    "left-right cherry-pick cherry-mark "
    "simplify-by-decoration ancestry-path parents children boundary no-walk regexp-ignore-case invert-grep all-match "
    "extended-regexp fixed-strings perl-regexp relative-date no-notes root clear-decorations no-patch pretty format"
)
_LOG_VALUED: Final = (
    "format pretty max-count skip since after until before author committer grep date decorate-refs "
    "decorate-refs-exclude "
    "min-parents max-parents branches tags remotes glob exclude encoding"
)
_DIFF: Final = options("abpuRsw", "USG", _DIFF_LONG, _DIFF_VALUED)
_LOG: Final = options(
    "abpuRswzigEFPcm", "USGn", f"{_DIFF_LONG} {_LOG_LONG}", f"{_DIFF_VALUED} {_LOG_VALUED}", numbers=True
)
_STATUS: Final = options(
    "sbvzu",
    "",
    "short branch show-stash porcelain long verbose null untracked-files ignored no-column column "
    "ahead-behind no-ahead-behind "
    "renames no-renames find-renames",
    "untracked-files porcelain ignored ignore-submodules",
)
_REV_PARSE: Final = options(
    "q",
    "",
    "show-toplevel git-dir absolute-git-dir git-common-dir is-inside-work-tree is-inside-git-dir is-bare-repository "
    "show-prefix show-cdup abbrev-ref short verify quiet symbolic symbolic-full-name all branches tags remotes",
    "short abbrev-ref",
)
_LS_FILES: Final = options(
    "cdmostuikzv",
    "x",
    "cached deleted modified others ignored stage unmerged killed directory no-empty-directory eol full-name "
    "exclude-standard error-unmatch deduplicate",
    "exclude abbrev format",
)
_BLAME: Final = options(
    "bcefhlnpstw", "L", "line-porcelain porcelain show-name show-number show-email root", "date abbrev"
)
_GREP: Final = options(
    "IivwnHhlLczcEFGPpqWa",
    "eABCm",
    "ignore-case invert-match word-regexp line-number files-with-matches files-without-match name-only count "
    "extended-regexp fixed-strings basic-regexp perl-regexp quiet cached untracked break heading show-function "
    "function-context full-name column only-matching all-match and or not text null",
    "max-depth after-context before-context context threads max-count color",
)
_CAT_FILE: Final = options("tspe")
_SHOWN_SETTING: Final = re.compile(r"(?:user|core|init|branch|color|diff|merge|pull|push)\.[\w.-]+")
_REVISION: Final = re.compile(r"[^:]*:(?P<path>.+)")


def _reading(
    name: str, known: Options, *, most: int = 10_000, patterns: int = 0
) -> tuple[str, Callable[[Sequence[str]], Reads]]:
    def judge(words: Sequence[str]) -> Reads:
        found = operands(f"git {name}", words, known)
        if len(found) > most:
            raise Unproven(f"`git {name}` with {len(found)} operands is not known to be harmless")
        return Reads(tuple(map(_path_in, found[patterns:])), repository=True)

    return name, judge


def _listing(name: str, known: Options, *, with_operands: str = "") -> tuple[str, Callable[[Sequence[str]], Reads]]:
    """A command that lists without operands, and makes something with them unless the option is given."""

    def judge(words: Sequence[str]) -> Reads:
        found = operands(f"git {name}", words, known)
        if found and not (with_operands and any(word in with_operands.split() for word in words)):
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
    if len(words) == 2 and words[0] == "--get" and _SHOWN_SETTING.fullmatch(words[1]):
        return Reads(repository=True)
    raise Unproven("`git config` changes settings, or may show secrets")


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], Reads]]] = dict(
    (
        _reading("status", _STATUS),
        _reading("diff", _DIFF),
        _reading("log", _LOG),
        _reading("show", _LOG),
        _reading("whatchanged", _LOG),
        _reading("shortlog", options("snec", "", "summary numbered email", "format since until author")),
        _reading("blame", _BLAME),
        _reading("rev-parse", _REV_PARSE),
        _reading("rev-list", _LOG),
        _reading("ls-files", _LS_FILES),
        _reading(
            "ls-tree",
            options("drtlz", "", "name-only name-status long full-name full-tree object-only", "format abbrev"),
        ),
        _reading("cat-file", _CAT_FILE),
        _reading("grep", _GREP, patterns=1),
        _reading(
            "describe",
            options(
                "",
                "",
                "tags all always long contains exact-match first-parent abbrev",
                "match exclude abbrev candidates",
            ),
        ),
        _reading("merge-base", options("a", "", "all octopus is-ancestor independent")),
        _reading("name-rev", options("", "", "tags name-only always", "refs")),
        _reading("show-ref", options("ds", "", "heads tags head dereference hash", "hash abbrev")),
        _reading("for-each-ref", options("", "", "", "format sort count")),
        _reading("count-objects", options("vH", "", "verbose human-readable"), most=0),
        _reading("check-ignore", options("vqn", "", "verbose quiet no-index non-matching")),
        _listing(
            "branch",
            options("avri", "", "list all remotes verbose show-current no-color color no-abbrev", "sort format abbrev"),
            with_operands="--list",
        ),
        _listing("tag", options("lni", "", "list no-column column color", "sort format"), with_operands="--list -l"),
        _listing("remote", options("v", "", "verbose")),
        _verbs("stash", ("list",)),
        _verbs("worktree", ("list",)),
        _verbs("reflog", (), ("show",)),
        _verbs("version", ()),
        ("config", _config),
    )
)


def git(words: Sequence[str]) -> Reads:
    """`git SUBCOMMAND …`, without options before the subcommand but `--no-pager` and `-P`."""
    rest = list(words)
    while rest and rest[0] in ("--no-pager", "-P", "--no-optional-locks"):
        rest.pop(0)
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
    return known(rest[1:])


def _path_in(operand: str) -> str:
    """The path that an operand may name: behind `HEAD:`, or all of it."""
    found = _REVISION.fullmatch(operand)
    return found["path"] if found else operand
