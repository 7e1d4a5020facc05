"""An event loop in a thread of its own, for programs that have none."""

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers that wait; `cleanup` runs in it when it is closed or the program ends."""

    def __init__(self, cleanup: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="tui-agent tools", daemon=True)
        thread.start()
        self._loop = loop
        self._finish = weakref.finalize(self, _finish, loop, thread, cleanup)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`; being interrupted cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Clean up and end the thread."""
        self._finish()


def _finish(
    loop: asyncio.AbstractEventLoop, thread: threading.Thread, cleanup: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    asyncio.run_coroutine_threadsafe(_end(cleanup), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end(cleanup: Callable[[], Awaitable[None]]) -> None:
    await cleanup()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
