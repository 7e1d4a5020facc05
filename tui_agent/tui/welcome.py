"""The first screen: who answers, what is asked before it happens, and the keys to begin with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tui_agent.config.model import Settings
from tui_agent.conversation.events import Mode
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name, keys_of

if TYPE_CHECKING:  # the engine is imported after the first paint
    from tui_agent.agent.session import Session

Line = tuple[tuple[str, str], ...]


def what_asks(mode: Mode, *, reading: bool = False, rules: bool = False, sandboxed: bool | None = None) -> str:
    """What a mode lets happen unasked, in a sentence.

    `reading`: commands that provably only read run unasked; `rules`: there are rules that allow something. `sandboxed`
    is None as long as nobody knows, which only `auto` depends on: then nothing is said of it.
    """
    if mode == "auto" and sandboxed is None:
        return ""
    but = " and ".join(filter(None, ("commands that only read" * reading, "what your rules allow" * rules)))
    match mode:
        case "plan":
            run = ", but commands that only read run" if reading else ""
            return f"nothing is written or run{run}; reading does not ask"
        case "auto" if sandboxed:
            return "plain files are written unasked; commands run unasked in the sandbox, without network"
        case "accept-edits":
            said = "plain files are written unasked; every command asks first"
        case _:
            said = "without a sandbox " * (mode == "auto") + "every write and every command asks first"
    return f"{said}, but for {but}" if but else f"{said}; reading does not"


def reading_runs(settings: Settings, session: "Session | None") -> bool:
    """Whether commands that provably only read run unasked, by the settings or by an answer of this session."""
    answered = session is not None and session.executor.lets_reading_run
    return answered or settings.permissions.read_only_commands == "allow"


def what_asks_now(settings: Settings, session: "Session | None") -> str:
    """What happens unasked now; what the session is not known for yet, as the settings have it."""
    return what_asks(
        session.mode if session is not None else settings.mode,
        reading=reading_runs(settings, session),
        rules=bool(settings.permissions.allow),
        sandboxed=session.executor.sandbox.on if session is not None else None,
    )


def welcome_lines(
    version: str,
    about: Sequence[Line],
    keys: Mapping[str, str],
    urgent: Sequence[Line] = (),
    asks: str = what_asks("ask"),
) -> tuple[Line, ...]:
    """Lines of (text, colour role) spans.

    `asks` is what `what_asks` says. `about` says who answers; `keys` are the user's bindings. What is `urgent` comes
    last: there it is in view on the smallest screen. With neither, who answers is still looked for.
    """
    asking: Line = ((asks, "muted"),)
    name = (("tui-agent", "accent"), (f" {version}", "faint"))
    if urgent and not about:
        return (name, asking, (), *urgent)
    return (
        name,
        *(about or ((("looking for a model", "faint"),),)),
        (),
        asking,
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
