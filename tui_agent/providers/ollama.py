"""The provider client for Ollama's own protocol, which unlike its OpenAI route can set the size of the window."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import is_loopback
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import Noticed
from tui_agent.providers.failures import (
    Endpoint,
    Failure,
    from_error_frame,
    from_protocol,
    from_status,
    from_transport,
    no_such_api,
)
from tui_agent.providers.frames import NotAStream, decode_frame
from tui_agent.providers.model_lists import DETAIL_SECONDS, detailed, fetch_loaded, fetch_shown, list_ollama
from tui_agent.providers.ollama_facts import Shown, cut_notice, is_cut, may_be_cut, root_of, window
from tui_agent.providers.ollama_wire import ChunkMapper, LineDecoder, prompt_size, to_ollama
from tui_agent.providers.plain_http import ERROR_BYTES, connect, read_text
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo, ProviderEvent
from tui_agent.providers.reply import ErrorFrame, Piece, ReplyReader
from tui_agent.providers.retrying import SECONDS_FOR_MODELS, Retries, attempt, drain, final_error, watched
from tui_agent.providers.server import Server

if TYPE_CHECKING:
    import httpx2


class OllamaProvider:
    """Streams replies of `/api/chat`, and retries what fails before anything was shown.

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
        self._client: httpx2.AsyncClient | None = None
        self._told: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._name

    @property
    def local(self) -> bool:
        """The server runs on this machine."""
        return is_loopback(self._base_url)

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that Ollama has and that can chat."""
        endpoint = await self._server.endpoint()
        return await detailed(endpoint, await list_ollama(endpoint, self._settings.timeout))

    async def describe(self, model: str) -> ModelInfo:
        """What Ollama says of a model; of its first one when none is named or configured."""
        endpoint = await self._server.endpoint()
        model = model or await self._server.default_model(self._listed)
        try:
            shown = await fetch_shown(endpoint, model, self._settings.timeout)
        except ProviderError as error:
            failure = Failure(error)
        else:
            loaded = await fetch_loaded(endpoint, model, DETAIL_SECONDS)
            context = window(self._settings.context_length, loaded, shown)
            return ModelInfo(model, context, shown.tools, shown.parameters)
        raise await final_error(endpoint, model, failure, self._listed)

    async def aclose(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """Send the request and yield what comes back; see `LLMProvider.stream`."""
        if self._settings.tool_calls == "off":
            request = replace(request, tools=())
        endpoint = await self._server.endpoint()
        if not request.model:
            request = replace(request, model=await self._server.default_model(self._listed))
        body = to_ollama(request, self._settings.context_length)
        try:
            tries = self._retries.run(lambda: self._attempt(endpoint, request, body), hurry=request.hurry)
            async with aclosing(tries) as events:
                async for event in events:
                    if isinstance(event, Finished) and not event.error:
                        event = replace(event, notice=await self._cut(endpoint, body, event.usage.prompt_tokens))
                    yield event
            return
        except Failure as caught:
            failure = caught
        raise await final_error(endpoint, request.model, failure, self._listed)

    async def _listed(self) -> tuple[ModelInfo, ...]:
        return (await list_ollama(await self._server.endpoint(), SECONDS_FOR_MODELS)).models

    def _attempt(self, endpoint: Endpoint, request: ChatRequest, body: dict[str, Any]) -> AsyncGenerator[ProviderEvent]:
        reader = ReplyReader({call.id for message in request.messages for call in message.tool_calls})
        # Ollama has no `tool_choice`. The tools stay in the prompt, so that its beginning is the same bytes as before.
        return attempt(self._pieces(endpoint, body, reader), reader, calls=request.tool_choice != "none")

    async def _pieces(
        self, endpoint: Endpoint, body: dict[str, Any], reader: ReplyReader
    ) -> AsyncGenerator[list[Piece]]:
        """The pieces of the reply, as many at a time as came together; returns when the reply is whole.

        Raises:
            Failure: the request failed, or the reply was cut.
        """
        import httpx2

        if self._client is None:
            self._client = connect(endpoint, endpoint.connect_seconds)
        lines = _Lines(endpoint, body["model"], reader)
        url, content = root_of(endpoint.base_url) + "api/chat", msgspec.json.encode(body)
        try:
            async with self._client.stream(
                "POST", url, content=content, headers={"Content-Type": "application/json"}
            ) as response:
                if response.status_code != 200:
                    raise await _refused(endpoint, body["model"], response)
                chunks = response.aiter_bytes()
                async with aclosing(watched(chunks, lines.decoder, endpoint, lambda: reader.finished)) as batches:
                    async for batch in batches:
                        pieces, failure = lines.read(batch)
                        yield pieces
                        if failure is not None:
                            raise failure
                        if reader.finished:
                            break
                if reader.finished:
                    await drain(chunks)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            if not reader.finished:
                raise from_transport(endpoint, error, endpoint.connect_seconds) from None
        except NotAStream:
            raise _strange(endpoint, lines.decoder.head) from None
        if not reader.finished:
            raise from_protocol(endpoint, "stream ended early", retry=True)

    async def _cut(self, endpoint: Endpoint, body: dict[str, Any], read: int | None) -> Noticed | None:
        """What to tell when the prompt was cut without a word; told once until one fits, or a shorter one is cut."""
        model, length = body["model"], len(body["messages"])
        size = prompt_size(body)
        if read is None:
            return None
        got = None
        if may_be_cut(read, size, self._settings.context_length):
            # What it is loaded with is what counted, even if the request asked for more.
            got = await fetch_loaded(endpoint, model, DETAIL_SECONDS) or self._settings.context_length
        if got is None or not is_cut(read, size, got):
            self._told.pop(model, None)
            return None
        if length >= self._told.get(model, length + 1):
            return None
        self._told[model] = length
        try:
            shown = await fetch_shown(endpoint, model, DETAIL_SECONDS)
        except ProviderError:
            shown = Shown()
        return cut_notice(endpoint.name, read, size, got, shown.most)


class _Lines:
    """Reads the lines of one reply."""

    def __init__(self, endpoint: Endpoint, model: str, reader: ReplyReader) -> None:
        self.decoder = LineDecoder()
        self._endpoint = endpoint
        self._model = model
        self._reader = reader
        self._mapper = ChunkMapper()
        self._begun = False

    def read(self, lines: list[bytes]) -> tuple[list[Piece], Failure | None]:
        """The pieces of these lines, and what is wrong with the line where reading stopped."""
        pieces: list[Piece] = []
        for line in lines:
            try:
                pieces += self._reader.feed(self._mapper.chunk(decode_frame(line)))
            except ErrorFrame as error:
                if "unexpected endpoint" in str(error.value).lower():  # LM Studio, with status 200
                    return pieces, _strange(self._endpoint, self.decoder.head)
                return pieces, from_error_frame(self._endpoint, self._model, error.value)
            except (ValueError, RecursionError):
                if not self._begun:
                    return pieces, _strange(self._endpoint, self.decoder.head)
                said = line.decode("utf-8", "replace")
                return pieces, from_protocol(self._endpoint, "sent a piece that is not JSON", said, retry=True)
            self._begun = True
        return pieces, None


async def _refused(endpoint: Endpoint, model: str, response: "httpx2.Response") -> Failure:
    text = await read_text(response, ERROR_BYTES)
    failure = from_status(endpoint, model, response.status_code, response.headers, text)
    return Failure(no_such_api(failure.error), failure.retry, failure.wait, failure.said)


def _strange(endpoint: Endpoint, head: bytes) -> Failure:
    failure = from_protocol(endpoint, "not a reply of a model", head.decode("utf-8", "replace"))
    return Failure(no_such_api(failure.error))
