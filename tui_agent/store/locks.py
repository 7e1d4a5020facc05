"""Who has a session open: a lock that ends with its process, however that ends, and a note of whose it is."""

import errno
import fcntl
import hashlib
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from msgspec import DecodeError, Struct, convert

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Holder(Struct, frozen=True):
    """A process that has a session open, as it wrote of itself; `since` in Unix seconds.

    What could not be read is 0 or empty.
    """

    process: int = 0
    since: float = 0.0
    host: str = ""

    def describe(self) -> str:
        """It for people: `process 4711 since 14:02`."""
        parts = [f"process {self.process}"] if self.process else []
        if self.host and self.host != socket.gethostname():
            parts.append(f"on {self.host}")
        if 0 < self.since < 1e11:
            parts.append(time.strftime("since %H:%M", time.localtime(self.since)))
        return " ".join(parts)


class SessionLocks:
    """The sessions that this process has open, each by a lock on a file in `folder`.

    The system gives a lock back when its process ends, so none is ever stale. `missing` says why there are none, where
    the file system has no locks or the folder cannot be written: then another window is not told, and only what both
    write is kept apart.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self.missing = ""

    def take(self, session: str) -> Holder | None:
        """Lock a session; who else has it open, or None. Locked twice is locked once."""
        if session in self._held:
            return None
        path = self._path(session)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            while True:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _same_file(descriptor, path):
                        self._note(descriptor)
                        self._held[session] = descriptor
                        return None
                except BlockingIOError:
                    return _read(descriptor)
                finally:
                    if self._held.get(session) != descriptor:
                        os.close(descriptor)
                # Its holder left and took the file away in between: once more.
        except OSError as error:
            reason = "the file system has no locks" if error.errno in _UNSUPPORTED else error.strerror or str(error)
            self.missing = f"{self._folder}: {reason}"
            return None

    def release(self, session: str) -> None:
        """Let others have it; nothing happens if it was not locked."""
        descriptor = self._held.pop(session, None)
        if descriptor is not None:
            with suppress(OSError):  # still locked, so that nobody has taken it meanwhile
                self._path(session).unlink(missing_ok=True)
            os.close(descriptor)

    def release_all(self) -> None:
        """Let others have all of them, and clear away what processes left that were killed."""
        for session in list(self._held):
            self.release(session)
        with suppress(OSError):
            for path in self._folder.glob("*.lock"):
                _clear(path)

    def _path(self, session: str) -> Path:
        # Not the id itself: it comes from a file, and this is a path.
        return self._folder / f"{hashlib.sha256(session.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.lock"

    def _note(self, descriptor: int) -> None:
        note = json.dumps({"process": os.getpid(), "since": time.time(), "host": socket.gethostname()})
        with suppress(OSError):  # a full disk: then nobody reads whose it is
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, note.encode(), 0)


def _clear(path: Path) -> None:
    """Take a lock's file away if nobody has it; who is about to lock it sees that it is gone, and makes another."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _same_file(descriptor, path):
            path.unlink()
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> Holder:
    try:
        return convert(json.loads(os.pread(descriptor, 1000, 0)), Holder)
    except (OSError, ValueError, RecursionError, DecodeError):
        return Holder()
