"""Finding text in a document, without a screen: what is searched, that nothing is missed, and where it stands."""

import math
import re
import time
from array import array
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.markdown_texts import SIZES, TEXTS, cut
from tui_agent.conversation.events import FileDelta
from tui_agent.tui.widgets.transcript import find, shown
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    Document,
    GrowingText,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
    WelcomeBlock,
)
from tui_agent.tui.widgets.transcript.find import BadPattern, Pattern
from tui_agent.tui.widgets.transcript.found import MOST, Found, Hit, View
from tui_agent.tui.widgets.transcript.layout import BlockRows
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.lookup import Lookup, stretches
from tui_agent.tui.widgets.transcript.shown import Shown

WORDS = st.text("abAB .\té\u212ask日本\u0130", max_size=30)
LINES = st.lists(WORDS, max_size=8).map("\n".join)
DIFF = "--- a\n+++ b\n@@ -1,3 +1,3 @@\n same one\n-old\ttwo\n+new two\n\\ No newline at end\n"


def everything(text: str, folded: bool = False) -> Document:
    """A document with a block of every kind."""
    document = Document(clock=lambda: 100.0)
    for block in (
        UserBlock(text=text),
        ThoughtBlock(text=GrowingText(f"\n\n{text}\nthought"), folded=folded),
        AgentBlock(text=GrowingText(text)),
        ToolBlock(name="run", title=f"it {text}", status="ok", content=f"{text}\nout\n", folded=folded),
        ToolBlock(
            name="edit", title="file", status="ok", folded=folded, files=(FileDelta("x.py", 1, 1, f"{DIFF}+{text}\n"),)
        ),
        ToolBlock(name="two", status="failed", content="no", folded=folded,
                  files=(FileDelta("x.py", 1, 1, DIFF), FileDelta("y.py", 1, 1, DIFF, created=True))),
        NoticeBlock(level="warning", text=f"{text}\nnotice", hint="hint\nfor it"),
        SwitchBlock(provider="fake", model="model"),
        WelcomeBlock(lines=((("hello ", "text"), ("there", "accent")), (("you", "text"),))),
    ):  # fmt: skip
        document.add(block)
    return document


def rows_of(block: Block, width: int) -> BlockRows:
    rows = BlockRows(block)
    rows.update(width, lambda: 100.0)
    rows.read_on(math.inf)
    return rows


def whole(block: Block) -> Shown:
    read = Shown(block)
    read.update()
    while not read.complete:
        read.read()
    return read


def lines_of(read: Shown) -> dict[int, str]:
    """The lines that have text, by their numbers."""
    lines = {}
    for part, text in enumerate(read.parts):
        at = 0
        for line in text.split("\n"):
            number, start = read.line_of(part, at)
            assert start == at
            if line:
                assert read.text(number) == line
                lines[number] = line
            at += len(line) + 1
    return lines


def search(document: Document, pattern: Pattern, top: Hit | None = None) -> Found:
    top = top or Hit(document.blocks[0].id, 0, 0, 0)
    found = Found(document, {}, pattern, View(top, top.block_id))
    while found.work(1.0):
        pass
    return found


def walk(found: Found) -> list[Hit]:
    """All hits, by going from one to the next."""
    hits = []
    for _ in range(found.count):
        hits.append(found.present)
        found.step(1)
    return hits


# ---- patterns ----


def plain(text: str, wanted: str) -> list[tuple[int, int]]:
    """Every match, found the slow way."""
    same = str.__eq__ if any(c.isupper() for c in wanted) else lambda a, b: bool(re.fullmatch(re.escape(a), b, re.I))
    found, at = [], 0
    while at + len(wanted) <= len(text):
        if all(same(a, b) for a, b in zip(wanted, text[at : at + len(wanted)], strict=True)):
            found.append((at, at + len(wanted)))
            at += len(wanted)
        else:
            at += 1
    return found


def regular(text: str, wanted: str) -> list[tuple[int, int]]:
    found, at = [], 0
    for line in text.split("\n"):
        flags = re.NOFLAG if any(c.isupper() for c in re.sub(r"\\.", "", wanted)) else re.I
        found += [(at + m.start(), at + m.end()) for m in re.finditer(wanted, line, flags) if m[0]]
        at += len(line) + 1
    return found


def scanned(text: str, pattern: Pattern) -> list[tuple[int, int]]:
    starts, ends, at = array("I"), array("I"), 0
    while at < len(text):
        before = at
        at, given_up = pattern.scan(text, at, starts, ends)
        assert at > before and not given_up
    return list(zip(starts, ends, strict=True))


@settings(max_examples=200, deadline=None)
@given(LINES, st.text("abAké\u017f日 ", min_size=1, max_size=3), st.integers(1, 12))
def test_plain_text_is_found_wherever_it_stands(text: str, wanted: str, span: int) -> None:
    with mock.patch.object(find, "SPAN", span):
        assert scanned(text, Pattern(wanted)) == plain(text, wanted)


@settings(max_examples=200, deadline=None)
@given(
    LINES,
    st.sampled_from(["a", "a+", "^a", "b$", r"\S+", r"[^a]*b", "A|b ", "(?s)a.*b", r"\s", "(?=a)"]),
    st.integers(1, 12),
)
def test_an_expression_sees_lines(text: str, wanted: str, span: int) -> None:
    with mock.patch.object(find, "SPAN", span):
        assert scanned(text, Pattern(wanted, True)) == regular(text, wanted)


def test_a_capital_makes_case_matter() -> None:
    assert scanned("Error error ERROR", Pattern("error")) == [(0, 5), (6, 11), (12, 17)]
    assert scanned("Error error ERROR", Pattern("Error")) == [(0, 5)]
    assert scanned("ab AB", Pattern(r"\Sb", True)) == [(0, 2), (3, 5)]


@pytest.mark.parametrize(
    ("wanted", "why"), [("(", "missing )"), ("[a", "unterminated"), ("a{9999999999}", "too large")]
)
def test_what_is_no_expression_is_said(wanted: str, why: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(why)):
        Pattern(wanted, True)
    assert Pattern(wanted).text == wanted


@pytest.mark.parametrize("wanted", ["(a+)+$", "(a|aa)+$", "(.*)*x", "a*a*a*a*a*a*b"])
def test_an_expression_that_takes_for_ever_is_ended_and_the_next_lines_are_searched(wanted: str) -> None:
    text = "a\n" + "a" * 5000 + "!\nx\naab"
    starts, ends = array("I"), array("I")
    began = time.process_time()
    at, given_up, left_out = 0, False, 0
    while at < len(text):
        at, given_up = Pattern(wanted, True).scan(text, at, starts, ends)
        left_out += given_up
    assert left_out == 1
    assert time.process_time() - began < 2
    assert all(not 2 <= start < 5003 for start in starts) and len(starts) == len(ends)


def test_a_huge_line_is_searched_in_pieces() -> None:
    text = "x" * 100_000 + "needle" + "x" * 100_000
    assert scanned(text, Pattern("needle")) == [(100_000, 100_006)]
    assert scanned(text, Pattern("ne+dle", True)) == [(100_000, 100_006)]


# ---- what is searched ----


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from([20, 200, 100_000]))
def test_what_is_searched_is_what_rows_show_unfolded(text: str, piece: int) -> None:
    with mock.patch.object(shown, "PIECE", piece):
        for block in everything(text):
            rows = rows_of(block, 100_000)
            shows: dict[int, str] = {}
            lookup = Lookup(block, read := whole(block))
            for row in range(len(rows.lines)):
                number = lookup.line_at(rows, row)
                if number >= 0:
                    assert number not in shows
                    item = rows.lines[row].item
                    assert item is not None
                    shows[number] = text_of(item.spans)
            assert lines_of(read) == {number: line for number, line in shows.items() if line}, block


def test_words_are_found_as_they_are_read() -> None:
    document = everything("a w**or**d, [a link](http://there.invalid) and `co", folded=True)
    assert search(document, Pattern("word, a link")).count == 1
    assert search(document, Pattern("w**or**d")).count == 6
    assert search(document, Pattern("new two")).count == 3
    assert search(document, Pattern("hello there")).count == 1
    assert search(document, Pattern("+++")).count == 0, "file headers are not shown"


@settings(max_examples=60, deadline=None)
@given(TEXTS, SIZES, st.booleans())
def test_streaming_in_any_chunks_gives_what_the_whole_text_gives(text: str, sizes: list[int], answer: bool) -> None:
    document = Document(clock=lambda: 100.0)
    block: AgentBlock | ThoughtBlock = AgentBlock(streaming=True) if answer else ThoughtBlock(streaming=True)
    document.add(block)
    found = Found(document, {}, Pattern("e"), View(Hit(block.id, 0, 0, 0), block.id))
    with mock.patch.object(shown, "PIECE", 40):
        for chunk in cut(text, sizes):
            document.append_text(block, chunk)
            found.changed(block.id)
            while found.work(1.0):
                pass
            fresh = whole(block)
            assert lines_of(found.shown(block.id)) == lines_of(fresh)
        block.streaming = False
        document.touch(block)
        found.changed(block.id)
        while found.work(1.0):
            pass
        assert lines_of(found.shown(block.id)) == lines_of(whole(block))
    assert found.count == sum(len(plain(line, "e")) for line in lines_of(whole(block)).values())


# ---- searching a document ----


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(["e", "o", "more", "日", "two", " "]), st.sampled_from([1, 9, 20, 40, 90, 1000]))
def test_hits_are_all_there_in_order_and_stand_on_the_cells_that_show_them(text: str, wanted: str, width: int) -> None:
    document = everything(text)
    found = search(document, Pattern(wanted))
    expected = [
        Hit(block.id, number, *match)
        for block in document
        for number, line in sorted(lines_of(whole(block)).items())
        for match in plain(line, wanted)
    ]
    hits = walk(found)
    first = hits.index(expected[0]) if expected else 0
    assert hits[first:] + hits[:first] == expected
    for block in document:
        rows, lookup = rows_of(block, width), Lookup(block, whole(block))
        seen: dict[tuple[int, int, int], str] = {}
        for row in range(len(rows.lines)):
            number = lookup.line_at(rows, row)
            shown_row = text_of(rows.lines[row].spans)
            for start, end in found.on_line(block.id, number, 0, 1 << 30):
                for low, high in stretches(rows.lines[row], start, end):
                    key = (number, start, end)
                    seen[key] = seen.get(key, "") + shown_row[low:high]
        for hit in expected:
            if hit.block_id != block.id:
                continue
            row = lookup.row_of(rows, hit.line, hit.start)
            if row is None:
                assert isinstance(block, AgentBlock) or width == 1, "the header of a table that is a list now"
                continue
            assert lookup.line_at(rows, row) == hit.line
            # Blanks at the end of a row vanish.
            marked = seen.get(hit[1:], "").replace(" ", "").lower()
            line = lines_of(whole(block))[hit.line]
            if width == 1:
                assert marked in (wanted.strip(), "·", "")
            elif isinstance(block, ToolBlock | SwitchBlock) and (
                hit.line == 0 or line.startswith(("@@", "No newline"))
            ):
                assert wanted.startswith(marked.rstrip("…")), "these are clipped"
            else:
                assert marked == wanted.replace(" ", "")
                assert not marked or stretches(rows.lines[row], hit.start, hit.end)


def long_talk(blocks: int, size: int) -> Document:
    document = Document(clock=lambda: 100.0)
    for number in range(blocks):
        line = f"line {number} of the output, with some words on it that nobody looks for\n"
        document.add(ToolBlock(name="run", title="x", status="ok", content=line * (size // len(line))))
    return document


def test_the_nearest_hit_is_known_long_before_the_last() -> None:
    document = long_talk(200, 20_000)
    top = Hit(document.blocks[150].id, 0, 0, 0)
    found = Found(document, {}, Pattern("nobody"), View(top, document.blocks[152].id))
    assert found.work(0.0)
    while found.present is None:
        assert found.work(0.0)
    assert found.present.block_id == top.block_id and found.count < 2000
    while found.work(0.008):
        pass
    assert found.present.block_id == top.block_id
    assert found.count == sum(block.source.count("nobody") for block in document)


def test_what_is_nearest() -> None:
    document = long_talk(20, 500)
    document.fold_all(ToolBlock, False)
    ids = [block.id for block in document]

    def first(wanted: str, block: int, line: int = 0, bottom: int | None = None) -> Hit | None:
        view = View(Hit(ids[block], line, 0, 0), ids[block if bottom is None else bottom])
        found = Found(document, {}, Pattern(wanted, "|" in wanted), view)
        while found.work(0.0):
            pass
        return found.present

    assert first("line 7 ", 10) == Hit(ids[7], 7, 0, 7), "the last one of a block above"
    assert first("line 13 ", 10) == Hit(ids[13], 1, 0, 8), "the first one of a block below"
    assert first("line", 10, 3) == Hit(ids[10], 3, 0, 4), "the first one in view"
    assert first("line 10 ", 10, 99, 12) == Hit(ids[10], 7, 0, 8), "just above the view"
    assert first("run", 10, 99, 12) == Hit(ids[11], 0, 0, 3), "in view before just above it"
    assert first("nothing", 10) is None
    document.fold_all(ToolBlock, True)
    assert first("l|run", 10, 1, 12) == Hit(ids[11], 0, 0, 3), "what can be seen first"
    assert first("line 12 ", 10, 1, 12) == Hit(ids[12], 1, 0, 8)


def test_steps_go_round_the_ends_and_wait_for_what_is_not_searched_yet() -> None:
    document = long_talk(30, 2_000)
    ids = [block.id for block in document]
    found = Found(document, {}, Pattern("run"), View(Hit(ids[10], 0, 0, 0), ids[10]))
    while found.present is None:
        found.work(0.0)
    found.step(-11)
    while found.work(0.0):
        pass
    assert found.present == Hit(ids[29], 0, 0, 3) and found.number() == 30 == found.count
    found.step(2)
    assert found.present == Hit(ids[1], 0, 0, 3) and found.number() == 2


def test_the_present_hit_stays_while_text_streams_and_goes_with_its_block() -> None:
    document = Document(clock=lambda: 100.0)
    first = document.add(UserBlock(text="word"))
    block = document.add(AgentBlock(streaming=True, text=GrowingText("a word and\n\na word")))
    found = search(document, Pattern(r"word\w*", True), Hit(block.id, 1, 0, 0))
    assert found.present == Hit(block.id, 1, 2, 6)
    document.append_text(block, "s and wording")
    found.changed(block.id)
    assert not found.work(1.0)
    assert found.present == Hit(block.id, 1, 2, 7) and (found.number(), found.count) == (3, 4)
    document.remove(block)
    found.changed(None)
    assert not found.work(1.0)
    assert found.present == Hit(first.id, 0, 0, 4) and found.count == 1
    later = document.add(UserBlock(text="words words"))
    document.remove(first)
    found.changed(None)
    assert not found.work(1.0)
    assert found.present == Hit(later.id, 0, 0, 5) and found.count == 2


def test_a_step_never_takes_long_whatever_the_text() -> None:
    document = Document(clock=lambda: 100.0)
    document.add(ToolBlock(name="run", status="ok", content="e" * 5_000_000))
    document.add(ToolBlock(name="run", status="ok", content="日本e\n" * 300_000))
    document.add(AgentBlock(text=GrowingText("# some *text*\n\nwith e and `code`\n\n- a list\n\n" * 3_000)))
    document.add(UserBlock(text="e\n" * 200_000))
    longest = 0.0
    found = Found(document, {}, Pattern("e"), View(Hit(1, 0, 0, 0), 1))
    while True:
        began = time.process_time()
        more = found.work(0.0)
        longest = max(longest, time.process_time() - began)
        if not more:
            break
    assert MOST <= found.count < MOST + find.SPAN and found.full
    assert longest < 0.1
