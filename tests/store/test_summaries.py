"""What made room has its place in exports, in what is printed of a session, and in the search."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.project import Machine
from tui_agent.cli.main import main
from tui_agent.conversation.events import (
    Compacted,
    LoggedEvent,
    PromptSubmitted,
    Record,
    ResultsTrimmed,
    SessionStarted,
    TurnEnded,
)
from tui_agent.store.pages import html, markdown
from tui_agent.store.search import fold
from tui_agent.store.sqlite import SqliteLog
from tui_agent.store.transfer import parse_export, to_json

SUMMARY = "## Goal\n\nRound the **sum**, not each line. sk-secret-1234 <b>x</b>\x1b[2J\n\n```python\nround(total"
EVENTS: tuple[LoggedEvent, ...] = (
    PromptSubmitted("fix the total"),
    TurnEnded("done"),
    ResultsTrimmed(3, 400, 12, 3_200),
    Compacted(4, SUMMARY, "full", "ollama", "qwen2.5\x1b[1m", 2_000, 6_900, 1_800, messages=41),
    Compacted(4, "All of it, in short.", "edit", before=1_800, after=900),
)
MADE_ROOM = "made room: 41 messages became a summary · about 6,900 → 1,800 tokens"
TRIMMED = "trimmed 12 older results of tools to 400 characters · about 3,200 tokens less"


def records() -> list[Record]:
    happened = (SessionStarted("/w", "p", "m", "ask", "1"), *EVENTS)
    return [Record("s1", seq, float(seq), event, "") for seq, event in enumerate(happened, start=1)]


def hide(text: str) -> str:
    return text.replace("sk-secret-1234", "[hidden]")


def test_pages_hold_the_whole_summary_and_nothing_in_it_runs() -> None:
    page = markdown("t", records(), hide)
    assert MADE_ROOM in page and TRIMMED in page and "written by ollama" in page and "nearly full" in page
    assert "> Round the **sum**" in page and "edited by you" in page
    # The fence that the summary leaves open ends with it.
    assert "> round(total\n> ```" in page
    for text in (page, html("t", records(), hide)):
        assert "sk-secret" not in text and "\x1b" not in text
    drawn = html("t", records(), hide)
    assert f"<details><summary>{MADE_ROOM}" in drawn and "&lt;b&gt;x" in drawn


def test_a_json_export_brings_it_back() -> None:
    back = parse_export(to_json("s1", "t", records(), str).encode(), "f", "/here")
    assert [record.event for record in back.records[1:]] == list(EVENTS)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})

    async def fill() -> None:
        log = SqliteLog(machine.home / "data" / "sessions.db")
        last = await log.create("s1", SessionStarted(str(machine.project), "p", "m", "ask", "1"), 1.0)
        for event in EVENTS:
            last = await log.append(last, event, 1.0)
        await log.aclose()

    asyncio.run(fill())
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(machine.project)
    return machine


def test_it_is_printed_and_found(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sessions", "show", "s1"]) == 0
    shown = capsys.readouterr().out
    assert MADE_ROOM in shown and TRIMMED in shown and "Round the **sum**" in shown and "\x1b" not in shown
    assert main(["sessions", "replay", "s1", "--speed", "1000"]) == 0
    replayed = capsys.readouterr().out
    assert MADE_ROOM in replayed and TRIMMED in replayed and "edited by you" in replayed
    assert main(["sessions", "list", "--json", "round", "sum"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["found"]["kind"] == "summary" and row["found"]["seq"] == 5
    assert fold("Round") in fold(row["found"]["line"])
