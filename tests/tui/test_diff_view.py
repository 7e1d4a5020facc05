"""A diff is painted exactly, whole, and only where somebody looks."""

import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual.app import ComposeResult

from tests.tui.questions import AFTER, BEFORE, change, screen_text
from tests.tui.stage import THEMES, Stage
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.theming import ASCII, Palette
from tui_agent.tui.widgets.diff_cells import Paint
from tui_agent.tui.widgets.diff_items import diff_items, text_items
from tui_agent.tui.widgets.diff_outline import Outline
from tui_agent.tui.widgets.diff_syntax import BLOCK, Syntax
from tui_agent.tui.widgets.diff_text import Layer, cells, segments, shortened, show
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.workspace.changes import FileChange
from tui_agent.workspace.diff import diff_change

PALETTE = Palette(THEMES["slate"])
ODD = st.text(st.sampled_from("ab <U+202E>\t\u202e\u200b\x1b\x00\r漢字é🙂\u0301"), max_size=60)


def diff_of(before: str | None, after: str, name: str = "a.py") -> Outline:
    return Outline.of(diff_change(change(before, after, name)))


def painted(diff: Outline, width: int, split: bool = False) -> list[str]:
    """Every line of a diff as it is painted."""
    paint = Paint(PALETTE, Style(), ASCII)
    return [
        item.strip(width, index, paint).text
        for item in diff_items(diff, split, None, width=width)
        for index in range(item.height(width))
    ]


class DiffApp(Stage):
    """Nothing but a diff."""

    CSS = "DiffView { width: 1fr; height: 1fr; }"

    def __init__(self, diff: Outline, theme: str = "slate") -> None:
        super().__init__(theme)
        self.palette = Palette(THEMES[theme])
        self._diff = diff

    def compose(self) -> ComposeResult:
        yield DiffView()

    @property
    def view(self) -> DiffView:
        return self.query_one(DiffView)

    def on_mount(self) -> None:
        self.view.show_diff(self._diff)
        self.view.focus()


# ---- one line ----


@given(ODD)
def test_every_character_is_painted_or_spelled_out(line: str) -> None:
    shown = show(line)
    back = []
    for piece in shown.pieces:
        source, text = line[piece.raw : piece.raw_end], shown.text[piece.shown : piece.shown_end]
        if piece.mark == "tab":
            assert source == "\t"
            assert text.startswith("→")
        elif piece.mark == "code":
            assert f"{ord(source[0]):04X}" in text
            assert set(source) == {source[0]}
        else:
            assert source == text
        back.append(source)
    assert not shown.pieces or "".join(back) == line
    assert shown.pieces or shown.text == line
    assert all(character.isprintable() or character == "\u0301" for character in shown.text)


@given(ODD.filter(lambda line: "\t" not in line))
def test_without_tabs_a_line_is_what_the_sanitiser_says(line: str) -> None:
    assert show(line).text == sanitize(line, "approval")


@given(ODD, st.integers(2, 20))
def test_a_line_is_cut_into_pieces_that_fit_and_lose_nothing(line: str, width: int) -> None:
    shown = show(line)
    spans = [shown.breaks.piece(width, index) for index in range(shown.breaks.count(width))]
    assert "".join(shown.text[start:end] for start, end in spans) == shown.text
    assert all(cells(shown.text[start:end]) <= width for start, end in spans)


@given(ODD, st.data())
def test_a_span_of_the_source_is_found_in_what_is_painted(line: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    shown = show(line)
    first, last = shown.span(start, end)
    assert 0 <= first <= last <= len(shown.text)
    if "<" not in shown.text and "\t" not in line:
        assert shown.text[first:last] == line[start:end]


@given(st.text("ab", max_size=12), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=4))
def test_layers_change_the_style_and_never_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    layers = [Layer(min(span), max(span), Style(bold=True)) for span in spans if span[0] != span[1]]
    made = segments(text, 0, len(text), Style(), layers)
    assert "".join(segment.text for segment in made) == text
    bold = "".join(("x" if s.style and s.style.bold else ".") * len(s.text) for s in made)
    expected = "".join("x" if any(a <= i < b for a, b, _ in layers) else "." for i in range(len(text)))
    assert bold == expected


def test_a_long_name_keeps_its_end() -> None:
    assert shortened("src/shop/cart.py", 10) == "…p/cart.py"
    assert shortened("漢字漢字", 5) == "…漢字"
    assert shortened("a", 10) == "a"


# ---- a whole diff ----


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("width", [20, 57, 160])
def test_all_text_is_there_at_every_width(split: bool, width: int) -> None:
    diff = diff_of(BEFORE, AFTER)
    text = "".join(painted(diff, width, split)).replace(" ", "")
    if not split and width == 160:
        for hunk in diff.diff.hunks:
            for row in hunk.rows:
                assert show(row.text).text.replace(" ", "") in text
    lines = painted(diff, width, split)
    assert all(cells(line) == width for line in lines)


def test_old_and_new_numbers_stand_before_the_lines() -> None:
    lines = painted(diff_of("a\nb\nc\n", "a\nB\nc\n"), 20)
    assert [line.rstrip() for line in lines] == ["@@ 1-3 > 1-3", "1 1   a", "2   - b", "  2 + B", "3 3   c"]


def test_side_by_side_the_replaced_lines_face_each_other() -> None:
    lines = painted(diff_of("a\nb\nc\n", "a\nB\nB2\nc\n"), 21, split=True)
    assert [line.rstrip() for line in lines[1:]] == [
        "1   a      1   a",
        "2 - b      2 + B",
        "           3 + B2",
        "3   c      4   c",
    ]


def test_a_new_file_says_so_and_has_one_column_of_numbers() -> None:
    lines = painted(diff_of(None, "a\nb"), 40)
    assert [line.rstrip() for line in lines] == [
        "new file, no newline at end of file",
        "1 + a",
        "2 + b  (no newline)",
    ]


def test_left_out_lines_are_counted() -> None:
    before = "".join(f"line {number}\n" for number in range(100))
    text = "\n".join(painted(diff_of(before, before.replace("line 50\n", "")), 60))
    assert "47 unchanged" in text
    assert "46 unchanged below" in text


def test_changed_line_endings_are_visible_and_unchanged_ones_are_quiet() -> None:
    assert "<U+000D>" in "".join(painted(diff_of("a\r\nb\r\n", "a\nb\n"), 60))
    same = "".join(painted(diff_of("a\r\nb\r\n", "a\r\nc\r\n"), 60))
    assert "<U+000D>" not in same
    assert "CRLF line endings" in same


def test_an_overwrite_an_empty_change_and_bytes_say_what_they_are() -> None:
    assert "every line is replaced" in painted(diff_of("a\n", "b\n"), 40)[0]
    assert "nothing changes" in painted(diff_of("a\n", "a\n"), 40)[0]
    raw = Outline.of(diff_change(FileChange("/p/x", "x", None, b"\x89PNG\0\xff", None)))
    assert "89 50 4e 47 00 ff" in "".join(painted(raw, 100))


def test_a_numbered_text_keeps_every_line() -> None:
    paint = Paint(PALETTE, Style(), ASCII)
    lines = [item.strip(20, 0, paint).text.rstrip() for item in text_items("one\n\ntwo\n")]
    assert lines == ["1  one", "2", "3  two", "4"]


def test_changed_words_are_emphasised() -> None:
    items = diff_items(diff_of("total = price * 2\n", "total = price * 3\n"), False, None)
    strip = items[-1].strip(60, 0, Paint(PALETTE, Style(), ASCII))
    emphasis = PALETTE.added_emphasis.bgcolor
    assert "".join(segment.text for segment in strip if segment.style and segment.style.bgcolor == emphasis) == "3"


# ---- highlighting ----


def test_asking_for_a_line_never_highlights_it_at_once() -> None:
    syntax = Syntax("a.py", [], ["def f():\n", '    """one\n', '    two"""\n'])
    assert syntax.line("new", 1) == ()
    key = syntax.next_block()
    assert key == ("new", 0)
    syntax.done(key, syntax.work(key))
    assert [(token.start, token.end) for token in syntax.line("new", 1)][:2] == [(0, 3), (4, 5)]
    assert "String" in str(syntax.line("new", 3)[0].kind)
    assert not syntax.wanted


def test_a_block_far_down_knows_the_string_that_began_above() -> None:
    lines = ["x = 1\n"] * (BLOCK - 2) + ['"""\n'] + ["text\n"] * 5 + ['"""\n']
    syntax = Syntax("a.py", [], lines)
    syntax.line("new", BLOCK + 2)
    key = syntax.next_block()
    assert key is not None
    syntax.done(key, syntax.work(key))
    assert "String" in str(syntax.line("new", BLOCK + 2)[0].kind)


def test_a_name_that_tells_no_language_is_asked_once() -> None:
    syntax = Syntax("file.unknown-kind", [], ["a\n"])
    syntax.line("new", 1)
    key = syntax.next_block()
    assert key is not None
    syntax.done(key, syntax.work(key))
    assert syntax.line("new", 1) == ()
    assert not syntax.wanted


@given(st.text("ab\"'#\\\n{} \u2028\x0c", max_size=60))
def test_tokens_stay_inside_their_lines(text: str) -> None:
    lines = text.split("\n")
    syntax = Syntax("a.py", [], [f"{line}\n" for line in lines])
    syntax.done(("new", 0), syntax.work(("new", 0)))
    for number, line in enumerate(lines, start=1):
        assert all(0 <= token.start < token.end <= len(line) for token in syntax.line("new", number))


async def test_the_first_paint_waits_for_no_highlighting(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go = threading.Event()
    work = Syntax.work
    monkeypatch.setattr(Syntax, "work", lambda self, key: (may_go.wait(20), work(self, key))[1])
    app = DiffApp(diff_of(BEFORE, AFTER))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "result + item.price" in screen_text(app)
        keyword = PALETTE.syntax(("Keyword",)).color
        assert not colours(app, keyword)
        may_go.set()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "def" in colours(app, keyword)


def colours(app: Stage, colour: Any) -> list[str]:
    """The stretches of text on the screen that have a colour."""
    return [
        segment.text.strip()
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if segment.style and segment.style.color == colour
    ]


# ---- the widget ----


async def test_scrolling_reaches_every_line() -> None:
    before = "".join(f"line {number:04}\n" for number in range(100))
    app = DiffApp(diff_of(before, before.replace("line", "LINE")))
    async with app.run_test(size=(60, 20)) as pilot:
        seen = screen_text(app)
        for _ in range(14):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += screen_text(app)
        assert all(f"line {number:04}" in seen and f"LINE {number:04}" in seen for number in range(100))


async def test_a_huge_line_wraps_and_its_end_is_reached() -> None:
    app = DiffApp(diff_of("", "x" * 5_000_000 + "THE END\n"))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        app.view.scroll_end(animate=False, immediate=True)
        await pilot.pause()
        assert "THE END" in screen_text(app)


async def test_a_new_file_has_nothing_beside_it_unless_the_user_wishes() -> None:
    app = DiffApp(diff_of(None, AFTER))
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        assert not app.view.split
        app.view.toggle_layout()
        await pilot.pause()
        assert app.view.split


async def test_the_layout_follows_the_width_until_the_user_chooses() -> None:
    app = DiffApp(diff_of(BEFORE, AFTER))
    async with app.run_test(size=(120, 40)) as pilot:
        layouts = [app.view.split]
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        layouts.append(app.view.split)
        app.view.toggle_layout()
        await pilot.pause()
        layouts.append(app.view.split)
        await pilot.resize_terminal(90, 24)
        await pilot.pause()
        layouts.append(app.view.split)
    assert layouts == [True, False, True, True]


async def test_hunks_are_gone_through_one_by_one_to_the_last_and_back() -> None:
    before = "".join(f"line {number}\n" for number in range(300))
    after = before
    for number in (10, 100, 200, 290):
        after = after.replace(f"line {number}\n", f"edited {number}\n")
    app = DiffApp(diff_of(before, after))
    async with app.run_test(size=(80, 10)) as pilot:
        visited = []
        for _ in range(5):
            app.view.next_hunk()
            await pilot.pause()
            visited.append(app.view.hunk)
        assert visited == [1, 2, 3, 3, 3]
        assert "edited 290" in screen_text(app)
        for _ in range(4):
            app.view.previous_hunk()
        await pilot.pause()
        assert app.view.hunk == 0
        app.view.go_to_hunk(2)
        await pilot.pause()
        assert "@@ 198-204" in screen_text(app)


async def test_changing_width_or_layout_keeps_the_place() -> None:
    before = "".join(f"line {number} {'x' * 70}\n" for number in range(300))
    app = DiffApp(diff_of(before, before.replace("x\n", "y\n")))
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.go_to(400)
        await pilot.pause()
        place = app.view.place
        await pilot.resize_terminal(40, 20)
        await pilot.pause()
        assert app.view.place == place
        app.view.toggle_layout()
        await pilot.pause()
        assert abs(app.view.place - place) <= 300


async def test_another_theme_repaints() -> None:
    app = DiffApp(diff_of("a\n", "b\n"))
    async with app.run_test(size=(60, 10)) as pilot:
        app.palette = Palette(THEMES["paper"])
        app.theme = "paper"
        await pilot.pause()
        wanted = app.palette.added_background.bgcolor
        backgrounds = [
            segment.style.bgcolor
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
        ]
        assert wanted in backgrounds


def test_nothing_heavy_is_imported_with_the_view() -> None:
    code = (
        "import sys, tui_agent.tui.widgets.approval_panel;"
        "print([name for name in ('pygments', 'rapidfuzz') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
