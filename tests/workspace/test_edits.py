"""Finding the one place that an edit means."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.edits import EXACT, UNICODE, WHITESPACE, find_and_replace

WORDS = st.text('abc \t\n“"', max_size=12)


@given(before=WORDS, old=WORDS, after=WORDS, new=WORDS)
def test_an_exact_match_always_wins_and_nothing_else_changes(before: str, old: str, after: str, new: str) -> None:
    text = before + old + after
    assume(old and new != old)
    assume(text.find(old) == len(before) and text.find(old, len(before) + 1) < 0)
    edited = find_and_replace(text, old, new)
    assert (edited.text, edited.how, edited.count) == (before + new + after, EXACT, 1)


LINE = st.text("abcd(){}", min_size=1, max_size=8)


@given(
    head=st.lists(LINE, max_size=4),
    block=st.lists(st.tuples(st.integers(0, 3), LINE), min_size=1, max_size=4),
    tail=st.lists(LINE, max_size=4),
    shift=st.integers(1, 3),
    trailing=st.sampled_from(["", " ", "\t"]),
)
def test_a_shifted_block_is_found_and_lines_around_it_keep_their_characters(
    head: list[str], block: list[tuple[int, str]], tail: list[str], shift: int, trailing: str
) -> None:
    there = ["    " * (depth + shift) + line + trailing for depth, line in block]
    old = "\n".join("    " * depth + line for depth, line in block)
    text = "\n".join([*head, *there, *tail])
    try:
        edited = find_and_replace(text, old, old + "\nNEW")
    except WorkspaceError as error:
        assert "places" in error.message
        return
    lines = edited.text.split("\n")
    if edited.how == WHITESPACE:
        new_at = next(i for i, line in enumerate(lines) if line.strip() == "NEW")
        assert lines[:new_at] + lines[new_at + 1 :] == text.split("\n")
    else:
        assert "NEW" in edited.text


def test_the_new_lines_take_the_indentation_of_the_file() -> None:
    text = "class A:\n    def f(self):\n        return 1\n"
    edited = find_and_replace(text, "def f(self):\n    return 1", "def f(self):\n    x = 2\n    return x")
    assert edited.text == "class A:\n    def f(self):\n        x = 2\n        return x\n"
    assert edited.how == WHITESPACE


def test_spaces_stand_for_the_tabs_of_the_file() -> None:
    edited = find_and_replace("if x:\n\ty()\n\t\tz()\n", "    y()\n        z()", "    y()\n        w()")
    assert edited.text == "if x:\n\ty()\n\t\tw()\n"


def test_a_less_indented_new_line_is_less_indented_in_the_file() -> None:
    text = "        if a:\n            b()\n        c()\n"
    edited = find_and_replace(text, "    if a:\n        b()", "    if a:\n        b()\nelse:")
    assert edited.text == "        if a:\n            b()\n    else:\n        c()\n"


def test_look_alike_characters_are_taken_as_equal_and_kept_where_nothing_changes() -> None:
    text = "a = “x” – 1\nb = ‘y’\n"
    edited = find_and_replace(text, "a = \"x\" - 1\nb = 'y'", "a = \"x\" - 1\nb = 'z'")
    assert edited.how == UNICODE
    assert edited.text.endswith("b = 'z'\n")


def test_several_places_are_counted_and_named() -> None:
    with pytest.raises(WorkspaceError, match=r"matches 3 places \(lines 1, 3, 4\)"):
        find_and_replace("x\ny\nx\nx\n", "x", "z")
    assert find_and_replace("x\ny\nx\n", "x", "z", replace_all=True).text == "z\ny\nz\n"


def test_overlapping_places_are_several() -> None:
    with pytest.raises(WorkspaceError, match="matches 2 places"):
        find_and_replace("aaa", "aa", "b")


def test_what_is_not_found_is_answered_with_the_nearest_lines() -> None:
    text = "def add(a, b):\n    return a + b\n\ndef sub(a, b):\n    return a - b\n"
    with pytest.raises(WorkspaceError) as caught:
        find_and_replace(text, "def subtract(a, b):\n    return a - b", "x")
    assert caught.value.message.endswith("The nearest lines in the file:\n4\tdef sub(a, b):\n5\t    return a - b")


def test_what_is_like_nothing_in_the_file_says_to_read_it_again() -> None:
    with pytest.raises(WorkspaceError, match="Nothing in the file is like it"):
        find_and_replace("abc\n", "zzzzzzzzzz", "x")


def test_an_edit_that_was_made_already_says_so() -> None:
    with pytest.raises(WorkspaceError, match="already there, at line 2"):
        find_and_replace("a\nnew = 2\n", "old = 1", "new = 2")


@pytest.mark.parametrize("new", ["x", "new", "new = 2"])
def test_a_part_of_a_line_is_not_taken_for_an_edit_that_was_made(new: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        find_and_replace("fix\nnew = 24\n", "zzzzzzzz", new)
    assert "already there" not in caught.value.message


def test_an_edit_that_changes_nothing_is_refused_and_shows_the_file() -> None:
    with pytest.raises(WorkspaceError, match=r"are the same.*\n2\tb = 1$"):
        find_and_replace("a\nb = 1\n", "b = 1", "b = 1")
    with pytest.raises(WorkspaceError, match="old_string is empty"):
        find_and_replace("a", "", "b")


def test_deleting_whole_lines_leaves_no_empty_one() -> None:
    assert find_and_replace("a\n  b  \nc\n", "b\n", "").text == "a\nc\n"
    assert find_and_replace("a\n  b \n  b2 \nc\n", "b\nb2\n", "").text == "a\nc\n"


@given(
    text=st.text("ab “”\"'\n\t-—", max_size=60),
    old=st.text("ab \"'\n\t-", max_size=12),
    new=st.text("xy\n ", max_size=8),
    every=st.booleans(),
)
def test_it_never_fails_otherwise_than_by_saying_why(text: str, old: str, new: str, every: bool) -> None:
    try:
        edited = find_and_replace(text, old, new, every)
    except WorkspaceError as error:
        assert error.message
        return
    assert edited.text != text
    assert edited.count >= 1
    assert all(line.strip() in edited.text for line in new.split("\n"))
