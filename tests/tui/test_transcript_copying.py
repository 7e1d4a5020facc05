"""What copying gives is the source of what was selected: no more, no less, and nothing that was only drawn."""

import re
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.markdown_texts import TEXTS
from tui_agent.conversation.events import FileDelta
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.copying import End, aligned, amount, copied, is_code
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    Document,
    GrowingText,
    NoticeBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
)
from tui_agent.tui.widgets.transcript.lines import Item, text_of
from tui_agent.tui.widgets.transcript.places import Place
from tui_agent.tui.widgets.transcript.selection import Items, Selection, Span, fences
from tui_agent.tui.widgets.transcript.viewport import Viewport

ANSWER = """\
# Heading *one*

A para with **bold text** and [a link](https://x.invalid/path?q=1 "title"), `code` &amp; more \\* star
second line goes
on **over
lines** end.

- item one
- item *two*
  continued
  ```py
  def f():
  \treturn 1
  ```
1. [ ] task

> quote
> more

```python
a = 1
\tb = 2

c = 3
```

| a | b |
|---|--:|
| 1 | `2` |

end <https://u.invalid>
"""


def port_of(*blocks: Block, width: int = 60) -> Viewport:
    document = Document(clock=lambda: 0.0)
    for block in blocks:
        document.add(block)
    port = Viewport(document)
    port.resize(width, 20)
    port.settle()
    for block in blocks:
        port.rows_of(block).read_on(inf)
    return port


def items_of(block: Block, width: int = 60) -> list[Item]:
    port = port_of(block, width=width)
    return list(Items(port.rows_of(block)))


def answer(text: str) -> AgentBlock:
    return AgentBlock(text=GrowingText(text))


def find(items: list[Item], text: str, first: int = 0) -> tuple[End, End]:
    """Where a text begins and ends that stands in one of the items."""
    for number, item in enumerate(items):
        at = text_of(item.spans).find(text)
        if number >= first and at >= 0:
            return End(number, at), End(number, at + len(text))
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("first", "last", "source"),
    [
        ("Heading one", "Heading one", "# Heading *one*"),
        ("one", "one", "one"),
        ("ding", "A para", "ding *one*\n\nA para"),
        ("bold", "bold", "bold"),
        ("para with bold text", "para with bold text", "para with **bold text**"),
        ("bold text", "and", "**bold text** and"),
        ("a link", "a link", "a link"),
        ("and a link", "code", 'and [a link](https://x.invalid/path?q=1 "title"), `code`'),
        ("& more * st", "& more * st", "&amp; more \\* st"),
        ("goes", "on over", "goes\non **over"),
        ("over", "lines", "over\nlines"),
        ("on over", "lines end.", "on **over\nlines** end."),
        ("item one", "item two", "- item one\n- item *two*"),
        ("item one", "item t", "- item one\n- item *t"),
        ("continued", "continued", "  continued"),
        ("def f():", "return 1", "def f():\n\treturn 1"),
        ("f():", "ret", "f():\n\tret"),
        ("py", "return 1", "  ```py\n  def f():\n  \treturn 1\n  ```"),
        ("quote", "more", "> quote\n> more"),
        ("a = 1", "c = 3", "a = 1\n\tb = 2\n\nc = 3"),
        ("b = 2", "c = 3", "b = 2\n\nc = 3"),
        ("    b = 2", "c", "\tb = 2\n\nc"),
        ("python", "c = 3", "```python\na = 1\n\tb = 2\n\nc = 3\n```"),
        ("a  b", "1  2", "| a | b |\n|---|--:|\n| 1 | `2` |"),
        ("1  2", "1  2", "| 1 | `2` |"),
        ("2", "2", "2"),
        ("https://u.invalid", "https://u.invalid", "https://u.invalid"),
        ("end https://u.invalid", "end https://u.invalid", "end <https://u.invalid>"),
    ],
)
def test_whole_items_give_their_lines_and_parts_the_source_between(first: str, last: str, source: str) -> None:
    items = items_of(answer(ANSWER))
    start = find(items, first)[0]
    assert copied(ANSWER, items, start, find(items, last, start.item)[1]) == source


def shown(item: Item) -> str:
    return text_of(item.spans)


def test_rows_that_were_wrapped_are_one_line_again_at_any_width() -> None:
    text = "- " + "many words that go on and on " * 8 + "end\n- next"
    for width in (8, 20, 60, 200):
        port = port_of(block := answer(text), width=width)
        items = Items(port.rows_of(block))
        assert copied(text, items, End(0, 0), End(0, len(shown(items[0])))) == text.split("\n")[0]


@given(TEXTS, st.data())
@settings(max_examples=200, deadline=None)
def test_any_two_places_give_a_piece_of_the_source_and_pieces_that_meet_give_the_whole(text: str, data: st.DataObject):
    source = sanitize(text)
    items = items_of(answer(text), data.draw(st.integers(5, 80)))
    # A character that is drawn as its number, from a reference to it, is one thing that cannot be cut.
    if not items or any("<U+" in shown(item) for item in items):
        return
    ends = [End(number, offset) for number, item in enumerate(items) for offset in range(len(shown(item)) + 1)]
    a, b, c = sorted(data.draw(st.lists(st.sampled_from(ends), min_size=3, max_size=3)))
    whole, left, right = copied(source, items, a, c), copied(source, items, a, b), copied(source, items, b, c)
    assert copied(source, items, End(0, 0), ends[-1]) == source
    for piece in (whole, left, right):
        # Only code loses what stands before its lines.
        assert piece in source or any(is_code(item) for item in items[a.item : c.item + 1])
        assert all(line in source for line in piece.split("\n"))
    assert is_covered(letters(whole), letters(left) + letters(right))


def letters(text: str) -> str:
    """The text without what may stand between two parts: marks, list numbers, targets, definitions, line ends."""
    for marks in (
        r"\[[^\]\n]*\]:.*",
        r"\]\([^)\n]*\)|&#?\w+;|\[[ xX]\]|https?://[\w./]*|[`~]{3,}\w*",
        r"(?m)^[\s>*-]*\d+[.)]",
    ):
        text = re.sub(marks, "", text)
    return "".join(character for character in text if character.isalpha())


def is_covered(whole: str, parts: str) -> bool:
    """True when every character of the whole is in the parts, in order."""
    rest = iter(parts)
    return all(character in rest for character in whole)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_code_is_copied_as_it_was_written(text: str) -> None:
    port = port_of(block := answer(f"{text}\n\n\n```\nx\n```"))
    source = sanitize(block.source)
    for _, code in fences(port, block):
        # Of a tab that is partly the indent of a list the rest is blanks.
        assert all(line in source or line.lstrip(" ") in source for line in code.split("\n"))
    *_, (_, last) = fences(port, block)
    assert last == "x" or last.endswith("\nx") or "```" in text or "~~~" in text


@given(st.text("ab *`\\[]()", max_size=60), st.text("ab *`\\[]()", max_size=60))
def test_aligning_rises_and_stays_within_whatever_the_two_are(one: str, two: str) -> None:
    found = aligned(one, two)
    places = [found.at(index) for index in range(len(one))]
    assert places == sorted(places)
    assert all(0 <= place <= len(two) for place in places)


def test_long_texts_are_aligned_in_time() -> None:
    words = " ".join(f"word{number}" for number in range(5000))
    marked = words.replace("word77 ", "**word77** ").replace("word400 ", "[word400](https://a.invalid/b) ")
    places = aligned(words, marked)
    assert marked[places.at(words.index("word4999")) :] == "word4999"
    line = "x" * 2_000_000
    assert aligned(line, f"**{line}**").at(1_999_999) == 2_000_001


def whole(port: Viewport, first: Block, last: Block) -> str:
    start, end = Place(first.id, 0, 0), Place(last.id, 1 << 60, 0)
    return Selection(Span(start, start), Span(end, end)).text(port)


BLOCKS = [
    UserBlock(text="  two\n\tlines  "),
    answer(ANSWER),
    ThoughtBlock(text=GrowingText("\n\nthinking\n\tof it\n"), folded=False),
    NoticeBlock(level="info", text="said\ntwice", hint="do\nit"),
    ToolBlock(name="run_command", title="ls\n-l", status="ok", content="a\tb\nc\n", folded=False),
    ToolBlock(
        name="edit_file",
        title="x",
        status="ok",
        folded=False,
        files=(FileDelta("x", 1, 1, "--- x\n+++ x\n@@ -1,2 +1,2 @@\n \tkept\n-old\n+new"),),
    ),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_a_whole_block_gives_exactly_its_source(block: Block) -> None:
    port = port_of(block)
    assert whole(port, block, block) == sanitize(block.source)


def test_parts_of_other_blocks_are_their_lines_without_what_is_drawn_around_them() -> None:
    user, _, thought, notice, output, diff = BLOCKS
    for block, first, last, text in [
        (user, "lines", "lines", "lines"),
        (user, "two", "lines", "two\n\tlines"),
        (thought, "hinking", "of it", "hinking\n\tof it"),
        (notice, "twice", "do", "twice\ndo"),
        (output, "a   b", "c", "a\tb\nc"),
        (output, "b", "c", "b\nc"),
        (diff, "old", "new", "-old\n+new"),
        (diff, "ld", "new", "ld\n+new"),
        (diff, "    kept", "old", " \tkept\n-old"),
    ]:
        items = items_of(block)
        start = find(items, first)[0]
        end = find(items, last, start.item)[1]
        assert copied(sanitize(block.source), items, start, end) == text, (first, last)


def test_blocks_are_a_blank_line_apart_and_what_is_folded_is_not_copied() -> None:
    tool = ToolBlock(name="run_command", title="ls", status="ok", content="hidden")
    thought = ThoughtBlock(text=GrowingText("hidden"))
    port = port_of(first := UserBlock(text="one"), thought, tool, last := answer("two\n\nthree\n"))
    assert whole(port, first, last) == "one\n\nrun_command ls\n\ntwo\n\nthree"
    start = Place(first.id, 0, 2)
    end = Place(last.id, 0, 2)
    assert Selection(Span(start, start), Span(end, end)).text(port) == "e\n\nrun_command ls\n\ntw"
    everything = Selection(Span(start, start), Span(end, end), everything=True)
    assert everything.text(port) == "one\n\nhidden\n\nrun_command ls\nhidden\n\ntwo\n\nthree"


@given(TEXTS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_selection_gives_the_same_at_every_width_and_while_the_text_grows(text: str, data: st.DataObject) -> None:
    block = AgentBlock(text=GrowingText(text), streaming=True)
    port = port_of(UserBlock(text="before"), block, width=50)
    rows = port.rows_of(block)
    frozen = [number for number, row in enumerate(rows.firsts) if row < rows.frozen]
    if not frozen:
        return
    items = Items(rows)
    ends = [Place(block.id, number, offset) for number in frozen for offset in range(len(shown(items[number])) + 1)]
    start, end = sorted(data.draw(st.lists(st.sampled_from(ends), min_size=2, max_size=2)))
    selection = Selection(Span(start, start), Span(end, end))
    copied_text = selection.text(port)
    if end.item == len(items) - 1 and start == (block.id, 0, 0):
        return  # all there is, which gives all that there will be
    for width in (10, 80):
        port.resize(width, 20)
        port.settle()
        assert selection.text(port) == copied_text
    port.document.append_text(block, "\n\nmore\n\n# and more\n\n- x\n")
    port.settle()
    assert selection.text(port) == copied_text


@pytest.mark.parametrize(
    ("text", "what", "said"),
    [
        ("abc", "", "3 characters"),
        ("a", "", "1 character"),
        ("ab\nc", "", "2 lines, 4 characters"),
        ("a\nb", "code", "code, 2 lines"),
        ("a", "code", "code, 1 line"),
        ("x" * 1200, "answer", "answer, 1,200 characters"),
    ],
)
def test_what_was_copied_is_said_shortly(text: str, what: str, said: str) -> None:
    assert amount(text, what) == said
