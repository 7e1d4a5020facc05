"""Keeping the beginning and the end of an output of any size, and telling it on in pieces while it arrives."""

import codecs
from collections.abc import Callable
from typing import Final

HEAD_BYTES: Final = 10_000
TAIL_BYTES: Final = 20_000
PIECE_CHARACTERS: Final = 8_000
"""An output that runs faster than it is told on is told by its newest part only."""
_PIECE_BYTES: Final = 4 * (PIECE_CHARACTERS + 2)  # characters that are cut in two stand outside of the piece


class HeadAndTail:
    """The first HEAD_BYTES and the last TAIL_BYTES of what was fed; memory does not grow beyond a few times that."""

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES) -> None:
        self._head_size, self._tail_size = head, tail
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def feed(self, data: bytes) -> None:
        """Add the next bytes."""
        self.total += len(data)
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-self._tail_size :]
        if len(self._tail) > 2 * self._tail_size:
            del self._tail[: -self._tail_size]

    @property
    def cut(self) -> int:
        """How many bytes are missing between head and tail."""
        return max(0, self.total - len(self._head) - self._tail_size)

    def text(self) -> str:
        """All that was kept, with a note where something was cut; bytes that are not UTF-8 become U+FFFD."""
        if not self.cut:
            return (self._head + self._tail).decode("utf-8", "replace")
        head = codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._head))
        tail = bytes(self._tail[-self._tail_size :])
        start = next((i for i in range(min(4, len(tail))) if tail[i] & 0xC0 != 0x80), 0)
        return f"{head}\n… {self.cut:,} bytes cut …\n{tail[start:].decode('utf-8', 'replace')}"


class Teller:
    """Tells on what arrives when `flush` is called, as one piece of bounded size; what is not told is not decoded."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = bytearray()

    def feed(self, data: bytes) -> None:
        """Add the next bytes."""
        self._waiting += data[-_PIECE_BYTES:]
        if len(data) > _PIECE_BYTES or len(self._waiting) > 2 * _PIECE_BYTES:
            del self._waiting[:-_PIECE_BYTES]

    def flush(self, *, final: bool = False) -> None:
        """Tell what waits, if anything does."""
        piece = self._decoder.decode(bytes(self._waiting), final)[-PIECE_CHARACTERS:]
        self._waiting.clear()
        if piece:
            self._tell(piece)
