"""How far a command in a sandbox reaches."""

from msgspec import Struct


class Bounds(Struct, frozen=True):
    """What a command may touch; absolute paths without links, all of them there.

    `writable` are folders. Below them `protected` cannot be written, and `pinned` folders can, but not be moved away.
    `readable` folders can be read even where what is around them is hidden. Of what is hidden the command sees empty
    folders and empty files. The nearest entry above a path decides. `read_only` makes `writable` folders readable.
    """

    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    hidden_folders: tuple[str, ...] = ()
    hidden_files: tuple[str, ...] = ()
    network: bool = False
    read_only: bool = False
