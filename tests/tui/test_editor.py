"""The user's own editor: found as named, run on a private file, and whatever it does nothing is lost."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import SuspendNotSupported

from tui_agent.sandbox import editor
from tui_agent.text.own_keys import own_keys
from tui_agent.tui.editor import EditorError, edited, editor_command


class Screen:
    """What is used of the app."""

    lent = False
    back = False

    @contextlib.contextmanager
    def suspend(self) -> Iterator[None]:
        assert self.lent
        yield  # as in Textual: what comes after it is not done when an exception passes
        self.back = True

    def batch_update(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def program(tmp_path: Path, body: str) -> list[str]:
    """An editor that is a Python program; `path` is the file."""
    script = tmp_path / "ed it.py"
    script.write_text(f"import os, sys, pathlib\npath = pathlib.Path(sys.argv[-1])\n{body}\n")
    return editor_command({"VISUAL": f"{sys.executable} -I '{script}'"})


async def edit(command: list[str], data: bytes = b"old\n", name: str = "src/a.py") -> bytes:
    screen = Screen()
    try:
        return await edited(screen, command, data, name)
    finally:
        assert screen.back and not screen.lent, "the terminal was not taken back"


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(editor.tempfile, "tempdir", str(place))
    return place


def kept(place: Path) -> list[str]:
    """The texts that were left in a place."""
    return [path.read_text() for path in place.glob("*/*")]


def test_visual_comes_before_editor_and_is_split_into_words() -> None:
    assert editor_command({"VISUAL": f"{sys.executable} -I 'a b'", "EDITOR": "x"}) == [sys.executable, "-I", "a b"]
    assert editor_command({"VISUAL": " ", "EDITOR": sys.executable}) == [sys.executable]


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"VISUAL": "no-such-editor -w"}, r"\$VISUAL is no-such-editor, which is not there"),
        ({"EDITOR": "/nowhere/ed\x1b[31m"}, r"\$EDITOR is /nowhere/ed, which"),
        ({"EDITOR": "/"}, "which is not there"),
        ({"EDITOR": "vi 'open"}, r"\$EDITOR cannot be read"),
    ],
)
def test_an_editor_that_is_not_there_is_named(environ: dict[str, str], told: str) -> None:
    with pytest.raises(EditorError, match=told):
        editor_command(environ)


def test_without_a_name_the_usual_ones_are_looked_for_but_not_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "vi"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert editor_command({}) == [str(found)]
    with pytest.raises(EditorError, match="there is no editor"):
        editor_command({}, tmp_path)


async def test_it_gets_a_private_file_and_what_it_leaves_is_taken(tmp_path: Path, own_place: Path) -> None:
    body = "assert path.read_bytes() == b'old\\n'\n"
    body += "path.write_text(f'{path.name} {oct(path.stat().st_mode)} {oct(path.parent.stat().st_mode)} {os.getcwd()}')"
    said = (await edit(program(tmp_path, body))).decode()
    assert said == f"a.py {oct(stat.S_IFREG | 0o600)} {oct(stat.S_IFDIR | 0o700)} /"
    assert os.listdir(own_place) == []


async def test_an_editor_that_puts_another_file_in_its_place_is_understood(tmp_path: Path) -> None:
    body = "new = path.with_suffix('.new'); new.write_bytes(b'\\xff\\0'); new.rename(path)"
    assert await edit(program(tmp_path, body)) == b"\xff\0"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("a/.exrc", "_exrc"),
        ("-R", "_R"),
        ("x\x1b]0;\x07 y", "x__0___y"),
        ("..", "_."),
        ("", "text"),
        ("a" * 300, "a" * 100),
    ],
)
async def test_the_name_tells_the_language_and_nothing_else(tmp_path: Path, name: str, called: str) -> None:
    assert (await edit(program(tmp_path, "path.write_text(path.name)"), name=name)).decode() == called


async def test_an_editor_that_fails_takes_nothing_over_and_loses_nothing(tmp_path: Path, own_place: Path) -> None:
    with pytest.raises(EditorError, match="ended with 3, so nothing is taken over") as failed:
        await edit(program(tmp_path, "path.write_text('mine'); sys.exit(3)"))
    assert failed.value.hint.startswith(f"what it wrote is in {own_place}")
    assert kept(own_place) == ["mine"]


async def test_one_that_fails_without_having_written_leaves_nothing_behind(tmp_path: Path, own_place: Path) -> None:
    with pytest.raises(EditorError, match="ended with 1") as failed:
        await edit(program(tmp_path, "sys.exit(1)"))
    assert failed.value.hint == "" and os.listdir(own_place) == []


async def test_one_that_takes_the_file_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(EditorError, match="left no file behind"):
        await edit(program(tmp_path, "path.unlink()"))


async def test_what_is_too_large_is_kept_and_not_taken(
    tmp_path: Path, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor, "LARGEST", 1_000)
    with pytest.raises(EditorError, match="so it is not taken over") as failed:
        await edit(program(tmp_path, "path.write_text('x' * 1001)"))
    assert kept(own_place) == ["x" * 1_001] and str(own_place) in failed.value.hint


async def test_keys_of_providers_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "key-of-a-provider-123")
    own_keys.add(["key-of-a-provider-123"])
    assert await edit(program(tmp_path, "path.write_text(os.environ.get('SHOP_KEY', 'none'))")) == b"none"


async def test_where_the_screen_cannot_rest_it_says_so(tmp_path: Path) -> None:
    class Web(Screen):
        def suspend(self) -> Any:
            raise SuspendNotSupported

    with pytest.raises(EditorError, match="in this terminal"):
        await edited(Web(), program(tmp_path, ""), b"", "a")


async def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(EditorError, match="cannot be run: No such file"):
        await edit([str(broken)])


async def test_being_stopped_ends_the_editor_and_takes_the_terminal_back(tmp_path: Path) -> None:
    started = tmp_path / "started"
    body = f"pathlib.Path({str(started)!r}).write_text(str(os.getpid()))\nimport time; time.sleep(60)"
    work = asyncio.ensure_future(edit(program(tmp_path, body)))
    for _ in range(500):
        if started.exists() and started.read_text():
            break
        await asyncio.sleep(0.01)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
