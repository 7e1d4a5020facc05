"""Textual bindings from the action registry, and the check of a user's key bindings before they are applied."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache

from textual import events
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.widget import Widget

from tui_agent.tui.actions import ACTIONS, PLACES, Action

_BY_ID = {action.id: action for action in ACTIONS}

_KEY_NAMES = {
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "space": "space",
    "delete": "del",
}

# What a key press passes on its way up: the place that has the focus, then these.
_ABOVE: Mapping[str, tuple[str, ...]] = {
    "chat": ("app",),
    "prompt": ("chat", "app"),
    "transcript": ("chat", "app"),
    "find": ("chat", "app"),
    "approval": ("chat", "app"),
    "review": ("app",),
    "editor": ("review", "app"),
    "picker": ("app",),
    "sessions": ("app",),
    "choosing": ("app",),
    "looking": ("app",),
    "rewind": ("app",),
    "themes": ("app",),
    "trust": ("app",),
    "modes": ("app",),
    "plan": ("app",),
    "questions": ("app",),
    "background": ("app",),
    "context": ("app",),
    "summary": ("app",),
    "queued": ("app",),
    "beside": ("app",),
    "compare": ("app",),
    "help": ("app",),
}


LEFT_TO_SCREEN = frozenset({"f6", "f7", "pageup", "pagedown"})
"""Keys of a text area that the prompt does without: nothing in it is longer than a page."""

SENDING = ("chat.send", "chat.newline", "chat.queue", "chat.take_back")
"""Actions of the prompt that have to do with what is written there."""

TAKES_KEYS = frozenset({"chat.find"})
"""Actions of other places that take the focus: what is typed right behind their keys is meant for where they lead."""

KEEPS_KEYS = "-keeps-keys"
"""Class of a widget that a question takes the focus from only when it is left."""


def bindings_for(place: str) -> list[BindingType]:
    """The bindings of one place, for the `BINDINGS` of its widget, screen or app; binding ids are action ids.

    None has priority: Textual runs priority bindings before the keys that were typed ahead of them have arrived in
    the focused widget, so a quick "x, enter" would send without the x. See `run_in_order`.
    """
    return [
        Binding(
            action.keys,
            action.method,
            action.label,
            show=action.footer,
            id=action.id,
        )
        for action in ACTIONS
        if action.owner == place and not action.fixed
    ]


async def run_in_order(event: events.Key, widget: Widget, owner: DOMNode) -> bool:
    """Run the binding of `owner`, or one that takes the keys, for a key that reached `widget`; False without one.

    It runs at once and before the next key.

    A binding that is found by bubbling runs after keys that were typed behind it. A widget that takes text calls
    this first in its key handler.
    """
    if event.is_printable and not event.key.startswith("alt+"):
        return False
    if widget.screen.focused is widget:
        active = widget.screen.active_bindings.get(event.key)
        action = None
        if active is not None and active.enabled and (active.node is owner or active.binding.id in TAKES_KEYS):
            action, owner = active.binding.action, active.node
    else:
        action = _own_action(event.key, owner)
    if action is None or not await widget.app.run_action(action, owner):
        return False  # such as ctrl+c with nothing selected, which is for those above
    event.stop()
    event.prevent_default()
    return True


def passed_on(event: events.Key, widget: Widget) -> bool:
    """Give a key to what keeps the keys now: it was typed behind one that `TAKES_KEYS`, and read by who had them."""
    focused = widget.screen.focused
    if focused is None or focused is widget or not focused.has_class(KEEPS_KEYS):
        return False
    event.stop()
    event.prevent_default()
    focused.post_message(events.Key(event.key, event.character))
    return True


def _own_action(key: str, owner: DOMNode) -> str | None:
    """What a key does that reached a widget and was read after the focus had left it: Enter must not be lost then.

    Textual knows bindings of the focused widget only, and has no public way to read bindings and keymap.
    """
    keymap = owner.app._keymap
    own = [binding for bindings in owner._bindings.key_to_bindings.values() for binding in bindings]
    offered = [binding for binding in own if binding.id in _BY_ID and owner.check_action(binding.action, ())]
    actions = [(binding.action, _BY_ID[binding.id]) for binding in offered if binding.id is not None]
    return next((name for name, action in actions if key in keys_of(action, keymap)), None)


def canonical_keys(keys: str) -> tuple[str, ...]:
    """The keys of a comma-separated list as Textual names them: `"?, Ctrl+X"` is `("question_mark", "ctrl+x")`."""
    names: list[str] = []
    for key in (part.strip() for part in keys.split(",")):
        if len(key) == 1:
            names.extend(binding.key for binding in Binding.make_bindings([Binding(key, "")]))
        elif key:
            names.append(key.lower())
    return tuple(dict.fromkeys(names))


def keys_of(action: Action, keys: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of an action under a user's bindings (those of `keymap`)."""
    return canonical_keys(keys.get(action.id, action.keys))


def key_name(key: str) -> str:
    """A key as people read it: `escape` is `esc`, `left_square_bracket` is `[`, `up` is `↑`."""
    *modifiers, name = key.split("+")
    if shown := _KEY_NAMES.get(name):
        name = shown
    elif len(name) > 1 and _is_typed(name):
        name = key_to_character(name) or name
    return "+".join([*modifiers, name])


def keymap_problems(keys: Mapping[str, str]) -> list[str]:
    """What is wrong with a user's bindings (`ui.keys`), a sentence each, naming action ids; empty when all is well."""
    return [problem for _, problem in _problems(keys)]


def keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """The part of a user's bindings that is safe for `App.set_keymap`.

    Textual deletes the binding that a rebound one lands on, and accepts ids that do not exist; every entry that
    `keymap_problems` names is left out, so the shipped keys stay in force for it.
    """
    return dict(_sound(tuple(keys.items())))


@lru_cache(4)
def _sound(keys: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Asked for with every event, while bindings are compared with each other in milliseconds."""
    kept = dict(keys)
    while problems := _problems(kept):
        for action_id, _ in problems:
            kept.pop(action_id, None)
    return {action_id: ",".join(canonical_keys(value)) for action_id, value in kept.items()}


def _problems(keys: Mapping[str, str]) -> list[tuple[str, str]]:
    """The id of the entry to leave out, and why."""
    problems = []
    sound: dict[str, str] = {}
    for action_id, value in keys.items():
        problem = _entry_problem(action_id, value)
        if problem:
            problems.append((action_id, problem))
        else:
            sound[action_id] = value
    return problems + _clashes(sound)


def _entry_problem(action_id: str, value: str) -> str:
    action = _BY_ID.get(action_id)
    if action is None:
        nearest = get_close_matches(action_id, _BY_ID, n=1, cutoff=0.4)
        return f"{action_id} is no action" + (f"; the nearest is {nearest[0]}" if nearest else "")
    if action.fixed:
        return f"{action_id} cannot have another key"
    names = canonical_keys(value)
    if not names:
        return f"{action_id} has no key; give at least one"
    for name in names:
        if not _is_key(name):
            return f"{action_id}: {name} is no key; write it like ctrl+r, f5, escape or shift+tab"
        if _is_typed(name) and action.owner in (
            "app",
            "chat",
            "prompt",
            "find",
            "editor",
            "picker",
            "sessions",
            "choosing",
            "rewind",
        ):
            return f"{action_id}: {name} is typed as text there; use it with ctrl or alt, or a function key"
        if action.owner in ("app", "chat") and name in _editing_keys():
            return f"{action_id}: {name} edits text in the prompt and would not arrive"
    return ""


def _clashes(keys: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs that share a key under `keys` and do not share it as shipped."""
    problems = []
    for index, first in enumerate(ACTIONS):
        for second in ACTIONS[index + 1 :]:
            if first.id not in keys and second.id not in keys:
                continue
            hidden, hiding = _hidden_by(first, second)
            if hidden is None or hiding is None:
                continue
            both = [key for key in keys_of(first, keys) if key in keys_of(second, keys)]
            shipped = set(canonical_keys(first.keys)) & set(canonical_keys(second.keys))
            new = [key for key in both if key not in shipped]
            if not new:
                continue
            culprit = first if first.id in keys else second
            if first.owner == second.owner:
                why = f"{first.id} and {second.id} both use {new[0]}"
            else:
                place = _title(hiding.owner)
                why = f"{hiding.id} and {hidden.id} both use {new[0]}; in the {place} only {hiding.id} would work"
            problems.append((culprit.id, why))
    return problems


def _hidden_by(first: Action, second: Action) -> tuple[Action | None, Action | None]:
    """Which of two actions never sees a key that both have, and which takes it; None, None when they never meet."""
    if first.owner == second.owner or second.owner in _ABOVE.get(first.owner, ()):
        return second, first
    if first.owner in _ABOVE.get(second.owner, ()):
        return first, second
    return None, None


def _title(place: str) -> str:
    return next(title for name, title in PLACES if name == place)


def _is_typed(name: str) -> bool:
    character = key_to_character(name)
    return character is not None and character.isprintable()


def _is_key(name: str) -> bool:
    *modifiers, key = name.split("+")
    if not set(modifiers) <= {"ctrl", "shift", "alt", "super", "meta", "hyper"}:
        return False
    return key in _key_names() or key_to_character(key) is not None


@lru_cache(1)
def _key_names() -> frozenset[str]:
    from textual.keys import Keys

    return frozenset(str(key.value) for key in Keys)


def is_for_prompt(key: str, keymap: Mapping[str, str]) -> bool:
    """Whether a key edits the text of the prompt, or sends it."""
    return key in _editing_keys() or any(key in keys_of(_BY_ID[action], keymap) for action in SENDING)


@lru_cache(1)
def _editing_keys() -> frozenset[str]:
    from textual.widgets import TextArea

    bindings = Binding.make_bindings(TextArea.BINDINGS)
    return frozenset(binding.key for binding in bindings) - LEFT_TO_SCREEN
