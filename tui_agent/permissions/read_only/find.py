"""find and fd: walks that print; nothing of them that runs, deletes or writes."""

from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.options import operands, options
from tui_agent.permissions.read_only.verdict import Reads, Unproven

# fmt: off
_ALONE: Final = frozenset(
    {
        "-print", "-print0", "-empty", "-prune", "-not", "!", "-a", "-and", "-o", "-or", ",", "(", ")", "-true",
        "-false", "-depth", "-d", "-xdev", "-mount", "-daystart", "-readable", "-writable", "-executable", "-nouser",
        "-nogroup", "-ls", "-noleaf", "-quit", "-warn", "-nowarn", "-ignore_readdir_race", "-noignore_readdir_race",
    }
)
_WITH_VALUE: Final = frozenset(
    {
        "-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-regex", "-iregex", "-regextype", "-type",
        "-xtype", "-size", "-mtime", "-atime", "-ctime", "-mmin", "-amin", "-cmin", "-maxdepth", "-mindepth", "-perm",
        "-user", "-group", "-uid", "-gid", "-links", "-inum", "-lname", "-ilname", "-printf", "-fstype", "-used",
        "-newermt", "-newerat", "-newerct",
    }
)
_WITH_FILE: Final = frozenset({"-newer", "-anewer", "-cnewer", "-samefile"})
# fmt: on
_FD: Final = options(
    "sigFap0q1H",
    "detEScj",
    "case-sensitive ignore-case glob regex fixed-strings absolute-path full-path print0 quiet "
    "show-errors one-file-system prune",
    "max-depth min-depth exact-depth type extension exclude size changed-within changed-before color "
    "threads max-results "
    "format path-separator",
)


def find(words: Sequence[str]) -> Reads:
    """Starting points, then an expression of tests and `-print` in its forms."""
    waiting = list(reversed(words))
    paths: list[str] = []
    while waiting and waiting[-1] in ("-P", "-H"):
        waiting.pop()
    while waiting and not waiting[-1].startswith("-") and waiting[-1] not in ("(", "!", ","):
        paths.append(waiting.pop())
    while waiting:
        word = waiting.pop()
        if word in _ALONE:
            continue
        if word not in _WITH_VALUE and word not in _WITH_FILE:
            raise Unproven(f"`find {word}` is not known to be harmless")
        if not waiting:
            raise Unproven(f"`find {word}` has no value")
        value = waiting.pop()
        if word in _WITH_FILE:
            paths.append(value)
    return Reads(tuple(paths))


def fd(words: Sequence[str]) -> Reads:
    """A pattern, then starting points; without `-x`, `-X`, `-L`, `-u` and `-I`."""
    return Reads(tuple(operands("fd", words, _FD)[1:]))
