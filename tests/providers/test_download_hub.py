"""The publisher's file, over real HTTP from a server that does all that servers do."""

import asyncio
import socket
from contextlib import ExitStack, aclosing
from pathlib import Path

import pytest

from tests.fakes.file_server import Answer, FileServer, Give
from tests.fakes.tiny_model import CONTENT, TINY
from tests.providers.download_stage import begin, failure, fetch, hub_at, hurry
from tui_agent.providers.embedded import hub
from tui_agent.providers.embedded.download import PullProgress, fetched, remove
from tui_agent.providers.embedded.sources import SourceError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


async def test_a_file_from_the_hub(folder: Path) -> None:
    with FileServer(CONTENT, [Give(pace=0.001)]) as server:
        told = await fetch(folder, hub_at(server))
        assert [asked.path for asked in server.asked] == ["/tiny/resolve/main/tiny.gguf"]
        assert "authorization" not in server.asked[0].headers
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert len(told) > 3
    assert {progress.source for progress in told} == {server.url.removeprefix("http://")}
    assert told[-1] == PullProgress(TINY.size, TINY.size, "checking", told[0].source)


async def test_a_mirror_may_be_below_a_path(folder: Path) -> None:
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server, HF_ENDPOINT=f"{server.url}/hub/"))
        assert [asked.path for asked in server.asked] == ["/hub/tiny/resolve/main/tiny.gguf"]


async def test_what_is_there_is_not_fetched_again(folder: Path) -> None:
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert await fetch(folder, hub_at(server)) == []
        assert len(server.asked) == 1


async def test_an_interrupted_download_goes_on_where_it_was(folder: Path) -> None:
    begin(folder, CONTENT[:70_123])
    assert fetched(TINY, folder) == 70_123
    with FileServer(CONTENT) as server:
        told = await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=70123-"]
    assert told[0].done >= 70_123


async def test_a_server_that_ignores_the_range_does_not_spoil_what_is_there(folder: Path) -> None:
    begin(folder, CONTENT[:70_123])
    with FileServer(CONTENT, [Give(ranges=False)]) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=70123-"]


async def test_a_connection_that_breaks_is_taken_up_again(folder: Path) -> None:
    with FileServer(CONTENT, [Give(drop_after=30_000), Give(drop_after=20_000), Give()]) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["", "bytes=30000-", "bytes=50000-"]


async def test_a_hub_that_only_gives_half_is_left_in_time_and_the_half_is_kept(folder: Path) -> None:
    with FileServer(CONTENT, [Give(drop_after=50_000), Give(drop_after=0)]) as server:
        error = await failure(folder, hub_at(server))
        assert len(server.asked) == 1 + 3
    assert fetched(TINY, folder) == 50_000
    assert "go on from 50 %" in error.hint
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=50000-"]


async def test_an_end_without_a_word_is_no_end(folder: Path) -> None:
    # Without a length the server seems to be done.
    short = Give(headers={"Content-Length": "", "Connection": "close"}, content=CONTENT[:60_000])
    with FileServer(CONTENT, [short, Give()]) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["", "bytes=60000-"]


async def test_more_than_the_file_is_not_taken(folder: Path) -> None:
    endless = Give(headers={"Content-Length": "", "Connection": "close"}, content=CONTENT + b"more" * 100_000)
    with FileServer(CONTENT, [endless]) as server:
        await fetch(folder, hub_at(server))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404), "it does not have the file (404)"),
        (Answer(403), "it refuses access (403)"),
        (Answer(500), "status 500"),
        (Answer(416), "status 416"),
        (Answer(302, {"Location": "/again"}), "more than 5 times"),
        (Answer(302, {"Location": "http://portal.invalid/login?a=b"}), "http://portal.invalid, which is not encrypted"),
        (Answer(302, {"Location": "https://hub.invalid:port/"}), "Invalid port"),
        (Give(headers={"Content-Type": "text/html; charset=utf-8"}), "a web page instead of the file"),
        (Give(headers={"Content-Encoding": "gzip"}), "encoded (gzip)"),
        (Give(content=CONTENT[1:]), "99,999 bytes instead of 100,000"),
        (Give(content=b"<html>not found</html>"), "22 bytes instead of 100,000"),
        (Give(stall_after=0), "nothing came for 0.2 s"),
        (Give(drop_after=0), "the connection broke off"),
    ],
)
async def test_what_is_not_the_file_is_not_taken(
    answer: Give | Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "SILENCE_SECONDS", 0.2)
    with FileServer(CONTENT, [answer]) as server, pytest.raises(SourceError) as caught:
        await first_piece(server.url)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Give(headers={"Content-Range": "bytes 80000-99999/100000"}), "does not go on where it was asked to"),
        (Give(headers={"Content-Range": "none"}), "does not go on where it was asked to"),
        (Give(headers={"Content-Range": "bytes 70000-99999/200000"}), "200,000 bytes instead of 100,000"),
    ],
)
async def test_another_range_than_asked_for_is_not_taken(answer: Give, said: str) -> None:
    with FileServer(CONTENT, [answer]) as server, pytest.raises(SourceError) as caught:
        await first_piece(server.url, 70_000)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://127.0.0.1:9", "no connection: Connection refused"),
        ("http://localhost:9", "no connection: Connection refused"),
        ("http://hub.invalid", "no connection"),
        ("hub.example.org", "http"),
        ("http://[::1", "Invalid"),
        ("http://127.0.0.1:port", "nvalid"),
        ("ftp://127.0.0.1", "ftp"),
    ],
)
async def test_an_endpoint_that_is_none_is_a_reason_and_no_crash(endpoint: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        await first_piece(endpoint)
    assert said in str(caught.value)


async def test_a_hub_that_does_not_pick_up_is_left_after_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CONNECT_SECONDS", 0.2)
    with ExitStack() as sockets:
        deaf = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # what the system takes in without us
            caller = sockets.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        with pytest.raises(SourceError) as caught:
            await first_piece(f"http://127.0.0.1:{deaf.getsockname()[1]}")
    assert str(caught.value) == "no connection within 0.2 s"


async def first_piece(endpoint: str, offset: int = 0, **environ: str) -> bytes:
    source = hub.hub(TINY, {"HF_ENDPOINT": endpoint, **environ})
    async with asyncio.timeout(10), aclosing(source.fetch(offset)) as pieces:
        async for piece in pieces:
            assert isinstance(piece, bytes)
            return piece
    raise AssertionError("it ended")


async def test_of_an_answer_from_an_earlier_byte_the_beginning_is_dropped(folder: Path) -> None:
    begin(folder, CONTENT[:70_123])
    with FileServer(CONTENT, [Give(first=50_000)]) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=70123-"]


async def test_redirects_of_the_same_server_are_followed(folder: Path) -> None:
    with FileServer(CONTENT, [Answer(307, {"Location": "/elsewhere?signed=1"}), Give()]) as server:
        await fetch(folder, hub_at(server))
        assert server.asked[1].path == "/elsewhere?signed=1"


async def test_a_stall_in_the_middle_is_taken_up_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "SILENCE_SECONDS", 0.3)
    with FileServer(CONTENT, [Give(stall_after=40_000), Give()]) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["", "bytes=40000-"]


async def test_the_token_is_sent_only_when_it_is_asked_for_and_only_there(folder: Path) -> None:
    with FileServer(CONTENT) as public:
        await fetch(folder, hub_at(public, HF_TOKEN="hf_secret"))
        assert "authorization" not in public.asked[0].headers
    remove(TINY, folder)
    with FileServer(CONTENT, [Answer(401), Give()]) as gated:
        await fetch(folder, hub_at(gated, HF_TOKEN="hf_secret"))
        assert [asked.headers.get("authorization") for asked in gated.asked] == [None, "Bearer hf_secret"]
    remove(TINY, folder)
    with FileServer(CONTENT, [Answer(401)]) as gated:
        error = await failure(folder, hub_at(gated, HF_TOKEN="hf_secret"))
        assert len(gated.asked) == 2
    assert "hf_secret" not in error.message + error.hint


@pytest.mark.parametrize("token", ["hf_sec\x07ret", "hf_secret é", "hf_sec\nret"])
async def test_a_token_that_no_header_can_hold_is_not_told(token: str) -> None:
    with FileServer(CONTENT, [Answer(401)]) as server, pytest.raises(SourceError) as caught:
        await first_piece(server.url, HF_TOKEN=token)
    assert "hf_sec" not in str(caught.value)
