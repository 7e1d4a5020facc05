"""Cut the body of a reply into frames: server-sent events as the standard has them and as servers send them."""

import json
from typing import Any

import msgspec

MAX_FRAME = 32 * 1024 * 1024
HEAD = 2000


class NotAStream(Exception):
    """The body is not a stream of events: a web page, or a frame beyond all measure."""


class FrameDecoder:
    """Bytes in, the data of whole frames out; any cutting of the bytes gives the same frames.

    Lines end in LF, CRLF or CR; a byte order mark, comments, unknown fields and a missing last blank line are
    accepted. An `event: error` frame becomes `{"error": …}`. A body that is one JSON object instead of a stream is one
    frame, given at the end. `head` is the beginning of the body, for messages; `is_document` says that it was one JSON
    object, `framed` that a frame or a comment was seen.
    """

    def __init__(self) -> None:
        self.head = b""
        self.is_document = False
        self.framed = False
        self._sniffed = False
        self._parts: list[bytes] = []
        self._size = 0
        self._skip_lf = False
        self._first_line = True
        self._event = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are complete now.

        Raises:
            NotAStream: the body is a web page, or a frame is larger than 32 MiB.
        """
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        if not self._sniffed:
            self._sniff()
        self._size += len(chunk)
        if self._size > MAX_FRAME:
            raise NotAStream
        if self.is_document or not self._sniffed:
            self._parts.append(chunk)
            return []
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        if b"\n" not in chunk and b"\r" not in chunk:
            self._parts.append(chunk)
            return []
        self._parts.append(chunk)
        whole = b"".join(self._parts)
        self._parts.clear()
        lines = whole.splitlines(keepends=True)
        if not lines[-1].endswith((b"\n", b"\r")):
            self._parts.append(lines.pop())
        elif lines[-1].endswith(b"\r"):
            self._skip_lf = True
        frames: list[bytes] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), frames)
        self._size = sum(map(len, self._parts)) + sum(map(len, self._data))
        return frames

    def finish(self) -> list[bytes]:
        """The frame that the end of the body completes, if any; half a frame is dropped."""
        frames: list[bytes] = []
        rest = b"".join(self._parts)
        self._parts.clear()
        if self.is_document:
            return [rest]
        if rest:
            self._line(rest, frames)
        self._line(b"", frames)
        return [frame for frame in frames if is_done(frame) or _is_json(frame)]

    def _sniff(self) -> None:
        begun = self.head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not begun or b"\xef\xbb\xbf".startswith(self.head):
            return
        if begun.startswith(b"<"):
            raise NotAStream
        self._sniffed = True
        self.is_document = begun.startswith(b"{")

    def _line(self, line: bytes, frames: list[bytes]) -> None:
        if self._first_line:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first_line = False
        if not line:
            if self._data:
                data = b"\n".join(self._data)
                frames.append(_as_error(data) if self._event == "error" else data)
                self._data = []
            self._event = ""
            return
        name, _, value = line.partition(b":")
        self.framed = self.framed or name in (b"", b"data", b"event", b"id", b"retry")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.strip().decode("latin-1")


def is_done(data: bytes) -> bool:
    """The frame that ends a stream."""
    return data.startswith(b"[DONE]")


def decode_frame(data: bytes) -> Any:
    """The JSON value of a frame; invalid UTF-8 becomes U+FFFD.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise ValueError("nested too deeply") from None
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _as_error(data: bytes) -> bytes:
    try:
        value = decode_frame(data)
    except ValueError:
        value = data.decode("utf-8", "replace")
    if isinstance(value, dict) and value.get("error"):
        return data
    return json.dumps({"error": value}).encode()


def _is_json(data: bytes) -> bool:
    try:
        decode_frame(data)
    except ValueError:
        return False
    return True
