"""Markdown that streams looks like Markdown that came whole, and what is complete never changes."""

import re
from math import inf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.tui.markdown_texts import SIZES, TEXTS, cut
from tui_agent.tui.widgets.transcript.code import CodeLine, coloured
from tui_agent.tui.widgets.transcript.highlight import LineHighlighter
from tui_agent.tui.widgets.transcript.lines import Spans, text_of
from tui_agent.tui.widgets.transcript.markdown import MarkdownText, WrappedMarkdown, parse

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def colours(text: str, width: int = 60) -> list[Spans]:
    """The painted rows of the code in a text."""
    lines = [line for item in parse(text) if isinstance(item, CodeLine) for line in item.lines(width)]
    return [row.spans for line in lines if (row := coloured(line, inf))]


def rows(text: str, width: int = 60) -> list[str]:
    return [text_of(line.spans) for item in parse(text) for line in item.lines(width)]


@given(TEXTS, SIZES, st.integers(1, 50))
@settings(max_examples=150, deadline=None)
def test_any_way_of_cutting_gives_the_same_lines(text, sizes, width):
    markdown = MarkdownText()
    wrapped = WrappedMarkdown(markdown, width)
    for piece in cut(text, sizes):
        markdown.feed(piece)
        wrapped.update()
    markdown.finish()
    wrapped.update()
    assert wrapped.lines == [line for item in parse(text) for line in item.lines(width)]


@given(TEXTS, SIZES)
@settings(max_examples=150, deadline=None)
def test_a_frozen_line_never_changes(text, sizes):
    markdown = MarkdownText()
    wrapped = WrappedMarkdown(markdown, 30)
    for piece in cut(text, sizes):
        frozen = wrapped.lines[: wrapped.frozen]
        markdown.feed(piece)
        wrapped.update()
        assert wrapped.lines[: len(frozen)] == frozen


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_after_every_whole_line_the_picture_is_that_of_the_text_so_far(text):
    markdown = MarkdownText()
    so_far = ""
    for line in text.splitlines(keepends=True):
        markdown.feed(line)
        so_far += line
        if so_far.endswith("\n"):
            assert markdown.items + markdown.tail() == parse(so_far)


@given(TEXTS, st.integers(1, 40))
@example("日本", 1)
@settings(max_examples=150, deadline=None)
def test_every_row_fits_every_width_and_holds_no_control_character(text, width):
    for row in rows(text, width):
        assert cell_len(row) <= width
        assert not UNSAFE.search(row)


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=8), min_size=1, max_size=40), st.integers(2, 40))
def test_words_are_all_there_in_order(words, width):
    assert "".join("".join(rows(" ".join(words), width)).split()) == "".join(words)


@given(TEXTS, st.integers(5, 60), st.integers(5, 60))
@settings(max_examples=50, deadline=None)
def test_another_width_and_back_gives_the_same_lines(text, first, second):
    items = parse(text)

    def lines(width: int) -> list[object]:
        return [line for item in items for line in item.lines(width)]

    before = lines(first)
    lines(second)
    assert lines(first) == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# One\ntext", ["One", "text"]),
        ("text\n## Two", ["text", "", "Two"]),
        ("a\n\nb\n\n\n\nc", ["a", "", "b", "", "c"]),
        ("soft\nbreak", ["soft", "break"]),
        ("- a\n- b\n  - c\n\n- d", ["• a", "• b", "  • c", "", "• d"]),
        ("9. a\n9. b\n9. c", ["9. a", "10. b", "11. c"]),
        ("1. a\n\ntext\n\n1. b", ["1. a", "", "text", "", "1. b"]),
        ("- [ ] open\n- [x] done", ["☐ open", "☑ done"]),
        ("1. a\n\n   b\n2. c", ["1. a", "", "   b", "2. c"]),
        ("> a\n> > b", ["▏ a", "▏ ▏ b"]),
        ("see [docs](http://x.invalid)", ["see docs (http://x.invalid)"]),
        ("<http://x.invalid>", ["http://x.invalid"]),
        ("[r]: http://x.invalid\n\nsee [r]", ["see r (http://x.invalid)"]),
        ("![alt](a.png)", ["[alt] (a.png)"]),
        ("<b>bold</b> &amp; [b]x[/b]", ["<b>bold</b> & [b]x[/b]"]),
        ("a\n***\nb", ["a", "─" * 60, "b"]),
        ("a\n```py\nx = 1\n```\nb", ["a", "", "py", "x = 1", "", "b"]),
        ("```\n- a\n# b\n\n```", ["- a", "# b", ""]),
        ("```\nnever closed", ["never closed"]),
        ("~~~\n```\n~~~", ["```"]),
        ("- a\n  ```\n  x\n  ```\n- b", ["• a", "  x", "• b"]),
        ("| a | b |\n|---|--:|\n| 1 | 22 |", ["a   b", "─  ──", "1  22"]),
        ("-", ["•"]),
        ("", []),
    ],
)  # fmt: skip
def test_it_looks_like(text, shown):
    assert [row.rstrip() for row in rows(text)] == shown


def test_roles_say_what_is_what():
    (flow,) = parse("a **b _c_** `d` ~~e~~ [f](g)")
    assert flow.spans == (
        ("a ", "text"), ("b ", "text+b"), ("c", "text+bi"), (" ", "text"), ("d", "code_inline"), (" ", "text"),
        ("e", "text+s"), (" ", "text"), ("f", "link"), (" (g)", "faint"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "lines", "expected"),
    [
        ("python", ['x = """a', 'b"""', "y = 1"], [None, "String", None]),
        ("javascript", ["/* a", "b", "c */ let x"], ["Comment", "Comment", None]),
        ("javascript", ["x = `a", "b`"], [None, "String"]),
        ("rust", ["/* a", "b */"], ["Comment", "Comment"]),
    ],
)
def test_what_is_open_at_the_end_of_a_line_goes_on_in_the_next(language, lines, expected):
    code = colours("\n".join([f"```{language}", *lines, "```"]))
    assert [text_of(spans) for spans in code] == lines
    for spans, kind in zip(code, expected, strict=True):
        if kind:
            assert kind in spans[0][1]


def test_a_path_with_a_star_in_a_shell_opens_no_comment():
    spans = colours("```bash\nls /*\necho hi\n```")[1]
    assert not any("Comment" in role for _, role in spans)


@pytest.mark.parametrize(
    "language", ["nonsense", "", "json", "yaml", "html", "diff", "c++", "console", "sql", "Makefile"]
)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=60))
@settings(max_examples=20, deadline=None)
def test_highlighting_changes_no_character(language, text):
    assert text_of(LineHighlighter(language).line(text)) == text


def test_a_line_that_never_ends_is_cut_into_parts_that_are_read_once():
    markdown = MarkdownText()
    for _ in range(3000):
        markdown.feed("word " * 20)
    assert len(markdown.items) >= 4
    markdown.finish()
    shown = "".join(text_of(line.spans).replace(" ", "") for item in markdown.items for line in item.lines(80))
    assert shown == "word" * 60_000


def test_an_undecided_marker_is_not_shown_as_a_heading_for_a_moment():
    markdown = MarkdownText()
    markdown.feed("some text\n-")
    assert [text_of(item.spans) for item in markdown.tail()] == ["some text"]
    assert markdown.tail()[0].spans[0][1] == "text"


@pytest.mark.parametrize(
    "text", [">" * 3000 + " deep", "\n".join("  " * n + f"- item {n}" for n in range(99)) + " deep"]
)
def test_nothing_is_lost_in_a_nesting_that_no_parser_follows(text):
    assert "deep" in "".join(rows(text, 300))


def test_a_table_without_end_is_cut_and_goes_on_under_its_header():
    text = "| name | value |\n|---|--:|\n" + "".join(f"| row {n} | {n} |\n" for n in range(2000))
    shown = rows(text)
    assert shown.count("name      value") > 1
    assert sum(row.startswith("row ") for row in shown) == 2000
    assert not any("|" in row for row in shown)


def test_a_lexer_that_fails_costs_the_colours_only(monkeypatch):
    monkeypatch.setattr("tui_agent.tui.widgets.transcript.highlight._drive", lambda *_: 1 / 0)
    assert colours("```python\nx = 1\ny = 2\n```") == [(("x = 1", "code"),), (("y = 2", "code"),)]
