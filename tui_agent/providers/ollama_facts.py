"""What Ollama says of its models, and what it made of a prompt."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tui_agent.conversation.events import Noticed
from tui_agent.providers.model_facts import as_count, as_mapping, as_parameters, first_count, says_tools
from tui_agent.providers.protocol import ModelInfo
from tui_agent.providers.surrogates import mend

ROUGHNESS = 1.3
"""How many times too large an estimate of tokens may be."""

SMALLEST_WINDOW = 2048
"""Tokens that every version of Ollama gives when nobody says how many."""

SLACK = 8
"""Tokens by which Ollama's count of a cut prompt differs from the window, or from half of it."""


class Shown(Struct, frozen=True):
    """What `/api/show` says of a model: `window` is the `num_ctx` of its Modelfile, `most` what it could take."""

    tools: bool | None = None
    parameters: int | None = None
    window: int | None = None
    most: int | None = None


def root_of(base_url: str) -> str:
    """The address of Ollama's own API, with a trailing slash, when that of its OpenAI route is given."""
    root = base_url.rstrip("/")
    for ending in ("/v1", "/api"):
        root = root.removesuffix(ending)
    return root + "/"


def full_name(model: str) -> str:
    """The name with its tag; without one Ollama takes `latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def read_tags(value: Any) -> tuple[ModelInfo, ...] | None:
    """The models of an `/api/tags` answer that can chat; None when it is no such answer.

    Newer versions say what each can do. None has a window yet: see `window`.
    """
    answer = as_mapping(value)
    # Servers that only take Ollama's place here list the same models under `data`.
    models = answer.get("models", 0) if "data" not in answer else 0
    if models is None:
        return ()
    if not isinstance(models, list):
        return None
    found: dict[str, ModelInfo] = {}
    for item in models:
        if not isinstance(item, Mapping):
            continue
        name = item.get("name") or item.get("model")
        said = item.get("capabilities")
        if isinstance(name, str) and name and not (isinstance(said, list) and said and "completion" not in said):
            size = as_parameters(as_mapping(item.get("details")).get("parameter_size"))
            tools = says_tools(item) if said else None
            found.setdefault(mend(name), ModelInfo(mend(name), None, tools, size))
    return tuple(found.values())


def read_show(value: Any) -> Shown:
    """What an `/api/show` answer says, as far as it is one."""
    show = as_mapping(value)
    info = as_mapping(show.get("model_info"))
    family = info.get("general.architecture")
    ending = ".context_length"
    most = [count for key, item in info.items() if str(key).endswith(ending) and (count := as_count(item))]
    window = None
    for line in str(show.get("parameters") or "").splitlines():
        name, _, number = line.strip().partition(" ")
        if name == "num_ctx" and number.strip().isascii() and number.strip().isdigit():
            window = as_count(int(number.strip()[:12]))
    return Shown(
        says_tools(show) if show.get("capabilities") else None,
        as_count(info.get("general.parameter_count"))
        or as_parameters(as_mapping(show.get("details")).get("parameter_size")),
        window,
        first_count(info.get(f"{family}{ending}"), *most[:1]),
    )


def read_ps(value: Any) -> dict[str, int]:
    """The windows of the models that are loaded, by full name."""
    models = as_mapping(value).get("models")
    return {
        full_name(name): context
        for item in (models if isinstance(models, list) else ())
        if isinstance(item, Mapping)
        for name in (item.get("name"), item.get("model"))
        if isinstance(name, str) and (context := as_count(item.get("context_length")))
    }


def window(configured: int | None, loaded: int | None, shown: Shown) -> int | None:
    """The tokens that a request really gets: what it asks for as `num_ctx`, but no more than the model can take; else
    what it is loaded with; else what its Modelfile says; None when nobody says."""
    if configured is not None:
        return min(configured, shown.most or configured)
    return loaded or shown.window


def may_be_cut(read: int, estimate: int, configured: int | None) -> bool:
    """Whether it is worth asking how large the window was: more seems to have been sent than was read, and more than
    the smallest window holds."""
    return estimate > read and estimate * ROUGHNESS >= min(configured or SMALLEST_WINDOW, SMALLEST_WINDOW)


def is_cut(read: int, estimate: int, window: int) -> bool:
    """Whether a prompt of about `estimate` tokens, of which Ollama counted `read`, evidently did not fit `window`.

    A runner that cuts keeps half of its window, an older one all of it; before that the oldest messages are dropped.
    A count may also be small because the rest was in the cache: that alone says nothing.
    """
    if read >= estimate or read > window:
        return False
    if abs(read - window / 2) <= SLACK and estimate >= window / ROUGHNESS:
        return True
    if read >= window - max(SLACK, window // 50) and estimate > 1.05 * read:
        return True
    if estimate > ROUGHNESS * window:
        return True
    return estimate > window and window / 4 <= read < 0.7 * estimate


def cut_notice(provider: str, read: int, estimate: int, window: int, most: int | None) -> Noticed:
    """What the user is told when the prompt was cut; `most` is the largest window that the model can take."""
    wanted = 1 << max(round(ROUGHNESS * estimate) - 1, window).bit_length()
    roundly = round(estimate, -2) if estimate >= 1000 else estimate
    text = f"{provider} read only {read:,} of about {roundly:,} tokens: the prompt was cut"
    if most is not None and most <= window:
        return Noticed(
            "warning", text, f"{most:,} is all this model takes: start a new session, or choose another model"
        )
    wanted = min(wanted, most or wanted)
    return Noticed("warning", text, f"set `context_length: {wanted}` under `providers: {provider}:` in config.yaml")
