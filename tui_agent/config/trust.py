"""Which files of projects the user has trusted, by what they held then. Kept where no project can bring it along."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tui_agent.conversation.errors import StoreError

SETTINGS = "settings"
"""The kind of a project's own settings; other kinds of files may be kept beside them."""

_MAX_BYTES = 64 * 1024
_SUFFIX = ".json"


class Trusted(msgspec.Struct, frozen=True):
    """What was trusted: a file of some kind of a project (its real path), by the SHA-256 (hex) of its bytes.

    `at` is in Unix seconds, for people.
    """

    kind: str
    project: str
    digest: str
    at: float


def digest_of(data: bytes) -> str:
    """What a file is known by: SHA-256 of its bytes, hex."""
    return _sha256(data)


def _sha256(data: bytes) -> str:
    import hashlib  # the first paint imports this module and hashes nothing

    return hashlib.sha256(data).hexdigest()


class TrustStore:
    """A folder with one small file for each thing that is trusted, so that writers never have to wait for each other.

    A record that is not ours alone to write, or does not say what its name says, counts as none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, kind: str, project: Path) -> Path:
        """Where it is written what is trusted of a project; the file need not be there."""
        key = f"{kind}\0{os.path.realpath(project)}".encode("utf-8", "surrogateescape")
        return self._folder / (_sha256(key)[:32] + _SUFFIX)

    def find(self, kind: str, project: Path) -> Trusted | None:
        """What was trusted of this kind in a project, if anything; its content may have changed since."""
        found = _read(self.record(kind, project)) if not self.problem(project) else None
        return found if found is not None and (found.kind, found.project) == (kind, os.path.realpath(project)) else None

    def trusts(self, kind: str, project: Path, digest: str) -> bool:
        """Whether exactly this content was trusted."""
        found = self.find(kind, project)
        return found is not None and found.digest == digest

    def problem(self, project: Path) -> str:
        """Why nothing of this project can be trusted, or ""."""
        real = os.path.realpath(project)
        if not os.path.realpath(self._folder).startswith(real.rstrip("/") + "/"):
            return ""
        return "it holds the folder in which tui-agent keeps what is trusted, so it could bring that along"

    def trust(self, kind: str, project: Path, digest: str) -> None:
        """Trust a file with this content, and with no other, from now on.

        Raises:
            StoreError: it cannot be kept; nothing has changed.
        """
        import json

        if problem := self.problem(project):
            raise StoreError(
                f"{project} cannot be trusted: {problem}", "put the settings that you want into your own config.yaml"
            )
        path = self.record(kind, project)
        known = Trusted(kind, os.path.realpath(project), digest, time.time())
        # Not msgspec's: it cannot write the bytes of a path that are not UTF-8.
        data = json.dumps(msgspec.to_builtins(known)).encode() + b"\n"
        temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                _write(temporary, data)
                temporary.replace(path)
                _flush(self._folder)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(self._folder, error) from error

    def revoke(self, kind: str, project: Path) -> bool:
        """Trust it no longer, whatever it holds; False when it was not trusted.

        Raises:
            StoreError: it cannot be taken back.
        """
        try:
            self.record(kind, project).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed(self._folder, error) from error
        return True

    def all(self) -> list[Trusted]:
        """Everything that is trusted, by project and kind."""
        return sorted(self._all(), key=lambda known: (known.project, known.kind))

    def _all(self) -> Iterator[Trusted]:
        with suppress(OSError):
            for path in self._folder.iterdir():
                known = _read(path) if path.suffix == _SUFFIX else None
                if known is not None and self.record(known.kind, Path(known.project)) == path:
                    yield known


def _read(path: Path) -> Trusted | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        import json

        try:
            return msgspec.convert(json.loads(file.read(_MAX_BYTES)), Trusted)
        except (OSError, ValueError, RecursionError):
            return None


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(folder: Path, error: OSError) -> StoreError:
    reason = (error.strerror or str(error)).lower()
    return StoreError(f"what is trusted cannot be kept in {folder}: {reason}", "check the folder's permissions")
