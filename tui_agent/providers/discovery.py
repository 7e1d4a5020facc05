"""Find out which model servers answer, what they serve, and which provider to start with."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from tui_agent.config.locations import locations
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.config.providers import base_url, key_variable, resolve_key
from tui_agent.conversation.errors import ConfigError, ProviderError
from tui_agent.providers.failures import Endpoint, NoSuchApi
from tui_agent.providers.model_lists import Listing, detailed, list_models, list_ollama
from tui_agent.providers.ollama_facts import full_name
from tui_agent.providers.plain_http import warm_up
from tui_agent.providers.protocol import ModelInfo, ProbeResult, ProbeState

START_LIMIT = 0.3
LOCAL_LIMIT = 1.0
REMOTE_LIMIT = 5.0
START_PORTS = (11434, 1234, 8080, 8000, 1337)

Keys = tuple[tuple[str, str], ...]
"""Variables of the environment that hold a key, each with the provider it belongs to."""


class StartChoice(Struct, frozen=True):
    """The provider to start with, and why it.

    `model` is one that it serves; empty when it was not asked or serves none. `probes` are the servers that were looked
    for, in order of preference, with the embedded model last, and `keys` the key variables that were seen, each with
    the provider it belongs to; both are empty when the provider was chosen in the settings.
    """

    name: str
    explanation: str
    model: str = ""
    probes: tuple[ProbeResult, ...] = ()
    keys: Keys = ()


class NothingToStart(ProviderError):
    """No provider can be used yet; `probes` and `keys` are those of `StartChoice`."""

    def __init__(self, message: str, hint: str, probes: tuple[ProbeResult, ...] = (), keys: Keys = ()) -> None:
        super().__init__("unreachable", message, hint)
        self.probes = probes
        self.keys = keys


async def probe(
    name: str, settings: ProviderSettings, environ: Mapping[str, str], limit: float | None = None
) -> ProbeResult:
    """Ask one server for its models, within `limit` seconds (default: 1 on this machine, 5 elsewhere, and as long again
    on this machine for what each model gets, which a given limit leaves out).

    A server whose key is missing is not contacted.
    """
    if settings.api == "embedded":
        return await _probe_embedded(name, settings, environ)
    try:
        key = await asyncio.to_thread(resolve_key, name, settings, environ)
    except ProviderError as error:
        return ProbeResult(name, "no key", None, (), error.message, error.hint)
    endpoint = Endpoint(name, settings, base_url(settings, environ), key.value)
    seconds = limit or (LOCAL_LIMIT if endpoint.is_loopback else REMOTE_LIMIT)
    await warm_up()
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        async with asyncio.timeout(limit):
            found = await listing(endpoint, seconds)
        latency = clock() - begun
        models = found.models if limit else await detailed(endpoint, found)
    except TimeoutError:
        return ProbeResult(name, "down", None, (), f"{name} ({endpoint.address}) did not answer within {limit:g} s")
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
    """Which provider to start with: the chosen one, else a server on this machine that has a model, else one whose key
    is set, else the embedded model if it is installed, else a server that answers without a model.

    Raises:
        NothingToStart: there is none; it lists what was tried.
    """
    if settings.provider != "auto":
        return StartChoice(settings.provider, "chosen in the settings")
    local = _local_servers(settings, environ)
    inner = [name for name, provider in settings.providers.items() if provider.api == "embedded"]
    results = await asyncio.gather(*(probe(name, local[name], environ, START_LIMIT) for name in local))
    # Not beside the servers: what it imports would use up their time.
    results += [await probe(name, settings.providers[name], environ) for name in inner]
    probes, keys = tuple(results), _keys_seen(settings, environ)
    found = {result.provider: result for result in probes if result.state == "up"}

    def chosen(name: str, explanation: str) -> StartChoice:
        served = found[name].models if name in found else ()
        return StartChoice(name, explanation, _pick(settings.providers[name], served), probes, keys)

    for name in local:
        if name in found and (models := found[name].models):
            count = "1 model" if len(models) == 1 else f"{len(models)} models"
            return chosen(name, f"{name} answers on {_address(settings.providers[name], environ)} with {count}")
    empty = [name for name in local if name in found]
    nobody = _without_models(empty)
    for name, provider in settings.providers.items():
        for variable, owner in keys:
            if owner == name:
                return chosen(name, f"{nobody}; {variable} is set, the key of {name}")
        if _wants_key(provider) and provider.api_key_command:
            return chosen(name, f"{nobody}; {name} has an api_key_command")
    for name in inner:
        if name in found:
            return chosen(name, f"{nobody}; the embedded model is installed")
    for name in empty:
        fetch = f": {found[name].hint}" if found[name].hint else ""
        where = _address(settings.providers[name], environ)
        return chosen(name, f"{name} answers on {where}, but has no model{fetch}")
    raise _nothing(settings, environ, list(local), probes)


def _without_models(empty: Sequence[str]) -> str:
    if not empty:
        return "no server answers here"
    return f"{' and '.join(empty)} {'has' if len(empty) == 1 else 'have'} no model"


def _nothing(
    settings: Settings, environ: Mapping[str, str], local: Sequence[str], probes: tuple[ProbeResult, ...]
) -> NothingToStart:
    tried = ", ".join(f"{name} ({_address(settings.providers[name], environ)})" for name in local)
    strange = "".join(f"; {result.detail}" for result in probes if result.provider in local and result.state == "error")
    variables = ", ".join(
        key_variable(name, provider) for name, provider in settings.providers.items() if _wants_key(provider)
    )
    starts = next((hint for name in local if (hint := settings.providers[name].start_hint)), "")
    ways = ["start a local server" + (f" ({starts})" if starts else "")]
    ways += [result.hint for result in probes if result.state == "missing" and result.hint]
    ways += [f"export one of {variables}"] if variables else []
    return NothingToStart(
        f"No model server answers: tried {tried}{strange}" if tried else "No model server is configured",
        ", or ".join(ways),
        probes,
    )


async def listing(endpoint: Endpoint, limit: float) -> Listing:
    """The models that a server lists, within `limit` seconds a request; one set up for Ollama may turn out to be
    another.

    Raises:
        ProviderError: it cannot be reached, refuses, or is no model server.
    """
    if endpoint.settings.api == "ollama":
        try:
            return await list_ollama(endpoint, limit)
        except NoSuchApi:
            pass
    return await list_models(endpoint, limit)


async def _probe_embedded(name: str, settings: ProviderSettings, environ: Mapping[str, str]) -> ProbeResult:
    """Whether the embedded model could start: nothing of the engine is imported, and nothing is fetched."""
    from tui_agent.providers.embedded.catalogue import DEFAULT_MODEL, find_model
    from tui_agent.providers.embedded.download import installed
    from tui_agent.providers.embedded.machine import engine_version
    from tui_agent.providers.embedded.provider import EmbeddedProvider

    wanted = settings.default_model or DEFAULT_MODEL
    known = await EmbeddedProvider(name, settings, environ).models()
    if settings.model_file:
        models = known if _is_file(settings.model_file) else ()
        detail, hint = f"no such file: {settings.model_file}", f"correct `model_file:` under `providers: {name}:`"
    else:
        try:
            find_model(wanted)
        except ConfigError as error:
            return ProbeResult(name, "error", None, (), error.message, error.hint)
        folder = locations(environ).models
        models = tuple(info for info in known if installed(find_model(info.id), folder))
        models = tuple(sorted(models, key=lambda info: info.id != wanted))
        detail, hint = "not downloaded", settings.fetch_hint.replace("{model}", wanted)
    try:
        await asyncio.to_thread(engine_version)
    except ProviderError as error:
        return ProbeResult(name, "missing", None, (), error.message, error.hint)
    if not models:
        return ProbeResult(name, "missing", None, (), detail, hint)
    return ProbeResult(name, "up", None, models)


def _is_file(path: str) -> bool:
    return Path(path).expanduser().is_file()


def _pick(provider: ProviderSettings, served: tuple[ModelInfo, ...]) -> str:
    """The configured model if it is served or nothing is known of it, else one that calls tools, else the first."""
    wanted = provider.default_model
    ids = {model.id for model in served}
    if not served or wanted in ids or (provider.api == "ollama" and full_name(wanted) in ids):
        return wanted
    return min(served, key=lambda model: ("embed" in model.id, {True: 0, None: 1, False: 2}[model.tools])).id


def _wants_key(provider: ProviderSettings) -> bool:
    return provider.api != "embedded" and provider.requires_api_key


def _keys_seen(settings: Settings, environ: Mapping[str, str]) -> Keys:
    return tuple(
        (variable, name)
        for name, provider in settings.providers.items()
        if _wants_key(provider) and environ.get(variable := key_variable(name, provider), "").strip()
    )


def _local_servers(settings: Settings, environ: Mapping[str, str]) -> dict[str, ProviderSettings]:
    """The servers to look for without being asked: on this machine, or where OLLAMA_HOST points; known ports first."""
    ranked = []
    seen = set[str]()
    for place, (name, provider) in enumerate(settings.providers.items()):
        if provider.api == "embedded" or provider.requires_api_key:
            continue
        url = base_url(provider, environ)
        if url in seen or not (Endpoint(name, provider, url, "").is_loopback or name == "ollama"):
            continue
        seen.add(url)
        port = urlsplit(provider.base_url).port
        ranked.append((START_PORTS.index(port) if port in START_PORTS else len(START_PORTS), place, name))
    return {name: settings.providers[name] for _, _, name in sorted(ranked)}


def _address(provider: ProviderSettings, environ: Mapping[str, str]) -> str:
    return urlsplit(base_url(provider, environ)).netloc
