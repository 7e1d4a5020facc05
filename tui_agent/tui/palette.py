"""The command palette's entries, from the action registry."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.actions import parse
from textual.app import App, SystemCommand
from textual.screen import Screen

from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name, keys_of


def palette_commands(app: App[Any], screen: Screen[object]) -> Iterable[SystemCommand]:
    """Each action with `palette=True` whose owner, the app or `screen`, is here and lets it run now; a row each."""
    for action in ACTIONS:
        if not action.palette:
            continue
        node = app if action.owner == "app" else screen
        _, name, parameters = parse(action.method)
        if hasattr(node, f"action_{name}") and node.check_action(name, parameters):
            keys = keys_of(action, app._keymap)
            title = f"{action.label:<12}{action.help.rstrip('.')}" + (f"  {key_name(keys[0])}" if keys else "")
            yield SystemCommand(title, "", partial(app.run_action, action.method, node))
