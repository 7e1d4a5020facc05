"""Output of any size is kept by its ends and told by its newest part, in whole characters and bounded memory."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.sandbox.output import PIECE_CHARACTERS, HeadAndTail, Teller

TEXT = st.text(st.sampled_from("aé漢🙂\n\x1b"), max_size=60)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(TEXT, st.lists(st.integers(0, 300), max_size=8), st.integers(1, 3))
def test_little_output_is_told_whole_whatever_the_pieces(text: str, cuts: list[int], every: int) -> None:
    told: list[str] = []
    teller = Teller(told.append)
    for number, piece in enumerate(pieces_of(text.encode(), cuts)):
        teller.feed(piece)
        if number % every == 0:
            teller.flush()
    teller.flush(final=True)
    assert "".join(told) == text
    assert "" not in told


@given(st.sampled_from(["a", "é", "漢字", "a🙂", "🙂"]), st.integers(1, 70_000), st.integers(1, 40_000))
def test_much_output_is_told_by_its_end_in_whole_characters(letters: str, count: int, size: int) -> None:
    text = letters * count
    data = text.encode()
    told: list[str] = []
    teller = Teller(told.append)
    for start in range(0, len(data), size):
        teller.feed(data[start : start + size])
    teller.feed("🙂".encode()[:3])
    teller.flush()
    assert told == [text[-PIECE_CHARACTERS:]]


def test_a_piece_holds_no_cut_characters_where_all_of_them_are_long() -> None:
    told: list[str] = []
    teller = Teller(told.append)
    teller.feed(("🙂" * 20_000).encode() + "🙂".encode()[:3])
    teller.flush()
    assert told == ["🙂" * PIECE_CHARACTERS]


def test_a_character_that_is_cut_off_for_good_is_a_replacement() -> None:
    told: list[str] = []
    teller = Teller(told.append)
    teller.feed("é".encode()[:1])
    teller.flush()
    assert told == []
    teller.flush(final=True)
    assert told == ["\ufffd"]


@pytest.mark.promise("P24")
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8), st.integers(1, 60), st.integers(1, 60))
def test_head_and_tail_are_kept_and_the_rest_is_counted(data: bytes, cuts: list[int], head: int, tail: int) -> None:
    kept = HeadAndTail(head, tail)
    for piece in pieces_of(data, cuts):
        kept.feed(piece)
    assert kept.cut == max(0, len(data) - head - tail)
    if not kept.cut:
        assert kept.text() == data.decode("utf-8", "replace")
    else:
        assert f"… {kept.cut:,} bytes cut …" in kept.text()


@pytest.mark.promise("P24")
def test_a_hundred_megabytes_cost_next_to_nothing() -> None:
    told: list[str] = []
    teller, kept = Teller(told.append), HeadAndTail()
    data = b"\xe6\xbc\xa2\n" * 16_384
    began = time.process_time()
    for number in range(1_600):
        teller.feed(data)
        kept.feed(data)
        if number % 100 == 0:
            teller.flush()
    assert time.process_time() - began < 3  # decoding it takes seconds
    assert max(map(len, told)) <= PIECE_CHARACTERS
    assert kept.total == 1_600 * 65_536
    assert len(kept.text()) < 31_000
