"""The action registry and the bindings made of it."""

import importlib
import inspect
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.actions import parse
from textual.app import App, ComposeResult
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import TextArea

from tui_agent.tui import bindings
from tui_agent.tui.actions import ACTIONS, PLACES
from tui_agent.tui.bindings import LEFT_TO_SCREEN, bindings_for, canonical_keys, keymap, keymap_problems

OWNERS = {
    "app": "tui_agent.tui.app",
    "chat": "tui_agent.tui.screens.chat",
    "prompt": "tui_agent.tui.widgets.prompt",
    "approval": "tui_agent.tui.widgets.answer_bar",
    "transcript": "tui_agent.tui.widgets.transcript.view",
    "find": "tui_agent.tui.widgets.find_bar",
    "review": "tui_agent.tui.screens.review",
    "editor": "tui_agent.tui.widgets.hunk_editor",
    "picker": "tui_agent.tui.screens.picker",
    "sessions": "tui_agent.tui.screens.sessions",
    "choosing": "tui_agent.tui.screens.choosing",
    "looking": "tui_agent.tui.screens.looking",
    "rewind": "tui_agent.tui.screens.rewind",
    "themes": "tui_agent.tui.screens.themes",
    "trust": "tui_agent.tui.screens.trust",
    "plan": "tui_agent.tui.screens.plan",
    "modes": "tui_agent.tui.screens.modes",
    "questions": "tui_agent.tui.screens.questions",
    "background": "tui_agent.tui.screens.background",
    "context": "tui_agent.tui.screens.context",
    "summary": "tui_agent.tui.screens.summary",
    "queued": "tui_agent.tui.screens.queued",
    "beside": "tui_agent.tui.screens.beside",
    "compare": "tui_agent.tui.screens.compare",
    "help": "tui_agent.tui.screens.help",
}


def test_every_id_is_unique_and_belongs_to_a_known_place() -> None:
    assert [name for name, count in Counter(action.id for action in ACTIONS).items() if count > 1] == []
    assert {action.place for action in ACTIONS} | {action.owner for action in ACTIONS} <= {name for name, _ in PLACES}


def test_no_two_actions_of_one_place_share_a_key() -> None:
    for place, _ in PLACES:
        keys = Counter(key for action in ACTIONS if action.owner == place for key in canonical_keys(action.keys))
        # Tab completes a word where there is one, and queues where there is none.
        assert [key for key, count in keys.items() if count > 1] == (["tab"] if place == "prompt" else []), place


def test_help_is_a_sentence_and_labels_are_short() -> None:
    for action in ACTIONS:
        assert action.help.endswith("."), action.id
        assert action.label and len(action.label) <= 16, action.id


@pytest.mark.parametrize("place", [name for name, _ in PLACES])
def test_each_method_exists_on_the_owner_of_its_place(place: str) -> None:
    try:
        module = importlib.import_module(OWNERS[place])
    except ModuleNotFoundError as error:
        if error.name and OWNERS[place].startswith(error.name):
            pytest.skip(f"{OWNERS[place]} is not there")
        raise
    wanted = {f"action_{parse(binding.action)[1]}" for binding in bindings_for(place)}  # type: ignore[union-attr]
    classes = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, DOMNode) and member.__module__ == module.__name__
    ]
    missing = [sorted(name for name in wanted if not hasattr(member, name)) for member in classes]
    assert [] in missing, f"no class of {module.__name__} has all of them: {min(missing, key=len)}"


def test_bindings_carry_the_ids_and_labels_of_the_registry() -> None:
    by_id = {binding.id: binding for binding in bindings_for("chat")}
    assert by_id["chat.interrupt"].key == "escape"
    assert by_id["chat.interrupt"].show and by_id["chat.interrupt"].description == "stop"
    assert "chat.send" not in by_id, "the prompt owns it"
    assert {binding.id for binding in bindings_for("prompt")} >= {"chat.send", "chat.newline"}


def test_shipped_and_harmless_bindings_have_no_problems() -> None:
    assert keymap_problems({}) == []
    assert keymap_problems({action.id: action.keys for action in ACTIONS if not action.fixed}) == []
    assert keymap_problems({"chat.interrupt": "ctrl+l", "app.help": "F11, f1"}) == []


def test_an_unknown_id_is_told_with_the_nearest_one() -> None:
    assert keymap_problems({"chat.interupt": "escape"}) == ["chat.interupt is no action; the nearest is chat.interrupt"]
    assert keymap({"chat.interupt": "f12"}) == {}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"chat.review": "f2"}, "chat.providers and chat.review both use f2"),
        ({"approval.deny": "y"}, "approval.allow and approval.deny both use y"),
        (
            {"transcript.copy": "ctrl+p"},
            "transcript.copy and app.palette both use ctrl+p; in the transcript only transcript.copy would work",
        ),
        ({"chat.new": "alt+enter"}, "chat.newline and chat.new both use alt+enter; in the prompt only"),
        ({"chat.new": "ctrl+k"}, "chat.new: ctrl+k edits text in the prompt and would not arrive"),
        ({"chat.new": "n"}, "chat.new: n is typed as text there"),
        ({"chat.new": ""}, "chat.new has no key"),
        ({"chat.new": "contrl+x"}, "chat.new: contrl+x is no key"),
        ({"prompt.earlier": "f8"}, "prompt.earlier cannot have another key"),
    ],
)
def test_a_bad_binding_is_named_and_left_out(keys: dict[str, str], told: str) -> None:
    problems = keymap_problems(keys)
    assert len(problems) == 1
    assert problems[0].startswith(told)
    assert keymap(keys) == {}


def test_two_actions_may_swap_their_keys() -> None:
    swapped = {"approval.allow": "n", "approval.deny": "y"}
    assert keymap_problems(swapped) == []
    assert keymap(swapped) == swapped


ids = st.sampled_from([action.id for action in ACTIONS] + ["chat.nothing"])
key_names = st.sampled_from(["f2", "f7", "ctrl+r", "n", "y", "escape", "enter", "?", "ctrl+g", "", "F5", "zz"])


class Bed(App[None]):
    """An app with the bindings of a place on its only widget."""

    def compose(self) -> ComposeResult:
        class Place(Widget, can_focus=True):
            BINDINGS = bindings_for("approval")

        yield Place()


@given(st.dictionaries(ids, st.lists(key_names, min_size=1, max_size=3).map(",".join), max_size=5))
def test_what_keymap_keeps_has_no_problems(keys: dict[str, str]) -> None:
    kept = keymap(keys)
    assert keymap_problems(kept) == []
    assert set(kept) <= set(keys)


async def test_no_binding_is_lost_when_the_kept_keymap_is_applied() -> None:
    async with Bed().run_test() as pilot:
        pilot.app.set_keymap(keymap({"approval.deny": "y", "approval.allow": "a", "approval.comment": "n"}))
        active = {key: active.binding.id for key, active in pilot.app.screen.active_bindings.items()}
        everything = {binding.id for binding in bindings_for("approval")}
        assert everything <= set(active.values())
        assert active["a"] == "approval.allow"


def test_the_prompt_hides_none_of_our_keys_from_the_screen_and_app() -> None:
    typed = {key for binding in TextArea.BINDINGS for key in binding.key.split(",")}  # type: ignore[union-attr]
    ours = {key for place in ("app", "chat") for binding in bindings_for(place) for key in canonical_keys(binding.key)}
    assert ours & typed == LEFT_TO_SCREEN & ours


def test_bindings_are_compared_with_each_other_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for with every event of a stream."""
    compared: list[object] = []
    compare = bindings._clashes
    bindings._sound.cache_clear()
    monkeypatch.setattr(bindings, "_clashes", lambda keys: compared.append(keys) or compare(keys))
    for _ in range(50):
        kept = keymap({"chat.queue": "f19"})
        kept.clear()  # of the caller
    assert len(compared) == 1 and keymap({"chat.queue": "f19"}) == {"chat.queue": "f19"}
