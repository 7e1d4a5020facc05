"""What is shown can never drive the terminal, and in approval mode nothing hides."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui_agent.text.sanitize import hidden_count, is_safe, read_back, sanitize, spell_out

ROWS = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "terminal.jsonl").read_text().splitlines()]
MUST = [row for row in ROWS if row["strength"] == "must"]
CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]"
)
ANY_TEXT = st.text(
    st.characters(codec=None)
    | st.sampled_from("\x1b[]P\\\x07\x9b\x9c\r\n\t m;0\u200d\ufe0f\u0301\u0e49\u202e\u200b\ud800"),
    max_size=80,
)


@pytest.mark.parametrize("mode", ["output", "approval"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_no_row_of_the_corpus_keeps_a_character_that_drives_the_terminal(row, mode):
    assert not CONTROL.search(sanitize(row["text"], mode))


@pytest.mark.parametrize(
    "row", [r for r in MUST if r["kind"].startswith(("bidi", "soft", "nel"))], ids=lambda r: r["kind"]
)
def test_approval_spells_out_what_cannot_be_seen(row):
    assert re.search(r"<U\+[0-9A-F]{4,6}>", sanitize(row["text"], "approval"))
    assert hidden_count(row["text"]) >= 1


@pytest.mark.parametrize("kind", ["blank-padding", "tab-padding", "combining-flood", "zalgo"])
def test_approval_announces_padding_and_floods(kind):
    row = next(r for r in MUST if r["kind"] == kind)
    shown = sanitize(row["text"], "approval")
    assert "<U+" in shown
    assert hidden_count(row["text"]) > 100


@pytest.mark.parametrize("kind", ["markup-link-file", "markup-close", "markup-close-2", "markup-open", "markup-code"])
@pytest.mark.parametrize("mode", ["output", "approval"])
def test_markup_is_nothing_but_text(kind, mode):
    row = next(r for r in MUST if r["kind"] == kind)
    assert sanitize(row["text"], mode) == row["text"]


@given(ANY_TEXT)
def test_output_never_holds_a_control_character(text):
    assert not CONTROL.search(sanitize(text))


@given(ANY_TEXT)
def test_approval_never_holds_a_control_or_invisible_character(text):
    shown = sanitize(text, "approval")
    assert not CONTROL.search(shown)
    assert not re.search("[\u00a0\u00ad\u200b-\u200d\ufeff\U000e0000-\U000e007f]", shown)


@given(
    ANY_TEXT | st.text("a \n\u0301\u0e49\ufe0f\ufe00\u200d\u200b\x1b[m\x9b\r\u202e"),
    st.sampled_from(["output", "approval"]),
)
@example(" \ufe0f\u200d", "output")
@example("x\u200d\ufe0f\u200d", "output")
def test_sanitising_twice_changes_nothing_more(text, mode):
    once = sanitize(text, mode)
    assert sanitize(once, mode) == once


@given(ANY_TEXT)
def test_safe_is_what_stays_as_it_is(text):
    assert not is_safe(text) or sanitize(text) == text
    assert is_safe(sanitize(text))


@given(ANY_TEXT)
def test_lines_are_independent_in_output_mode(text):
    assert sanitize(text) == "\n".join(sanitize(line) for line in text.split("\n"))


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=60))
def test_ordinary_text_is_left_alone(text):
    if not re.search("[\u2800\u3164\uffa0\u115f\u1160\u17b4\u17b5\ufffc]", text):
        assert sanitize(text) == text
        assert sanitize(text, "approval") == text
        assert hidden_count(text) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]0;owned\x1b\\title", "title"),
        ("\x1bP1;2qsixel\x1b\\after", "after"),
        ("\x1bc reset", " reset"),
        ("\x1b(0lqk\x1b(B", "lqk"),
        ("\x1b[", "␛["),
        ("\x1b[/the next name", "␛[/the next name"),
        ("\x1b[ the next word", "␛[ the next word"),
        ("\x1b/a \x1b[0 qb", "␛/a b"),
        ("\x1b]52;c;never ends", "␛]52;c;never ends"),
        ("abc\b\b\bxyz", "abc␈␈␈xyz"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        (" 10 %\r 50 %\r100 %\r\n", " 10 %␍ 50 %␍100 %\n"),
        ("rm -rf ~\rls", "rm -rf ~␍ls"),
        ("rm \u202etxt", "rm <U+202E>txt"),
        ("🏳\ufe0f\u200d🌈 \u200dx\u200d\u200dy", "🏳\ufe0f\u200d🌈 x\u200dy"),
        ("ก\u0e49\u0e49\u0e49\u0e49\u0e49\u0e49x", "ก\u0e49\u0e49\u0e49\u0e49x"),
        ("a" + "\u0301\ufe0f" * 50 + "b", "a" + "\u0301\ufe0f" * 2 + "b"),
        ("a" + "\u0301\u200b" * 50 + "b", "a" + "\u0301\u200b" * 2 + "b"),
        ("a" + "\U000e0100" * 5_000 + "b", "a" + "\U000e0100" * 4 + "b"),
        ("ผู้ใหญ่ שָׁלוֹם مُحَمَّدٌ 한글 हिन्दी", "ผู้ใหญ่ שָׁלוֹם مُحَمَّدٌ 한글 हिन्दी"),
        ("a\x00b\x7fc\x85d\ud800", "a␀b␡c\ufffdd\ufffd"),
    ],
)
def test_output_shows(text, shown):
    assert sanitize(text) == shown


@pytest.mark.parametrize(
    ("text", "shown", "hidden"),
    [
        ("\x1b[31mred", "<U+001B>[31mred", 1),
        ("a\r\nb", "a<U+000D>\nb", 1),
        ("\tindented", "\tindented", 0),
        ("ls\t-l", "ls<U+0009>-l", 1),
        ("ls" + " " * 200 + "; rm", "ls<U+0020 ×200>; rm", 200),
        ("x\U000e0041", "x<U+E0041>", 1),
        ("a\u00a0b\u200bc", "a<U+00A0>b<U+200B>c", 2),
    ],
)
def test_approval_shows(text, shown, hidden):
    assert sanitize(text, "approval") == shown
    assert hidden_count(text) == hidden


@given(ANY_TEXT | st.text("<U+0123CEF>\t\u202ea", max_size=30))
@example("<U+202E>")
@example("<U+003C>U+202E>")
@example("e" + "\u0301" * 7)
def test_what_is_spelled_out_for_editing_hides_nothing_and_comes_back_as_it_was(text):
    spelled = spell_out(text)
    assert read_back(spelled) == text
    assert hidden_count(re.sub(" {32,}|\\A {2,}|\n +", "", spelled)) == 0
    assert "\t" not in spelled and not CONTROL.search(spelled)
