"""Prompts that the engine has read, kept on disk so that the next start need not read them again.

A file holds the text of its prompt, so only we may read it, and it is a checksum's difference away from ending the
engine, which trusts it: each carries its checksum in its name, and one that does not fit is never offered.
"""

import os
import secrets
import time
import zlib
from pathlib import Path

MOST_FILES = 8
MOST_BYTES = 512 * 1024 * 1024
LEFT_SECONDS = 600.0
"""After this time an unfinished file is nobody's any more."""
READ_BYTES = 1024 * 1024

_WHOLE, _UNFINISHED = ".slot", ".part"


class SlotStore:
    """The saved prompts in one folder, which must be private. All of it blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Path | None:
        """The file of a prompt, unharmed, and from now on the one used last."""
        for path in self.folder.glob(f"{key}-*{_WHOLE}"):
            try:
                if path.name == _name(key, path):
                    os.utime(path)
                    return path
            except OSError:
                pass
            path.unlink(missing_ok=True)
        return None

    def unfinished(self) -> Path:
        """A path for the engine to write to."""
        return self.folder / f"{secrets.token_hex(8)}{_UNFINISHED}"

    def keep(self, path: Path, key: str, size: int) -> bool:
        """Make an unfinished file the one of a prompt if it is whole, and make room; True when it is kept."""
        try:
            if path.stat().st_size != size:
                return False
            path.replace(self.folder / _name(key, path))
        except OSError:
            return False
        finally:
            path.unlink(missing_ok=True)
            self._make_room()
        return True

    def _make_room(self) -> None:
        now, kept, held = time.time(), 0, 0
        for path, status in sorted(self._files(), key=lambda found: -found[1].st_mtime):
            if path.suffix == _UNFINISHED:
                wanted = now - status.st_mtime < LEFT_SECONDS
            else:
                kept, held = kept + 1, held + status.st_size
                wanted = kept <= MOST_FILES and held <= MOST_BYTES
            if not wanted:
                path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.folder.iterdir():
            if path.suffix in (_WHOLE, _UNFINISHED):
                try:
                    found.append((path, path.stat()))
                except FileNotFoundError:
                    pass  # another window made room
        return found


def _name(key: str, path: Path) -> str:
    """The name that the file at `path` must have."""
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return f"{key}-{checksum:08x}{_WHOLE}"
