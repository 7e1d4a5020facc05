"""Code gets its colours when it is painted: the same ones however it came, each line once, and never for long."""

from math import inf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tui.markdown_texts import SIZES, TEXTS, cut
from tests.tui.stage import THEMES, Stage
from tui_agent.tui.theming import Palette
from tui_agent.tui.widgets.transcript import code
from tui_agent.tui.widgets.transcript.code import CodeLine, colour, coloured
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document, GrowingText, UserBlock
from tui_agent.tui.widgets.transcript.highlight import LineHighlighter
from tui_agent.tui.widgets.transcript.lines import Line, text_of
from tui_agent.tui.widgets.transcript.markdown import MarkdownText, WrappedMarkdown, parse
from tui_agent.tui.widgets.transcript.view import TranscriptView

PYTHON = "```python\n" + 'x = """a\nb"""\nvalue = compute(1)  # note\n' * 400


def painted(lines: list[Line]) -> list[Line]:
    return [row for line in lines if (row := coloured(line, inf))]


@pytest.fixture
def lexed(monkeypatch) -> list[str]:
    """The lines that were given to a lexer so far."""
    seen: list[str] = []
    original = LineHighlighter.line
    monkeypatch.setattr(LineHighlighter, "line", lambda self, text: (seen.append(text), original(self, text))[1])
    return seen


@given(TEXTS, SIZES, st.integers(4, 50), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_any_way_of_cutting_gives_the_same_colours(text, sizes, width, every):
    markdown = MarkdownText()
    wrapped = WrappedMarkdown(markdown, width)
    for number, piece in enumerate(cut(text, sizes)):
        markdown.feed(piece)
        wrapped.update()
        if number % every == 0:
            painted(wrapped.lines)
    markdown.finish()
    wrapped.update()
    assert painted(wrapped.lines) == painted([line for item in parse(text) for line in item.lines(width)])


@given(TEXTS, st.integers(1, 50))
@example("```python\n日本", 1)
@settings(max_examples=100, deadline=None)
def test_colours_change_no_character_and_no_prefix(text, width):
    for item in parse(text):
        for line in item.lines(width):
            row = coloured(line, inf)
            assert row is not None
            assert text_of(row.spans) == text_of(line.spans)
            assert row[1:] == line[1:]


def test_the_state_of_the_lexer_goes_on_over_wrapped_rows():
    rows = painted([line for item in parse('```python\nx = """abc def\nghi"""; y = 1\n```') for line in item.lines(5)])
    roles = [(text, role) for row in rows for text, role in row.spans]
    quoted = [role for text, role in roles if text.strip('" ') in ("abc", "def", "ghi")]
    assert len(quoted) == 3 and all("String" in role for role in quoted)
    assert ("1", "syntax.Literal.Number.Integer") in roles


def test_nothing_is_lexed_until_it_is_painted_and_then_each_line_once(lexed):
    items = [item for item in parse(PYTHON) if isinstance(item, CodeLine)]
    lines = [line for item in items for line in item.lines(40)]
    lines = [line for item in items for line in item.lines(30)]
    assert lexed == []
    assert coloured(lines[10], inf)
    assert len(lexed) == items.index(lines[10].item) + 1
    painted(lines)
    painted(lines)
    assert lexed == [item.text for item in items]


def test_a_line_far_down_is_known_only_after_slices_of_bounded_length(monkeypatch, lexed):
    clock = iter(range(10**6))
    monkeypatch.setattr(code, "monotonic", lambda: next(clock))
    line = [line for item in parse(PYTHON) for line in item.lines(40)][-1]
    assert coloured(line, 0) is None
    slices = 0
    while not colour([line], (slices + 1) * 100):
        slices += 1
        assert len(lexed) <= 100 * (slices + 1)
    assert slices >= 10
    row = coloured(line, 0)
    assert row and any("Comment" in role for _, role in row.spans)


@pytest.mark.parametrize("fence", ["", "   "], ids=["flush", "in a list"])
def test_a_growing_fence_costs_each_line_little_more_than_once(lexed, fence):
    markdown = MarkdownText()
    wrapped = WrappedMarkdown(markdown, 60)
    markdown.feed(f"1. step\n{fence}```python\n")
    for number in range(50):
        markdown.feed(f"{fence}x = {number}\n")
        wrapped.update()
        painted(wrapped.lines[-3:])
    markdown.finish()
    wrapped.update()
    painted(wrapped.lines)
    assert 50 <= len(lexed) <= 3 * 50
    lexed.clear()
    painted(wrapped.lines)
    assert lexed == []


def test_a_fence_in_a_list_item_goes_on_where_the_item_is_cut():
    body = "".join(f"   value_{n} = compute({n})\n" for n in range(2000))
    text = f"1. step\n   ```python\n   x = '''\n{body}   '''\n   y = 1\n   ```\n   after\n2. next\n\n# end"
    items = parse(text)
    code_lines = [item for item in items if isinstance(item, CodeLine)]
    assert [item.text for item in code_lines] == ["x = '''", *(line[3:] for line in body.splitlines()), "'''", "y = 1"]
    assert {text_of(item.rest) for item in code_lines} == {"   "}
    rest = [text_of(item.first) + text_of(item.spans) for item in items[items.index(code_lines[-1]) + 1 :]]
    assert [row for row in rest if row.strip()][-3:] == ["after", "2. next", "end"]
    rows = painted([line for item in code_lines[-3:] for line in item.lines(80)])
    assert "String" in rows[0].spans[-1][1] and "Number" in rows[-1].spans[-1][1]
    lines = text.split("\n")
    assert all(lines[item.source[0]].strip() == item.text for item in code_lines)


def test_a_fence_that_was_cut_in_a_list_item_ends_with_the_item():
    text = "- step\n  ```\n" + "  line\n" * 4000 + "flush\n"
    assert not isinstance(parse(text)[-1], CodeLine)
    assert text_of(parse(text)[-1].spans) == "flush"


@pytest.mark.parametrize(
    "language", ["py", "{.python}", "python:src/a.py", "src/a.py", "PYTHON", "python,linenos"], ids=str
)
def test_a_language_is_known_however_it_is_written(language):
    (row,) = painted([line for item in parse(f"```{language}\nimport x\n```")[1:] for line in item.lines(40)])
    assert row.spans[0] == ("import", "syntax.Keyword.Namespace")


class Show(Stage):
    """A transcript with a question above an answer."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.document = Document(clock=lambda: 100.0)
        self.document.add(UserBlock(text="question"))
        self.answer = self.document.add(AgentBlock(text=GrowingText(text)))
        self.view = TranscriptView(self.document, palette=Palette(THEMES["slate"]))

    def compose(self):
        yield self.view

    def colours(self) -> int:
        """How many colours the text of the last rows has."""
        strips = [self.view.render_line(y) for y in range(self.view.size.height)]
        return len({segment.style.color for strip in strips for segment in strip if segment.style})


async def idle(app: Show, pilot) -> None:
    await pilot.pause()
    while app.view._idle is not None or app.view._frame is not None:
        await pilot.pause(0.005)
    await pilot.pause()


async def test_the_end_of_a_long_fence_is_painted_plain_first_and_coloured_in_slices(monkeypatch, lexed):
    monkeypatch.setattr("tui_agent.tui.widgets.transcript.pane.SHARE", 0.002)
    slices: list[int] = []
    original = TranscriptView._slice
    monkeypatch.setattr(TranscriptView, "_slice", lambda self: (original(self), slices.append(len(lexed))))
    app = Show("```python\n" + "value = compute(1, 'text')  # note\n" * 1200 + "```\n")
    async with app.run_test(size=(80, 20)) as pilot:
        plain = app.colours()
        assert app.view._idle is not None
        await idle(app, pilot)
        assert app.colours() > plain
        assert len(slices) > 3 and slices == sorted(slices)
        assert len(lexed) == 1200
        await pilot.resize_terminal(70, 20)
        await idle(app, pilot)
        assert app.colours() > plain
        assert len(lexed) == 1200


async def test_a_long_answer_is_read_in_slices_and_its_end_is_shown():
    sections = "".join(
        f"## Section {n}\n\nSome *words* with `code` and more of them.\n\n- a\n- b\n\n" for n in range(500)
    )
    app = Show(sections + "The very end.")
    async with app.run_test(size=(80, 20)) as pilot:
        assert app.view._port.unread
        await idle(app, pilot)
        assert not app.view._port.unread
        shown = [app.view.render_line(y).text.strip() for y in range(app.view.size.height)]
        assert shown[-1].endswith("The very end.")
        assert app.view.follow
        app.view.action_home()
        await idle(app, pilot)
        shown = [app.view.render_line(y).text.strip() for y in range(app.view.size.height)]
        assert "question" in shown[1] and "Section 0" in shown[3]


async def test_what_is_below_a_long_answer_stays_in_its_place_while_that_is_read():
    sections = "".join(f"## Section {n}\n\nSome *words* with `code` and more of them.\n\n" for n in range(500))
    app = Show(sections)
    app.document.add(UserBlock(text="\n".join(f"line {n}" for n in range(15))))
    async with app.run_test(size=(80, 20)) as pilot:

        def shown() -> list[str]:
            return [app.view.render_line(y).text.strip() for y in range(app.view.size.height)][-15:]

        before = shown()
        assert before[-1].endswith("line 14")
        assert app.view._port.unread
        estimated = app.view._port.total
        while app.view._idle is not None:
            await pilot.pause(0)
            assert shown() == before
        assert shown() == before
        assert 0.5 < estimated / app.view._port.total < 2


def test_reading_in_slices_gives_what_reading_at_once_gives(monkeypatch):
    text = "# a\n\n- b\n  c\n\n```py\nd = '''\ne'''\n```\n\n| f | g |\n|---|---|\n| h | i |\n\n" * 40 + "last [r]"
    clock = iter(range(10**9))
    monkeypatch.setattr("tui_agent.tui.widgets.transcript.markdown.monotonic", lambda: next(clock))
    markdown = MarkdownText()
    steps = 1
    done = markdown.feed(text, 7)
    while not done:
        assert markdown.tail() == []
        steps += 1
        done = markdown.feed("", steps * 7)
    markdown.finish()
    assert steps > 50
    assert markdown.items == parse(text)
