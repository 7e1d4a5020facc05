"""Reading text files as they are, keeping their encoding and line endings, and writing them atomically."""

import codecs
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.changes import FileIdentity
from tui_agent.workspace.matching import changed_stretches
from tui_agent.workspace.paths import Location, open_beneath, open_parent
from tui_agent.workspace.putting import kind_of, put

MAX_FILE_BYTES: Final = 10_000_000
BINARY_SHARE: Final = 0.05
"""A file that is not UTF-8 is binary when more than this share of its bytes are control characters."""

Encoding = Literal["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "latin-1"]
Newline = Literal["\n", "\r\n", "mixed", ""]

_CONTROLS: Final = bytes(code for code in range(32) if code not in b"\b\t\n\f\r\x1b") + b"\x7f"
_BOMS: Final[tuple[tuple[bytes, Encoding], ...]] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class FileText:
    """A text file: its bytes, and the same as text with every CRLF as LF.

    `newline` is the one style of its line ends, "mixed", or "" when it has none.
    """

    data: bytes
    text: str
    encoding: Encoding
    newline: Newline
    final_newline: bool
    identity: FileIdentity


class MissingFile(WorkspaceError):
    """There is nothing at the path."""


def read_file(location: Location) -> FileText:
    """The text file at `location`.

    Raises:
        MissingFile: there is none.
        WorkspaceError: unreadable, not a regular file, larger than MAX_FILE_BYTES, or binary.
    """
    data, identity = read_bytes(location)
    encoding = detect_encoding(data)
    if encoding is None:
        raise WorkspaceError(f"{location.name} is a binary file ({len(data):,} bytes), not text")
    raw = _decode(data, encoding)
    text = raw.replace("\r\n", "\n")
    crlf = len(raw) - len(text)
    lines = text.count("\n")
    newline: Newline = "" if not lines else "\r\n" if crlf == lines else "mixed" if crlf else "\n"
    return FileText(data, text, encoding, newline, text.endswith("\n"), identity)


def read_bytes(location: Location) -> tuple[bytes, FileIdentity]:
    """The bytes of a regular file of at most MAX_FILE_BYTES, and which file they came from.

    Raises:
        MissingFile: there is none.
        WorkspaceError: unreadable, not a regular file, or too large.
    """
    data, status = read_regular(location)
    return data, FileIdentity(status.st_dev, status.st_ino, hashlib.sha256(data).hexdigest())


def read_regular(location: Location) -> tuple[bytes, os.stat_result]:
    """As `read_bytes`, with the status of the file and without the time that a hash takes."""
    try:
        descriptor = open_beneath(location, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(location, error) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise WorkspaceError(f"{location.name} is a directory: use list_directory")
        if not stat.S_ISREG(status.st_mode):
            raise WorkspaceError(f"{location.name} is {kind_of(status.st_mode)}, not a file")
        if status.st_size > MAX_FILE_BYTES:
            raise _too_large(location, status.st_size)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(location, error) from error
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise _too_large(location, len(data))
    return data, status


def detect_encoding(data: bytes) -> Encoding | None:
    """How the bytes are text, or None when they are not.

    A byte-order mark decides; then UTF-8 without NUL; then latin-1, which any bytes are, if few are control characters.
    """
    if not data.startswith(codecs.BOM_UTF32_LE):
        for mark, encoding in _BOMS:
            if data.startswith(mark):
                return encoding if _decodes(data[len(mark) :], encoding) else None
    if b"\0" in data:
        return None
    if _decodes(data, "utf-8"):
        return "utf-8"
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return None if controls > len(data) * BINARY_SHARE else "latin-1"


def encode_like(text: str, file: FileText) -> bytes:
    """`text` (line ends as LF) as the file would hold it: its encoding, byte-order mark and line endings.

    A final newline is never lost. In a file of mixed line endings every unchanged line keeps its own bytes, and
    changed lines get the ending that is more common there.

    Raises:
        WorkspaceError: the file's encoding has no such character.
    """
    text = text.replace("\r\n", "\n")
    if file.final_newline and text and not text.endswith("\n"):
        text += "\n"
    if file.newline == "\r\n":
        text = text.replace("\n", "\r\n")
    elif file.newline == "mixed":
        text = _with_mixed_endings(text, _decode(file.data, file.encoding))
    return encode(text, file.encoding)


def encode(text: str, encoding: Encoding = "utf-8") -> bytes:
    """`text` in an encoding, with the byte-order mark that belongs to it.

    Raises:
        WorkspaceError: the encoding has no such character.
    """
    mark = next((mark for mark, name in _BOMS if name == encoding), b"")
    try:
        return mark + text.encode(_codec(encoding))
    except UnicodeEncodeError as error:
        character = f"U+{ord(text[error.start]):04X}"
        raise WorkspaceError(
            f"the text holds {character}, which {encoding} cannot hold"
            + (" (a lone surrogate)" if "\ud800" <= text[error.start] <= "\udfff" else ", and the file is in that")
        ) from error


def write_atomically(location: Location, data: bytes, check: Callable[[int], None] = lambda directory: None) -> None:
    """Put `data` at `location` so that the old or the new content is there at every moment, never a part.

    An existing file keeps its mode and, where we may set it, its owner. Missing directories are made. A file with
    several hard links becomes a file of its own. What appears where there was nothing is never written over.

    `check` gets the descriptor of the directory when all that is left is to put the file in its place; what it raises
    stops that.

    Raises:
        WorkspaceError: it cannot be written; the old content is intact and nothing is left behind.
    """
    try:
        with open_parent(location, create=True) as directory:
            put(directory, location.path.name, data, check)
    except OSError as error:
        raise WorkspaceError(f"cannot write {location.name}: {reason(error)}", _write_hint(error)) from error


def reason(error: OSError) -> str:
    """Why the system refused, in words."""
    if error.errno in (errno.ELOOP, errno.EXDEV):
        return "it is, or goes through, a link that cannot be followed safely"
    return (error.strerror or str(error)).lower() if error.errno else str(error)


def _too_large(location: Location, size: int) -> WorkspaceError:
    return WorkspaceError(
        f"{location.name} is too large: {size:,} bytes; the limit is {MAX_FILE_BYTES:,}",
        "Use grep_search to find what matters in it.",
    )


def _codec(encoding: Encoding) -> str:
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _decodes(data: bytes, encoding: Encoding) -> bool:
    try:
        data.decode(_codec(encoding))
    except UnicodeDecodeError:
        return False
    return True


def _decode(data: bytes, encoding: Encoding) -> str:
    mark = next((mark for mark, name in _BOMS if name == encoding), b"")
    return data[len(mark) :].decode(_codec(encoding))


def _with_mixed_endings(text: str, before: str) -> str:
    old = _lines(before)
    new = _lines(text)
    old_texts = [line[:-2] if line.endswith("\r\n") else line.removesuffix("\n") for line in old]
    new_texts = [line.removesuffix("\n") for line in new]
    common = "\r\n" if before.count("\r\n") * 2 > before.count("\n") else "\n"
    lines = [line[:-1] + common if line.endswith("\n") else line for line in new]
    a = b = 0
    changes = changed_stretches(old_texts, new_texts)
    for start_a, end_a, _, end_b in [*changes, (len(old), len(old), len(new), len(new))]:
        for offset in range(start_a - a):
            if new[b + offset].endswith("\n") and old[a + offset].endswith("\n"):
                lines[b + offset] = old[a + offset]
        a, b = end_a, end_b
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """Lines with their ends; only LF ends a line."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _unreadable(location: Location, error: OSError) -> WorkspaceError:
    if error.errno == errno.ENOENT:
        return MissingFile(f"no such file: {location.name}")
    if error.errno == errno.ENXIO:
        return WorkspaceError(f"{location.name} is a socket or a device, not a file")
    return WorkspaceError(f"cannot read {location.name}: {reason(error)}")


def _write_hint(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space; the old content is intact."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "The directory or file cannot be written by this user."
    return ""
