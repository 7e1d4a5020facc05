"""What a place that a model can be fetched from has to offer."""

from collections.abc import AsyncGenerator, Callable

from msgspec import Struct


class Coming(Struct, frozen=True):
    """So many bytes beyond the last ones given are here already, but cannot be given yet."""

    count: int


Pieces = AsyncGenerator[bytes | Coming, None]


class Source(Struct, frozen=True):
    """One place: its name for people, and the bytes of the file from an offset on.

    What `fetch` gives may run over the end of the file or stop before it; it raises SourceError when it has to give up.
    """

    name: str
    fetch: Callable[[int], Pieces]


class SourceError(Exception):
    """A source cannot give the file or the rest of it; the text says why, to people, without naming the source."""
