"""Every item knows the lines of the source it came from, and every row the stretch of its item that it shows."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tui.markdown_texts import SIZES, TEXTS, cut
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.code import CodeLine
from tui_agent.tui.widgets.transcript.items import Flow, Framed, Item
from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.markdown import MarkdownText, parse


def sources(text: str) -> list[str]:
    """What each item with a source shows, and the source it says it has."""
    lines = text.split("\n")
    return [
        f"{text_of(item.spans)} <- {'⏎'.join(lines[slice(*item.source)])}"
        for item in parse(text)
        if item.source[0] < item.source[1]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n\nthree", ["one <- one", "two <- two", "three <- three"]),
        ("# Title #\ntext", ["Title <- # Title #", "text <- text"]),
        ("Title\n=====\ntext", ["Title <- Title⏎=====", "text <- text"]),
        ("two\nlines\n---", ["two <- two", "lines <- lines⏎---"]),
        ("- a\n- b\n  c\n\n  d\n-", ["a <- - a", "b <- - b", "c <-   c", "d <-   d", " <- -"]),
        ("> a\n>\n> > b\nlazy", ["a <- > a", "b <- > > b", "lazy <- lazy"]),
        ("```py\nx\n\ny\n```\nz", ["py <- ```py", "x <- x", " <- ", "y <- y", "z <- z"]),
        (
            "1. a\n   ```py\n   x\n\n   y\n   ```\n2. b",
            ["a <- 1. a", "py <-    ```py", "x <-    x", " <- ", "y <-    y", "b <- 2. b"],
        ),
        ("> ```\n> x\n> ```", ["x <- > x"]),
        ("- ```\n  ```", [" <- - ```⏎  ```"]),
        (
            "text\n\n    code\n\n      more\n\nend",
            ["text <- text", "code <-     code", " <- ", "  more <-       more", "end <- end"],
        ),
        ("a\n***\nb", ["a <- a", " <- ***", "b <- b"]),
        ("`one\ntwo` three\nfour", ["one two three <- `one⏎two` three⏎four", "four <- `one⏎two` three⏎four"]),
        ("a\r\nb\rc\u2028d\x0be\n", ["a <- a\r", "b␍c␤d␋e <- b\rc\u2028d\x0be"]),
        ("\n\n\nlate", ["late <- late"]),
        ("[r]: http://x.invalid\n\nsee [r]", ["see r (http://x.invalid) <- see [r]"]),
        (">" * 70 + " deep\nnext", [">" * 70 + " deep <- " + ">" * 70 + " deep", "next <- next"]),
    ],
)  # fmt: skip
def test_it_came_from(text, expected):
    assert sources(text) == expected


def test_rows_of_a_table_have_a_line_each_and_the_table_has_all():
    table = next(
        item for item in parse("text\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nend") if isinstance(item, Framed)
    )
    assert table.source == (2, 6)
    rows = [(text_of(line.spans).rstrip(), line.item and line.item.source) for line in table.lines(40)]
    assert rows == [("a  b", (2, 3)), ("─  ─", None), ("1  2", (4, 5)), ("3  4", (5, 6))]
    narrow = [(text_of(line.spans), line.item and line.item.source) for line in table.lines(3)]
    assert narrow[:2] == [("a:", (4, 5)), ("1", (4, 5))]


def test_the_header_that_a_long_table_goes_on_under_has_no_source_again():
    text = "| name | value |\n|---|--:|\n" + "".join(f"| row {n} | {n} |\n" for n in range(2000))
    tables = [item for item in parse(text) if isinstance(item, Framed)]
    assert len(tables) > 1
    assert tables[0].source[0] == 0
    assert all(before.source[1] == after.source[0] for before, after in pairwise(tables))
    assert tables[-1].source[1] == 2002
    lines = text.split("\n")
    for table in tables:
        for line in table.lines(80):
            if line.item and line.item.source[0] < line.item.source[1] and line.item.source[0] > 1:
                (source,) = lines[slice(*line.item.source)]
                assert text_of(line.item.spans).split()[1] in source


def test_the_parts_of_an_overlong_line_are_all_of_that_line():
    items = [item for item in parse("short\n\n" + "word " * 4000 + "\n\nend") if text_of(item.spans)]
    assert len(items) > 4
    assert {item.source for item in items[1:-1]} == {(2, 3)}
    assert items[-1].source == (4, 5)


def test_a_head_is_not_repeated_for_rows_that_do_not_come():
    row = "| row | 1 |\n"
    text = "| name | value |\n|---|--:|\n" + row * (8192 // len(row)) + "| " + "x" * 1000 + " | 2 |"
    shown = [text_of(line.spans) for item in parse(text) for line in item.lines(80)]
    assert shown[-1].startswith("x")


def nonempty(items: list[Item]) -> list[tuple[int, int]]:
    return [item.source for item in items if item.source[0] < item.source[1]]


@given(TEXTS)
@settings(max_examples=200, deadline=None)
@example("# a\n\u2028\n```\n\r\n\x0c```")
def test_ranges_rise_and_stay_within_the_text(text):
    ranges = nonempty(parse(text))
    count = len(text.split("\n"))
    assert all(0 <= first < after <= count for first, after in ranges)
    for before, after in pairwise(ranges):
        # One range follows on another or they are the same: an inline thing that goes on over a line's end.
        assert before == after or before[1] <= after[0]


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_line_of_code_is_its_line_of_the_source(text):
    lines = text.split("\n")
    for item in parse(text):
        if isinstance(item, CodeLine):
            (source,) = lines[slice(*item.source)]
            source, shown = ("".join(part.split()) for part in (sanitize(source), item.text))
            # The whole line, but for indent, quote bars and list marks.
            assert source.endswith(shown)
            assert set(source.removesuffix(shown)) <= set(">-+*.)0123456789")
        elif isinstance(item, Flow) and item.band == "code":
            (source,) = lines[slice(*item.source)]
            assert re.search(rf"(```|~~~) *{re.escape(text_of(item.spans))}", sanitize(source))


@given(TEXTS, SIZES)
@settings(max_examples=150, deadline=None)
def test_what_is_complete_keeps_its_source_while_more_is_fed(text, sizes):
    markdown = MarkdownText()
    known: list[tuple[int, int]] = []
    for piece in cut(text, sizes):
        markdown.feed(piece)
        now = [item.source for item in markdown.items]
        assert now[: len(known)] == known
        known = now
        assert all(first < after for first, after in nonempty(markdown.tail()))


@given(TEXTS, st.integers(3, 70))
@settings(max_examples=200, deadline=None)
@example("| a | b |\n|---|--:|\n| one 日本 two | three four |\n", 12)
@example("| a | b |\n|---|--:|\n| one 日本 two | three four |\n", 4)
def test_rows_rebuild_the_text_of_their_items(text, width):
    shown: dict[int, list[str]] = {}
    items: dict[int, object] = {}
    for item in parse(text):
        for line in item.lines(width):
            assert len(text_of(line.spans)) >= line.lead
            if line.item is None:
                assert not text_of(line.spans).strip(" ▏─•0123456789.)")
                continue
            whole = text_of(line.item.spans)
            characters = shown.setdefault(id(line.item), [" "] * len(whole))
            items[id(line.item)] = line.item
            row = text_of(line.spans)
            for index, character in enumerate(row):
                offset = line.offset(index)
                if offset is not None:
                    assert whole[offset] == character
                    characters[offset] = character
            assert line.offset(len(row)) is None
    for key, characters in shown.items():
        whole = text_of(items[key].spans)  # type: ignore[attr-defined]
        assert [c for c, w in zip(characters, whole, strict=True) if w != c] == []


def test_the_lead_is_what_the_item_does_not_hold():
    first, second = parse("- one two")[0].lines(6)
    assert (first.lead, first.start, text_of(first.spans)) == (2, 0, "• one")
    assert (second.lead, second.start, text_of(second.spans)) == (2, 4, "  two")
    assert [first.offset(index) for index in range(6)] == [None, None, 0, 1, 2, None]
    (rule,) = parse("***")[0].lines(5)
    assert (rule.lead, rule.start, rule.offset(0)) == (5, -1, None)
    assert Line(()).offset(0) is None
