"""How much a model is given: everything, or little, for models that lose their way in more.

A small local model reads 40 to 200 prompt tokens a second and follows only a few rules at once. The small profile keeps
the beginning of every request (system prompt and tools) under 600 tokens and the same bytes in every project and turn.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from tui_agent.config.model import ProfileName
from tui_agent.conversation.messages import ToolSpec
from tui_agent.providers.protocol import ModelInfo

SMALL_PARAMETERS = 5_000_000_000
SMALL_WINDOW = 8192

OPTIONAL = {"edit_file": ("replace_all",)}
"""Optional parameters that small models are told of all the same."""

LEFT_OUT = frozenset({"glob_files", "update_plan"})
"""Built-in tools that the small profile does without."""

_BILLIONS = re.compile(r"(?<![A-Za-z0-9.])e?(\d{1,3}(?:\.\d{1,2})?)\s?b(?![A-Za-z0-9])", re.IGNORECASE)


class Profile(Struct, frozen=True):
    """The profile in force, and why it, for people."""

    name: Literal["small", "full"]
    why: str

    @property
    def small(self) -> bool:
        """The model is given little."""
        return self.name == "small"


FULL = Profile("full", "nothing is known of the model")


def choose_profile(setting: ProfileName, info: ModelInfo | None) -> Profile:
    """The profile for a model: the one that is set, else by its size (of its name, if its server does not say) and
    window."""
    if setting != "auto":
        return Profile(setting, "set by you")
    if info is None:
        return FULL
    parameters = info.parameters or _parameters_in(info.id)
    if parameters is not None and parameters < SMALL_PARAMETERS:
        return Profile("small", f"{parameters / 1e9:.1f} billion parameters")
    if info.context_length is not None and info.context_length <= SMALL_WINDOW:
        return Profile("small", f"a window of {info.context_length:,} tokens")
    if parameters is not None:
        return Profile("full", f"{parameters / 1e9:.0f} billion parameters")
    return FULL


def _parameters_in(name: str) -> int | None:
    """The size that a model's name states, as in `qwen2.5-coder:1.5b`; of several the largest (`30b-a3b`)."""
    sizes = [float(size) for size in _BILLIONS.findall(name)]
    return round(max(sizes) * 1e9) if sizes else None


def offered(specs: Sequence[ToolSpec], profile: Profile) -> tuple[ToolSpec, ...]:
    """The tools as the model is told of them."""
    if not profile.small:
        return tuple(specs)
    return tuple(_short(spec) for spec in specs if spec.name not in LEFT_OUT)


def _short(spec: ToolSpec) -> ToolSpec:
    """Name, first sentence and required parameters, without their descriptions."""
    required = list(spec.parameters.get("required", ()))
    properties: dict[str, Any] = {
        name: {key: value for key, value in schema.items() if key in ("type", "enum", "items")}
        for name, schema in spec.parameters.get("properties", {}).items()
        if name in required or name in OPTIONAL.get(spec.name, ())
    }
    parameters = {"type": "object", "properties": properties, "required": required}
    return ToolSpec(spec.name, _first_sentence(spec.description), parameters)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;:])\s", text.strip(), maxsplit=1)[0].rstrip(";:")
