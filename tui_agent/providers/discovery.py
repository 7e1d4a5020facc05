"""Find out which model servers answer, what they serve, and which provider to start with."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.config.providers import base_url, key_variable, resolve_key
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.failures import (
    Endpoint,
    Failure,
    from_protocol,
    from_status,
    from_transport,
)
from tui_agent.providers.protocol import ModelInfo, ProbeResult, ProbeState
from tui_agent.providers.surrogates import mend

if TYPE_CHECKING:
    import httpx2

START_LIMIT = 0.3
LOCAL_LIMIT = 1.0
REMOTE_LIMIT = 5.0
LIST_BYTES = 16 * 1024 * 1024
START_PORTS = (11434, 1234, 8080, 8000, 1337)


class StartChoice(Struct, frozen=True):
    """The provider to start with, and why it.

    `model` is one that it serves; empty when it was not asked or serves none. `probes` are the servers that were looked
    for, in order of preference, and `keys` the key variables that were seen, each with the provider it belongs to;
    both are empty when the provider was chosen in the settings.
    """

    name: str
    explanation: str
    model: str = ""
    probes: tuple[ProbeResult, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


class NothingToStart(ProviderError):
    """No provider can be used yet; `probes` and `keys` are those of `StartChoice`."""

    def __init__(
        self,
        message: str,
        hint: str,
        probes: tuple[ProbeResult, ...] = (),
        keys: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__("unreachable", message, hint)
        self.probes = probes
        self.keys = keys


async def probe(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], limit: float | None = None
) -> ProbeResult:
    """Ask one server for its models, within `limit` seconds (default: 1 on this machine, 5 elsewhere).

    A server whose key is missing is not contacted.
    """
    if settings.api != "chat":
        return ProbeResult(name, "error", None, (), f"`api: {settings.api}` is not part of this version")
    try:
        key = await asyncio.to_thread(resolve_key, name, settings, environ)
    except ProviderError as error:
        return ProbeResult(name, "no key", None, (), error.message, error.hint)
    endpoint = Endpoint(name, settings, base_url(settings, environ), key.value)
    if limit is None:
        limit = LOCAL_LIMIT if endpoint.is_loopback else REMOTE_LIMIT
    import httpx2  # noqa: F401  # before the clock starts

    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        models = await fetch_models(endpoint, limit)
        latency = clock() - begun
        if name == "ollama":
            models = await _ask_ollama(endpoint, models, limit)
    except ProviderError as error:
        state: ProbeState = "down" if error.kind in ("unreachable", "timeout") else "error"
        return ProbeResult(name, state, None, (), error.message, error.hint)
    detail = "" if models else "no models"
    hint = settings.fetch_hint.replace("{model}", settings.default_model or "MODEL") if not models else ""
    return ProbeResult(name, "up", latency, models, detail, hint)


async def probe_all(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[ProbeResult]:
    """Probe every provider at once and yield the results as they come."""
    tasks = [asyncio.create_task(probe(name, provider, environ)) for name, provider in settings.providers.items()]
    try:
        for finished in asyncio.as_completed(tasks):
            yield await finished
    finally:
        for task in tasks:
            task.cancel()


async def choose_start(settings: Settings, environ: Mapping[str, str]) -> StartChoice:
    """Which provider to start with: the chosen one, else a local server that answers, else one with a key.

    Raises:
        NothingToStart: there is none; it lists what was tried.
    """
    if settings.provider != "auto":
        return StartChoice(settings.provider, "chosen in the settings")
    local = _local_servers(settings, environ)
    results = await asyncio.gather(*(probe(name, local[name], environ, START_LIMIT) for name in local))
    up = [result for result in results if result.state == "up"]
    for result in sorted(up, key=lambda result: not result.models):
        url = base_url(local[result.provider], environ)
        return StartChoice(result.provider, f"{result.provider} answers on {_address(url)}", probes=tuple(results))
    for name, provider in settings.providers.items():
        if provider.api == "chat" and provider.requires_api_key:
            variable = key_variable(name, provider)
            if environ.get(variable, "").strip():
                return StartChoice(name, f"no local server answers; {variable} is set")
            if provider.api_key_command:
                return StartChoice(name, f"no local server answers; {name} has an api_key_command")
    tried = ", ".join(f"{name} ({_address(base_url(provider, environ))})" for name, provider in local.items())
    variables = ", ".join(
        key_variable(name, provider)
        for name, provider in settings.providers.items()
        if provider.api == "chat" and provider.requires_api_key
    )
    starts = next((provider.start_hint for provider in local.values() if provider.start_hint), "")
    hint = "start a local server" + (f" ({starts})" if starts else "")
    raise NothingToStart(
        f"No model server answers: tried {tried}" if tried else "No model server is configured",
        f"{hint}, or export one of {variables}" if variables else hint,
        tuple(results),
    )


async def fetch_models(endpoint: Endpoint, limit: float) -> tuple[ModelInfo, ...]:
    """The models that a server lists, within `limit` seconds.

    Raises:
        ProviderError: it cannot be reached, refuses, or is no model server.
    """
    import httpx2

    headers = {"Authorization": f"Bearer {endpoint.key}"}
    if urlsplit(endpoint.base_url).hostname == "api.anthropic.com":
        # Its list of models belongs to its own API, which wants these.
        headers |= {"x-api-key": endpoint.key, "anthropic-version": "2023-06-01"}
    try:
        async with asyncio.timeout(limit), _client(endpoint) as client:
            value = await _get_json(client, endpoint, endpoint.base_url + "models", headers)
    except TimeoutError:
        raise ProviderError(
            "timeout",
            f"{endpoint.name} ({endpoint.address}) did not list its models within {limit:g} s",
            "it may be busy: try again",
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise from_transport(endpoint, error, limit).error from None
    except Failure as failure:
        raise failure.error from None
    models = read_models(value)
    if models is None:
        raise from_protocol(endpoint, "not a list of models", json.dumps(value)[:200]).error
    return models


def read_models(value: Any) -> tuple[ModelInfo, ...] | None:
    """The models of a `/v1/models` answer; None when it is no such answer."""
    if not isinstance(value, Mapping) or "data" not in value:
        return None
    data = value["data"] if value["data"] is not None else []
    if not isinstance(data, list):
        return None
    found: dict[str, ModelInfo] = {}
    for item in data:
        if isinstance(item, Mapping) and isinstance(item.get("id"), str) and item["id"]:
            info = ModelInfo(mend(item["id"]), _context_length(item), _tools(item))
            found.setdefault(info.id, info)
    return tuple(found.values())


def nearest(model: str, known: tuple[ModelInfo, ...], count: int = 3) -> tuple[str, ...]:
    """The ids most like `model`; when none is, the first ones."""
    import difflib

    ids = [info.id for info in known]
    return tuple(difflib.get_close_matches(model, ids, n=count, cutoff=0.4) or ids[:count])


def _local_servers(settings: Settings, environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    """The servers to look for without being asked: on this machine, or where OLLAMA_HOST points; known ports first."""
    ranked = []
    seen = set[str]()
    for place, (name, provider) in enumerate(settings.providers.items()):
        if provider.api != "chat" or provider.requires_api_key:
            continue
        url = base_url(provider, environ)
        if url in seen or not (Endpoint(name, provider, url, "").is_loopback or name == "ollama"):
            continue
        seen.add(url)
        port = urlsplit(provider.base_url).port
        ranked.append((START_PORTS.index(port) if port in START_PORTS else len(START_PORTS), place, name))
    return {name: settings.providers[name] for _, _, name in sorted(ranked)}


def _address(url: str) -> str:
    return urlsplit(url).netloc


def _client(endpoint: Endpoint) -> "httpx2.AsyncClient":
    import httpx2

    # Our caller holds the clock. Verification costs 40 ms to set up, and nothing is encrypted on http.
    encrypted = endpoint.base_url.startswith("https:")
    return httpx2.AsyncClient(timeout=None, verify=encrypted, trust_env=not endpoint.is_loopback)


async def _get_json(
    client: "httpx2.AsyncClient",
    endpoint: Endpoint,
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
) -> Any:
    """The JSON value at an address; with a body it is posted.

    Raises:
        Failure: another status than 200, not JSON, or more than 16 MiB.
    """
    method = "GET" if body is None else "POST"
    async with client.stream(method, url, headers=dict(headers), json=body) as response:
        raw = b""
        async for chunk in response.aiter_bytes():
            raw += chunk
            if len(raw) > LIST_BYTES:
                break
    text = raw.decode("utf-8", "replace")
    if response.status_code != 200:
        raise from_status(endpoint, "", response.status_code, response.headers, text[:4000])
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise from_protocol(endpoint, "not a model server", text[:400]) from None


async def _ask_ollama(endpoint: Endpoint, models: tuple[ModelInfo, ...], limit: float) -> tuple[ModelInfo, ...]:
    """Add what Ollama's own API says about the default model: its tools, and the window it really gets.

    What a model could take (`model_info`) is not what Ollama gives it: that is `num_ctx` of its parameters, or what a
    loaded model has.
    """
    import httpx2

    wanted = endpoint.settings.default_model
    if all(model.id != wanted for model in models):
        return models
    root = endpoint.base_url.removesuffix("v1/")
    shown: Any
    loaded: Any
    try:
        async with asyncio.timeout(limit), _client(endpoint) as client:
            shown, loaded = await asyncio.gather(
                _get_json(client, endpoint, root + "api/show", {}, {"model": wanted}),
                _get_json(client, endpoint, root + "api/ps", {}),
                return_exceptions=True,
            )
    except (TimeoutError, httpx2.HTTPError):
        return models
    tools = context = None
    if isinstance(shown, Mapping):
        tools = _tools(shown)
        for line in str(shown.get("parameters") or "").splitlines():
            words = line.split()
            if words[:1] == ["num_ctx"] and words[1:] and words[1].isdigit():
                context = int(words[1])
    running = loaded.get("models") if isinstance(loaded, Mapping) else None
    for item in running if isinstance(running, list) else ():
        if isinstance(item, Mapping) and wanted in (item.get("name"), item.get("model")):
            context = _count(item.get("context_length")) or context
    return tuple(
        replace(model, tools=tools, context_length=context) if model.id == wanted else model for model in models
    )


def _context_length(item: Mapping[str, Any]) -> int | None:
    """What the server gives before what the model could take."""
    meta = item.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    candidates = (
        item.get("loaded_context_length"),
        meta.get("n_ctx"),
        item.get("max_model_len"),
        item.get("context_length"),
        item.get("context_window"),
        item.get("max_context_length"),
        item.get("max_input_tokens"),
        meta.get("n_ctx_train"),
    )
    return next(filter(None, map(_count, candidates)), None)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _tools(item: Mapping[str, Any]) -> bool | None:
    said = item.get("capabilities")
    if isinstance(said, list):
        return any(word in ("tools", "tool_use", "tool_call", "function_calling") for word in said)
    if isinstance(said, Mapping):
        answers = [said[word] for word in ("tools", "tool_use", "function_calling") if isinstance(said.get(word), bool)]
        return any(answers) if answers else None
    said = item.get("supported_parameters")
    return "tools" in said if isinstance(said, list) else None
