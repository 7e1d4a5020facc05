"""What a Git repository's settings make of commands that only read: some of them name programs that Git then runs."""

import re
from collections.abc import Iterable
from typing import Final

# From git-config(1), gitattributes(5) and githooks(5) of Git 2.47. A key is its section and name, in lower case.
_RUNS: Final = re.compile(
    r"""
    core\.(fsmonitor|pager|sshcommand|gitproxy|askpass|alternaterefscommand|attributesfile|worktree)
    | pager\..* | interactive\.difffilter | credential\..*helper
    | diff\.external | diff\..*\.(command|textconv|xfuncname) | difftool\..* | merge\..*\.driver
    | filter\..*\.(clean|smudge|process)
    | gpg\..*program | gpg\.program | log\.showsignature
    | submodule\..* | uploadpack\..* | remote\..*\.(uploadpack|receivepack|vcs) | protocol\..*allow
    | extensions\.partialclone | remote\..*\.promisor
    | trace2\..*
    """,
    re.VERBOSE,
)
_HARMLESS: Final = frozenset({"", "false", "0", "no", "off"})
_SWITCHES: Final = frozenset({"core.fsmonitor", "log.showsignature"})
_PROGRAM_ALSO_FALSE: Final = re.compile(r"pager\..*")


def hazard(entries: Iterable[tuple[str, str]]) -> str:
    """The setting (key, value) by which a reading command would run a program, or ""; keys as Git prints them."""
    for key, value in entries:
        folded = key.casefold()
        if "%G" in value and folded.startswith(("format.", "pretty.")):
            return key
        if not _RUNS.fullmatch(folded):
            continue
        if folded.endswith("xfuncname"):
            continue
        if folded in ("core.worktree", "core.attributesfile"):
            return key
        off = value.casefold() in _HARMLESS
        if off and (folded in _SWITCHES or _PROGRAM_ALSO_FALSE.fullmatch(folded)):
            continue
        return key
    return ""


def parse_config(listing: bytes) -> list[tuple[str, str]]:
    """The entries of `git config --list -z`: a key, a newline and a value, each ended by NUL; a key alone is true."""
    entries = []
    for entry in listing.split(b"\0"):
        if entry:
            key, _, value = entry.decode("utf-8", "replace").partition("\n")
            entries.append((key, value))
    return entries
