"""What .gitignore leaves out, and what Git tracks all the same: read from files, so that nothing of it is run."""

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from tui_agent.text.globs import IgnoreRule, judge, parse_gitignore

MOST_RULES: Final = 60_000
"""Bytes of one .gitignore that count; what is behind them is kept."""
MOST_INDEX: Final = 50_000_000
"""Bytes of a Git index that is read."""

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Rules(NamedTuple):
    """The rules of one .gitignore for what is below `folder`; `any` matches what at least one of them does."""

    folder: str
    any: re.Pattern[str]
    each: tuple[IgnoreRule, ...]


Chain = tuple[Rules, ...]
"""The rules in force in a folder, outermost first."""


def rules_of(folder: str, text: str) -> Chain:
    """The rules of a .gitignore in a folder: one, or none when it says nothing."""
    each = parse_gitignore(text)
    if not each:
        return ()
    return (Rules(folder, re.compile("|".join(f"(?:{rule.expression.pattern})" for rule in each), re.DOTALL), each),)


def ignored(path: str, is_folder: bool, chain: Chain) -> bool:
    """Whether the rules leave out a path (absolute)."""
    for folder, some, each in reversed(chain):
        below = path[len(folder) + 1 :]
        if some.fullmatch(below) and (verdict := judge(each, below, is_folder)) is not None:
            return verdict
    return False


def read_rules(name: str, directory: int | None) -> str:
    """The text of a rules file; empty when there is none that can be read."""
    with suppress(OSError, ValueError):
        return _read(name, directory, MOST_RULES).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return ""


def _read(name: str, directory: int | None, most: int) -> bytes:
    """The beginning of a file; a pipe in its place is not waited for.

    Raises:
        OSError, ValueError: it cannot be read, or is no file.
    """
    descriptor = os.open(name, _FILE, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{name} is no file")
        return file.read(most)


def rules_above(root: str) -> Chain:
    """The rules of the folders above, up to the top of the repository that `root` is in, and that one's own."""
    chain: Chain = ()
    place = Path(root)
    for folder in (place, *place.parents):
        marker = folder / ".git"
        if folder != place:
            chain = (*rules_of(str(folder), read_rules(str(folder / ".gitignore"), None)), *chain)
        if os.path.lexists(marker):
            return (*rules_of(str(folder), read_rules(str(marker / "info" / "exclude"), None)), *chain)
    return ()


class Tracked:
    """The files that Git tracks around or in a folder: absolute paths by folder; read again when the index changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int], dict[str, set[str]]]] = {}

    def files(self, top: str) -> dict[str, set[str]]:
        """The names of tracked files by folder, for the repository whose work tree `top` is."""
        index = git_folder(top) / "index"
        try:
            status = index.stat()
            identity = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._known.get(top)
            if known is not None and known[0] == identity:
                return known[1]
            found: dict[str, set[str]] = {}
            for path in read_index(index):
                folder, _, name = path.rpartition("/")
                found.setdefault(f"{top}/{folder}" if folder else top, set()).add(name)
        except (OSError, ValueError):
            return {}
        self._known[top] = (identity, found)
        return found


def top_of(root: str) -> str:
    """The work tree that a folder is in; empty when it is in none."""
    place = Path(root)
    return next((str(folder) for folder in (place, *place.parents) if os.path.lexists(folder / ".git")), "")


def git_folder(top: str) -> Path:
    """Git's folder of a work tree; a `.git` file names it."""
    marker = Path(top, ".git")
    if marker.is_file():
        return Path(top, read_rules(str(marker), None).partition("\n")[0].removeprefix("gitdir:").strip())
    return marker


def head(top: str) -> str:
    """What is checked out there, for people: a branch or a short hash; empty when that cannot be told."""
    line = read_rules(str(git_folder(top) / "HEAD"), None).partition("\n")[0].strip()
    return line.removeprefix("ref: refs/heads/") if line.startswith("ref: ") else line[:8]


def read_index(path: Path, *, shared: bool = True) -> Sequence[str]:
    """The paths in a Git index, gitformat-index(5) versions 2 to 4; with those of its shared one, deleted or not.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file.
    """
    data = _read(str(path), None, MOST_INDEX + 1)
    if len(data) > MOST_INDEX:
        raise ValueError("too large")
    if data[:4] != b"DIRC" or (version := int.from_bytes(data[4:8], "big")) not in (2, 3, 4):
        raise ValueError("not an index")
    count = int.from_bytes(data[8:12], "big")
    for size in (20, 32):  # of the hashes
        with suppress(ValueError, IndexError):
            names, end = _names(data, version, count, size)
            return [os.fsdecode(name) for name in names if name] + (_shared(path, data, end, size) if shared else [])
    raise ValueError("damaged")


def _names(data: bytes, version: int, count: int, size: int) -> tuple[list[bytes], int]:
    names: list[bytes] = []
    at, previous = 12, b""
    for _ in range(count):
        flags = int.from_bytes(data[at + 40 + size : at + 42 + size], "big")
        start = at + 42 + size + (2 if flags & 0x4000 else 0)
        cut = 0
        if version == 4:
            byte = data[start]
            cut = byte & 0x7F
            while byte & 0x80:
                start += 1
                byte = data[start]
                cut = ((cut + 1) << 7) | (byte & 0x7F)
            start += 1
        end = data.index(b"\0", start)
        name = previous[: len(previous) - cut] + data[start:end] if version == 4 else data[start:end]
        if flags & 0xFFF != min(len(name), 0xFFF):
            raise ValueError("a name is longer or shorter than it says")
        names.append(name)
        previous = name
        at = end + 1 if version == 4 else at + ((end - at) // 8 + 1) * 8
    return names, at


def _shared(path: Path, data: bytes, at: int, size: int) -> list[str]:
    """The paths of the index that this one is only the difference to; a path too many does no harm."""
    while at + 8 < len(data) - size:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        if name == b"link":
            base = path.with_name(f"sharedindex.{data[at + 8 : at + 8 + size].hex()}")
            return list(read_index(base, shared=False)) if base.exists() else []
        at += 8 + length
    return []
