"""A diff is exact: applied whole it is the new text, applied not at all the old one, and nothing in it is invented."""

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import (
    FileDiff,
    Hunk,
    diff_change,
    diff_plan,
    diff_texts,
    file_delta,
    hex_dump,
    split_lines,
    unified,
)
from tui_agent.workspace.hunks import Choice, assemble

LINE = st.sampled_from(["a", "b", "c", "  a", "", "x\r", "\f", "p\u2028q", "é", "\u202e", "{", "}"])
TEXT = st.builds(
    lambda lines, tail: "".join(f"{line}\n" for line in lines) + tail,
    st.lists(LINE, max_size=30),
    st.sampled_from(["", "", "a", "x\r", "é"]),
)


def change(before: bytes | None, after: bytes, name: str = "src/a.py", match: str = "") -> FileChange:
    return FileChange(f"/project/{name}", name, before, after, None, match)


def apply_hunks(before: str, hunks: Sequence[Hunk], accepted: set[int]) -> str:
    return assemble(before, hunks, [Choice(index in accepted) for index in range(len(hunks))])


def whole(diff: FileDiff) -> set[int]:
    return set(range(len(diff.hunks)))


def is_subsequence(part: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in part)


@given(TEXT, TEXT)
def test_all_hunks_give_the_new_text_and_none_the_old(before: str, after: str) -> None:
    hunks = diff_texts(before, after)
    assert apply_hunks(before, hunks, set(range(len(hunks)))) == after
    assert apply_hunks(before, hunks, set()) == before


@given(st.text(alphabet="ab\n\r\f\u2028\x85\x1c\x00", max_size=80), st.text(alphabet="ab\n\r\f\u2028", max_size=80))
def test_only_a_line_feed_ends_a_line(before: str, after: str) -> None:
    assert "".join(split_lines(before)) == before
    assert len(split_lines(before)) == before.count("\n") + (before != "" and not before.endswith("\n"))
    hunks = diff_texts(before, after)
    assert apply_hunks(before, hunks, set(range(len(hunks)))) == after


@given(TEXT, TEXT, st.sets(st.integers(0, 9)))
def test_any_choice_of_hunks_takes_each_stretch_whole_from_one_side(before: str, after: str, chosen: set[int]) -> None:
    hunks = diff_texts(before, after, context=0)
    result = apply_hunks(before, hunks, chosen)
    expected: list[str] = []
    old = split_lines(before)
    done = 0
    for index, hunk in enumerate(hunks):
        start = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        expected += old[done:start]
        side = "added" if index in chosen else "removed"
        expected += [row.line for row in hunk.rows if row.side == side]
        done = start + hunk.old_lines
    assert result == "".join(expected + old[done:])


@given(TEXT, TEXT)
def test_rows_carry_the_lines_and_numbers_of_both_sides(before: str, after: str) -> None:
    old, new = split_lines(before), split_lines(after)
    last = (0, 0)
    for hunk in diff_texts(before, after):
        for row in hunk.rows:
            if row.old:
                assert old[row.old - 1] == row.line
            if row.new:
                assert new[row.new - 1] == row.line
            assert (bool(row.old), bool(row.new)) == (row.side != "added", row.side != "removed")
        numbered = [row.old for row in hunk.rows if row.old], [row.new for row in hunk.rows if row.new]
        assert numbered[0] == list(range(hunk.old_start, hunk.old_start + hunk.old_lines))[: len(numbered[0])]
        assert numbered[1] == list(range(hunk.new_start, hunk.new_start + hunk.new_lines))[: len(numbered[1])]
        assert len(numbered[0]) == hunk.old_lines
        assert len(numbered[1]) == hunk.new_lines
        assert (hunk.old_start, hunk.new_start) >= last
        last = hunk.old_start + hunk.old_lines, hunk.new_start + hunk.new_lines


@given(TEXT, TEXT)
def test_lines_between_the_hunks_are_equal_and_hunks_do_not_touch(before: str, after: str) -> None:
    hunks = diff_texts(before, after)
    for one, other in itertools.pairwise(hunks):
        gap_old = other.old_start - (one.old_start + one.old_lines)
        gap_new = other.new_start - (one.new_start + one.new_lines)
        assert gap_old == gap_new > 0
    for hunk in hunks:
        assert any(row.side != "context" for row in hunk.rows)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_can_be_shown_and_text_comes_out_as_the_bytes_that_went_in(before: bytes, after: bytes) -> None:
    diff = diff_change(change(before, after))
    assert apply_hunks(diff.before, diff.hunks, whole(diff)) == diff.after
    if diff.kind == "binary":
        assert diff.after == hex_dump(after)
    else:
        assert diff.after.encode(diff.encoding, "surrogateescape") == after
    assert diff.added == sum(row.side == "added" for hunk in diff.hunks for row in hunk.rows)
    assert diff.removed == sum(row.side == "removed" for hunk in diff.hunks for row in hunk.rows)
    if diff.before == diff.after:
        assert before == after or any("bytes that are not text" in note for note in diff.notes)


def test_a_new_file_is_created_and_all_added() -> None:
    diff = diff_change(change(None, b"one\ntwo\n"))
    assert (diff.kind, diff.added, diff.removed) == ("created", 2, 0)
    assert [(row.side, row.new) for row in diff.hunks[0].rows] == [("added", 1), ("added", 2)]


def test_an_overwrite_is_a_diff_against_what_was_there() -> None:
    diff = diff_change(change(b"old\n", b"new\n"))
    assert (diff.kind, diff.added, diff.removed) == ("overwritten", 1, 1)
    assert diff_change(change(b"keep\nold\n", b"keep\nnew\n")).kind == "modified"


def test_changed_line_endings_are_said_and_every_line_differs() -> None:
    diff = diff_change(change(b"a\r\nb\r\n", b"a\nb\n"))
    assert "line endings change from CRLF to LF" in diff.notes
    assert (diff.added, diff.removed) == (2, 2)
    assert diff.hunks[0].rows[0].text == "a\r"


def test_a_final_newline_is_never_changed_silently() -> None:
    lost = diff_change(change(b"a\nb\n", b"a\nb"))
    assert "no newline at end of file" in lost.notes
    assert [row.ends for row in lost.hunks[0].rows if row.side == "added"] == [False]
    assert "newline at end of file added" in diff_change(change(b"a", b"a\n")).notes
    assert "\\ No newline at end of file" in unified(lost, 50)


@pytest.mark.parametrize(
    ("before", "after", "encoding", "note"),
    [
        (b"caf\xe9\n", b"caf\xe9s\n", "latin-1", "not UTF-8: shown as Latin-1"),
        (b"caf\xe9\n", "café\n".encode(), "utf-8", "becomes UTF-8"),
        ("café\n".encode(), b"caf\xe9\n", "utf-8", "is no longer UTF-8"),
        (b"\x89PNG\0\xff", b"text\n", "utf-8", "replaces 6 bytes that are not text"),
        (b"text\n", b"\x89PNG\0\xff", "binary", "not text: shown as bytes"),
        (b"\xef\xbb\xbfa\n", b"a\n", "utf-8", "byte order mark removed"),
        (b"a\n", b"", "utf-8", "empty file"),
    ],
)
def test_what_the_lines_alone_do_not_show_is_noted(before: bytes, after: bytes, encoding: str, note: str) -> None:
    diff = diff_change(change(before, after))
    assert diff.encoding == encoding
    assert note in diff.notes
    assert diff.hunks


def test_how_an_edit_found_its_place_is_noted() -> None:
    diff = diff_change(change(b"a\n", b"b\n", match="ignoring whitespace"))
    assert diff.notes == ("edit found its place by ignoring whitespace",)


def test_an_inserted_function_is_shown_from_its_first_line() -> None:
    before = "def a():\n    x = 1\n\ndef c():\n    y\n"
    after = "def a():\n    x = 1\n\ndef b():\n    x = 1\n\ndef c():\n    y\n"
    added = [row.text for row in diff_texts(before, after)[0].rows if row.side == "added"]
    assert added == ["def b():", "    x = 1", ""]


def test_a_hunk_names_the_definition_it_stands_in() -> None:
    body = "".join(f"    step({number})\n" for number in range(20))
    before = f"import os\n\n\ndef prepare(cart):\n{body}"
    (hunk,) = diff_texts(before, before.replace("step(15)", "step(99)"))
    assert hunk.heading == "def prepare(cart):"


def test_a_unified_diff_is_bounded_and_says_what_it_left_out() -> None:
    diff = diff_change(change(None, b"x" * 5_000 + b"\n" + b"y\n" * 500))
    text = unified(diff, limit_lines=20, limit_columns=100)
    assert len(text.splitlines()) == 21
    assert "… 4,901 more characters" in text
    assert text.endswith("… 484 more lines")


def test_the_delta_for_the_log_has_counts_and_can_be_stored() -> None:
    delta = file_delta(change(None, b"one\n\xff\n", name="src/\udcff.py"))
    assert (delta.path, delta.added, delta.removed, delta.created) == ("src/?.py", 2, 0, True)
    delta.diff.encode()
    assert "+one" in delta.diff
    assert file_delta(change(b"", b"")).created is False


def test_a_plan_keeps_the_order_of_its_files() -> None:
    plan = ChangePlan((change(None, b"", "b"), change(None, b"", "a")))
    assert [diff.name for diff in diff_plan(plan)] == ["b", "a"]


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_large_scattered_edits_are_found_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    old = [f"line {number % 300} of {number}\n" for number in range(3_000)]
    places = sorted(chance.sample(range(0, 3_000, 20), 40))
    new = [f"edited {number}\n" if number in places else line for number, line in enumerate(old)]
    hunks = diff_texts("".join(old), "".join(new))
    assert len(hunks) == 40
    assert apply_hunks("".join(old), hunks, set(range(40))) == "".join(new)


def test_what_cannot_be_compared_cheaply_is_replaced_whole_and_still_exact() -> None:
    chance = random.Random(1)
    before = "".join(f"{chance.randrange(50)}\n" for _ in range(20_000))
    after = "".join(f"{chance.randrange(50)}\n" for _ in range(20_000))
    (hunk,) = diff_texts(before, after)
    assert hunk.old_lines == hunk.new_lines == 20_000
    assert not any(row.side == "context" for row in hunk.rows)
    assert apply_hunks(before, (hunk,), {0}) == after
