"""What is edited hides nothing, and what was not touched comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.sanitize import hidden_count
from tui_agent.tui.hunk_draft import HunkDraft

TEXT = st.text(alphabet="ab \t\n\r\f\x1b\x85\u2028\u202e\u200b\udc80<U+202E>é", max_size=60)


@given(TEXT)
def test_what_was_not_touched_is_the_same_text(text: str) -> None:
    assert HunkDraft(text).read(HunkDraft(text).shown) == text


@given(TEXT)
def test_nothing_is_hidden_and_lines_end_at_line_feeds_only(text: str) -> None:
    shown = HunkDraft(text).shown
    assert all(hidden_count(part) == 0 for line in shown.split("\n") for part in line.split("\t"))
    assert shown.splitlines() == [line for line in shown.split("\n") if line or shown][: len(shown.splitlines())]
    assert len(shown.split("\n")) == max(1, text.count("\n") + (not text.endswith("\n")))


@given(TEXT, st.text(alphabet="xyz\n", min_size=1, max_size=9))
def test_what_is_put_before_it_stands_before_it(text: str, typed: str) -> None:
    draft = HunkDraft(text)
    wanted = typed.replace("\n", "\r\n") if "\n" in text and text.count("\n") == text.count("\r\n") else typed
    if text and text != "\n" and text != "\r\n":
        assert draft.read(typed + draft.shown) == wanted + text


@pytest.mark.parametrize(
    ("text", "like", "typed", "made"),
    [
        ("a\r\nb\r\n", "", "a\nX\nb", "a\r\nX\r\nb\r\n"),
        ("a\r\nb\n", "", "a<U+000D>\nb\nc", "a\r\nb\nc\n"),
        ("a", "", "b", "b"),
        ("a\n", "", "", ""),
        ("", "", "a", "a\n"),
        ("", "x\r\n", "a\nb", "a\r\nb\r\n"),
        ("\ufeffa\n", "", "<U+FEFF>b", "\ufeffb\n"),
        ("\udc80a\n", "", "<U+DC80>b", "\udc80b\n"),
    ],
)
def test_endings_marks_and_odd_bytes_are_kept(text: str, like: str, typed: str, made: str) -> None:
    assert HunkDraft(text, like).read(typed) == made
