"""Marks within a replaced line are exact, in words, and found in lines of any length."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.workspace import intraline as module
from tui_agent.workspace.intraline import Span, intraline

LINE = st.lists(
    st.sampled_from(["foo", "bar", " ", "(", ")", ",", ";", "{", "}", "é", "\t", "漢字", "x" * 30]), max_size=40
)


def rest(text: str, spans: tuple[Span, ...]) -> str:
    """What is left without the marked pieces."""
    end = 0
    for start, stop in spans:
        assert end <= start < stop <= len(text)
        end = stop
    for start, stop in reversed(spans):
        text = text[:start] + text[stop:]
    return text


def marked(text: str, spans: tuple[Span, ...]) -> list[str]:
    return [text[start:stop] for start, stop in spans]


def check(old: str, new: str) -> None:
    gone, come = intraline(old, new)
    if (gone, come) != ((), ()):
        assert rest(old, gone) == rest(new, come)


@given(LINE, LINE)
def test_what_is_not_marked_is_the_same_on_both_sides(old: list[str], new: list[str]) -> None:
    check("".join(old), "".join(new))


@given(LINE, LINE, LINE, st.integers(0, 30), st.integers(0, 30))
def test_long_lines_are_compared_piece_by_piece_and_just_as_exactly(
    head: list[str], old: list[str], new: list[str], words: int, long: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORDS", words)
        patch.setattr(module, "LONG", long)
        check("".join([*head, *old, *head]), "".join([*head, *new, *head]))


@pytest.mark.parametrize(
    ("old", "new", "gone", "come"),
    [
        ("total = price * 2", "total = price * 3", ["2"], ["3"]),
        ("def run(self, name):", "def run(self, name, timeout):", [], [", timeout"]),
        ("f(a, b)", "f(x, y)", ["a", "b"], ["x", "y"]),
        ("the quick brown fox jumps", "the slow green fox jumps", ["quick brown"], ["slow green"]),
        ("return compute(value)", "return compute_all(value)", ["compute"], ["compute_all"]),
        ("alpha", "something else", [], []),
        ("same", "same", [], []),
    ],
)
def test_whole_words_are_marked_and_words_side_by_side_together(
    old: str, new: str, gone: list[str], come: list[str]
) -> None:
    spans = intraline(old, new)
    assert (marked(old, spans[0]), marked(new, spans[1])) == (gone, come)


def minified(names: list[str]) -> str:
    return "".join(f"function {name}(b,c){{return b+c*{index}}};" for index, name in enumerate(names))


def test_edits_in_a_line_of_megabytes_are_marked_each_by_itself() -> None:
    names = [f"a{index}" for index in range(150_000)]
    old = minified(names)
    for place in (100, 70_000, 149_000):
        names[place] = "edited"
    new = minified(names)
    assert len(old) > 5_000_000
    began = time.process_time()
    gone, come = intraline(old, new)
    assert time.process_time() - began < 3  # a naive comparison of a million words needs hours
    assert (marked(old, gone), marked(new, come)) == (["a100", "a70000", "a149000"], ["edited"] * 3)


@pytest.mark.parametrize("alphabet", ["ab", "a ", "a;", "{}", "漢字;"])
def test_lines_without_any_order_take_bounded_time(alphabet: str) -> None:
    chance = random.Random(1)
    old, new = ("".join(chance.choices(alphabet, k=400_000)) for _ in range(2))
    began = time.process_time()
    check(old, new)
    assert time.process_time() - began < 2


def test_a_change_in_a_long_line_without_any_signs_is_marked_from_end_to_end() -> None:
    data = "x " * 50_000
    assert intraline(f"{data}a{data}", f"{data}b{data}") == (((100_000, 100_002),), ((100_000, 100_002),))
    letters = "".join(random.Random(2).choices("abcdefgh", k=100_000))
    assert intraline(f"{letters}{letters}", f"{letters}-new-{letters}") == ((), ((100_000, 100_005),))
