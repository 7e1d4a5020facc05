"""The unfinished file of a download: who works on it, what of it is safe, and how it gets its final name."""

import fcntl
import os
import shutil
import threading
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from tui_agent.providers.embedded.catalogue import EmbeddedModel

SYNC_BYTES = 16 * 1024 * 1024
SYNC_SECONDS = 2.0
"""What is not on the disk for good is never more than the one, nor older than the other."""
READ_BYTES = 8 * 1024 * 1024


class _Saved(Struct, frozen=True):
    """What the state file says: of which file the bytes are, who gave the last ones, and how many are on the disk."""

    sha256: str
    source: str
    safe: int


def final_path(model: EmbeddedModel, folder: Path) -> Path:
    """The file, once its hash was found right."""
    return folder / model.file_name


def partial_path(model: EmbeddedModel, folder: Path) -> Path:
    """The unfinished file."""
    return folder / f"{model.name}.partial"


def state_path(model: EmbeddedModel, folder: Path) -> Path:
    """What is known of the unfinished file."""
    return folder / f"{model.name}.partial.json"


def staging_path(model: EmbeddedModel, folder: Path) -> Path:
    """The folder for wheels under way."""
    return folder / f"{model.name}.wheels"


class Partial:
    """The unfinished file of one model, locked against other processes while open. Its methods block.

    They may be called in threads and after `close`, which an abandoned thread does: then they do nothing.
    """

    def __init__(self, model: EmbeddedModel, folder: Path, descriptor: int) -> None:
        self.offset = 0
        """How many bytes are there; the next ones go there."""
        self.source = ""
        """Who gives them."""
        self._model = model
        self._folder = folder
        self._descriptor = descriptor
        self._safe = 0
        self._guard = threading.Lock()
        self._begin_at(self._saved())

    @classmethod
    def open(cls, model: EmbeddedModel, folder: Path) -> "Partial | None":
        """Open or create it and go on where it is safe; None while another process works on it.

        Raises:
            OSError: the folder cannot be used.
        """
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(partial_path(model, folder))
        if descriptor is None:
            return None
        try:
            shutil.rmtree(staging_path(model, folder), ignore_errors=True)  # of a run that was killed
            return cls(model, folder, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def append(self, data: bytes) -> None:
        """Write the next bytes."""
        with self._guard:
            if self._descriptor < 0:
                return
            rest = memoryview(data)
            while rest:
                written = os.write(self._descriptor, rest)
                rest = rest[written:]
                self.offset += written
            if self.offset - self._safe >= SYNC_BYTES or time.monotonic() - self._synced >= SYNC_SECONDS:
                self._sync()

    def read(self, offset: int) -> bytes:
        """A bounded piece from `offset` on."""
        with self._guard:
            return os.pread(self._descriptor, READ_BYTES, offset) if self._descriptor >= 0 else b""

    def restart(self) -> None:
        """Throw away what is there."""
        with self._guard:
            if self._descriptor >= 0:
                self._begin_at(0)
                self._save()

    def finish(self) -> None:
        """Give the file its final name, for good; only after its hash was found right."""
        with self._guard:
            if self._descriptor < 0:
                return
            os.fsync(self._descriptor)
            partial_path(self._model, self._folder).replace(final_path(self._model, self._folder))
            _sync_folder(self._folder)
            self._leave()

    def discard(self) -> None:
        """Delete it."""
        with self._guard:
            if self._descriptor >= 0:
                partial_path(self._model, self._folder).unlink(missing_ok=True)
                self._leave()

    def close(self) -> None:
        """Make safe what is there and let other processes at it; an empty one is deleted."""
        with self._guard:
            if self._descriptor < 0:
                return
            try:
                if self.offset:
                    self._sync()
            except OSError:
                pass  # a full disk: the state of a moment ago still holds
            finally:
                if not self.offset:
                    partial_path(self._model, self._folder).unlink(missing_ok=True)
                    self._leave()
                else:
                    shutil.rmtree(staging_path(self._model, self._folder), ignore_errors=True)
                    self._release()

    def _leave(self) -> None:
        state_path(self._model, self._folder).unlink(missing_ok=True)
        shutil.rmtree(staging_path(self._model, self._folder), ignore_errors=True)
        self._release()

    def _release(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _begin_at(self, offset: int) -> None:
        os.ftruncate(self._descriptor, offset)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self.offset = self._safe = offset
        self._synced = time.monotonic()

    def _saved(self) -> int:
        try:
            saved = msgspec.json.decode(state_path(self._model, self._folder).read_bytes(), type=_Saved)
        except (OSError, msgspec.DecodeError):
            return 0
        if saved.sha256 != self._model.sha256:
            return 0
        self.source = saved.source
        return max(0, min(saved.safe, os.fstat(self._descriptor).st_size, self._model.size))

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        self._safe, self._synced = self.offset, time.monotonic()
        self._save()

    def _save(self) -> None:
        path = state_path(self._model, self._folder)
        temporary = path.with_suffix(".new")
        try:
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(_Saved(self._model.sha256, self.source, self._safe)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def link(source: Path, opened: int, checked: os.stat_result, model: EmbeddedModel, folder: Path) -> bool:
    """Give the file at `source`, open as `opened`, its final name as well, if it is still what it was when `checked`.

    False where it has to be copied: on another file system, or when somebody else can write to it.
    """
    if checked.st_uid != os.geteuid() or checked.st_mode & 0o022:
        return False
    temporary = folder / f"{model.name}.linked"
    try:
        temporary.unlink(missing_ok=True)
        os.fsync(opened)
        temporary.hardlink_to(source)
        now = temporary.stat()
        if (now.st_dev, now.st_ino, now.st_mtime_ns) != (checked.st_dev, checked.st_ino, checked.st_mtime_ns):
            return False
        temporary.replace(final_path(model, folder))
        _sync_folder(folder)
    except OSError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _lock(path: Path) -> int | None:
    """Open and lock a file; None when another process has it.

    The holder may have renamed or deleted what we opened before it let go; then there is another one by that name.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
