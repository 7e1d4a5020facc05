"""Wrapping fits the width in cells and loses nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.lines import clip, text_of, width_of, wrap
from tui_agent.tui.widgets.transcript.table import Table

WORDS = st.text(st.sampled_from("ab c  é日本한👩\u200d💻❤\ufe0f\u0301,-_/ xyz"), max_size=60).map(sanitize)
SPANS = st.lists(st.tuples(WORDS, st.sampled_from(["text", "code", "text+b"])), max_size=5).map(tuple)


def without_blanks(text: str) -> str:
    return text.replace(" ", "")


@given(SPANS, st.integers(2, 40))
@example((("日本", "text"),), 3)
@example((("日", "text"),), 1)
@example(((" ", "text"), ("a", "text")), 1)
def test_every_row_fits(spans, width):
    assert all(cell_len(text_of(row)) <= width for row in wrap(spans, width))


@given(SPANS, st.integers(2, 40))
def test_only_blanks_at_the_ends_of_rows_are_lost(spans, width):
    assert without_blanks("".join(map(text_of, wrap(spans, width)))) == without_blanks(text_of(spans))


@given(SPANS, st.integers(2, 40))
def test_code_loses_nothing(spans, width):
    rows = wrap(spans, width, hard=True)
    assert "".join(map(text_of, rows)) == text_of(spans)
    assert all(cell_len(text_of(row)) <= width for row in rows)


@given(SPANS, st.integers(2, 40))
def test_every_character_keeps_its_role(spans, width):
    roles = [(character, role) for text, role in spans for character in text if character != " "]
    wrapped = [(c, role) for row in wrap(spans, width) for text, role in row for c in text if c != " "]
    assert wrapped == roles


def test_words_stay_whole_where_they_fit():
    rows = wrap((("the quick ", "text"), ("brown", "text+b"), (" fox", "text")), 10)
    assert [text_of(row) for row in rows] == ["the quick", "brown fox"]


def test_a_wide_script_breaks_between_any_two_characters_but_a_word_before_it_stays_whole():
    assert [text_of(row) for row in wrap((("run 修复失败的测试 now", "text"),), 8)] == [
        "run 修复",
        "失败的测",
        "试 now",
    ]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_character_wider_than_the_row_is_shown_as_a_dot(width):
    assert text_of(wrap((("日", "text"),), width)[0]) == ("·" if width == 1 else "日")


@given(SPANS, st.integers(0, 30))
def test_clipping_fits_and_marks_what_is_missing(spans, width):
    clipped = clip(spans, width)
    assert width_of(clipped) <= width
    assert clipped == spans or width == 0 or text_of(clipped).endswith("…")


PLAIN = st.text(st.sampled_from("ab c  日本한\u0301,-_/ xyz"), max_size=60)
CELLS = st.lists(PLAIN.map(lambda text: ((text, "text"),)), min_size=3, max_size=3).map(tuple)


@given(st.lists(CELLS, min_size=1, max_size=4).map(tuple), st.integers(1, 60))
def test_a_table_fits_any_width_and_shows_every_cell(cells, width):
    rows = Table(cells, ("", "right", "center")).rows(width)
    assert all(width_of(line.spans) <= width for line in rows)
    if width >= 2:
        shown = "".join(text_of(line.spans) for line in rows)
        for row in cells:
            for cell in row:
                assert set(without_blanks(text_of(cell))) <= set(shown)
