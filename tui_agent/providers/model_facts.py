"""Read what servers say of their models: tolerantly, and without taking what a model could do for what it gets."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from tui_agent.providers.protocol import ModelInfo
from tui_agent.providers.surrogates import mend

_SIZE = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)\s*([KMBT])", re.IGNORECASE)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_TOOL_WORDS = ("tools", "tool_use", "tool_call", "function_calling")


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
            meta = as_mapping(item.get("meta"))
            context = first_count(
                item.get("loaded_context_length"),
                meta.get("n_ctx"),
                item.get("max_model_len"),
                item.get("context_length"),
                item.get("context_window"),
                item.get("max_context_length"),
                item.get("max_input_tokens"),
            )
            info = ModelInfo(mend(item["id"]), context, says_tools(item), as_count(meta.get("n_params")))
            found.setdefault(info.id, info)
    return tuple(found.values())


def owners(value: Any) -> frozenset[str]:
    """Who owns the models of a `/v1/models` answer: "llamacpp", "vllm" and, of Ollama, "library"."""
    data = as_mapping(value).get("data")
    return frozenset(
        item["owned_by"]
        for item in (data if isinstance(data, list) else ())
        if isinstance(item, Mapping) and isinstance(item.get("owned_by"), str)
    )


def read_props(value: Any) -> ModelInfo:
    """What `/props` of llama.cpp says of its model, whatever that is called: the window of one request, and whether the
    chat template in use knows tools."""
    props = as_mapping(value)
    caps = as_mapping(props.get("chat_template_caps"))
    tools = caps.get("supports_tools")
    context = as_count(as_mapping(props.get("default_generation_settings")).get("n_ctx"))
    return ModelInfo("", context, tools if isinstance(tools, bool) else None)


def read_lm_studio(value: Any) -> dict[str, ModelInfo]:
    """What `/api/v0/models` of LM Studio says, by model. A model that is not loaded has no window yet."""
    data = as_mapping(value).get("data")
    return {
        mend(item["id"]): ModelInfo(mend(item["id"]), as_count(item.get("loaded_context_length")), says_tools(item))
        for item in (data if isinstance(data, list) else ())
        if isinstance(item, Mapping) and isinstance(item.get("id"), str)
    }


def merged(info: ModelInfo, more: ModelInfo) -> ModelInfo:
    """A model with what another source knows better; what that one does not know stays."""
    return replace(
        info,
        context_length=more.context_length or info.context_length,
        tools=info.tools if more.tools is None else more.tools,
        parameters=more.parameters or info.parameters,
    )


def says_tools(item: Mapping[str, Any]) -> bool | None:
    """Whether a model's entry says that it calls tools."""
    said = item.get("capabilities")
    if isinstance(said, list):
        return any(word in _TOOL_WORDS for word in said)
    if isinstance(said, Mapping):
        answers = [said[word] for word in _TOOL_WORDS if isinstance(said.get(word), bool)]
        return any(answers) if answers else None
    said = item.get("supported_parameters")
    return "tools" in said if isinstance(said, list) else None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_count(value: Any) -> int | None:
    """The value, if it is a whole number above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def first_count(*values: Any) -> int | None:
    """The first of the values that is a whole number above 0."""
    return next(filter(None, map(as_count, values)), None)


def as_parameters(size: Any) -> int | None:
    """The number of weights that a size such as "1.5B" or "494.03M" states."""
    match = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    return (round(float(match[1]) * _UNITS[match[2].upper()]) or None) if match else None


def nearest(model: str, known: tuple[ModelInfo, ...], count: int = 3) -> tuple[str, ...]:
    """The ids most like `model`; when none is, the first ones."""
    import difflib

    ids = [info.id for info in known]
    return tuple(difflib.get_close_matches(model, ids, n=count, cutoff=0.4) or ids[:count])
