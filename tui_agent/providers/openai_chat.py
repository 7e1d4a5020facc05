"""The provider client for every server that speaks OpenAI chat completions."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import is_loopback
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import Retrying
from tui_agent.providers.discovery import fetch_models, nearest
from tui_agent.providers.failures import (
    Endpoint,
    Failure,
    from_error_frame,
    from_protocol,
    from_silence,
    from_status,
    from_transport,
    no_models,
    unknown_model,
)
from tui_agent.providers.frames import FrameDecoder, NotAStream, decode_frame, is_done
from tui_agent.providers.protocol import ChatRequest, ModelInfo, ProviderEvent
from tui_agent.providers.reply import ErrorFrame, Piece, ReplyReader, merge
from tui_agent.providers.wire import Concession, concession_for, to_wire

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_SECONDS = 10.0
CONNECT_SECONDS_HERE = 2.0
BACKOFF_BASE = 0.5
BACKOFF_CAP = 8.0
SECONDS_AFTER_FINISH = 2.0
SECONDS_AFTER_DONE = 0.05
SECONDS_FOR_MODELS = 2.0


def warm_up() -> None:
    """Import the SDK (0.3 s); call it in a thread once the first paint is done."""
    from tui_agent.providers import transport  # noqa: F401


class OpenAIChatProvider:
    """Streams replies, and retries what fails before anything was shown.

    `api_key` may be a function; it is called in a thread at the first use. `sleep` waits between retries; `jitter`
    gives numbers in [0, 1).
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        base_url: str,
        api_key: str | Callable[[], str],
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._settings = settings
        self._base_url = base_url
        self._api_key = api_key
        self._sleep = sleep
        self._jitter = jitter
        self._endpoint: Endpoint | None = None
        self._client: AsyncOpenAI | None = None
        self._concessions: frozenset[Concession] = frozenset()

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._name

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the server lists."""
        return await fetch_models(await self._located(), self._settings.timeout)

    @property
    def local(self) -> bool:
        """The server runs on this machine."""
        return is_loopback(self._base_url)

    async def describe(self, model: str) -> ModelInfo:
        """What the server's list says about a model; the first one that it lists when none is named."""
        endpoint = await self._located()
        listed = await fetch_models(endpoint, self._settings.timeout)
        if not model:
            model = self._settings.default_model or next(iter(self._settings.models), "")
        if not model and not listed:
            raise no_models(endpoint)
        return next((info for info in listed if info.id == model), ModelInfo(model) if model else listed[0])

    async def aclose(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        if self._settings.tool_calls == "off":
            request = replace(request, tools=())
        endpoint = await self._located()
        if not request.model:
            request = replace(request, model=await self._default_model(endpoint))
        attempt = 0
        while True:
            try:
                async with aclosing(self._attempt(endpoint, request)) as events:
                    async for event in events:
                        yield event
                return
            except Failure as caught:
                failure = caught
            if failure.error.status in (400, 422) and (wanted := concession_for(failure.said, self._concessions)):
                self._concessions |= {wanted}
                continue
            if not failure.retry or attempt >= self._settings.max_retries:
                raise await self._final(endpoint, request, failure.error, attempt)
            attempt += 1
            seconds = failure.wait if failure.wait is not None else self._backoff(attempt)
            yield Retrying(attempt, self._settings.max_retries, seconds, failure.error.message)
            await self._sleep(seconds)

    async def _attempt(self, endpoint: Endpoint, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """One request. Once something was shown it ends with `Finished`, whatever happens.

        Raises:
            Failure: nothing was shown.
        """
        reader = ReplyReader({call.id for message in request.messages for call in message.tool_calls})
        shown = False
        try:
            async with aclosing(self._frames(endpoint, request, reader)) as batches:
                async for frames in batches:
                    pieces, failure = _read(frames, reader, endpoint, request.model)
                    for piece in merge(pieces):
                        shown = True
                        yield piece
                    if failure is not None:
                        raise failure
        except Failure as failure:
            if not shown:
                raise
            for piece in merge(reader.rest()):
                yield piece
            yield reader.broken(failure.error.message)
            return
        for piece in merge(reader.rest()):
            yield piece
        yield reader.end()

    async def _frames(
        self, endpoint: Endpoint, request: ChatRequest, reader: ReplyReader
    ) -> AsyncGenerator[list[bytes]]:
        """The data of the frames of a reply, as many at a time as came together; returns when the reply is whole.

        Raises:
            Failure: the request failed, or the reply was cut.
        """
        await asyncio.to_thread(warm_up)
        from tui_agent.providers import transport

        connect_seconds = CONNECT_SECONDS_HERE if endpoint.is_loopback else CONNECT_SECONDS
        if self._client is None:
            self._client = transport.connect(endpoint, connect_seconds)
        decoder = FrameDecoder()
        done = False
        try:
            async with transport.open_stream(self._client, to_wire(request, self._concessions)) as chunks:
                async with aclosing(_watched(chunks, decoder, endpoint, reader)) as batches:
                    async for batch in batches:
                        done = any(map(is_done, batch))
                        yield [data for data in batch if not is_done(data)]
                        if done:
                            break
                if done:
                    await _drain(chunks)
        except transport.APIStatusError as error:
            response = error.response
            raise from_status(endpoint, request.model, error.status_code, response.headers, response.text) from None
        except (transport.OpenAIError, transport.HTTPError) as error:
            if not (done or reader.finished):
                raise from_transport(endpoint, error, connect_seconds) from None
        except NotAStream:
            raise from_protocol(endpoint, "not a reply of a model", _text(decoder.head)) from None
        if done or reader.finished:
            return
        if decoder.head and (decoder.is_document or not decoder.framed):
            raise from_protocol(endpoint, "not a reply of a model", _text(decoder.head))
        raise from_protocol(endpoint, "stream ended early", retry=True)

    async def _located(self) -> Endpoint:
        if self._endpoint is None:
            key = self._api_key if isinstance(self._api_key, str) else await asyncio.to_thread(self._api_key)
            self._endpoint = Endpoint(self._name, self._settings, self._base_url, key)
        return self._endpoint

    async def _default_model(self, endpoint: Endpoint) -> str:
        """The configured model, else the first one that the server lists."""
        if model := self._settings.default_model or next(iter(self._settings.models), ""):
            return model
        listed = await fetch_models(endpoint, self._settings.timeout)
        if not listed:
            raise no_models(endpoint)
        return listed[0].id

    async def _final(
        self, endpoint: Endpoint, request: ChatRequest, error: ProviderError, retries: int
    ) -> ProviderError:
        """The error to raise: with the nearest models, or with how often it was retried."""
        if error.kind == "model":
            try:
                known = await fetch_models(endpoint, SECONDS_FOR_MODELS)
            except ProviderError:
                known = ()
            return unknown_model(endpoint, request.model, error.status, nearest(request.model, known))
        if retries:
            hint = f"retried {'once' if retries == 1 else f'{retries} times'}; {error.hint}"
            return ProviderError(error.kind, error.message, hint, error.status)
        return error

    def _backoff(self, attempt: int) -> float:
        """Seconds before retry number `attempt` (from 1): doubling, with up to a half taken off at random."""
        whole = min(BACKOFF_BASE * 2.0 ** (attempt - 1), BACKOFF_CAP)
        return float(whole * (1 - 0.5 * self._jitter()))


def _read(
    frames: list[bytes], reader: ReplyReader, endpoint: Endpoint, model: str
) -> tuple[list[Piece], Failure | None]:
    """The pieces of these frames, and what is wrong with the frame where reading stopped."""
    pieces: list[Piece] = []
    for data in frames:
        try:
            pieces += reader.feed(decode_frame(data))
        except ErrorFrame as error:
            return pieces, from_error_frame(endpoint, model, error.value)
        except (ValueError, RecursionError):
            return pieces, from_protocol(endpoint, "sent a piece that is not JSON", _text(data), retry=True)
    return pieces, None


async def _watched(
    chunks: AsyncIterator[bytes], decoder: FrameDecoder, endpoint: Endpoint, reader: ReplyReader
) -> AsyncGenerator[list[bytes]]:
    """The frames of the body, under three clocks.

    The transport ends a silence of `timeout` seconds. Keep-alive comments count as bytes for twice that long. After
    the finish reason the rest has two seconds: some servers never close.
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
            if reader.finished and until is None:
                until = last_frame + SECONDS_AFTER_FINISH
        elif clock() - last_frame > patience and not reader.finished:
            raise from_silence(endpoint, patience, keep_alives=True)
        if chunk is None:
            return


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of the body, which usually is there already, so that the connection can be used again."""
    try:
        async with asyncio.timeout(SECONDS_AFTER_DONE):
            async for _ in chunks:
                pass
    except TimeoutError:
        pass


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
