"""Any subset of hunks of any diff, with any edits, is exactly the text that is shown, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workspace.test_diff import TEXT, change
from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.diff import FileDiff, Hunk, count_sides, diff_change, diff_texts, split_lines
from tui_agent.workspace.hunks import (
    ACCEPTED,
    REJECTED,
    Choice,
    as_shown,
    assemble,
    is_one_unit,
    new_text,
    old_text,
    same_hunks,
    to_bytes,
    what_became,
    with_rejected,
)
from tui_agent.workspace.matching import changed_stretches

ODD = st.text(alphabet="ab\n\r\f\u2028\x00\udc80é\t", max_size=30)
CHOICE = st.one_of(st.just(ACCEPTED), st.just(REJECTED), st.builds(Choice, st.booleans(), st.one_of(TEXT, ODD)))


def diff_of(before: str, after: str) -> FileDiff:
    hunks = diff_texts(before, after)
    return FileDiff("a.py", "modified", "utf-8", before, after, hunks, *count_sides(hunks))


def draw_choices(data: Any, hunks: tuple[Hunk, ...]) -> list[Choice]:
    return [data.draw(CHOICE) for _ in hunks]


@given(st.one_of(TEXT, ODD), st.one_of(TEXT, ODD), st.data())
def test_the_result_is_the_chosen_text_of_each_hunk_and_the_old_lines_between(
    before: str, after: str, data: st.DataObject
) -> None:
    hunks = diff_texts(before, after)
    choices = draw_choices(data, hunks)
    rest, expected = before, []
    for hunk, choice in zip(hunks, choices, strict=True):
        old = old_text(hunk)
        if old:  # the context makes its place known
            lines = split_lines(before)[: hunk.old_start - 1]
            head = "".join(lines)[len(before) - len(rest) :]
            assert rest.startswith(head + old)
        else:
            head = "".join(split_lines(before)[: hunk.old_start])[len(before) - len(rest) :]
        rest = rest[len(head) + len(old) :]
        chosen = old
        if choice.accepted:
            chosen = new_text(hunk) if choice.text is None else choice.text
            if choice.text and rest and not chosen.endswith("\n"):
                chosen += "\n"
        expected += [head, chosen]
    assert assemble(before, hunks, choices) == "".join(expected) + rest


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_all_is_the_proposal_and_nothing_is_the_file_to_the_byte(before: bytes, after: bytes) -> None:
    prepared = change(before, after)
    diff = diff_change(prepared)
    for choice, wanted in ((ACCEPTED, after), (REJECTED, before)):
        if not is_one_unit(prepared, diff):
            text = assemble(diff.before, diff.hunks, [choice] * len(diff.hunks))
            assert to_bytes(text, diff.encoding) == wanted


@given(TEXT, TEXT, st.data())
def test_what_is_shown_holds_the_edits_and_its_rows_are_its_lines(before: str, after: str, data: st.DataObject) -> None:
    diff = diff_of(before, after)
    choices = draw_choices(data, diff.hunks)
    shown = as_shown(diff, choices)
    assert shown.after == assemble(before, diff.hunks, [Choice(True, choice.text) for choice in choices])
    assert len(shown.hunks) == len(diff.hunks)
    for was, hunk, choice in zip(diff.hunks, shown.hunks, choices, strict=True):
        assert old_text(hunk) == old_text(was)
        if choice.text is not None:
            assert new_text(hunk) in (choice.text, choice.text + "\n")
        for row in hunk.rows:
            assert not row.old or shown.old_lines[row.old - 1] == row.line
            assert not row.new or shown.new_lines[row.new - 1] == row.line
        assert hunk.new_lines == sum(row.side != "removed" for row in hunk.rows)
    # What is written is what is shown, without what was rejected.
    marks = [Choice(choice.accepted) for choice in choices]
    assert assemble(before, shown.hunks, marks) == assemble(before, diff.hunks, choices)


LINES = st.lists(st.sampled_from("kkkkkkkkdri"), min_size=0, max_size=60)
"""For each old line: keep, delete, replace, or insert one behind it."""


@given(LINES, st.data())
def test_the_diff_of_the_result_has_exactly_the_accepted_hunks_in_it(steps: list[str], data: st.DataObject) -> None:
    old = [f"old {number}\n" for number in range(len(steps))]
    new: list[str] = []
    for line, step in zip(old, steps, strict=True):
        new += {"k": [line], "d": [], "r": [f"new for {line}"], "i": [line, f"behind {line}"]}[step]
    diff = diff_of("".join(old), "".join(new))
    choices = [data.draw(st.sampled_from([ACCEPTED, REJECTED, Choice(True, "mine\n")])) for _ in diff.hunks]
    result = assemble(diff.before, diff.hunks, choices)
    made = diff_texts(diff.before, result)
    wanted = [hunk for hunk, choice in zip(as_shown(diff, choices).hunks, choices, strict=True) if choice.accepted]
    if not any(choice.text for choice in choices):  # one that replaces its context too may join its neighbour
        assert [(hunk.old_start, new_text(hunk)) for hunk in made] == [
            (hunk.old_start, new_text(hunk)) for hunk in wanted
        ]
    ranges = [(hunk.old_start - bool(hunk.old_lines), hunk.old_lines) for hunk in wanted]
    for start, end, _, _ in changed_stretches(old, split_lines(result)):
        assert any(first <= start and end <= first + count for first, count in ranges)
    refused, edited = what_became(diff, result)
    assert refused == tuple(number for number, choice in enumerate(choices, start=1) if not choice.accepted)
    assert edited == tuple(number for number, choice in enumerate(choices, start=1) if choice.text)


@given(TEXT, TEXT)
def test_hunks_are_known_again_where_the_lines_around_them_moved(before: str, after: str) -> None:
    hunks = diff_texts(before, after)
    assert sorted(index for index, _ in same_hunks(hunks, hunks)) == list(range(len(hunks)))
    above = "new\n" * 9
    moved = diff_texts(above + before, above + after, context=0)
    assert len(list(same_hunks(diff_texts(before, after, context=0), moved))) == len(moved)


@given(TEXT, TEXT, TEXT, st.sets(st.integers(0, 5)))
def test_rejected_hunks_stay_in_view_beside_another_text_and_never_change_it(
    before: str, after: str, text: str, chosen: set[int]
) -> None:
    rejected = [hunk for index, hunk in enumerate(diff_texts(before, after)) if index in chosen]
    shown = with_rejected(before, text, rejected)
    found = diff_texts(before, shown)
    again = {index for index, _ in same_hunks(found, rejected)} if shown != text else set()
    assert assemble(before, found, [REJECTED if index in again else ACCEPTED for index in range(len(found))]) == text


@pytest.mark.parametrize(
    ("before", "after", "chosen", "result"),
    [
        (b"a\r\nb\r\n", b"a\r\nc\r\n", Choice(True, "a\r\nX\n"), b"a\r\nX\n"),  # mixed endings: as they were written
        (b"\xef\xbb\xbfa\n", b"\xef\xbb\xbfb\n", REJECTED, b"\xef\xbb\xbfa\n"),
        (b"a\n", b"b", Choice(True, "c"), b"c"),  # no newline at the end stays so
        (b"caf\xe9\n", b"th\xe9\n", Choice(True, "caf\xe9!\n"), b"caf\xe9!\n"),
        (b"x \xc3\xa9\n", b"y\xff \xc3\xa9\n", Choice(True, "z\udcff \xe9\n"), b"z\xff \xc3\xa9\n"),
        (b"a\n", b"b\n", Choice(True, "\0\n"), b"\0\n"),
        (b"a\n", b"b\n", Choice(True, ""), b""),
    ],
)
def test_bytes_are_kept_whatever_they_are(before: bytes, after: bytes, chosen: Choice, result: bytes) -> None:
    diff = diff_change(change(before, after))
    assert to_bytes(assemble(diff.before, diff.hunks, [chosen]), diff.encoding) == result


def test_an_edited_text_that_something_follows_ends_its_last_line() -> None:
    before = "".join(f"{number}\n" for number in range(20))
    hunks = diff_texts(before, before.replace("2\n", "two\n", 1))
    assert assemble(before, hunks, [Choice(True, "X")]) == "X\n" + before.partition("5\n")[2]
    assert assemble(before, hunks, [Choice(True, "")]) == before.partition("5\n")[2]


@pytest.mark.parametrize(("text", "encoding", "told"), [("\ud800", "utf-8", "U+D800"), ("€", "latin-1", "U+20AC")])
def test_what_cannot_be_written_is_named(text: str, encoding: str, told: str) -> None:
    with pytest.raises(WorkspaceError, match=told.replace("+", r"\+")):
        to_bytes(text, encoding)


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        (None, b"a\n", True),
        (b"a\n", b"b\n", False),
        (b"\x00\xff", b"b\n", True),
        (b"a\n", b"\x00\xff", True),
        (b"", b"a\n", False),
        (b"caf\xe9", "café".encode(), False),
    ],
)
def test_a_file_is_one_unit_where_there_is_no_text_to_choose_from(
    before: bytes | None, after: bytes, whole: bool
) -> None:
    prepared = change(before, after)
    assert is_one_unit(prepared, diff_change(prepared)) is whole
