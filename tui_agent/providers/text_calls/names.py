"""Tools found by the names that models write for them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tui_agent.conversation.messages import ToolSpec

LONGEST: Final = 80
"""Characters of a written name; a longer one names nothing."""

SPACES: Final = ("functions.", "function.", "tools.", "tool.", "default_api.")
"""Namespaces that models put before a name."""

_NUMBER = re.compile(r":\d{1,3}$")
_LOOSE = re.compile(r"[\s_-]+")


class Toolbox:
    """The tools on offer; a name counts in any case, with `-` for `_`, and in a namespace (`functions.read_file`).

    `known` are other names of these tools: alias → name.
    """

    def __init__(self, tools: Sequence[ToolSpec], known: Mapping[str, str] | None = None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        aliases = {alias: name for alias, name in (known or {}).items() if name in self._tools}
        self._names: dict[str, str | None] = {}
        for written, name in (*aliases.items(), *((name, name) for name in self._tools)):
            folded = _folded(written)
            # Two tools whose names differ only so far are told apart by their exact names alone.
            self._names[folded] = name if self._names.get(folded, name) == name else None
        self._aliases = aliases
        self._written = frozenset(_LOOSE.sub("", space) + name for space in ("", *SPACES) for name in self._names)
        self.command_tool = next((tool.name for tool in tools if _takes_a_command(tool)), None)

    def __bool__(self) -> bool:
        return bool(self._tools)

    def find(self, written: str) -> str | None:
        """The name of the tool that is meant; None when there is none, or more than one could be."""
        if written in self._tools:
            return written
        if len(written) > LONGEST:
            return None
        return self._aliases.get(written) or self._names.get(_folded(written))

    def may_begin(self, beginning: str) -> bool:
        """Some name begins so."""
        loose = _LOOSE.sub("", beginning.lower())
        return len(beginning) <= LONGEST and any(name.startswith(loose) for name in self._written)

    def properties(self, name: str) -> Mapping[str, Any]:
        """The parameters of a tool, in their order: name → schema."""
        properties = self._tools[name].parameters.get("properties")
        return properties if isinstance(properties, Mapping) else {}

    def required(self, name: str) -> frozenset[str]:
        """The parameters that a tool must be given."""
        required = self._tools[name].parameters.get("required")
        return frozenset(filter(lambda entry: isinstance(entry, str), required if isinstance(required, list) else ()))


def _folded(written: str) -> str:
    plain = _NUMBER.sub("", written.strip(" \t\r\n`'\"*").lower())
    space = next((space for space in SPACES if plain.startswith(space)), "")
    return _LOOSE.sub("", plain.removeprefix(space))


def _takes_a_command(tool: ToolSpec) -> bool:
    properties = tool.parameters.get("properties")
    required = tool.parameters.get("required")
    return isinstance(properties, Mapping) and "command" in properties and required == ["command"]
