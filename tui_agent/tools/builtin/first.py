"""The first results in order of their paths, from a search that finds them in any order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any, Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

AHEAD: Final = 10
"""With so many times the limit found, a search in order is likely to be done first."""
TRIAL_SECONDS: Final = 0.05
"""After so much more than the other one ran alone, it was not, and only takes its time."""


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
    first kind begins (if it can be had: `unordered`), the other kind has a try when there is much to be found, and the
    one that is done first has the answer.

    Raises:
        ToolError: as from the search.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer: asyncio.Future[asyncio.Task[list[T]]] = loop.create_future()
    tasks: list[asyncio.Task[list[T]]] = []

    def done(task: asyncio.Task[list[T]]) -> None:
        if not (answer.done() or task.cancelled()):
            answer.set_result(task)

    def enter(search: Coroutine[Any, Any, list[T]]) -> None:
        task = asyncio.create_task(search)
        task.add_done_callback(done)
        tasks.append(task)

    def much() -> None:
        enter(_in_order(search, limit))
        loop.call_later(loop.time() - began + TRIAL_SECONDS, tasks[-1].cancel)

    enter(_in_any_order(search, limit, much) if unordered else _in_order(search, limit))
    try:
        return (await answer).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _in_order(search: Search[T], limit: int) -> list[T]:
    kept: list[Found[T]] = []
    async with aclosing(search(True)) as blocks:
        async for block in blocks:
            kept += block
            if sum(found.weight for found in kept) > limit:
                break
    return [found.what for found in _first(kept, limit)]


async def _in_any_order(search: Search[T], limit: int, much: Callable[[], None]) -> list[T]:
    kept: list[Found[T]] = []
    count = total = 0
    async with aclosing(search(False)) as blocks:
        async for block in blocks:
            kept += block
            new = sum(found.weight for found in block)
            count += new
            if total <= AHEAD * limit < total + new:
                much()
            total += new
            if count > AHEAD * limit:
                kept = _first(_ordered(kept), limit)
                count = sum(found.weight for found in kept)
    return [found.what for found in _first(_ordered(kept), limit)]


def _ordered(found: Iterable[Found[T]]) -> list[Found[T]]:
    """By the components of the paths: `a/b` comes before `a-b`."""
    return sorted(found, key=lambda each: each.path.replace(b"/", b"\0"))


def _first(found: list[Found[T]], limit: int) -> list[Found[T]]:
    count = 0
    for index, each in enumerate(found):
        count += each.weight
        if count > limit:
            return found[: index + 1]
    return found
