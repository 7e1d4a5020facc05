"""A body is cut into the same frames however its bytes arrive."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.providers.frames import FrameDecoder, NotAStream, decode_frame

NEWLINES: tuple[Literal["\n", "\r\n", "\r"], ...] = ("\n", "\r\n", "\r")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def frames_of(parts: list[bytes]) -> list[bytes]:
    decoder = FrameDecoder()
    return [frame for part in parts for frame in decoder.feed(part)] + decoder.finish()


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, list[Any]]:
    """A stream as some server writes it, and the values that it carries."""
    newline = draw(st.sampled_from(NEWLINES))
    carried = draw(st.lists(st.dictionaries(texts, texts, max_size=3), min_size=1, max_size=5))
    lines = []
    for value in carried:
        if draw(st.booleans()):
            lines += [draw(st.sampled_from([": keep-alive", ":", "id: 7", "retry: 10", "event: message"]))]
        if draw(st.booleans()):
            lines += [f"data:{draw(st.sampled_from(['', ' ']))}{json.dumps(value, ensure_ascii=False)}"]
        else:
            lines += [f"data: {line}" for line in json.dumps(value, indent=1, ensure_ascii=False).split("\n")]
        lines += [""] * draw(st.integers(1, 3))
    body = (newline.join(lines) + newline).encode()
    if draw(st.booleans()):
        body = body.rstrip(newline.encode())
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + body, carried


@pytest.mark.promise("P8")
@given(bodies(), st.data())
def test_any_cutting_gives_the_same_frames(body: tuple[bytes, list[Any]], data: st.DataObject) -> None:
    raw, carried = body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    parts = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert [decode_frame(frame) for frame in frames_of(parts)] == carried
    assert [decode_frame(frame) for frame in frames_of([raw[i : i + 1] for i in range(len(raw))])] == carried


@pytest.mark.promise("P8")
@pytest.mark.parametrize("newline", NEWLINES)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_every_byte_offset(newline: str, bom: bytes) -> None:
    body = bom + ': hi\ndata: {"a":\ndata:  "é€🙂"}\n\nevent: x\ndata: [DONE]\n\n'.replace("\n", newline).encode()
    whole = frames_of([body])
    assert len(whole) == 2
    for offset in range(len(body) + 1):
        assert frames_of([body[:offset], body[offset:]]) == whole


def test_a_frame_is_given_as_soon_as_its_blank_line_is_there() -> None:
    for newline in NEWLINES:
        assert FrameDecoder().feed(f"data: {{}}{newline}{newline}".encode()) == [b"{}"]


def test_half_a_frame_at_the_end_is_dropped() -> None:
    assert frames_of([b'data: {"a": 1}\n\ndata: {"a": ']) == [b'{"a": 1}']


@pytest.mark.promise("P8")
def test_a_last_frame_without_its_blank_line_counts() -> None:
    assert frames_of([b"data: [DONE]"]) == [b"[DONE]"]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b'event: error\ndata: {"message": "x"}\n\n', {"message": "x"}),
        (b'event: error\ndata: {"error": {"message": "x"}}\n\n', {"message": "x"}),
        (b"event: error\ndata: out of memory\n\n", "out of memory"),
    ],
)
def test_an_error_event_is_an_error_whatever_its_data(frame: bytes, error: Any) -> None:
    (data,) = frames_of([frame])
    assert decode_frame(data) == {"error": error}


def test_one_json_object_instead_of_a_stream_is_one_frame() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b' {"choices"') == []
    assert decoder.feed(b": []}\n") == []
    assert [decode_frame(frame) for frame in decoder.finish()] == [{"choices": []}]
    assert decoder.is_document


@pytest.mark.promise("P10")
def test_a_web_page_is_refused_at_once() -> None:
    with pytest.raises(NotAStream):
        FrameDecoder().feed(b"\n <!DOCTYPE html>")


def test_a_frame_without_end_is_refused() -> None:
    decoder = FrameDecoder()
    with pytest.raises(NotAStream):
        for _ in range(40):
            decoder.feed(b"data: " + b"x" * 2**20)


@pytest.mark.promise("P9")
def test_invalid_utf8_becomes_the_replacement_character() -> None:
    assert decode_frame(b'{"a": "x\xff\xc3y"}') == {"a": "x\ufffd\ufffdy"}


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b"[" * 100_000])
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_frame(data)
