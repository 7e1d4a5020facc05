"""Say what went wrong with a model server: what happened, on what, and what the user can do."""

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tui_agent.config.model import ProviderSettings
from tui_agent.config.providers import is_loopback, key_variable
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.overflow import is_overflow, window_named
from tui_agent.providers.surrogates import mend
from tui_agent.text.redaction import KEY_SHAPES
from tui_agent.text.sanitize import one_line

CONNECT_SECONDS = 10.0
CONNECT_SECONDS_HERE = 2.0
RETRY_AFTER_CAP = 60.0
BODY_SHOWN = 300
RETRIED = frozenset({408, 409, 425, 429})

_MODEL = re.compile(
    # In one sentence, but the names of models have dots.
    r"model(?:[^.]|\.(?!\s)){0,120}?"
    r"(not found|does ?n.t exist|does not exist|not exist|is not a valid|not loaded|no such)"
    r"|(invalid|unknown|unrecognized|no such) model|no models? (is )?loaded|model_not_found",
    re.IGNORECASE,
)
_NO_TOOLS = re.compile(
    r"does not support (tool|function)|tool(s| use| calling) (is|are) not supported|found that support tool",
    re.IGNORECASE,
)
_TOOL_SWITCHES = (
    (re.compile(r"enable-auto-tool-choice"), "vLLM", "--enable-auto-tool-choice --tool-call-parser hermes"),
    (re.compile(r"requires? (the )?--jinja|--jinja flag", re.IGNORECASE), "llama-server", "--jinja"),
)
"""What servers say when tool calling was not switched on where they were started, and with what it is. The parser of
vLLM is named after the family of the model."""
_ASKED_TOKENS = re.compile(r"(\d{3,9}) tokens|n_prompt_tokens\W+(\d{3,9})")
_CLOSED = re.compile(r"(?i)peer closed|disconnected|connection (was )?(closed|terminated)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server as messages name it; `key` is only here to be cut out of them."""

    name: str
    settings: ProviderSettings
    base_url: str
    key: str

    @property
    def address(self) -> str:
        """`host:port`, with the port of the scheme when none is given."""
        parts = urlsplit(self.base_url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or self.base_url
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @property
    def is_loopback(self) -> bool:
        """The server runs on this machine, where no proxy must come between."""
        return is_loopback(self.base_url)

    @property
    def connect_seconds(self) -> float:
        """How long a connection may take to come about."""
        return CONNECT_SECONDS_HERE if self.is_loopback else CONNECT_SECONDS

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key."""
        return key_variable(self.name, self.settings)

    def shown(self, text: str, limit: int = BODY_SHOWN) -> str:
        """Text of the server as it may be shown: one bounded line without controls and without keys."""
        if len(self.key) >= 8 and self.key != self.settings.default_api_key:
            text = text.replace(self.key, "[key]")
        line = one_line(mend(KEY_SHAPES.sub("[key]", text)))
        return line if len(line) <= limit else line[: limit - 1] + "…"


class Failure(Exception):
    """An attempt failed: the error to raise, if it may be tried again, and how long the server wants us to wait."""

    def __init__(self, error: ProviderError, retry: bool = False, wait: float | None = None, said: str = "") -> None:
        super().__init__(error.message)
        self.error = error
        self.retry = retry
        self.wait = wait
        self.said = said


class NoSuchApi(ProviderError):
    """What answers does not speak the protocol that it was spoken to in."""


class NoTools(ProviderError):
    """The model, or its server as it was started, takes no tools in a request."""


def no_such_api(error: ProviderError) -> ProviderError:
    """The same error, as `NoSuchApi` if it is what a server answers where it has nothing."""
    plain = type(error) is ProviderError and error.kind in ("request", "protocol")
    if plain and error.status in (None, 404, 405, 501):
        return NoSuchApi(error.kind, error.message, error.hint, error.status)
    return error


def from_status(endpoint: Endpoint, model: str, status: int, headers: Mapping[str, str], body: str) -> Failure:
    """The failure that an HTTP status with this body means."""
    said = error_text(body)
    if 300 <= status < 400:
        return _moved(endpoint, status, headers.get("location", ""))
    retry = (status in RETRIED or status >= 500) and headers.get("x-should-retry") != "false"
    failure = _judge(endpoint, model, status, said, retry, window_named(body))
    failure.wait = retry_after(headers)
    return failure


def _moved(endpoint: Endpoint, status: int, target: str) -> Failure:
    """A redirect. Following it would send the conversation to a server that nobody chose."""
    place = f" to {endpoint.shown(target, 200)}" if target else ""
    hint = (
        f"nothing was sent there; if you trust it, correct `base_url` of provider {endpoint.name} ({endpoint.base_url})"
    )
    return Failure(ProviderError("request", f"{endpoint.name} sends us on ({status}){place}", hint, status))


def from_error_frame(endpoint: Endpoint, model: str, value: Any) -> Failure:
    """The failure that an `error` inside a stream means; a numeric `code` counts as the status."""
    body = json.dumps({"error": value})
    said = error_text(body)
    code = value.get("code") if isinstance(value, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return _judge(endpoint, model, status, said, status in RETRIED or status >= 500, window_named(body))


def from_protocol(endpoint: Endpoint, what: str, head: str = "", retry: bool = False) -> Failure:
    """An answer that is not what the API promises; `head` is the beginning of it."""
    said = f": {endpoint.shown(error_text(head), 160)}" if head.strip() else ""
    if retry:
        hint = f"the server of provider {endpoint.name} may have crashed or run out of memory: look at its log"
    else:
        api = "Ollama's" if endpoint.settings.api == "ollama" else "that of an OpenAI-compatible API"
        hint = f"check `base_url` of provider {endpoint.name} ({endpoint.base_url}): it must be {api}"
    return Failure(ProviderError("protocol", f"{endpoint.name} ({endpoint.address}): {what}{said}", hint), retry)


def from_silence(endpoint: Endpoint, seconds: float, keep_alives: bool = False) -> Failure:
    """Nothing came for too long."""
    nothing = "nothing but keep-alives" if keep_alives else "nothing"
    longer = max(120, round(endpoint.settings.timeout * 2))
    hint = f"a slow model may need longer: set `timeout: {longer}` under `providers: {endpoint.name}:` in config.yaml"
    return Failure(
        ProviderError("timeout", f"{endpoint.name} ({endpoint.address}) sent {nothing} for {seconds:g} s", hint)
    )


def from_transport(endpoint: Endpoint, error: BaseException, connect_timeout: float) -> Failure:
    """The failure that a broken connection means, found in the causes of the exception."""
    where, name = endpoint.address, endpoint.name
    check = f"check `base_url` of provider {name} ({endpoint.base_url}) and the network"
    start = endpoint.settings.start_hint
    causes = list(_causes(error))
    kinds = {type(cause).__name__ for cause in causes}

    def unreachable(message: str, hint: str, retry: bool = False) -> Failure:
        return Failure(ProviderError("unreachable", message, hint), retry)

    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return unreachable(f"Cannot find the host {where.rpartition(':')[0]} ({name})", check)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return unreachable(f"The certificate of {where} ({name}) is not trusted: {cause.verify_message}", check)
        if isinstance(cause, ssl.SSLError) and "WRONG_VERSION" in str(cause.reason):
            return unreachable(
                f"{where} ({name}) does not speak TLS", f"write http:// instead of https:// in `base_url` of {name}"
            )
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError):
            return unreachable(f"TLS with {where} ({name}) failed: {endpoint.shown(str(cause.reason or cause))}", check)
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            hint = (
                f"nothing listens for provider {name}; start it: {start}"
                if start
                else f"nothing listens for provider {name}; {check}"
            )
            return unreachable(f"Connection refused to {where}", hint)
    if "ConnectTimeout" in kinds:
        return unreachable(f"No connection to {where} ({name}) within {connect_timeout:g} s", check)
    if kinds & {"ReadTimeout", "WriteTimeout", "PoolTimeout", "APITimeoutError"}:
        return from_silence(endpoint, endpoint.settings.timeout)
    if "ProxyError" in kinds:
        return unreachable(
            f"The proxy on the way to {where} ({name}) refused: {endpoint.shown(str(causes[-1]))}", check
        )
    if "ConnectError" in kinds:
        return unreachable(f"No connection to {where} ({name}): {endpoint.shown(str(causes[-1]))}", check)
    for cause in causes:
        garbled = type(cause).__name__ == "RemoteProtocolError" and not _CLOSED.search(str(cause))
        if garbled or type(cause).__name__ == "DecodingError":
            return from_protocol(endpoint, f"not valid HTTP ({endpoint.shown(str(cause), 160)})")
    hint = f"the server may have crashed; start it again: {start}" if start else check
    return unreachable(f"The connection to {where} ({name}) broke off", hint, retry=True)


def unknown_model(
    endpoint: Endpoint, model: str, status: int | None = None, known: tuple[str, ...] = ()
) -> ProviderError:
    """The server does not have that model; `known` are the nearest it has."""
    hints = []
    if endpoint.settings.fetch_hint:
        hints.append("fetch it: " + endpoint.settings.fetch_hint.replace("{model}", model))
    if known:
        hints.append("it has: " + ", ".join(endpoint.shown(other, 80) for other in known))
    hint = "; ".join(hints) or f"see: tui-agent providers models {endpoint.name}"
    return ProviderError("model", f"Unknown model {endpoint.shown(model, 80)} on {endpoint.name}", hint, status)


def no_models(endpoint: Endpoint) -> ProviderError:
    """The server answers but has nothing to answer with."""
    fetch = endpoint.settings.fetch_hint.replace("{model}", "MODEL")
    hint = f"fetch one: {fetch}" if fetch else f"name one: `default_model:` under `providers: {endpoint.name}:`"
    return ProviderError("model", f"{endpoint.name} ({endpoint.address}) has no models", hint)


def error_text(body: str) -> str:
    """What an error body says: the message of the usual JSON shapes, else the body (of a page its title)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        title = re.search(r"<title>(.*?)</title>", body, re.IGNORECASE | re.DOTALL)
        return title[1] if title else body
    for _ in range(4):
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, Mapping):
            inner = next((value[key] for key in ("error", "message", "detail", "msg") if value.get(key)), None)
            if isinstance(inner, str):
                if inner.lstrip().startswith("{"):  # Ollama hands on what its runner said
                    return error_text(inner)
                code = value.get("code")
                return f"{inner} ({code})" if isinstance(code, str) and code not in inner else inner
            value = inner
    return value if isinstance(value, str) else body


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait as `Retry-After` asks (seconds or an HTTP date), at most 60; None when it does not say."""
    from email.utils import parsedate_to_datetime

    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP) if seconds == seconds else None


def _judge(endpoint: Endpoint, model: str, status: int, said: str, retry: bool, window: int | None) -> Failure:
    name, shown = endpoint.name, endpoint.shown(said)
    says = f"{name} answered {status}: {shown}" if shown else f"{name} answered {status}"

    def final(error: ProviderError) -> Failure:
        return Failure(error, said=said)

    if status in (401, 403) and not _MODEL.search(said):
        if status == 401:
            message = f"{name} refused the API key (401): {shown}"
            if endpoint.settings.requires_api_key or endpoint.settings.api_key_command:
                hint = f"check the key in {endpoint.key_variable}"
            else:
                hint = f"this server wants a key: export {endpoint.key_variable}=…"
        else:
            message, hint = (
                f"{name} forbids this (403): {shown}",
                f"check what the key in {endpoint.key_variable} may use",
            )
        return final(ProviderError("key", message, hint, status))
    if is_overflow(status, said):
        hint = "start a new session or remove large files from it, or choose a model with a larger window"
        if endpoint.settings.api == "ollama":
            hint = f"{_larger_window(said)} under `providers: {name}:` in config.yaml, or start a new session"
        message = f"The conversation is too long for {model} on {name}: {shown}"
        return final(ProviderError("context", message, hint, status, window))
    for pattern, program, switch in _TOOL_SWITCHES:
        if pattern.search(said):
            hint = f"start {program} with `{switch}`, or set `tool_calls: text` under `providers: {name}:`"
            return final(NoTools("request", f"{name} was started without tool calling: {shown}", hint, status))
    if status in (400, 403, 404, 422) and _NO_TOOLS.search(said):
        hint = (
            f"choose a model with tool support, or set `tool_calls: text` under `providers: {name}:` in config.yaml "
            "(`auto` does so by itself)"
        )
        return final(
            NoTools("request", f"{endpoint.shown(model, 80)} on {name} has no tool support: {shown}", hint, status)
        )
    if status in (400, 403, 404, 422) and _MODEL.search(said):
        return final(unknown_model(endpoint, model, status))
    if status == 404:
        hint = f"check `base_url` of provider {name} ({endpoint.base_url}); it often ends in /v1/"
        return final(ProviderError("request", says, hint, status))
    if status == 429:
        hint = "wait a little, or switch to another provider or model"
        return Failure(
            ProviderError("limited", f"{name} limits requests (429): {shown}", hint, status), retry, said=said
        )
    if status >= 500 or status in RETRIED:
        hint = "try again in a while, or switch to another provider or model"
        return Failure(ProviderError("server", says, hint, status), retry, said=said)
    if status == 402:
        return final(
            ProviderError("request", says, f"the account behind {endpoint.key_variable} has no credit left", status)
        )
    return final(ProviderError("request", says, "the server does not accept this request", status))


def _larger_window(said: str) -> str:
    """The line that makes room for what was refused, with room for the reply."""
    asked = max((int(one or other) for one, other in _ASKED_TOKENS.findall(said)), default=0)
    return (
        f"set `context_length: {1 << round(1.3 * asked).bit_length()}`" if asked else "set a larger `context_length:`"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, and what it came from, groups opened."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        waiting.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)
