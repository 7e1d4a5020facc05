"""The estimate is near what vocabularies make of ordinary text, and never surprises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.tokens import MOST_COUNTED, SAMPLE, estimate

PROSE = (
    "The assistant reads the file first, then explains what is wrong and proposes a small change that you can allow."
)
CODE = "def total(items):\n    return sum(item.price * item.count for item in items if item.count > 0)\n"


def test_prose_is_about_four_and_a_half_characters_a_token():
    assert 3.5 <= len(PROSE) / estimate(PROSE) <= 5.5


def test_code_is_denser_than_prose():
    assert 2.2 <= len(CODE) / estimate(CODE) <= 4.2


def test_chinese_is_about_a_token_a_character():
    assert estimate("修复失败的测试") == 7


def test_nothing_costs_nothing():
    assert estimate("") == 0


@given(st.text(), st.text())
def test_joining_texts_never_costs_more_than_the_parts_and_a_text_costs_at_least_a_share_of_its_length(a, b):
    assert estimate(a + b) <= estimate(a) + estimate(b) + 1
    assert estimate(a) <= len(a)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_visible_text_is_never_free(text):
    assert estimate(text) >= len(text) / 10


@pytest.mark.parametrize("part", [PROSE, CODE, "修复失败的测试", '{"a":[1,2,{"b":"c"}]},'])
def test_of_a_long_text_samples_are_as_good_as_all_of_it(part: str) -> None:
    whole = part * (1_000_000 // len(part))
    exact = estimate(part * 100) * len(whole) / len(part * 100)
    assert 0.97 < estimate(whole) / exact < 1.03
    assert estimate(whole[:MOST_COUNTED]) <= estimate(whole[: MOST_COUNTED + 1]) * 1.03


def test_a_long_text_of_several_kinds_is_sampled_from_its_beginning_to_its_end() -> None:
    parts = [PROSE * 3_000, "修复失败的测试" * 20_000, CODE * 2_000]
    assert 0.9 < estimate("".join(parts)) / sum(map(estimate, parts)) < 1.1


def test_the_last_characters_count() -> None:
    assert estimate(" " * 500_000 + "修" * SAMPLE) > estimate(" " * 500_000 + " " * SAMPLE)
