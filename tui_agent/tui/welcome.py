"""The first screen: who answers, what is asked before it happens, and the keys to begin with."""

from collections.abc import Mapping, Sequence

from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name, keys_of

Line = tuple[tuple[str, str], ...]

ASKS_FIRST: Line = (("every write and every command asks first; reading does not", "muted"),)


def welcome_lines(
    version: str, about: Sequence[Line], keys: Mapping[str, str], urgent: Sequence[Line] = ()
) -> tuple[Line, ...]:
    """Lines of (text, colour role) spans.

    `about` says who answers; `keys` are the user's bindings. What is `urgent` comes last: there it is in view on the
    smallest screen. With neither, who answers is still looked for.
    """
    name = (("tui-agent", "accent"), (f" {version}", "faint"))
    if urgent and not about:
        return (name, ASKS_FIRST, (), *urgent)
    return (
        name,
        *(about or ((("looking for a model", "faint"),),)),
        (),
        ASKS_FIRST,
        _keys(("@", "a file"), ("/", "commands"), *_bound(keys, "chat.newline", "chat.interrupt")),
        _keys(*_bound(keys, "chat.providers", "chat.sessions", "app.theme", "app.help")),
        *(((), *urgent) if urgent else ()),
    )


def shortest(keys: Mapping[str, str], name: str) -> str:
    """The key of an action as people read it, the shortest one if it has several."""
    action = next(action for action in ACTIONS if action.id == name)
    return min(map(key_name, keys_of(action, keys)), key=len)


def _bound(keys: Mapping[str, str], *ids: str) -> list[tuple[str, str]]:
    labels = {action.id: action.label for action in ACTIONS}
    return [(shortest(keys, name), labels[name]) for name in ids]


def _keys(*keys: tuple[str, str]) -> Line:
    return tuple(span for key, does in keys for span in ((key, "text"), (f" {does}   ", "faint")))
