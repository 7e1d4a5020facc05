"""All that Markdown has, as it looks at three widths."""

import unicodedata
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import ComposeResult

from tests.tui.stage import THEMES, Stage
from tui_agent.tui.theming import ASCII, Palette
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document, GrowingText
from tui_agent.tui.widgets.transcript.layout import gutter_for
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.links import links_in
from tui_agent.tui.widgets.transcript.markdown import parse
from tui_agent.tui.widgets.transcript.paint import Painter
from tui_agent.tui.widgets.transcript.view import TranscriptView

FEATURES = (Path(__file__).parent / "markdown_features.md").read_text()


class Page(Stage):
    """One answer."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        self.theme = theme
        self.document = Document(clock=lambda: 100.0)
        self.document.add(AgentBlock(text=GrowingText(FEATURES)))
        self.view = TranscriptView(self.document, palette=Palette(THEMES[theme]))

    def compose(self) -> ComposeResult:
        yield self.view


async def coloured(pilot) -> None:
    """Wait until all is read and all code has its colours."""
    await pilot.pause()
    while pilot.app.view._idle is not None or pilot.app.view._frame is not None:
        await pilot.pause(0.005)
    await pilot.pause()


@pytest.mark.parametrize(
    ("size", "theme"),
    [((120, 114), "slate"), ((80, 118), "paper"), ((40, 146), "ember")],
    ids=lambda value: value if isinstance(value, str) else "x".join(map(str, value)),
)
def test_every_feature_looks_as_designed(size, theme, snap_compare):
    assert snap_compare(Page(theme), terminal_size=size, run_before=coloured)


def rows(text: str, width: int = 60) -> list[str]:
    return [text_of(line.spans).rstrip() for item in parse(text) for line in item.lines(width)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("###### six\n####### seven", ["six", "####### seven"]),
        ("a\nb\n===", ["a", "b"]),
        (
            "- a\n  - b\n    - c\n      - d\n\n        loose\n    - e",
            ["• a", "  • b", "    • c", "      • d", "", "        loose", "    • e"],
        ),
        ("- a\n  1. b\n     - c\n       1) d", ["• a", "  1. b", "     • c", "       1) d"]),
        ("- a\n\n\n- b", ["• a", "", "• b"]),
        ("- [ ] a\n- [X] b\n- [x]\n- [y] c\n- x [ ] d", ["☐ a", "☑ b", "• [x]", "• [y] c", "• x [ ] d"]),
        ("1. [ ] a", ["1. ☐ a"]),
        ("> - [x] a\n>   b", ["▏ ☑ a", "▏   b"]),
        ("~~~\na\n```\n~~~~", ["a", "```"]),
        ("````\n```\na\n```\n````", ["```", "a", "```"]),
        ("- a\n\n  ~~~js\n  b\n\n    c\n  ~~~\n\n  d", ["• a", "", "  js", "  b", "", "    c", "", "  d"]),
        ("- ```\n  a\n  ```", ["• a"]),
        ("```python title=x\na\n```", ["python", "a"]),
        ("> ```\n> a\n\nb", ["▏ a", "", "b"]),
        ("    a\n\n      b\n\nc", ["a", "", "  b", "", "c"]),
        ("\ta\n\tb\tc", ["a", "b   c"]),
        ("a  \nb\\\nc", ["a", "b", "c"]),
        ("[a][r]\n\n[r]: b.md", ["[a][r]"]),
        ("[r]: b.md\n\n[a][r] [r]", ["a (b.md) r (b.md)"]),
        ("![a *b*](c.png) ![](d.png)", ["[a b] (c.png) [image] (d.png)"]),
        ("``a`b`` ` c `", ["a`b c"]),
        ("a_b_c *d*e _f_ ***g***", ["a_b_c de f g"]),
        ("<div>\n<p>a</p>\n\n<!-- b -->", ["<div>", "<p>a</p>", "", "<!-- b -->"]),
        ("a[^1]\n\n[^1]: word\n[^2]: two words", ["a[^1]", "", "[^1]: word", "[^2]: two words"]),
        ("&lt;a&gt; &nbsp;&#8238;&#27;", ["<a> \xa0<U+202E>\ufffd"]),
        ("| a\\|b | `c\\|d` |\n|-|-|\n| e |", ["a|b  c|d", "───  ───", "e"]),
        ("- | a | b |\n  |---|---|\n  | 1 | 2 |", ["• a  b", "  ─  ─", "  1  2"]),
        ("---\n- - -\n___", ["─" * 60] * 3),
        (">" * 14 + " a", ["▏ " * 12 + "a"]),
    ],
)  # fmt: skip
def test_it_looks_like(text, shown):
    assert rows(text) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (
            40,
            [
                "name       n  words",
                "──────  ────  ──────────────────────────",
                "日本語     1  some words",
                "b       1000  more words than there is",
                "              room for",
            ],
        ),
        (
            24,
            [
                "name       n  words",
                "──────  ────  ──────────",
                "日本語     1  some words",
                "b       1000  more words",
                "              than there",
                "              is room",
                "              for",
            ],
        ),
        (
            9,
            ["name: 日", "本語", "n: 1", "words:", "some", "words", "", "name: b",
             "n: 1000", "words:", "more", "words", "than", "there is", "room for"],
        ),
    ],
)  # fmt: skip
def test_a_table_shrinks_wraps_and_at_last_becomes_a_list(width, shown):
    head = "| name | n | words |\n|:-----|--:|---|\n"
    table = head + "| 日本語 | 1 | some words |\n| b | 1000 | more words than there is room for |\n"
    assert rows(table, width) == shown


def test_all_levels_of_headings_differ():
    roles = [item.spans[0][1] for item in parse("\n".join(f"{'#' * n} a" for n in range(1, 7))) if item.spans]
    assert len(set(roles)) == 6


def test_boxes_have_signs_for_terminals_without_unicode():
    painter = Painter(Palette(THEMES["slate"]), ASCII)
    shown = [
        painter.strip(line, None, gutter_for(20), 20, False).text.strip()
        for item in parse("- [ ] a\n- [x] b")
        for line in item.lines(16)
    ]
    assert shown == ["o a", "x b"]


WIDE = [
    "👩\u200d💻", "👨\u200d👩\u200d👧\u200d👦", "👍🏽", "🇩🇪", "❤\ufe0f", "1\ufe0f\u20e3", "e\u0301", "日", "한",
    "क्षि", "نَ", "ש", "a", " ", "-",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(WIDE), max_size=30).map("".join),
    st.integers(2, 20),
    st.sampled_from(["", "```\n", "- ", "|a|b|\n|-|-|\n|x|"]),
)
@settings(max_examples=200, deadline=None)
def test_no_row_divides_what_is_one_character_for_people(text, width, before):
    for item in parse(before + text):
        for line in item.lines(width):
            row = text_of(line.spans)[line.lead :]
            assert cell_len(text_of(line.spans)) <= width
            if row:
                assert not unicodedata.combining(row[0]) and row[0] not in "\u200d\ufe0f\u20e3"
                assert not "🏻" <= row[0] <= "🏿"
            assert not row.endswith("\u200d")
            assert sum("🇦" <= character <= "🇿" for character in row) % 2 == 0


def test_what_is_written_from_right_to_left_keeps_its_order():
    text = "שלום עולם, this is הטקסט mixed with مرحبا بالعالم and back"
    assert " ".join(rows(text, 13)) == text


STORMS = [
    "[a" * 4000, "![" * 4000, "[" * 4000 + "]" * 4000, "[a](" * 2000, "*a " * 2700, "**a *b " * 1100, "`a``b" * 1600,
    "<a " * 2700, "&" * 8000, "~~a " * 2000, (">" * 50 + " a\n") * 150, "- " * 4000, "_" * 8000, "http://" * 1100,
    "| a " * 2000 + "\n" + "|-" * 2000 + "\n" + "| b " * 2000,
]  # fmt: skip


@pytest.mark.parametrize("text", STORMS, ids=lambda text: text[:6])
def test_nothing_written_to_be_slow_takes_long(text):
    parse("warm")
    began = process_time()
    items = parse(text)
    for item in items:
        item.lines(80)
        links_in(item)
    assert process_time() - began < 2
