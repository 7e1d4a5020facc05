"""Lines of a file in a message: numbered, and never more than there is room for."""

from hypothesis import given
from hypothesis import strategies as st

from tui_agent.workspace.quoting import CHANGED_CHARACTERS, changed_lines, count_lines, quote_lines

LINES = st.lists(st.text("ab ", max_size=400), max_size=40)


@given(lines=LINES, start=st.integers(0, 40), end=st.integers(0, 60), room=st.integers(20, 2_000))
def test_quoted_lines_have_their_numbers_and_fit(lines: list[str], start: int, end: int, room: int) -> None:
    rows = quote_lines(lines, start, end, room).split("\n")
    rows = [row for row in rows if row]
    assert sum(len(row) + 1 for row in rows) <= room + 40
    for number, row in enumerate(rows, start=start + 1):
        if row.startswith("[… "):
            assert row == f"[… {min(end, len(lines)) - number + 1} more]"
            assert number == start + len(rows)
        else:
            assert row.startswith(f"{number}\t{lines[number - 1][:10]}")
    assert bool(rows) == (start < min(end, len(lines)))


@given(before=st.lists(st.sampled_from("abcd"), max_size=12), after=st.lists(st.sampled_from("abcd"), max_size=12))
def test_what_changed_is_quoted_as_it_is_now(before: list[str], after: list[str]) -> None:
    said = changed_lines("\n".join(before) + "\n", "\n".join(after) + "\n")
    assert bool(said) == (before != after)
    for row in said.split("\n"):
        if "\t" in row:
            number, _, line = row.partition("\t")
            assert after[int(number) - 1 :][:1] == [line] or (line, after) == ("", [])
        elif row:
            assert row.startswith("[")


def test_what_changed_is_bounded_and_lines_taken_out_are_counted() -> None:
    assert changed_lines("a\nb\nc\n", "a\nc\n") == "[1 line taken out after line 1]"
    assert changed_lines("a\nb\nc\n", "c\n") == "[2 lines taken out at the top]"
    assert changed_lines("a\n", "a\n" + "b\n" * 30).endswith("13\tb\n[… 18 more]")
    assert len(changed_lines("", "x" * 100_000)) < CHANGED_CHARACTERS + 50
    assert len(changed_lines("a\n" * 3_000, "a\nb\n" * 3_000)) < CHANGED_CHARACTERS + 50


def test_lines_are_counted_in_words() -> None:
    assert [count_lines(text) for text in ("", "a", "a\n", "a\nb", "\n\n")] == [
        "0 lines",
        "1 line",
        "1 line",
        "2 lines",
        "2 lines",
    ]
