"""The first results in order of their paths, from a search that finds them in any order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

AHEAD: Final = 10
"""With so many times the limit found, a search in order is likely to be done soon."""
TRIAL_SECONDS: Final = 0.05
"""If it takes so much longer than the other one needed to find that much, it is not."""


class Found(NamedTuple, Generic[T]):
    """A result, and how many it counts for."""

    path: bytes
    weight: int
    what: T


Search = Callable[[bool], AsyncGenerator[list[Found[T]], None]]
"""Begins a search, in order of paths or not; it gives what it finds by and by."""


async def first_in_order(search: Search[T], limit: int, *, unordered: bool) -> list[T]:
    """The first results in order of their paths: all of them, or the fewest that count for more than `limit`.

    A search by all threads is fast but has to come to its end; one in order is slow but may stop at the limit. So the
    first kind begins (if it can be had: `unordered`), and when much is found the other kind has a try, while the output
    of the first waits. Memory is bounded by the limit.

    Raises:
        ToolError: as from the search.
    """
    if not unordered:
        return await _in_order(search, limit)
    loop = asyncio.get_running_loop()
    began = loop.time()
    kept: list[Found[T]] = []
    weight = 0
    tried = False
    async with aclosing(search(False)) as blocks:
        async for block in blocks:
            kept += block
            weight += _weight(block)
            if weight <= AHEAD * limit:
                continue
            if not tried:
                tried = True
                try:
                    async with asyncio.timeout(loop.time() - began + TRIAL_SECONDS):
                        return await _in_order(search, limit)
                except TimeoutError:
                    pass
            kept = _first(_ordered(kept), limit)
            weight = _weight(kept)
    return [found.what for found in _first(_ordered(kept), limit)]


async def _in_order(search: Search[T], limit: int) -> list[T]:
    kept: list[Found[T]] = []
    weight = 0
    async with aclosing(search(True)) as blocks:
        async for block in blocks:
            kept += block
            weight += _weight(block)
            if weight > limit:
                break
    return [found.what for found in _first(kept, limit)]


def _weight(results: Iterable[Found[T]]) -> int:
    return sum(found.weight for found in results)


def _ordered(results: Iterable[Found[T]]) -> list[Found[T]]:
    """By the components of the paths: `a/b` comes before `a-b`."""
    return sorted(results, key=lambda found: found.path.replace(b"/", b"\0"))


def _first(results: list[Found[T]], limit: int) -> list[Found[T]]:
    weight = 0
    for index, found in enumerate(results):
        weight += found.weight
        if weight > limit:
            return results[: index + 1]
    return results
