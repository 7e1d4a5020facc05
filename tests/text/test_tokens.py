"""The estimate is near what vocabularies make of ordinary text, and never surprises."""

from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.tokens import estimate

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
