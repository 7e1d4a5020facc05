"""The first screen: who answers, what is asked before it happens, and the keys to begin with."""

from collections.abc import Mapping

from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name, keys_of

Line = tuple[tuple[str, str], ...]


def welcome_lines(version: str, model: str, found: str, keys: Mapping[str, str]) -> tuple[Line, ...]:
    """Lines of (text, colour role) spans.

    `model` is who answers, empty while that is looked for; `found` says how it was chosen; `keys` are the user's
    bindings.
    """
    return (
        (("tui-agent", "accent"), (f" {version}", "faint")),
        ((model, "text"), (f"   {found}" if found else "", "faint")) if model else (("looking for a model", "faint"),),
        (),
        (("every write and every command asks first; reading does not", "muted"),),
        _keys(("@", "a file"), ("/", "commands"), *_bound(keys, "chat.newline", "chat.interrupt")),
        _keys(*_bound(keys, "chat.providers", "chat.sessions", "app.theme", "app.help")),
    )


def _bound(keys: Mapping[str, str], *ids: str) -> list[tuple[str, str]]:
    actions = {action.id: action for action in ACTIONS}
    return [(min(map(key_name, keys_of(actions[name], keys)), key=len), actions[name].label) for name in ids]


def _keys(*keys: tuple[str, str]) -> Line:
    return tuple(span for key, does in keys for span in ((key, "text"), (f" {does}   ", "faint")))
