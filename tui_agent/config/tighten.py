"""What a project's own settings may do before anyone has said that the project is trusted: only tighten."""

from collections.abc import Iterator, Mapping
from typing import get_args

from tui_agent.config.decode import Decoded, KeyPath
from tui_agent.config.model import Settings
from tui_agent.config.problems import Problem, shown
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
_RULE = "project settings may only tighten"


def project_problems(project: Decoded, below: Mapping[KeyPath, object]) -> Iterator[Problem]:
    """The settings of a project that it may not make; `below` are the values of the layers under it."""
    for path, (value, line) in project.entries.items():
        if path in _FREE:
            continue
        if path == ("mode",):
            current = below.get(path, Settings().mode)
            allowed = STRICTEST_FIRST.index(str(value)) <= STRICTEST_FIRST.index(str(current))
            text = f"{shown(value)} is looser than {shown(current)}"
        elif path == ("sandbox",):
            current = below.get(path, Settings().sandbox)
            allowed = value == current or _SANDBOXES[str(value)] > _SANDBOXES[str(current)]
            text = f"{shown(value)} is not stricter than {shown(current)}"
        elif path == ("max_iterations",):
            limit = below.get(path, Settings().max_iterations)
            allowed = isinstance(value, int) and isinstance(limit, int) and value <= limit
            text = f"{shown(value)} is more than {shown(limit)}"
        else:
            allowed, text = False, "this belongs in your own settings"
        if not allowed:
            yield Problem(project.source, line, ".".join(path), f"{_RULE}; {text}")
    # An empty provider sets nothing, but it would still add a provider.
    for path, line in project.mappings.items():
        if not any(entry[: len(path)] == path for entry in project.entries):
            yield Problem(project.source, line, ".".join(path), f"{_RULE}; this belongs in your own settings")
