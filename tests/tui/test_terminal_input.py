"""A bracketed paste is one paste event, however the input is cut and whatever is in it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from tui_agent.tui.terminal_input import GuardedParser, PasteGuard

pasted = st.text(st.sampled_from("ab\x1b[]0;2m~1y\r\x07"), max_size=40).filter(lambda text: "\x1b[201~" not in text)


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(marks) if start < end]


@given(pasted, st.lists(st.integers(0, 200), max_size=6))
def test_any_paste_in_any_pieces_is_one_paste_and_no_key(text: str, places: list[int]) -> None:
    parser = GuardedParser()
    sent = f"x\x1b[200~{text}\x1b[201~z"
    found = [message for piece in cut(sent, places) for message in parser.feed(piece)]
    keys = [message.character for message in found if isinstance(message, events.Key)]
    pastes = [message.text for message in found if isinstance(message, events.Paste)]
    assert keys == ["x", "z"]
    wanted = text.replace("\x1b", "")
    assert pastes == ([wanted] if wanted else pastes)


@given(st.text(st.sampled_from("ab\x1b[A;~1\r"), max_size=30), st.lists(st.integers(0, 99), max_size=5))
def test_input_outside_of_pastes_passes_unchanged(text: str, places: list[int]) -> None:
    guard = PasteGuard()
    assert "".join(guard.clean(piece) for piece in cut(text, places)) == text


def test_enter_that_was_pressed_before_the_terminal_was_set_up_is_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_agent.tui.terminal_input.waiting_bytes", lambda: len("é\nb\n".encode()))
    parser = GuardedParser()
    keys = [
        message.key
        for piece in ("é\n", "b\n", "\n")
        for message in parser.feed(piece)
        if isinstance(message, events.Key)
    ]
    assert keys == ["é", "enter", "b", "enter", "ctrl+j"]
