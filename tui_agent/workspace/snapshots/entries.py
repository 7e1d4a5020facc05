"""What is known of a folder from the last look at it: enough to see by `stat` alone what changed."""

import os
import stat
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from tui_agent.workspace.snapshots.states import State

_TYPE: Final = 0o170000
_FOLDER: Final = stat.S_IFDIR
_LINK: Final = stat.S_IFLNK

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Entry(NamedTuple):
    """A file, link or folder; times in nanoseconds. `content` and `lost` are as in `State`.

    An entry that is not `settled` was changed so shortly before it was read that a further change may not show in its
    times. Of a folder only the mode counts.
    """

    ctime: int
    ino: int
    size: int
    mtime: int
    mode: int
    content: bytes
    settled: bool = True
    lost: str = ""

    @classmethod
    def of(cls, status: os.stat_result, content: bytes, settled: bool, lost: str = "") -> "Entry":
        """That of a file or link with this status."""
        times = (status.st_ctime_ns, status.st_ino, status.st_size, status.st_mtime_ns)
        return cls(*times, status.st_mode, content, settled, lost)

    def holds(self, status: os.stat_result) -> bool:
        """Whether what is known of a file or link still holds; of a folder nothing does."""
        return (
            self.ctime == status.st_ctime_ns
            and self.ino == status.st_ino
            and self.size == status.st_size
            and self.mode == status.st_mode
            and self.settled
            and not self.lost
        )

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode & _TYPE == _FOLDER

    @property
    def state(self) -> State:
        """The same, as it is kept."""
        if self.is_folder:
            return State("folder", self.mode & 0o7777)
        if self.mode & _TYPE == _LINK:
            return State("link", 0, self.mtime, self.content)
        return State("file", self.mode & 0o7777, self.mtime, self.content, self.lost)

    def differs(self, other: "Entry") -> bool:
        """Whether it is another thing, holds something else, or may do other things; times do not count."""
        if self.mode != other.mode:
            return True
        if self.lost or other.lost:
            return self[:4] != other[:4]
        return self.content != other.content


Ignored = tuple[bool, int, int]
"""Of what is ignored: whether it is a folder, its inode, and of a file the time of its last change."""


def ignored_entry(status: os.stat_result) -> Ignored:
    """What is noted of something that is ignored."""
    is_folder = status.st_mode & _TYPE == _FOLDER
    return is_folder, status.st_ino, 0 if is_folder else status.st_mtime_ns


class Folder(NamedTuple):
    """What is in a folder: `entries` by name, and what is `ignored` there under the rules called `rules`."""

    entries: dict[str, Entry]
    ignored: dict[str, Ignored]
    rules: object = None

    def same(self, now: "Folder") -> bool:
        """Whether nothing is to be noted anew; entries that did not change are the same objects."""
        if self.rules is not now.rules or self.ignored != now.ignored or len(self.entries) != len(now.entries):
            return False
        return all(self.entries.get(name) is entry for name, entry in now.entries.items())


class Tree(NamedTuple):
    """All folders that were looked at, by their absolute path; `gaps` are what was not, and why.

    It is `short` when there was no time or room for all.
    """

    folders: dict[str, Folder]
    gaps: tuple[tuple[str, str], ...] = ()
    short: bool = False


def encoded(folder: Folder) -> bytes:
    """To be kept until the program runs again; what is not settled, or is lost, has to be looked at again then."""
    return _encode([[_bytes(name), *entry[:6]] for name, entry in folder.entries.items() if _lasts(entry)])


def decoded(data: bytes) -> Folder:
    """Raises msgspec.DecodeError, ValueError or TypeError when it is damaged."""
    rows: list[list[Any]] = _decode(data)
    return Folder({_text(name): Entry(*rest) for name, *rest in rows}, {})


def hashes_in(data: bytes) -> Iterator[bytes]:
    """The hashes of the files of an encoded folder."""
    for row in _decode(data):
        if row[5] & _TYPE not in (_FOLDER, _LINK):
            yield row[6]


def _lasts(entry: Entry) -> bool:
    return entry.settled and not entry.lost


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
