"""The provider client for every server that speaks OpenAI chat completions."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import is_loopback
from tui_agent.providers.failures import (
    Endpoint,
    Failure,
    from_error_frame,
    from_protocol,
    from_status,
    from_transport,
)
from tui_agent.providers.frames import FrameDecoder, NotAStream, decode_frame, is_done
from tui_agent.providers.model_lists import detailed, list_models
from tui_agent.providers.protocol import ChatRequest, ModelInfo, ProviderEvent
from tui_agent.providers.reply import ErrorFrame, Piece, ReplyReader
from tui_agent.providers.retrying import SECONDS_FOR_MODELS, Retries, attempt, drain, final_error, watched
from tui_agent.providers.server import Server
from tui_agent.providers.wire import Concession, concession_for, to_wire

if TYPE_CHECKING:
    from openai import AsyncOpenAI


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
        self._server = Server(name, settings, base_url, api_key)
        self._retries = Retries(settings.max_retries, sleep, jitter)
        self._client: AsyncOpenAI | None = None
        self._concessions: frozenset[Concession] = frozenset()

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._name

    @property
    def local(self) -> bool:
        """The server runs on this machine."""
        return is_loopback(self._base_url)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the server lists."""
        endpoint = await self._server.endpoint()
        return await detailed(endpoint, await list_models(endpoint, self._settings.timeout))

    async def describe(self, model: str) -> ModelInfo:
        """What the server says of a model; of the first one that it lists when none is named or configured.

        Many take names that they do not list: of those nothing is known.
        """
        model = model or await self._server.default_model(self._listed)
        found = next((info for info in await self.models() if info.id == model), ModelInfo(model))
        return replace(found, context_length=found.context_length or self._settings.context_length)

    async def aclose(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        if self._settings.tool_calls == "off":
            request = replace(request, tools=())
        endpoint = await self._server.endpoint()
        if not request.model:
            request = replace(request, model=await self._server.default_model(self._listed))
        try:
            tries = self._retries.run(lambda: self._attempt(endpoint, request), self._concede, hurry=request.hurry)
            async with aclosing(tries) as events:
                async for event in events:
                    yield event
            return
        except Failure as caught:
            failure = caught
        raise await final_error(endpoint, request.model, failure, self._listed)

    async def _listed(self) -> tuple[ModelInfo, ...]:
        return (await list_models(await self._server.endpoint(), SECONDS_FOR_MODELS)).models

    def _concede(self, failure: Failure) -> bool:
        """Whether the server asks for another form of the request, which it will get from now on."""
        if failure.error.status in (400, 422) and (wanted := concession_for(failure.said, self._concessions)):
            self._concessions |= {wanted}
            return True
        return False

    def _attempt(self, endpoint: Endpoint, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        reader = ReplyReader({call.id for message in request.messages for call in message.tool_calls})
        pieces = self._pieces(endpoint, request, reader)
        return attempt(pieces, reader, calls=request.tool_choice != "none")

    async def _pieces(
        self, endpoint: Endpoint, request: ChatRequest, reader: ReplyReader
    ) -> AsyncGenerator[list[Piece]]:
        async with aclosing(self._frames(endpoint, request, reader)) as batches:
            async for frames in batches:
                pieces, failure = _read(frames, reader, endpoint, request.model)
                yield pieces
                if failure is not None:
                    raise failure

    async def _frames(
        self, endpoint: Endpoint, request: ChatRequest, reader: ReplyReader
    ) -> AsyncGenerator[list[bytes]]:
        """The data of the frames of a reply, as many at a time as came together; returns when the reply is whole.

        Raises:
            Failure: the request failed, or the reply was cut.
        """
        await asyncio.to_thread(warm_up)
        from tui_agent.providers import transport

        if self._client is None:
            self._client = transport.connect(endpoint, endpoint.connect_seconds)
        decoder = FrameDecoder()
        done = False
        try:
            async with transport.open_stream(self._client, to_wire(request, self._concessions)) as chunks:
                async with aclosing(watched(chunks, decoder, endpoint, lambda: reader.finished)) as batches:
                    async for batch in batches:
                        done = any(map(is_done, batch))
                        yield [data for data in batch if not is_done(data)]
                        if done:
                            break
                if done:
                    await drain(chunks)
        except transport.APIStatusError as error:
            response = error.response
            raise from_status(endpoint, request.model, error.status_code, response.headers, response.text) from None
        except (transport.OpenAIError, transport.HTTPError) as error:
            if not (done or reader.finished):
                raise from_transport(endpoint, error, endpoint.connect_seconds) from None
        except NotAStream:
            raise from_protocol(endpoint, "not a reply of a model", _text(decoder.head)) from None
        if done or reader.finished:
            return
        if decoder.head and (decoder.is_document or not decoder.framed):
            raise from_protocol(endpoint, "not a reply of a model", _text(decoder.head))
        raise from_protocol(endpoint, "stream ended early", retry=True)


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


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
