"""Writing a file that was not there before: whole, or not at all, and never over another."""

import os
import secrets
from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read.

    Raises:
        FileExistsError: something of that name is there.
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)  # unlike a rename, it never replaces what somebody put there meanwhile
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
