"""Code fences around a text that is no Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.fences import unfenced


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("```\na\n```", "a"),
        ("\n```python\na\n  b\n```\n", "a\n  b"),
        ("~~~~\na\n~~~~", "a"),
        ("```\n\na\n\n```", "\na\n"),
        ("```\n```", ""),
        ("a", None),
        ("```a```", None),
        ("```\na", None),
        ("x\n```\na\n```", None),
        ("```\na\n```\n```\nb\n```", None),
        ("``\na\n``", None),
    ],
)
def test_only_one_whole_block_is_opened(text: str, inside: str | None) -> None:
    assert unfenced(text) == inside


@given(st.text("a\n ", max_size=20))
def test_what_was_fenced_comes_out_as_it_was(text: str) -> None:
    assert unfenced(f"```sh\n{text}\n```") == text


@given(st.text("`~a\n ", max_size=30))
def test_any_text_is_a_block_or_none(text: str) -> None:
    inside = unfenced(text)
    assert inside is None or inside in text
