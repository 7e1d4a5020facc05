"""Plain HTTP with a model server, where the OpenAI SDK has no part: lists of models, and Ollama's own API."""

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tui_agent import __version__
from tui_agent.providers.failures import Endpoint, from_protocol, from_status

if TYPE_CHECKING:
    import httpx2

ANSWER_BYTES = 16 * 1024 * 1024
ERROR_BYTES = 64 * 1024
ERROR_SHOWN = 4000

NOT_A_MODEL_SERVER = "answers, but is no model server"


async def warm_up() -> None:
    """Import what the first request would import (0.1 s), so that it is not counted as time of the server.

    It is done in a thread: what shares this one goes on meanwhile.
    """
    await asyncio.to_thread(_import_all)


@cache
def _import_all() -> None:
    import anyio.lowlevel
    import httpx2

    httpx2.AsyncHTTPTransport(verify=False)  # makes it import what connects
    anyio.run(anyio.lowlevel.checkpoint)  # makes it import its backend


def connect(endpoint: Endpoint, connect_timeout: float | None = None) -> "httpx2.AsyncClient":
    """A client for one server, with its key. On loopback no proxy is used, and redirects are never followed.

    `connect_timeout` is in seconds; the server's `timeout` is then that of a silence. Without it the caller holds the
    clock.
    """
    import httpx2

    seconds = endpoint.settings.timeout
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(connect=connect_timeout, read=seconds, write=seconds, pool=connect_timeout)
        if connect_timeout is not None
        else None,
        # To set verification up costs 40 ms, and nothing is encrypted on http.
        verify=endpoint.base_url.startswith("https:"),
        trust_env=not endpoint.is_loopback,
        headers={"Authorization": f"Bearer {endpoint.key}", "User-Agent": f"tui-agent/{__version__}"},
    )


async def ask_json(
    client: "httpx2.AsyncClient",
    endpoint: Endpoint,
    url: str,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    model: str = "",
) -> Any:
    """The JSON value at an address; a body is posted. `model` is named in messages.

    Raises:
        Failure: another status than 200, no JSON, or more than 16 MiB.
        HTTPError: of httpx2; there is no answer.
    """
    content = None if body is None else msgspec.json.encode(body)
    sent = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
    async with client.stream("GET" if body is None else "POST", url, headers=sent, content=content) as response:
        text = await read_text(response, ANSWER_BYTES)
    if response.status_code != 200:
        if is_page(text):
            raise from_protocol(endpoint, f"{NOT_A_MODEL_SERVER} ({response.status_code})", text[:ERROR_SHOWN])
        raise from_status(endpoint, model, response.status_code, response.headers, text[:ERROR_SHOWN])
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise from_protocol(endpoint, NOT_A_MODEL_SERVER, text[:ERROR_SHOWN]) from None


async def read_text(response: "httpx2.Response", limit: int) -> str:
    """The body as far as `limit` bytes; an endless one must not fill the memory."""
    raw = bytearray()
    async for chunk in response.aiter_bytes():
        raw += chunk
        if len(raw) > limit:
            break
    return raw[:limit].decode("utf-8", "replace")


def is_page(text: str) -> bool:
    """A web page, which no model server answers with."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")
