"""How far a command in a sandbox reaches."""

from collections.abc import Iterable

from msgspec import Struct


class Bounds(Struct, frozen=True):
    """What a command may touch; absolute paths without links, all of them there.

    `writable` are folders. Below them `protected` cannot be written, and `pinned` folders can, but not be moved away.
    `readable` folders can be read even where what is around them is hidden. Of what is hidden the command sees empty
    folders and empty files; a pinned or protected path that is hidden stays hidden. Otherwise the nearest entry above a
    path decides. `read_only` makes `writable` folders readable.
    """

    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    hidden_folders: tuple[str, ...] = ()
    hidden_files: tuple[str, ...] = ()
    network: bool = False
    read_only: bool = False

    def shows(self, path: str) -> bool:
        """True when a path below a writable folder is not hidden."""
        if path in self.hidden_files:
            return False
        return _nearest(path, self.writable) >= _nearest(path, self.hidden_folders)


def _nearest(path: str, folders: Iterable[str]) -> int:
    """The length of the nearest of the folders that a path is in, or is."""
    return max((len(each) for each in folders if path == each or path.startswith(each.rstrip("/") + "/")), default=0)
