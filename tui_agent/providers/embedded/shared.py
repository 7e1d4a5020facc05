"""Work that several wait for: it goes on when one of them stops waiting, and tells all what it is doing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Begins `work` at once; `work` is given a function that takes what to tell those who wait."""

    def __init__(self, work: Callable[[Callable[[str], None]], Coroutine[Any, Any, T]]) -> None:
        self._text = ""
        self._told = asyncio.Event()
        self.task = asyncio.create_task(work(self._tell))
        self.task.add_done_callback(_seen)

    @property
    def failed(self) -> bool:
        """It ended without a result."""
        return self.task.done() and (self.task.cancelled() or self.task.exception() is not None)

    async def watch(self) -> AsyncGenerator[str]:
        """What the work tells, the latest only, until it is done or given up.

        Raises:
            Exception: that the work failed with.
        """
        told = ""
        while not self.task.done():
            if self._text != told:
                told = self._text
                yield told
                continue
            news = asyncio.ensure_future(self._told.wait())
            try:
                await asyncio.wait({self.task, news}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
        if not self.task.cancelled():
            self.task.result()

    async def stop(self) -> None:
        """Give it up, and wait until it has ended."""
        self.task.cancel()
        await asyncio.wait({self.task})

    def _tell(self, text: str) -> None:
        self._text = text
        self._told.set()
        self._told = asyncio.Event()


def _seen(task: "asyncio.Task[Any]") -> None:
    """A failure is not to be complained of when nobody waits any more."""
    if not task.cancelled():
        task.exception()
