"""What a Git repository's settings make of commands that only read: some of them name programs that Git then runs."""

import re
from collections.abc import Iterable
from typing import Final

# From git-config(1), gitattributes(5) and githooks(5) of Git 2.47. A key is its section and name, in lower case.
_RUNS: Final = re.compile(
    r"""
    core\.(fsmonitor|pager|sshcommand|gitproxy|askpass|alternaterefscommand|attributesfile|worktree)
    | pager\..* | interactive\.difffilter
    | diff\.external | diff\.submodule | diff\..*\.(command|textconv) | difftool\..* | merge\..*\.driver
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
_SWITCHED: Final = re.compile(r"pager\..*")


def hazard(entries: Iterable[tuple[str, str]]) -> str:
    """The setting (key, value) by which a reading command would run a program, or ""; keys as Git prints them."""
    for key, value in entries:
        folded = key.casefold()
        if "%G" in value and folded.startswith(("format.", "pretty.")):
            return key
        if not _RUNS.fullmatch(folded):
            continue
        off = value.casefold() in _HARMLESS
        if off and (folded in _SWITCHES or _SWITCHED.fullmatch(folded)):
            continue
        return key
    return ""


def parse_config(listing: bytes) -> list[tuple[str, str]]:
    """The repository's own entries in `git config --list --show-scope -z` (git-config(1)).

    An entry is a scope, then a key, a newline and a value (a key alone is true), each ended by NUL. What the user or
    the system set is their own wish.
    """
    fields = listing.split(b"\0")
    entries = []
    for scope, entry in zip(fields[::2], fields[1::2], strict=False):
        if scope not in (b"global", b"system"):
            key, _, value = entry.decode("utf-8", "replace").partition("\n")
            entries.append((key, value))
    return entries
