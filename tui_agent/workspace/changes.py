"""A prepared change, as plain data: which file, what is in it, what will be."""

from functools import cached_property

from msgspec import Struct


class FileIdentity(Struct, frozen=True):
    """Which file, holding which bytes, a change was prepared against."""

    device: int
    inode: int
    sha256: str


class FolderIdentity(Struct, frozen=True):
    """Which directory was the deepest one on the way to a file when a change was prepared."""

    path: str
    device: int
    inode: int


class FileChange(Struct, frozen=True):
    """One file before and after.

    `path` is absolute and resolved; `name` is what people and models see (relative to the working directory where
    possible). `before is None` means the file does not exist yet; then `identity` is None too. `match` says how an
    edit found its place when that was not an exact match (for the row and the model), else "". `folder` is where the
    file lies, or as much of the way as there was; None when that does not matter.
    """

    path: str
    name: str
    before: bytes | None
    after: bytes
    identity: FileIdentity | None
    match: str = ""
    folder: FolderIdentity | None = None


class ChangePlan(Struct, frozen=True, dict=True):
    """All changes of one call, resolved once; shown, approved and applied as one value."""

    changes: tuple[FileChange, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every path, before and after: what an approval is bound to."""
        import hashlib  # the first paint imports this module and hashes nothing

        sha = hashlib.sha256()
        for change in self.changes:
            for part in (change.path.encode("utf-8", "surrogateescape"), change.before, change.after):
                sha.update(b"-" if part is None else b"%d:" % len(part) + part)
        return sha.hexdigest()
