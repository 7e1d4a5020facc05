"""A cut text keeps its beginning and its end and says what is missing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.bounds import bound

NOTE = re.compile(r"\[… [\d,]+ lines?, [\d,]+ characters? left out …\]")


def test_a_short_text_is_returned_as_it_is():
    assert bound("one\ntwo\n", max_lines=10, max_characters=100) == "one\ntwo\n"


def test_many_lines_keep_head_and_tail():
    text = "\n".join(f"line {n}" for n in range(100))
    cut = bound(text, max_lines=9, max_characters=10_000).split("\n")
    assert cut[:3] == ["line 0", "line 1", "line 2"]
    assert cut[3] == "[… 91 lines, 720 characters left out …]"
    assert cut[4:] == [f"line {n}" for n in range(94, 100)]


def test_one_endless_line_is_cut_inside():
    cut = bound("a" * 500 + "b" * 500, max_lines=5, max_characters=30)
    assert cut.startswith("a" * 10 + "\n[…") and cut.endswith("…]\n" + "b" * 19)


def test_a_bound_without_room_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError):
        bound("x", max_lines=1, max_characters=10)


@given(st.text("ab \n", max_size=400), st.integers(2, 20), st.integers(2, 120))
def test_the_result_fits_and_its_parts_come_from_the_text(text, max_lines, max_characters):
    cut = bound(text, max_lines=max_lines, max_characters=max_characters)
    if cut == text:
        return
    assert len(NOTE.findall(cut)) == 1
    head, tail = NOTE.split(cut)
    assert text.startswith(head.removesuffix("\n")) and text.endswith(tail.removeprefix("\n"))
    assert len(head) + len(tail) <= max_characters + 2
    assert head.count("\n") + tail.count("\n") <= max_lines
