"""The HTTP client under the model API; importing this module imports the OpenAI SDK (0.3 s), so do it late."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

from tui_agent import __version__
from tui_agent.providers.failures import Endpoint

__all__ = ["APIConnectionError", "APIStatusError", "HTTPError", "OpenAIError", "connect", "open_stream"]

HTTPError = httpx2.HTTPError

ERROR_BODY = 64 * 1024

# The last one is how the SDK marks a request whose response it must hand out raw.
_SENT = frozenset(
    {
        "host",
        "connection",
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "authorization",
        "x-stainless-raw-response",
    }
)
_OPENAI_ONLY = frozenset({"openai-organization", "openai-project"})


def connect(endpoint: Endpoint, connect_timeout: float) -> AsyncOpenAI:
    """A client for one server, without retries of its own.

    What the SDK adds from the environment (organisation, custom headers) or about this machine stays here, unless the
    server is OpenAI's. On loopback no proxy is used. Redirects are not followed: a conversation goes to the server that
    the user configured and to no other.
    """
    seconds = endpoint.settings.timeout
    timeout = httpx2.Timeout(connect=connect_timeout, read=seconds, write=seconds, pool=connect_timeout)

    async def lean(request: httpx2.Request) -> None:
        host = request.url.host
        allowed = _SENT | _OPENAI_ONLY if host == "openai.com" or host.endswith(".openai.com") else _SENT
        for header in [name for name in request.headers if name.lower() not in allowed]:
            del request.headers[header]
        request.headers["User-Agent"] = f"tui-agent/{__version__}"

    async def bound(response: httpx2.Response) -> None:
        if response.status_code >= 400 and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Head(response.stream)

    http = DefaultAsyncHttpxClient(
        timeout=timeout,
        # To set verification up costs 30 ms, and nothing is encrypted on the way to a server on this machine.
        verify=not endpoint.is_loopback or endpoint.base_url.startswith("https:"),
        follow_redirects=False,
        trust_env=not endpoint.is_loopback,
        event_hooks={"request": [lean], "response": [bound]},
    )
    return AsyncOpenAI(
        api_key=endpoint.key,
        base_url=endpoint.base_url,
        timeout=timeout,
        max_retries=0,
        http_client=http,
        default_headers={"Authorization": f"Bearer {endpoint.key}"},
    )


@asynccontextmanager
async def open_stream(client: AsyncOpenAI, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Send a chat request and give the bytes of the reply; leaving the context closes the connection.

    The body is complete already: as `extra_body` it skips the SDK's walk over every message.

    Raises:
        OpenAIError, HTTPError: no reply, another status than 2xx, or the connection broke off.
    """
    opening = client.chat.completions.with_streaming_response.create(
        model=body["model"], messages=(), stream=True, extra_body=body
    )
    async with opening as response:
        yield response.iter_bytes()


class _Head(httpx2.AsyncByteStream):
    """The first 64 KiB of an error body: an endless one must not fill the memory."""

    def __init__(self, whole: httpx2.AsyncByteStream) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ERROR_BODY
        async for chunk in self._whole:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def aclose(self) -> None:
        await self._whole.aclose()
