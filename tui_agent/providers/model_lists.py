"""Ask servers for their models, and for what each of them gets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.failures import Endpoint, Failure, from_protocol, from_transport, no_such_api
from tui_agent.providers.model_facts import merged, owners, read_lm_studio, read_models, read_props
from tui_agent.providers.ollama_facts import Shown, full_name, read_ps, read_show, read_tags, root_of, window
from tui_agent.providers.plain_http import NOT_A_MODEL_SERVER, ask_json, connect, warm_up
from tui_agent.providers.protocol import ModelInfo
from tui_agent.providers.surrogates import mend

DETAIL_SECONDS = 1.0

KNOWN_OWNERS = frozenset({"llamacpp", "vllm", "library"})
"""The last is what Ollama says of its models on its OpenAI route."""

Ask = Callable[..., Awaitable[Any]]


class Listing(Struct, frozen=True):
    """The models that a server lists: `native` by Ollama's own list, else by OpenAI's, with who `owned_by` says owns
    them."""

    models: tuple[ModelInfo, ...]
    native: bool = False
    owned_by: frozenset[str] = frozenset()


async def list_models(endpoint: Endpoint, limit: float) -> Listing:
    """The models that a server lists under `models`, within `limit` seconds.

    Raises:
        ProviderError: it cannot be reached, refuses, or is no model server.
    """
    headers: dict[str, str] = {}
    if urlsplit(endpoint.base_url).hostname == "api.anthropic.com":
        # Its list of models belongs to its own API, which wants these.
        headers = {"x-api-key": endpoint.key, "anthropic-version": "2023-06-01"}
    address = root_of(endpoint.base_url) + "v1/" if endpoint.settings.api == "ollama" else endpoint.base_url
    async with asking(endpoint, limit) as ask:
        value = await ask(address + "models", headers=headers)
    models = read_models(value)
    if models is None:
        raise from_protocol(endpoint, NOT_A_MODEL_SERVER, json.dumps(value)[:200]).error
    return Listing(models, False, owners(value))


async def list_ollama(endpoint: Endpoint, limit: float) -> Listing:
    """The models that Ollama has and that can chat, within `limit` seconds.

    Raises:
        ProviderError: it cannot be reached or refuses; `NoSuchApi` when it does not speak Ollama's protocol.
    """
    try:
        async with asking(endpoint, limit) as ask:
            value = await ask(root_of(endpoint.base_url) + "api/tags")
    except ProviderError as error:
        raise no_such_api(error) from None
    models = read_tags(value)
    if models is None:
        raise no_such_api(from_protocol(endpoint, NOT_A_MODEL_SERVER, json.dumps(value)[:200]).error)
    wanted = endpoint.settings.context_length
    return Listing(tuple(replace(model, context_length=wanted) for model in models), True)


async def detailed(endpoint: Endpoint, listing: Listing, limit: float = DETAIL_SECONDS) -> tuple[ModelInfo, ...]:
    """The listed models with what a server on this machine, or any Ollama, says of them elsewhere, within `limit`
    seconds: Ollama's API, `/props` of llama.cpp, LM Studio's own list."""
    models = listing.models
    if not models or not (listing.native or endpoint.is_loopback):
        return models
    if listing.native or "library" in listing.owned_by:
        return await _shown(endpoint, models, endpoint.settings.context_length if listing.native else None, limit)
    root = root_of(endpoint.base_url)
    unknown = listing.owned_by.isdisjoint(KNOWN_OWNERS)
    # With several models there is no telling which of them the properties are of.
    props = len(models) == 1 and (unknown or "llamacpp" in listing.owned_by)
    wanted = [path for path, asked in (("props", props), ("api/v0/models", unknown)) if asked]
    answers = dict(
        zip(wanted, await _ask_quietly(endpoint, limit, [(root + path, None) for path in wanted]), strict=True)
    )
    if props:
        models = (merged(models[0], read_props(answers["props"])),)
    listed = read_lm_studio(answers.get("api/v0/models"))
    return tuple(merged(model, listed.get(model.id, model)) for model in models)


async def fetch_shown(endpoint: Endpoint, model: str, limit: float) -> Shown:
    """What Ollama says of one model, within `limit` seconds.

    Raises:
        ProviderError: it cannot be reached, refuses, or does not have that model; `NoSuchApi` as above.
    """
    try:
        async with asking(endpoint, limit, model) as ask:
            value = await ask(root_of(endpoint.base_url) + "api/show", {"model": mend(model)})
    except ProviderError as error:
        raise no_such_api(error) from None
    return read_show(value)


async def fetch_loaded(endpoint: Endpoint, model: str, limit: float) -> int | None:
    """The window that Ollama has loaded a model with; None when it is not loaded or nobody answers in time."""
    (loaded,) = await _ask_quietly(endpoint, limit, [(root_of(endpoint.base_url) + "api/ps", None)])
    return read_ps(loaded).get(full_name(model))


@asynccontextmanager
async def asking(endpoint: Endpoint, limit: float, model: str = "") -> AsyncIterator[Ask]:
    """A function that gives the JSON value at an address, for `limit` seconds; `model` is named in messages.

    Raises:
        ProviderError: the server cannot be reached, or refuses.
    """
    await warm_up()
    import httpx2

    try:
        async with asyncio.timeout(limit), connect(endpoint) as client:
            yield partial(ask_json, client, endpoint, model=model)
    except TimeoutError:
        raise ProviderError(
            "timeout",
            f"{endpoint.name} ({endpoint.address}) did not answer within {limit:g} s",
            "it may be busy: try again",
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise from_transport(endpoint, error, limit).error from None
    except Failure as failure:
        raise failure.error from None


async def _shown(
    endpoint: Endpoint, models: Sequence[ModelInfo], wanted: int | None, limit: float
) -> tuple[ModelInfo, ...]:
    """Models with what Ollama says of each; `wanted` is the window that requests ask for."""
    root = root_of(endpoint.base_url)
    shows = [(root + "api/show", {"model": model.id}) for model in models]
    loaded, *shown = await _ask_quietly(endpoint, limit, [(root + "api/ps", None), *shows])
    windows = read_ps(loaded)
    facts = map(read_show, shown)
    return tuple(
        merged(
            model,
            ModelInfo(model.id, window(wanted, windows.get(full_name(model.id)), fact), fact.tools, fact.parameters),
        )
        for model, fact in zip(models, facts, strict=True)
    )


async def _ask_quietly(
    endpoint: Endpoint, limit: float, requests: Sequence[tuple[str, Mapping[str, Any] | None]]
) -> list[Any]:
    """The JSON values at these addresses, asked at once; None for each that does not answer with one in time."""
    import httpx2

    async with connect(endpoint) as client:

        async def ask(url: str, body: Mapping[str, Any] | None) -> Any:
            try:
                return await ask_json(client, endpoint, url, body)
            except (Failure, httpx2.HTTPError, httpx2.InvalidURL):
                return None

        tasks = [asyncio.create_task(ask(url, body)) for url, body in requests]
        if not tasks:
            return []
        try:
            done, _ = await asyncio.wait(tasks, timeout=limit)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [task.result() if task in done else None for task in tasks]
