"""What a project's own settings may do before anyone has said that the project is trusted: only tighten."""

from collections.abc import Mapping
from typing import get_args

from msgspec import Struct

from tui_agent.config.decode import Decoded, KeyPath
from tui_agent.config.model import Settings
from tui_agent.config.problems import shown
from tui_agent.conversation.events import Mode

STRICTEST_FIRST: tuple[str, ...] = get_args(Mode)
"""`plan`, `ask`, `accept-edits`, `auto`."""

_FREE = {
    ("permissions", "ask"),
    ("permissions", "deny"),
    ("ui", "theme"),
    ("ui", "symbols"),
    ("ui", "diff"),
    ("ui", "thoughts"),
}
_SANDBOXES = {"off": 0, "auto": 1, "bwrap": 2, "docker": 2}
_EFFECTS: dict[tuple[str, ...], str] = {
    ("provider",): "what you ask goes to this provider",
    ("model",): "this model answers",
    ("mode",): "more is done without asking",
    ("sandbox",): "commands are kept in less",
    ("max_iterations",): "the model goes on for longer by itself",
    ("max_turns",): "the model goes on for longer by itself",
    ("max_tokens",): "the model goes on for longer by itself",
    ("max_cost",): "more money is spent without asking",
    ("currency",): "amounts of money mean something else",
    ("fallback",): "what you ask, and your files, go to these when the provider is down",
    ("compact",): "older parts of the conversation are summarised at another time",
    ("compact_at",): "older parts of the conversation are summarised at another time",
    ("system_prompt",): "the model is told this in every session",
    ("permissions", "allow"): "these run unasked",
    ("permissions", "read_only_commands"): "commands that provably only read run unasked",
    ("permissions", "expect"): "this is checked whenever the rules are loaded",
    ("ui", "keys"): "this key does something else",
    ("base_url",): "what you ask, your files and the provider's key go to this address",
    ("api_key_command",): "this program is run",
    ("api_key_env",): "the value of this variable is sent to the provider",
    ("default_api_key",): "this is sent to the provider as the key",
    ("model_file",): "this file is loaded",
    ("start_hint",): "you are shown this as the command to start the server",
    ("fetch_hint",): "you are shown this as the command to fetch a model",
    ("input",): "`max_cost` stops sooner or later",
    ("output",): "`max_cost` stops sooner or later",
    ("cached",): "`max_cost` stops sooner or later",
}


class Wish(Struct, frozen=True):
    """A setting that a project's file asks for and that only counts when the file is trusted.

    `change` is what it would change, on one line for people, and `effect` what would come of that. `line` counts
    from 1. Secret values are hidden in it.
    """

    key: str
    line: int
    change: str
    effect: str


def wishes(project: Decoded, below: Mapping[KeyPath, object]) -> dict[KeyPath, Wish]:
    """The settings of a project that do more than tighten; `below` are the values of the layers under it."""
    found = {
        path: Wish(".".join(path), line, _change(path, value, below), _effect(path))
        for path, (value, line) in project.entries.items()
        if not _tightens(path, value, below)
    }
    # An empty provider sets nothing, but it would still add a provider.
    for path, line in project.mappings.items():
        if len(path) == 2 and not any(entry[: len(path)] == path for entry in project.entries):
            found[path] = Wish(".".join(path), line, "is added", "there is a provider more")
    return dict(sorted(found.items(), key=lambda item: item[1].line))


def _tightens(path: KeyPath, value: object, below: Mapping[KeyPath, object]) -> bool:
    match path:
        case ("mode",):
            return STRICTEST_FIRST.index(str(value)) <= STRICTEST_FIRST.index(str(below.get(path, Settings().mode)))
        case ("sandbox",):
            current = str(below.get(path, Settings().sandbox))
            return value == current or _SANDBOXES[str(value)] > _SANDBOXES[current]
        case ("max_iterations",):
            limit = below.get(path, Settings().max_iterations)
            return isinstance(value, int) and isinstance(limit, int) and value <= limit
        case ("max_turns" | "max_tokens" | "max_cost",):
            limit = below.get(path)
            return isinstance(value, int | float) and (not isinstance(limit, int | float) or value <= limit)
        case ("permissions", "read_only_commands"):
            return value == "ask"
        case _:
            return path in _FREE


def _change(path: KeyPath, value: object, below: Mapping[KeyPath, object]) -> str:
    key = path[-1]
    if isinstance(value, tuple):
        return f"adds {shown(value, key, limit=None)}"
    text, now = shown(value, key, limit=None), below.get(path, _default(path))
    return text if now in (None, "") else f"{shown(now, key, limit=None)} → {text}"


def _default(path: KeyPath) -> object:
    value: object = Settings()
    for name in path:
        value = getattr(value, name, None)
    return value


def _effect(path: KeyPath) -> str:
    for name in (path, path[:2], path[-1:]):
        if effect := _EFFECTS.get(tuple(name)):
            return effect
    return "it changes how this provider is used" if path[0] == "providers" else "it changes what you have set"
