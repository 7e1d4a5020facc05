"""Send a request again when it failed before anything was shown, and keep a watch on the reply while it comes."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import CallGrowing, Retrying
from tui_agent.providers.failures import Endpoint, Failure, from_silence, unknown_model
from tui_agent.providers.model_facts import nearest
from tui_agent.providers.protocol import ModelInfo, ProviderEvent
from tui_agent.providers.reply import Piece, ReplyReader, merge

BACKOFF_BASE = 0.5
BACKOFF_CAP = 8.0
LONG_WAIT = 10.0
"""Seconds; a longer wait that a server asks for is too long in a hurry."""
SECONDS_AFTER_FINISH = 2.0
SECONDS_AFTER_DONE = 0.05
SECONDS_FOR_MODELS = 2.0


class Retries:
    """Up to `limit` more attempts; `sleep` waits between them, `jitter` gives numbers in [0, 1)."""

    def __init__(
        self,
        limit: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limit = limit
        self._sleep = sleep
        self._jitter = jitter

    async def run(
        self,
        attempt: Callable[[], AsyncGenerator[ProviderEvent]],
        concede: Callable[[Failure], bool] = lambda failure: False,
        *,
        hurry: bool = False,
    ) -> AsyncGenerator[ProviderEvent]:
        """The events of the first attempt that shows something; each wait before another one is announced.

        `concede` is asked about every failure; when it says that it has changed the request so that it may be
        accepted now, it is sent again at once and that does not count. In a `hurry` no long wait is waited for.

        Raises:
            Failure: of the last attempt; the hint of its error says how often it was made.
        """
        retries = 0
        while True:
            try:
                async with aclosing(attempt()) as events:
                    async for event in events:
                        yield event
                return
            except Failure as caught:
                failure = caught
            if concede(failure):
                continue
            if not failure.retry or retries >= self._limit:
                raise _counted(failure, retries)
            if hurry and failure.wait is not None and failure.wait > LONG_WAIT:
                failure.error.hasty = True
                raise _counted(failure, retries)
            retries += 1
            seconds = failure.wait if failure.wait is not None else self._backoff(retries)
            yield Retrying(retries, self._limit, seconds, failure.error.message)
            await self._sleep(seconds)

    def _backoff(self, retry: int) -> float:
        """Seconds before retry number `retry` (from 1): doubling, with up to a half taken off at random."""
        whole = min(BACKOFF_BASE * 2.0 ** (retry - 1), BACKOFF_CAP)
        return float(whole * (1 - 0.5 * self._jitter()))


async def attempt(
    batches: AsyncGenerator[list[Piece]], reader: ReplyReader, *, calls: bool = True
) -> AsyncGenerator[ProviderEvent]:
    """The events of one request whose pieces arrive in batches. Once something was shown it ends with `Finished`,
    whatever happens. Without `calls` none is taken from the reply.

    Raises:
        Failure: nothing was shown.
    """
    shown = False
    try:
        async with aclosing(batches):
            async for pieces in batches:
                for piece in merge(pieces):
                    if calls or not isinstance(piece, CallGrowing):
                        shown = True
                        yield piece
    except Failure as failure:
        if not shown:
            raise
        for piece in merge(reader.rest()):
            yield piece
        yield reader.broken(failure.error.message)
        return
    for piece in merge(reader.rest()):
        yield piece
    yield reader.end(calls=calls)


async def final_error(
    endpoint: Endpoint, model: str, failure: Failure, served: Callable[[], Awaitable[tuple[ModelInfo, ...]]]
) -> ProviderError:
    """The error to raise for the last failure; that of an unknown model names the nearest ones that are `served`."""
    if failure.error.kind != "model":
        return failure.error
    try:
        known = await served()
    except ProviderError:
        known = ()
    return unknown_model(endpoint, model, failure.error.status, nearest(model, known))


class Decoder(Protocol):
    """Cuts the bytes of a body into frames."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are complete now."""
        ...

    def finish(self) -> list[bytes]:
        """What the end of the body completes."""
        ...


async def watched(
    chunks: AsyncIterator[bytes], decoder: Decoder, endpoint: Endpoint, finished: Callable[[], bool]
) -> AsyncGenerator[list[bytes]]:
    """The frames of the body, under three clocks.

    The transport ends a silence of `timeout` seconds. Keep-alives count as bytes for twice that long. Once the reply
    has `finished` the rest has two seconds: some servers never close.
    """
    clock = asyncio.get_running_loop().time
    patience = 2 * endpoint.settings.timeout
    last_frame = clock()
    until: float | None = None
    while True:
        try:
            async with asyncio.timeout_at(until):
                chunk = await anext(chunks, None)
        except TimeoutError:
            return
        frames = decoder.finish() if chunk is None else decoder.feed(chunk)
        if frames:
            last_frame = clock()
            yield frames
            if finished() and until is None:
                until = last_frame + SECONDS_AFTER_FINISH
        elif clock() - last_frame > patience and not finished():
            raise from_silence(endpoint, patience, keep_alives=True)
        if chunk is None:
            return


async def drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of the body, which usually is there already, so that the connection can be used again."""
    try:
        async with asyncio.timeout(SECONDS_AFTER_DONE):
            async for _ in chunks:
                pass
    except TimeoutError:
        pass


def _counted(failure: Failure, retries: int) -> Failure:
    if retries:
        error = failure.error
        error.hint = f"retried {'once' if retries == 1 else f'{retries} times'}; {error.hint}"
    return failure
