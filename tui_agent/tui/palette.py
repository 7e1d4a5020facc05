"""The command palette's entries, from the action registry."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen

from tui_agent.tui.actions import ACTIONS


def palette_commands(app: App[Any], screen: Screen[object]) -> Iterable[SystemCommand]:
    """Each action with `palette=True` whose owner, the app or `screen`, is here and lets it run now."""
    for action in ACTIONS:
        if not action.palette:
            continue
        node = app if action.owner == "app" else screen
        if hasattr(node, f"action_{action.method}") and node.check_action(action.method, ()):
            title = action.help.rstrip(".")
            yield SystemCommand(action.label, title, partial(app.run_action, action.method, node))
