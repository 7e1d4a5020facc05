"""Confinement: which file a path text means, and opening it beneath the directory that allows it."""

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tui_agent.conversation.errors import RefusedError, WorkspaceError

MAX_PATH_BYTES: Final = 4096
MAX_NAME_BYTES: Final = 255

_OPEN_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)
_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_SYS_OPENAT2: Final = 437  # one number on every Linux architecture
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08


@dataclass(frozen=True, slots=True)
class Root:
    """A directory that tools may work in, and which one it was when the session began."""

    path: Path
    device: int
    inode: int
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Location:
    """A path that was judged: inside `root`, free of links, not yet opened.

    `name` is what people and models see: relative to the working directory when inside it, else absolute.
    """

    path: Path
    name: str
    root: Root

    @property
    def parts(self) -> tuple[str, ...]:
        """The components below the root; empty for the root itself."""
        return self.path.relative_to(self.root.path).parts


class Workspace:
    """The working directory and the directories allowed besides it.

    Relative paths are read against `root`. Empty entries of `allowed` are ignored, never taken for `/` or the
    current directory (`Path("")` is `Path(".")`, so that one is ignored too).

    Raises:
        WorkspaceError: a directory is missing or not a directory.
    """

    def __init__(
        self, root: str | Path, allowed: Iterable[str | Path] = (), *, readable: Iterable[str | Path] = ()
    ) -> None:
        self.root = _root(root, writable=True)
        extra = [_root(entry, writable=True) for entry in allowed if not _is_empty(entry)]
        extra += [_root(entry, writable=False) for entry in readable]
        self.roots: tuple[Root, ...] = (self.root, *extra)

    def resolve(self, text: str, *, for_write: bool = False) -> Location:
        """The one file or directory that `text` means; it need not exist.

        Links are followed first and the root is chosen afterwards, by path components. Nothing is expanded but a
        leading `~/`, and nothing is decoded.

        Raises:
            WorkspaceError: not a usable path, or the working directory has gone.
            RefusedError: outside the working and allowed directories.
        """
        _check_text(text)
        self.check()
        try:
            path = Path(text).expanduser() if text == "~" or text.startswith("~/") else Path(text)
            resolved = Path(os.path.realpath(self.root.path / path))
        except (OSError, ValueError, RecursionError) as error:
            raise WorkspaceError(f"cannot use the path {quoted(text)}: {_trouble(error)}") from error
        for root in self.roots:
            if resolved.is_relative_to(root.path) and (root.writable or not for_write):
                if text.endswith("/") and resolved.is_file():
                    raise WorkspaceError(f"{quoted(text)} is a file, not a directory")
                return Location(resolved, self.name_of(resolved), root)
        raise RefusedError(
            f"{quoted(text)} is outside the working directory {self.root.path} and the allowed directories",
            'Use a relative path ("." is the working directory); the user can allow more with --allowed-dirs.',
        )

    def name_of(self, path: Path) -> str:
        """How `path` is shown: relative to the working directory when inside it."""
        if path.is_relative_to(self.root.path):
            return str(path.relative_to(self.root.path))
        return str(path)

    def check(self) -> None:
        """Raise WorkspaceError when the working directory has gone or another one took its place."""
        with open_root(self.root):
            pass

    def with_readable(self, directory: Path) -> "Workspace":
        """The same workspace with one more directory that may be read but not written.

        Its other directories stay the ones that they were at first, whatever lies at their paths now.
        """
        added = _root(directory, writable=False)
        if added in self.roots:
            return self
        grown = Workspace.__new__(Workspace)
        grown.root, grown.roots = self.root, (*self.roots, added)
        return grown


@contextmanager
def open_root(root: Root) -> Iterator[int]:
    """A descriptor of the root, after making sure that it is still the same directory."""
    try:
        descriptor = os.open(root.path, _DIRECTORY_FLAGS)
    except OSError as error:
        raise WorkspaceError(
            f"the directory {root.path} cannot be used any more: {os.strerror(error.errno or 0)}",
            "Restore it, or start again in another directory.",
        ) from error
    try:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (root.device, root.inode):
            raise WorkspaceError(
                f"the directory {root.path} was replaced by another one since the session began",
                "Start again to work in the new one.",
            )
        yield descriptor
    finally:
        os.close(descriptor)


def open_beneath(location: Location, flags: int) -> int:
    """Open exactly `location`, following no link on the way; the caller closes the descriptor.

    Devices and fifos do not block and a terminal does not become ours. A link that appeared since the path was judged
    is refused.

    Raises:
        OSError: as from `open(2)`; ELOOP or EXDEV when the path has become a link.
    """
    with open_root(location.root) as root:
        return _open_parts(root, location.parts, flags | _OPEN_FLAGS)


def open_below(root: int, parts: tuple[str, ...], flags: int) -> int:
    """As `open_beneath` for a root that is open already, by the components below it.

    Raises:
        OSError: as from `open(2)`; ELOOP or EXDEV when something on the way is a link.
    """
    return _open_parts(root, parts, flags | _OPEN_FLAGS)


@contextmanager
def open_parent(location: Location, *, create: bool = False) -> Iterator[int]:
    """A descriptor of the directory that holds `location`; missing directories are made when `create`.

    Raises:
        OSError: as from `open(2)` and `mkdir(2)`.
    """
    with open_root(location.root) as root:
        parents = location.parts[:-1]
        try:
            descriptor = _open_parts(root, parents, _DIRECTORY_FLAGS)
        except FileNotFoundError:
            if not create:
                raise
            descriptor = _make_parents(root, parents)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def folder_above(location: Location) -> tuple[Path, os.stat_result]:
    """The deepest directory on the way to `location` that is there, no link on the way.

    Raises:
        OSError: as from `open(2)`; ENOTDIR, ELOOP or EXDEV when something else is in the way.
    """
    with open_root(location.root) as root:
        parents = location.parts[:-1]
        while True:
            try:
                descriptor = _open_parts(root, parents, _DIRECTORY_FLAGS)
            except FileNotFoundError:
                if not parents:
                    raise
                parents = parents[:-1]
                continue
            try:
                return location.root.path.joinpath(*parents), os.fstat(descriptor)
            finally:
                os.close(descriptor)


def mode_beneath(location: Location) -> int:
    """What kind of thing is at `location`, no link followed on the way nor at its end.

    Raises:
        OSError: as from `stat(2)`; ELOOP or EXDEV when the way has become a link.
    """
    with open_root(location.root) as root:
        if not location.parts:
            return os.fstat(root).st_mode
    with open_parent(location) as directory:
        return os.stat(location.path.name, dir_fd=directory, follow_symlinks=False).st_mode


def quoted(text: str) -> str:
    """A path as shown in a message: as it is when plainly printable, else escaped; long ones are cut."""
    shown = text if text.isprintable() and text else ascii(text)
    return shown if len(shown) <= 200 else f"{shown[:120]}… ({len(text)} characters)"


def _root(entry: str | Path, *, writable: bool) -> Root:
    try:
        path = Path(os.path.realpath(Path(entry).expanduser()))
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WorkspaceError(f"cannot use the directory {quoted(str(entry))}: {reason}") from error
    if not path.is_dir():
        raise WorkspaceError(f"{quoted(str(entry))} is not a directory")
    return Root(path, status.st_dev, status.st_ino, writable)


def _trouble(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.errno == errno.EINVAL:  # a link that was none any more when it was to be read
        return "it was changed while it was looked at; try again"
    return error.strerror.lower()


def _is_empty(entry: str | Path) -> bool:
    return entry == Path() if isinstance(entry, Path) else not entry.strip()


def _check_text(text: str) -> None:
    if not text:
        raise WorkspaceError("the path is empty")
    if "\0" in text:
        raise WorkspaceError(f"a path cannot hold a NUL character: {quoted(text)}")
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise WorkspaceError(f"the path {quoted(text)} holds a lone surrogate, which no file name can") from error
    if len(encoded) > MAX_PATH_BYTES or any(len(part) > MAX_NAME_BYTES for part in encoded.split(b"/")):
        raise WorkspaceError(f"the path is too long: {quoted(text)}")


def _open_parts(root: int, parts: tuple[str, ...], flags: int) -> int:
    if not parts:
        return os.open(".", flags, dir_fd=root)
    if openat2 := _openat2():
        return openat2(root, "/".join(parts), flags)
    return _open_each(root, parts, flags)


def _open_each(root: int, parts: tuple[str, ...], flags: int) -> int:
    """Without openat2: one component at a time, none of them a link."""
    current = os.dup(root)
    try:
        for part in parts[:-1]:
            following = os.open(part, _DIRECTORY_FLAGS, dir_fd=current)
            os.close(current)
            current = following
        return os.open(parts[-1], flags | os.O_NOFOLLOW, dir_fd=current)
    finally:
        os.close(current)


def _make_parents(root: int, parts: tuple[str, ...]) -> int:
    current = os.dup(root)
    try:
        for part in parts:
            try:
                os.mkdir(part, dir_fd=current)
            except FileExistsError:
                pass
            following = os.open(part, _DIRECTORY_FLAGS, dir_fd=current)
            os.close(current)
            current = following
        return os.dup(current)
    finally:
        os.close(current)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class _Openat2:
    """openat2(2), with which the kernel itself keeps the walk beneath the directory."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall

    def __call__(self, directory: int, path: str, flags: int) -> int:
        how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS)
        size = ctypes.c_size_t(ctypes.sizeof(how))
        while True:
            result: int = self._syscall(_SYS_OPENAT2, directory, os.fsencode(path), ctypes.byref(how), size)
            if result >= 0:
                return result
            code = ctypes.get_errno()
            if code not in (errno.EINTR, errno.EAGAIN):
                raise OSError(code, os.strerror(code), path)


@functools.cache
def _openat2() -> _Openat2 | None:
    """None where the kernel has no openat2 or a filter forbids it."""
    if sys.platform != "linux":
        return None
    openat2 = _Openat2()
    root = os.open("/", _DIRECTORY_FLAGS)
    try:
        os.close(openat2(root, ".", _DIRECTORY_FLAGS))
    except OSError:
        return None
    finally:
        os.close(root)
    return openat2
