"""Finding the one place that an edit means."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.edits import EXACT, UNICODE, WHITESPACE, find_and_replace
from tui_agent.workspace.rewrites import BACKTICKS, ESCAPED, FENCED, NUMBERED, PADDED

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
    assert caught.value.message == (
        "old_string was not found in the file. The nearest lines are:\n4\tdef sub(a, b):\n5\t    return a - b\n"
        "Copy from it exactly, without the line numbers."
    )


def test_a_small_file_that_holds_nothing_like_it_is_quoted_whole_and_a_large_one_is_to_be_read_again() -> None:
    with pytest.raises(WorkspaceError, match=r"It holds:\n1\tabc\n2\tdef\nCopy from it exactly"):
        find_and_replace("abc\ndef\n", "zzzzzzzzzz", "x")
    with pytest.raises(WorkspaceError, match="Nothing in the file is like it: read the file again"):
        find_and_replace("abc\n" * 100, "zzzzzzzzzz", "x")


def test_an_edit_that_was_made_already_says_so() -> None:
    with pytest.raises(WorkspaceError, match="nothing to do: f already holds new_string, at line 2, and does not hold"):
        find_and_replace("a\nnew = 2\n", "old = 1", "new = 2", name="f")


@pytest.mark.parametrize("new", ["x", "new", "new = 2"])
def test_a_part_of_a_line_is_not_taken_for_an_edit_that_was_made(new: str) -> None:
    with pytest.raises(WorkspaceError) as caught:
        find_and_replace("fix\nnew = 24\n", "zzzzzzzz", new)
    assert "nothing to do" not in caught.value.message


def test_an_edit_that_changes_nothing_is_refused_and_shows_the_file() -> None:
    with pytest.raises(WorkspaceError) as caught:
        find_and_replace("a\nb = 1\n", "b = 1", "b = 1", name="conf.py")
    assert caught.value.message == (
        "nothing would change: old_string and new_string are the same. conf.py holds:\n2\tb = 1\n"
        "Put the corrected text into new_string."
    )
    with pytest.raises(WorkspaceError, match=r"are the same\. The nearest lines are:\n2\tb = 1\n"):
        find_and_replace("a\nb = 1\n", "b == 1", "b == 1")
    with pytest.raises(WorkspaceError, match=r"the file already reads so\. the file holds:\n2\tb = 1\n"):
        find_and_replace("a\nb = 1\n", "b = 1 ", "b = 1")


@given(lines=st.lists(st.text("ab =", max_size=500), min_size=1, max_size=60), name=st.text("n/", max_size=300))
def test_the_hint_about_an_edit_that_changes_nothing_is_short(lines: list[str], name: str) -> None:
    text = "\n".join(lines)
    assume(text)
    for old in (text, text.split("\n")[0] + "zz", "zzzz\nzz"):
        with pytest.raises(WorkspaceError) as caught:
            find_and_replace(text, old, old, name=name)
        assert len(caught.value.message) <= 400


def test_an_empty_old_string_is_answered_with_how_to_add_text() -> None:
    with pytest.raises(WorkspaceError, match=r"old_string is empty.*begins and ends with:\n1\ta\n3\tc$"):
        find_and_replace("a\nb\nc\n", "", "# TODO\n")
    with pytest.raises(WorkspaceError, match=r"It holds:\n1\ta$"):
        find_and_replace("a", "", "b")


PROGRAM = "def f():\n\tprint('a\\n')\n\ndef g():\n    return 1\n"


@pytest.mark.parametrize(
    ("old", "new", "after", "how"),
    [
        ("4\tdef g():\n5\t    return 1", "4\tdef g():\n5\t    return 2", "def g():\n    return 2", NUMBERED),
        ("5\t    return 1\n", "    return 2\n", "def g():\n    return 2", NUMBERED),
        ("4: def g():\n5:     return 1", "4: def g():\n5:     return 2", "def g():\n    return 2", NUMBERED),
        ("a.py:5:    return 1", "a.py:5:    return 2", "def g():\n    return 2", NUMBERED),
        ("def g():\\n    return 1", "def g():\\n    return 2", "def g():\n    return 2", ESCAPED),
        (r"print(\'a\\n\')", r"print(\'b\\n\')", "print('b\\n')", ESCAPED),
        ("```python\ndef g():\n    return 1\n```", "```\ndef g():\n    return 2\n```", "    return 2", FENCED),
        ("```\n    return 1\n```", "    return 2", "def g():\n    return 2", FENCED),
        ("`return 1`", "`return 2`", "    return 2", BACKTICKS),
        ("\n\n    return 1\n\n", "    return 2", "def g():\n    return 2", PADDED),
        ("```\n5\t    return 1\n```", "    return 2", "    return 2", f"{FENCED}; {NUMBERED}"),
        ("5\treturn 1", "5\treturn 2", "def g():\n    return 2", f"{NUMBERED}; {WHITESPACE}"),
    ],
)
def test_what_was_quoted_otherwise_than_the_file_has_it_is_found_and_said(
    old: str, new: str, after: str, how: str
) -> None:
    edited = find_and_replace(PROGRAM, old, new)
    assert after in edited.text
    assert edited.text.count("\n") == PROGRAM.count("\n")
    assert (edited.how, edited.count) == (how, 1)


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("returned\n", "\nreturn\n"),  # lines are not part of a line
        ("returned\n", "1\treturn"),
        ("a\nb\n", "1\ta\n7\tb"),  # numbers that do not follow each other are none of lines
        ("a\nb\n", "1\ta\nb"),
        ("a\nx\na\n", "1\ta"),  # several places
        ("a\nb\na\nb\n", "a\\nb"),
    ],
)
def test_another_reading_must_fit_one_place_and_whole_lines(text: str, old: str) -> None:
    with pytest.raises(WorkspaceError):
        find_and_replace(text, old, "z")


@given(lines=st.lists(st.text("abc \\n'", min_size=1, max_size=8), min_size=2, max_size=8, unique=True), data=st.data())
def test_lines_copied_with_their_numbers_are_found_where_the_numbers_say(lines: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(lines) - 1))
    end = data.draw(st.integers(start + 1, len(lines)))
    text = "\n".join(lines) + "\n"
    old = "\n".join(f"{number + 1}\t{lines[number]}" for number in range(start, end))
    try:
        edited = find_and_replace(text, old, "NEW")
    except WorkspaceError as error:
        assert "places" in error.message or not "".join(lines[start:end]).strip()
        return
    assert edited.text.split("\n") == [*lines[:start], "NEW", *lines[end:], ""]


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
