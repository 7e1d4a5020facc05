"""Results and diffs of any size under a tool call: every row right, made only when it is looked at."""

import re
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.tui.stage import THEMES
from tui_agent.conversation.events import FileDelta
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.theming import Palette
from tui_agent.tui.widgets.transcript import long_text
from tui_agent.tui.widgets.transcript.document import ToolBlock
from tui_agent.tui.widgets.transcript.heights import estimated_height
from tui_agent.tui.widgets.transcript.layout import Gutter, rows_of
from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.paint import Painter

ODD = st.text(st.sampled_from("ab é漢🙂✓\t\n\n\r\x1b[0m\u202e\u200d\u0301\ufe0f"), max_size=120)
WIDTH = st.integers(1, 40)


def block_of(content: str = "", diffs: Sequence[str] = (), title: str = "x") -> ToolBlock:
    files = tuple(FileDelta(f"{index}.py", 1, 1, diff, created=False) for index, diff in enumerate(diffs))
    return ToolBlock(name="tool", title=title, content=content, files=files, status="ok", folded=False)


def rows(block: ToolBlock, width: int = 80) -> Sequence[Line]:
    return rows_of(block, width, time.monotonic)


def own_text(row: Line) -> str:
    return text_of(row.spans)[row.lead :]


def unwrapped(made: Sequence[Line]) -> dict[int, str]:
    """The text of each line of the source that rows show, put together again."""
    lines: dict[int, str] = {}
    for row in made:
        if row.item is not None and row.start >= 0:
            number = row.item.source[0]
            assert row.start == len(lines.get(number, ""))
            lines[number] = lines.get(number, "") + own_text(row)
    return lines


# ---- results ----


@given(ODD, WIDTH)
def test_rows_hold_every_character_of_every_line_and_no_more_cells_than_there_are(text: str, width: int) -> None:
    block = block_of(f"{text}|", title="")
    made = rows(block, width)
    source = block.source.split("\n")
    assert unwrapped(made[1:]) == {number: sanitize(line).expandtabs(4) for number, line in enumerate(source) if number}
    assert width < 2 or all(cell_len(text_of(row.spans)) <= width for row in made)


@given(
    st.lists(st.sampled_from(["", "a" * 30, "漢" * 9, "é" * 25, "🙂" * 7, "\tx", "e\u0301" * 40]), max_size=30), WIDTH
)
def test_counting_instead_of_measuring_loses_nothing_and_stays_within_the_width(lines: list[str], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_text, "MEASURED", 40)
        made = rows(block_of("\n".join([*lines, "|"])), width)
    assert "".join(map(own_text, made[1:])) == "".join(line.expandtabs(4) for line in lines) + "|"
    assert width < 2 or all(cell_len(text_of(row.spans)) <= width for row in made)


def test_what_is_taken_for_one_cell_is_one_cell() -> None:
    one = [chr(code) for code in range(0x3000) if long_text._ONE_CELL.fullmatch(chr(code))]
    assert len(one) > 900
    assert {cell_len(character) for character in one} == {1}
    assert all(cell_len(f"a{character}") == 2 for character in one)


@given(st.lists(st.sampled_from(["a" * 30, "b", "漢字", ""]), min_size=1, max_size=12), st.integers(1, 90))
def test_too_long_a_text_shows_its_ends_and_says_what_is_between(lines: list[str], limit: int) -> None:
    text = "\n".join([*lines, "|"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_text, "LIMIT", limit)
        patch.setattr(long_text, "SAFE_LIMIT", limit)
        patch.setattr(long_text, "PLAIN_LIMIT", limit)
        head, tail, said = long_text.ends_of(text)
        made = rows(block_of(text), 200)
    assert text.startswith(head) and text.endswith(tail)
    if len(text) <= limit:
        assert (head, tail, said) == (text, "", "")
        return
    assert len(head) + len(tail) <= limit
    middle = text[len(head) : len(text) - len(tail)]
    counted = re.fullmatch(r"… ([\d,]+) (lines|characters) between are not shown; copying the block gives all", said)
    assert counted is not None
    if counted[2] == "lines":
        assert int(counted[1]) == middle.count("\n") - 1
    else:
        assert int(counted[1]) == len(middle)
    source = block_of(text).source.split("\n")
    for row in made[1:]:
        if row.item is not None:
            assert own_text(row) in source[row.item.source[0]]


# ---- diffs ----

DIFF = """--- a.py
+++ a.py
@@ -1,4 +1,5 @@ def total(items):
 def total(items):
-    return sum(price for price in items)
+    return sum(item.price for item in items)
+
 # end
-last
\\ No newline at end of file
+lost
\\ No newline at end of file"""


def test_a_diff_shows_its_lines_with_signs_and_without_file_headers() -> None:
    shown = [text_of(row.spans) for row in rows(block_of(diffs=[DIFF]))[1:]]
    assert shown == [
        "@@ -1,4 +1,5 @@ def total(items):",
        "  def total(items):",
        "−     return sum(price for price in items)",
        "+     return sum(item.price for item in items)",
        "+ ",
        "  # end",
        "− last",
        "  No newline at end of file",
        "+ lost",
        "  No newline at end of file",
    ]


@given(st.sampled_from([1, 2]), st.integers(30, 60))
def test_every_row_of_a_diff_knows_its_line_of_the_source(count: int, width: int) -> None:
    block = block_of(diffs=[DIFF] * count)
    source = block.source.split("\n")
    made = rows(block, width)
    found = unwrapped(made[1:])
    headers = [number for number, line in enumerate(source) if line.startswith(("---", "+++"))]
    assert sorted(found) == [number for number in range(1, len(source)) if number not in headers]
    for number, text in found.items():
        if not source[number].startswith("@"):
            assert text in source[number][1:]


def test_what_changed_in_a_replaced_line_is_marked_on_its_band() -> None:
    made = rows(block_of(diffs=[DIFF]))
    palette = Palette(THEMES["slate"])
    painter = Painter(palette)
    row = next(row for row in made if row.band == "added")
    strip = painter.strip(row, None, Gutter(0, False), 80, False)
    emphasis = palette.added_emphasis.bgcolor
    assert "".join(s.text for s in strip if s.style and s.style.bgcolor == emphasis) == "item.item"


def test_the_sign_of_a_line_stays_whatever_control_characters_follow() -> None:
    made = rows(block_of(diffs=["@@ -1 +1 @@\n+gone\rstays\n-\x1b[31mred\x1b[0m\t1"]))
    assert [text_of(row.spans) for row in made[2:]] == ["+ gone␍stays", "− red 1"]


@given(st.text(st.sampled_from("+-\\ @a\n\n\x1b漢"), max_size=80), WIDTH)
def test_any_text_can_stand_where_a_diff_should(text: str, width: int) -> None:
    made = rows(block_of(diffs=[f"{text}|"]), width)
    assert all(cell_len(text_of(row.spans)) <= max(width, 4) for row in made)


# ---- sizes ----

HUGE = {
    "100 KB": "a line of output, as long as usual\n" * 3_000,
    "100 KB of wide characters": "漢字" * 50_000,
    "a line of 5 MB": "x=1;y='hello';" * 370_000,
    "a line of 5 MB, not ASCII": "größe=1;" * 650_000,
    "five million empty lines": "\n" * 5_000_000,
    "200,000 lines": "some line of output here\n" * 200_000,
    "colours": "\x1b[31mred\x1b[0m text\n" * 250_000,
    "joiners": "\u200d\u0301" * 500_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_unfolding_a_huge_result_takes_no_time_and_its_end_is_there(name: str) -> None:
    block = block_of(HUGE[name] + "END")
    began = time.process_time()
    made = rows(block)
    last = text_of(made[-1].spans)
    some = made[len(made) // 2 : len(made) // 2 + 50]
    assert time.process_time() - began < 2  # wrapping it all takes seconds
    assert last.endswith("END")
    assert len(some) <= 50
    assert estimated_height(block, 80) < 6_000_000


def test_a_diff_of_twenty_thousand_lines_is_there_at_once() -> None:
    hunk = "@@ -{0} +{0} @@\n context {0}\n-    value_{0} = compute({0}, 'text')\n+    value_{0} = other({0}, 'text')\n"
    block = block_of(diffs=["".join(hunk.format(number) for number in range(5_000))])
    began = time.process_time()
    made = rows(block)
    seen = [text_of(row.spans) for row in made[9_999:10_050]]
    assert time.process_time() - began < 2
    assert len(made) == 1 + 20_000
    assert "+     value_2499 = other(2499, 'text')" in seen


def test_a_failed_call_with_a_huge_error_shows_the_beginning_of_it() -> None:
    block = ToolBlock(name="t", status="failed", content="x" * 5_000_000)
    began = time.process_time()
    made = rows(block)
    assert time.process_time() - began < 2
    assert text_of(made[1].spans) == "x" * 79 + "…"


@pytest.mark.parametrize(("width", "said"), [(80, "approved, with network"), (60, "with network"), (30, "")])
def test_what_was_allowed_besides_a_call_stays_longest_in_its_row(width: int, said: str) -> None:
    block = ToolBlock(name="run_command", title="npm install left-pad --save-exact", status="ok", seconds=2.0)
    block.note = "approved, with network"
    (row,) = rows(block, width)
    text = text_of(row.spans)
    assert text.endswith(said) and ("network" in text) == bool(said)
    assert text.startswith("run_command  npm")
