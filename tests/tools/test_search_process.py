"""What becomes of the process of a search: bounded, killed, told about while it runs."""

import asyncio
import json
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.processes import children
from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.builtin import finder, first, search
from tui_agent.tools.builtin.finder import list_files
from tui_agent.tools.executor import ToolExecutor, ToolOutcome
from tui_agent.workspace.paths import Workspace

MATCH = "".join(
    json.dumps({"type": kind, "data": {"path": {"text": "./d/f"}, **more}}) + "\n"
    for kind, more in (
        ("begin", {}),
        ("match", {"lines": {"text": "one\n"}, "line_number": 1}),
        ("match", {"lines": {"text": "two\n"}, "line_number": 2}),
        ("end", {"binary_offset": None}),
    )
)


def pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Let a shell script be `rg`; `$found` is the file with MATCH."""
    (folder / "found").write_text(MATCH)
    program = folder / "rg"
    program.write_text(f"#!/bin/sh\nfound={folder}/found\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(finder, "find_rg", lambda workspace: str(program))


def plant(folder: Path) -> None:
    """The file that MATCH is about: what `rg` says is looked at again."""
    (folder / "d").mkdir()
    (folder / "d" / "f").write_text("one\ntwo\n")


def call(root: Path, name: str = "grep_search", **arguments: Any) -> asyncio.Task[ToolOutcome]:
    given = {"pattern": "x", **arguments}
    return asyncio.create_task(ToolExecutor(root).run(ToolCall("c", name, json.dumps(given))))


async def cancelled(task: asyncio.Task[ToolOutcome]) -> float:
    """Cancel it; the seconds until it was over."""
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - began


async def has_children() -> None:
    while not children():  # noqa: ASYNC110 - a process comes up
        await asyncio.sleep(0.01)


async def test_a_search_leaves_no_process_when_it_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "find_rg", lambda workspace: "")
    (tmp_path / "f").write_bytes(b"a" * 40 + b"\n")
    task = call(tmp_path, pattern="(a+)+$x")
    await has_children()
    await asyncio.sleep(0.2)
    await cancelled(task)
    assert not children()


@pytest.mark.parametrize("tool", ["grep_search", "glob_files"])
async def test_cancelling_ends_rg_at_once(
    tool: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), "exec sleep 60")
    task = call(tmp_path, tool)
    await has_children()
    assert await cancelled(task) < 0.5
    assert not children()


async def test_cancelling_ends_both_searches_of_a_pair(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "GLOB_FILES", 1)
    monkeypatch.setattr(first, "TRIAL_SECONDS", 60)
    script = """case "$*" in *--sort*) ;; *) printf './%s\\0' a b c d e f g h i j k;; esac; exec sleep 60"""
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), script)
    task = call(tmp_path, "glob_files", pattern="*")
    while len(children()) < 2:  # noqa: ASYNC110 - processes come up
        await asyncio.sleep(0.01)
    assert await cancelled(task) < 0.5
    assert not children()


@pytest.mark.parametrize("tool", ["grep_search", "glob_files"])
async def test_a_search_that_finds_without_end_is_ended(
    tool: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = 'case "$*" in *--json*) while cat $found; do :; done;; *) while :; do printf "./a\\0"; done;; esac'
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), endless)
    monkeypatch.setattr(first, "TRIAL_SECONDS", 30)
    plant(tmp_path)
    outcome = await call(tmp_path, tool, pattern="*" if tool == "glob_files" else "x")
    assert "there are more" in outcome.result.content
    assert not children()


async def test_a_listing_that_nobody_reads_on_is_ended(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bin")
    (folder / "names").write_bytes(b"./name\0" * 400_000)
    pretend(monkeypatch, folder, f"exec cat {folder}/names")
    start = Workspace(tmp_path).resolve(".")
    async with asyncio.timeout(10):
        async with aclosing(list_files(start, "*", in_order=False)) as blocks:
            assert set(await anext(blocks)) == {"name"}
            await asyncio.sleep(0.3)  # all that has room is read ahead, and no more is
    assert not children()


async def test_a_search_that_takes_too_long_says_so(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "SEARCH_SECONDS", 0.2)
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), "exec sleep 60")
    outcome = await call(tmp_path)
    assert outcome.result.content == "the search took longer than 0.2 s: narrow the pattern or the path"
    assert not children()


async def test_a_long_search_tells_what_it_has_found_so_far(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "PROGRESS_SECONDS", 0.01)
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), "cat $found; exec sleep 60")
    told: list[str] = []
    heard = asyncio.Event()

    def hear(text: str) -> None:
        told.append(text)
        heard.set()

    call = ToolCall("c", "grep_search", json.dumps({"pattern": "x"}))
    task = asyncio.create_task(ToolExecutor(tmp_path).run(call, on_output=hear))
    await asyncio.wait_for(heard.wait(), 10)
    await asyncio.sleep(0.1)
    await cancelled(task)
    assert told == ["2 matches in 1 file so far\n"]


async def test_rows_that_come_in_pieces_are_put_together(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "_READ_BYTES", 7)
    pretend(monkeypatch, tmp_path_factory.mktemp("bin"), "cat $found")
    plant(tmp_path)
    assert (await call(tmp_path)).result.content == "d/f:1:one\nd/f:2:two"


@pytest.mark.parametrize("pattern", ["x", "x+"])
async def test_a_huge_line_is_cut_while_it_is_read(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finder, "LONG_RECORD", 1_000)
    line = b"x" * 100_000 + b',"submatches":['
    (tmp_path / "f").write_bytes(b"x\n" + line + b"\n" + b"x\n" + line)
    cut = f"{'x' * 500}[… 99,515 characters cut]"
    outcome = await call(tmp_path, pattern=pattern)
    assert outcome.result.content == f"f:1:x\nf:2:{cut}\nf:3:x\nf:4:{cut}"
