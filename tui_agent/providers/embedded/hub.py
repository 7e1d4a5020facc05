"""The publisher's own file on the model hub, over HTTP, from any byte on."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tui_agent import __version__
from tui_agent.config.providers import is_loopback
from tui_agent.providers.embedded.catalogue import EmbeddedModel
from tui_agent.providers.embedded.sources import Pieces, Source, SourceError
from tui_agent.text.sanitize import one_line

if TYPE_CHECKING:
    import httpx2

ENDPOINT_VARIABLE = "HF_ENDPOINT"
TOKEN_VARIABLE = "HF_TOKEN"

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""Without a byte; then the connection counts as lost."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further attempt to go on where a connection was lost."""
WORTHWHILE_BYTES = 1_048_576
"""An attempt that brought as much makes the attempts count from the first again."""
REDIRECTS = 5

_TOKEN = re.compile(r"[!-~]+")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def hub(model: EmbeddedModel, environ: Mapping[str, str]) -> Source:
    """The file at `model.url`, or the same path below `HF_ENDPOINT` (a mirror).

    `HF_TOKEN` is sent only when the server refuses without it, only to that server, and never unencrypted.
    """
    endpoint = environ.get(ENDPOINT_VARIABLE, "").strip().rstrip("/")
    url = endpoint + urlsplit(model.url).path if endpoint else model.url
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not _TOKEN.fullmatch(token):
        token = ""
    try:
        name = urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        name = url
    return Source(one_line(name), lambda offset: _fetch(url, model.size, token, offset))


async def _fetch(url: str, size: int, token: str, offset: int) -> Pieces:
    """The bytes from `offset` on; a connection that was lost on the way is taken up again."""
    import httpx2

    asked = offset
    pauses = list(PAUSES)
    timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    try:
        async with httpx2.AsyncClient(timeout=timeout, trust_env=not is_loopback(url)) as client:
            while True:
                begun = offset
                try:
                    async with aclosing(_body(client, url, token, offset, size)) as body:
                        async for data in body:
                            offset += len(data)
                            yield data
                    problem = f"the connection ended after {offset:,} of {size:,} bytes"
                except httpx2.HTTPError as error:
                    problem = _problem(error)
                if offset >= size:
                    return
                if offset - begun >= WORTHWHILE_BYTES:
                    pauses = list(PAUSES)
                if offset == asked or not pauses:
                    raise SourceError(problem)
                await asyncio.sleep(pauses.pop(0))
    except (httpx2.InvalidURL, ValueError, OSError) as error:  # addresses and certificates of the environment
        raise SourceError(one_line(str(error)) or type(error).__name__) from None


@asynccontextmanager
async def _open(client: "httpx2.AsyncClient", url: str, token: str, offset: int) -> "AsyncIterator[httpx2.Response]":
    """The answer that holds the file, redirects followed: to https, or to the same server."""
    import httpx2

    first = target = httpx2.URL(url)
    headers = {"Accept-Encoding": "identity", "User-Agent": f"tui-agent/{__version__}"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    for _ in range(REDIRECTS + 1):
        async with client.stream("GET", target, headers=headers) as response:
            refused = response.status_code in (401, 403)
            if refused and token and "Authorization" not in headers and _may_have_token(first, target):
                headers["Authorization"] = f"Bearer {token}"
                continue
            if not response.has_redirect_location:
                yield response
                return
            following = target.join(response.headers["location"])
        if following.scheme != "https" and _origin(following) != _origin(target):
            raise SourceError(f"it sends us on to {_shown(following)}, which is not encrypted")
        if _origin(following) != _origin(first):
            headers.pop("Authorization", None)
        target = following
    raise SourceError(f"it sends us on more than {REDIRECTS} times")


def _may_have_token(first: "httpx2.URL", target: "httpx2.URL") -> bool:
    return _origin(target) == _origin(first) and (target.scheme == "https" or is_loopback(str(target)))


def _origin(url: "httpx2.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _shown(url: "httpx2.URL") -> str:
    return one_line(f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}")


async def _body(
    client: "httpx2.AsyncClient", url: str, token: str, offset: int, size: int
) -> AsyncGenerator[bytes, None]:
    """One answer, from `offset` of the file on.

    A server that ignores the range sends the file from its beginning: that is read, and dropped up to the offset.
    """
    async with _open(client, url, token, offset) as response:
        skip = offset - _first_byte(response, offset, size)
        async for chunk in response.aiter_raw():
            if skip < len(chunk):
                yield chunk[skip:]
            skip = max(0, skip - len(chunk))


def _first_byte(response: "httpx2.Response", offset: int, size: int) -> int:
    """Which byte of the file the body begins with.

    Raises:
        SourceError: the answer is not the file.
    """
    status, headers = response.status_code, response.headers
    if status in (401, 403):
        raise SourceError(f"it refuses access ({status})")
    if status == 404:
        raise SourceError("it does not have the file (404)")
    if status not in (200, 206):
        raise SourceError(f"it answers with status {status}")
    if headers.get("content-type", "").lower().startswith("text/html"):
        raise SourceError("it sends a web page instead of the file")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceError(f"it sends the file encoded ({one_line(headers['content-encoding'])})")
    length = headers.get("content-length", "")
    if status == 200:
        if length.isdecimal() and int(length) != size:
            raise SourceError(f"its file has {int(length):,} bytes instead of {size:,}")
        return 0
    span = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if span is None or int(span[1]) > offset:
        raise SourceError("it does not go on where it was asked to")
    if span[2] not in ("*", str(size)):
        raise SourceError(f"its file has {int(span[2]):,} bytes instead of {size:,}")
    return int(span[1])


def _problem(error: "httpx2.HTTPError") -> str:
    import httpx2

    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:g} s"
    if isinstance(error, httpx2.ReadTimeout):
        return f"nothing came for {SILENCE_SECONDS:g} s"
    said = one_line(str(error)) or type(error).__name__
    if isinstance(error, httpx2.UnsupportedProtocol):
        return said
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError):
        return f"no connection: {_first_cause(error) or said}"
    return f"the connection broke off: {said}"


def _first_cause(error: BaseException) -> str:
    """What the system said, of which the errors above it only say that there was an error."""
    found = ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, socket.gaierror | ssl.SSLError):  # their numbers are not the system's
            found = one_line(cause.strerror or str(cause))
        elif isinstance(cause, OSError) and cause.errno:
            found = os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return found
