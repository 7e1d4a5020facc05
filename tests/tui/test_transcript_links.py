"""Links are found where they are shown, and only what is harmless to open counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.markdown_texts import TEXTS
from tui_agent.tui.widgets.transcript.items import Framed
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.links import link_at, links_in, may_open, urls_in
from tui_agent.tui.widgets.transcript.markdown import parse


def found(text: str) -> list[tuple[str, str]]:
    """What is shown of each link in a text, and its target."""
    items = [row for item in parse(text) for row in (item.rows if isinstance(item, Framed) else (item,))]
    return [(text_of(item.spans)[start:end], target) for item in items for start, end, target in links_in(item)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [the *docs*](https://x.invalid/a) now", [("the docs (https://x.invalid/a)", "https://x.invalid/a")]),
        ("[](https://x.invalid)", [("https://x.invalid", "https://x.invalid")]),
        (
            "[r]: https://x.invalid 'title'\n\n[a][r], [r]",
            [("a (https://x.invalid)", "https://x.invalid"), ("r (https://x.invalid)", "https://x.invalid")],
        ),
        ("<https://x.invalid/?a&b>", [("https://x.invalid/?a&b", "https://x.invalid/?a&b")]),
        ("<me@x.invalid>", [("me@x.invalid", "mailto:me@x.invalid")]),
        ("[over\ntwo](a.md)", [("over", "a.md"), ("two (a.md)", "a.md")]),
        ("[src/main.py](src/main.py)", [("src/main.py", "src/main.py")]),
        ("![pic](docs/a.png)", [("[pic] (docs/a.png)", "docs/a.png")]),
        (
            "go to https://x.invalid/a_(b), or (http://y.invalid).",
            [("https://x.invalid/a_(b)",) * 2, ("http://y.invalid",) * 2],
        ),
        ("`curl https://x.invalid/a -o b`", [("https://x.invalid/a",) * 2]),
        (
            "```sh\nwget 'https://x.invalid/a' # \"http://y.invalid\"\n```",
            [("https://x.invalid/a",) * 2, ("http://y.invalid",) * 2],
        ),
        ("mailto:me@x.invalid!", [("mailto:me@x.invalid",) * 2]),
        ("| a | b |\n|-|-|\n| x [y](z.md) | https://x.invalid |", [("y (z.md)", "z.md"), ("https://x.invalid",) * 2]),
        ("[a](ftp://x.invalid) [b](//x.invalid) [c](/etc/passwd) [d](#here) [e](vscode://x) ftp://x.invalid", []),
        ("[a](javascript:alert(1)) [b](file:///etc/passwd)", []),
        ("xhttps://x.invalid http:// https://", []),
        ("https://x.invalid/\u202eevil", [("https://x.invalid/",) * 2]),
        ("https://x.invalid/\u200bz", [("https://x.invalid/",) * 2]),
    ],
)  # fmt: skip
def test_links_are(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("target", "opens"),
    [
        ("https://x.invalid", True), ("HTTP://x.invalid", True), ("mailto:a@b", True),
        ("src/a.py#L3", True), ("../a", True),
        ("file:///a", False), ("javascript:x", False), ("data:x", False), ("C:\\x", False), ("\\\\host\\x", False),
        ("//host", False),
        ("/etc/passwd", False), ("~/x", False), ("", False), (" ", False),
        ("a\nb", False), ("a\x1bb", False), ("#x", False),
    ],
)  # fmt: skip
def test_only_what_is_harmless_opens(target, opens):
    assert may_open(target) is opens


def test_a_link_is_found_under_a_character_of_a_row_wherever_it_is_wrapped():
    (item,) = parse("go [to this place](https://x.invalid/a) now")
    shown = ""
    for line in item.lines(12):
        row = text_of(line.spans)
        for index, character in enumerate(row):
            offset = line.offset(index)
            if offset is not None and link_at(item, offset):
                shown += character
    assert shown.replace(" ", "") == "tothisplace(https://x.invalid/a)"


def test_the_link_in_a_cell_is_found_on_the_row_of_the_table():
    table = parse("| a | b |\n|---|--:|\n| x | [y](z.md) w |")[0]
    line = table.lines(40)[-1]
    row = text_of(line.spans)
    assert line.item and link_at(line.item, line.offset(row.index("y")) or 0) == "z.md"
    assert link_at(line.item, line.offset(row.index("w")) or 0) is None


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_links_stand_in_order_within_the_text(text):
    for item in parse(text):
        for row in item.rows if isinstance(item, Framed) else (item,):
            last = 0
            for start, end, target in links_in(row):
                assert last <= start < end <= len(text_of(row.spans))
                assert target.isprintable() and may_open(target)
                last = end


@given(st.text("htps:/.x()[]'\",a ", max_size=80))
def test_a_url_ends_before_the_punctuation_that_follows_it(text):
    for start, end, url in urls_in(text):
        assert text[start:end] == url
        assert url[-1] not in ".,;:!?'\""
