"""Putting bytes in the place of a file at one stroke, so that whatever ends us leaves the old or the new, and no more.

Where the system can, the bytes lie in a file without a name until they are whole. To replace a file it gets one for a
moment: what a crash in that moment leaves, `remove_leftovers` takes away.
"""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable
from typing import Final

from tui_agent.workspace.paths import Location, open_parent

_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""How file systems answer that have no hard links."""
_NO_UNNAMED: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
"""How systems answer that have no files without a name."""
_NAME_SHOWN: Final = 40
_UNNAMED: Final[int] = getattr(os, "O_TMPFILE", 0)


class _NoUnnamedFile(Exception):
    """A file without a name cannot be made here, or cannot be given one."""


def put(directory: int, name: str, data: bytes, check: Callable[[int], None]) -> None:
    """Let the file `name` of a directory hold `data`, with the mode and owner of the file that is replaced.

    `check` gets the directory when all that is left is to put the file in its place; what it raises stops that.

    Raises:
        OSError: it was not done, and nothing is left behind.
    """
    old = _replaceable(directory, name)
    try:
        _put(directory, name, data, check, old, unnamed=True)
    except _NoUnnamedFile:
        _put(directory, name, data, check, old, unnamed=False)
    os.fsync(directory)


def remove_leftovers(location: Location) -> None:
    """Remove what programs that were killed while they wrote this file left beside it; of one that still runs, nothing.

    Raises:
        OSError, WorkspaceError: the directory cannot be read.
    """
    shown = re.escape(location.path.name[:_NAME_SHOWN])
    with open_parent(location) as directory:
        for entry in os.listdir(directory):  # noqa: PTH208 - a descriptor is no path
            if re.fullmatch(rf"\.{shown}\.[0-9a-f]{{12}}\.tmp", entry):
                _remove_unused(directory, entry)


def kind_of(mode: int) -> str:
    """What a file mode says the thing is, with its article."""
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a link",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def _put(
    directory: int,
    name: str,
    data: bytes,
    check: Callable[[int], None],
    old: os.stat_result | None,
    *,
    unnamed: bool,
) -> None:
    temporary = f".{name[:_NAME_SHOWN]}.{secrets.token_hex(6)}.tmp"
    descriptor = _open(directory, temporary, 0o666 if old is None else 0o600, unnamed=unnamed)
    try:
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # `remove_leftovers` of another program lets it be
            file.write(data)
            file.flush()
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
            os.fsync(descriptor)
            check(directory)
            if _owner_and_mode(_replaceable(directory, name)) != _owner_and_mode(old):
                raise OSError(errno.EAGAIN, "its mode or owner was changed meanwhile")
            if unnamed:
                _give_name(descriptor, directory, name if old is None else temporary)
            elif old is None:
                _put_new(directory, temporary, name)
            if old is not None:
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        try:
            os.unlink(temporary, dir_fd=directory)
        except FileNotFoundError:
            pass
        raise


def _open(directory: int, temporary: str, mode: int, *, unnamed: bool) -> int:
    flags = os.O_WRONLY | os.O_CLOEXEC
    if not unnamed:
        return os.open(temporary, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=directory)
    if not _UNNAMED:
        raise _NoUnnamedFile
    try:
        return os.open(".", flags | _UNNAMED, mode, dir_fd=directory)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            raise _NoUnnamedFile from error
        raise


def _give_name(descriptor: int, directory: int, name: str) -> None:
    """Give an open file a name that nothing has; FileExistsError when something has it by now."""
    try:
        # With a directory named, Python follows the link, which leads to the file itself.
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=True)
    except OSError as error:
        if error.errno in (*_NO_LINKS, *_NO_UNNAMED, errno.EXDEV):
            raise _NoUnnamedFile from error
        raise


def _put_new(directory: int, temporary: str, name: str) -> None:
    """Give a file a name that nothing has; FileExistsError when something has it by now."""
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    else:
        os.unlink(temporary, dir_fd=directory)


def _replaceable(directory: int, name: str) -> os.stat_result | None:
    """What is to be replaced; None when there is nothing."""
    try:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is {kind_of(status.st_mode)}, not a file")
    if not status.st_mode & 0o222:
        raise PermissionError(errno.EACCES, "it is marked read-only")
    return status


def _owner_and_mode(status: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if status is None else (status.st_uid, status.st_gid, status.st_mode)


def _keep_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            pass  # only root may give a file away; then it becomes ours, as with any editor
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _remove_unused(directory: int, entry: str) -> None:
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(entry, dir_fd=directory)
    except OSError:
        pass  # somebody writes it just now, or has taken it away
    finally:
        os.close(descriptor)
