"""What a screen wants to know of a repository, read from files: git itself may run programs of the repository."""

import os
import stat
from pathlib import Path

_HEAD_LIMIT = 4096


def branch(directory: Path) -> str:
    """The checked-out branch of the repository that `directory` is in, a short hash when detached, else "".

    Follows `gitdir:` files of worktrees and submodules (gitrepository-layout(5)).
    """
    for folder in (directory, *directory.parents):
        marker = folder / ".git"
        try:
            if marker.is_dir():
                return _head(marker / "HEAD")
            if marker.is_file():
                place = _first_line(marker).removeprefix("gitdir:").strip()
                return _head((folder / place) / "HEAD")
        except (OSError, ValueError):
            return ""
    return ""


def _head(path: Path) -> str:
    line = _first_line(path)
    if line.startswith("ref:"):
        return line.removeprefix("ref:").strip().removeprefix("refs/heads/")
    return line[:8]


def _first_line(path: Path) -> str:
    """The first line of a file; a pipe in its place is not waited for.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no file")
        return file.read(_HEAD_LIMIT).decode("utf-8", "replace").partition("\n")[0].strip()
