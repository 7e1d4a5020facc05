"""`tui-agent sessions`: what each verb prints, leaves behind and ends with."""

import asyncio
import json
import os
import pty
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer
from tests.long_session import write_session
from tests.project import PROGRAM, Machine
from tui_agent.cli import sessions
from tui_agent.cli.main import main
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    PromptSubmitted,
    SessionStarted,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.store.sqlite import SqliteLog

Run = Callable[..., tuple[int, str, str]]
KEY = "own-key-of-the-fake-1234"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})

    async def fill() -> None:
        log = SqliteLog(made.home / "data" / "sessions.db")
        here, elsewhere = str(made.project), str(tmp_path / "elsewhere")
        await write_session(log, "20260101-0900-aaaaaa", here, 30, at=1_767_258_000.0)
        last = await log.create("20260102-0900-bbbbbb", SessionStarted(here, "fake", "m", "ask", "1"), 1_767_344_400.0)
        for event in (
            PromptSubmitted(f"why \x1b[31mred?\nuse {KEY}"),
            TurnEnded("done"),
            PromptSubmitted("and blue?"),
            TurnEnded("interrupted"),
        ):
            last = await log.append(last, event, last.time + 1)
        await log.create("20260103-0900-cccccc", SessionStarted(elsewhere, "fake", "m", "ask", "1"), 1_767_430_800.0)
        await log.aclose()

    asyncio.run(fill())
    return made


@pytest.fixture
def run(machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name, value in machine.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FAKE_API_KEY", KEY)
    monkeypatch.chdir(machine.project)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["sessions", *words])
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        return code, said.out, said.err

    return run


A, B, C = "20260101-0900-aaaaaa", "20260102-0900-bbbbbb", "20260103-0900-cccccc"


def ids(text: str) -> list[str]:
    return re.findall(r"^(\d{8}-\d{4}-[0-9a-f]{6})", text, re.MULTILINE)


def test_list_is_of_this_folder_latest_first_or_of_all(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0 and ids(out) == [B, A] and "2 turns" in out
    assert ids(run("list", "--all")[1]) == [C, B, A]
    rows = json.loads(run("list", "--json")[1])
    assert [row["id"] for row in rows] == [B, A] and rows[1]["size"] > 1_000


def test_list_finds_titles_and_texts_and_shows_the_line(run: Run) -> None:
    _, out, _ = run("list", "BLUE")
    assert ids(out) == [B] and "    prompt: and blue?\n" in out
    assert ids(run("list", "discount")[1]) == [A]
    assert json.loads(run("list", "blue", "--json")[1])[0]["found"] == {"seq": 4, "kind": "prompt", "line": "and blue?"}
    run("rename", B[:11], "zebra crossing")
    assert ids(run("list", "zeb", "cross")[1]) == [B]
    code, out, err = run("list", "nothing like it")
    assert (code, out) == (0, "") and "no session with 'nothing like it' in this folder" in err


def test_rename_shows_in_the_list_and_empty_takes_it_back(run: Run) -> None:
    assert run("rename", "20260102", "the colours")[0] == 0
    assert "the colours" in run("list")[1]
    run("rename", "20260102", "")
    assert "why" in run("list")[1]
    code, _, err = run("rename", "2027", "x")
    assert code == 1 and "no session '2027'" in err


def test_fork_copies_all_or_what_was_before_a_prompt(run: Run) -> None:
    code, out, err = run("fork", "20260102")
    copy = out.strip()
    assert code == 0 and f"resume {copy}" in err
    events = [json.loads(line)["event"] for line in run("show", copy, "--json")[1].splitlines()]
    assert len(events) == 5
    assert ids(run("list")[1])[0] == copy and "copy of why" in run("list")[1]
    forked = json.loads(run("fork", "20260102", "--at", "2", "--json")[1])
    assert forked["prompt"] == "and blue?" and forked["from"] == B
    assert len(run("show", forked["id"], "--json")[1].splitlines()) == 3
    assert run("verify", forked["id"])[:2] == (0, f"{forked['id']}  whole\n")
    code, _, err = run("fork", "20260102", "--at", "3")
    assert code == 2 and "there is no prompt 3: the session has 2 prompts" in err


def test_show_numbers_the_prompts(run: Run) -> None:
    assert "[2] you: and blue?" in run("show", "20260102")[1]


def test_delete_needs_a_yes(run: Run) -> None:
    code, _, err = run("delete", "20260102")
    assert code == 2 and "--yes" in err
    code, _, err = run("delete", "20260102", "nobody", "--yes")
    assert code == 1 and "nothing was deleted" in err
    assert ids(run("list")[1]) == [B, A]
    assert run("delete", "20260102", "20260101", "--yes")[0] == 0
    assert run("list")[1] == ""


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, [A]), (b"\n", 3, [B, A]), (b"\x04", 3, [B, A])])
def test_delete_asks_on_a_terminal(machine: Machine, run: Run, answer: bytes, code: int, left: list[str]) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "sessions", "delete", B], cwd=machine.project, env=machine.environ, stdin=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 1000)
        os.write(ours, answer)
        assert process.wait(30) == code
    os.close(ours)
    assert b"why red?" in asked.replace(b"\r\n", b"\n") and b"\x1b[31m" not in asked
    assert ids(run("list")[1]) == left


@pytest.mark.parametrize("ending", [".md", ".html", ".json"])
def test_export_has_no_keys_and_overwrites_nothing(run: Run, tmp_path: Path, ending: str) -> None:
    page = tmp_path / f"page{ending}"
    code, _, err = run("export", "20260102", "-o", str(page))
    text = page.read_text()
    assert code == 0 and "without keys" in err and page.stat().st_mode & 0o077 == 0
    assert KEY not in text and "[secret]" in text and "and blue?" in text
    code, _, err = run("export", "20260101", "-o", str(page))
    assert code == 2 and "is there already" in err and page.read_text() == text
    form = {".md": "markdown", ".html": "html", ".json": "json"}[ending]
    assert run("export", "20260102", "--format", form)[1] == text
    assert run("export", "20260102", "-o", str(tmp_path / "no" / "folder"))[0] == 1


def test_import_takes_in_what_export_wrote_under_a_new_id(run: Run, tmp_path: Path) -> None:
    run("export", "20260101", "-o", str(tmp_path / "a.json"))
    code, out, err = run("import", str(tmp_path / "a.json"))
    new = out.strip()
    assert code == 0 and new != A and "30 events" in err
    before, after = (run("show", name, "--json")[1].splitlines() for name in (A, new))
    assert [json.loads(line)["event"] for line in before] == [json.loads(line)["event"] for line in after]
    assert run("verify", new)[0] == 0
    (tmp_path / "b.json").write_text('{"format": "another"}')
    code, _, err = run("import", str(tmp_path / "b.json"))
    assert code == 1 and "b.json is no session" in err
    assert run("import", "~nobody-at-all/x")[0] == 1


def test_an_import_brings_no_key_of_ours_in(run: Run, machine: Machine, tmp_path: Path) -> None:
    events = [
        {"seq": 1, "time": 1, "event": {"type": "session_started", "working_directory": "/x", "provider": "p",
                                        "model": "m", "mode": "auto", "version": "1"}},
        {"seq": 2, "time": 1, "event": {"type": "prompt_submitted", "text": f"take {KEY}"}},
    ]  # fmt: skip
    file = {"format": "tui-agent session", "version": 1, "session": "../../x", "title": KEY, "events": events}
    (tmp_path / "a.json").write_text(json.dumps(file))
    new = run("import", str(tmp_path / "a.json"))[1].strip()
    assert re.fullmatch(r"\d{8}-\d{4}-[0-9a-f]{6}", new)
    shown = run("show", new)[1] + run("list")[1].splitlines()[0]
    assert KEY not in shown and "take [secret]" in shown and str(machine.project) in shown


@pytest.mark.promise("P35")
def test_verify_names_the_first_bad_event(run: Run, machine: Machine) -> None:
    assert run("verify")[:2] == (0, f"{C}  whole\n{B}  whole\n{A}  whole\n")
    with sqlite3.connect(machine.home / "data" / "sessions.db") as db:
        db.execute("UPDATE events SET time = time + 1 WHERE session = ? AND seq >= 3", (B,))
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_767_344_403))
    code, out, _ = run("verify", "20260102")
    assert (code, out) == (
        1,
        f"{B}  event 3 (turn_ended, {at}) does not fit the one before it: it was changed after it was written\n",
    )
    rows = [json.loads(line) for line in run("verify", "--json")[1].splitlines()]
    assert [(row["id"], row["ok"]) for row in rows] == [(C, True), (B, False), (A, True)]


def test_stats_count_one_or_all(run: Run) -> None:
    one, two = (json.loads(run("stats", *words, "--json")[1]) for words in (("20260102",), ()))
    assert (one["sessions"], one["prompts"], one["turns"]) == (1, 2, {"done": 1, "interrupted": 1})
    assert two["sessions"] == 2 and two["prompt_tokens"] > 1_000
    out = run("stats", "20260101")[1]
    assert "edit_file: " in out and "policy allowed" in out and "model time" in out


def test_tokens_and_cost_are_told_of_one_session_and_of_all(run: Run, machine: Machine) -> None:
    async def spend() -> None:
        log = SqliteLog(machine.home / "data" / "sessions.db")
        opening = SessionStarted(str(machine.project), "fake", "m", "ask", "1")
        last = await log.create("20260104-0900-dddddd", opening, 1.0)
        for event in (
            AssistantReplied("a", "", (), "stop", "fake", "m", Usage(2_000, 100, 500), 1.0, cost=1.25),
            AssistantReplied("b", "", (), "stop", "fake", "free", Usage(50, 7), 1.0),
            Compacted(1, "short", "full", "fake", "m", usage=Usage(1_000, 10), cost=0.5),
        ):
            last = await log.append(last, event, 2.0)
        await log.append(last, AsideAnswered("q", "a", "stop", "fake", "m", cost=0.25), 3.0)
        await log.aclose()

    asyncio.run(spend())
    machine.configure({"provider": "auto", "currency": "€"})
    tokens = "3,050 in (500 cached), 117 out; 1 reply without a count"
    cost = "~€2.00; 1 request without a price"
    assert run("show", "20260104")[1].endswith(f"\n\ntokens  {tokens}\ncost    {cost}\n")
    out = run("stats", "20260104")[1]
    assert f"\ntokens      {tokens}\ncost        {cost}\n" in out
    whole = json.loads(run("stats", "--json")[1])
    assert (whole["cost"], whole["cost_estimated"], whole["sessions"]) == (2.0, True, 3)
    machine.configure({"currency": 5, "nonsense": True})  # settings that are wrong keep nobody from looking
    assert "cost    ~$2.00" in run("show", "20260104")[1]


def test_where_nothing_has_a_price_no_cost_is_told(run: Run) -> None:
    assert "cost" not in run("stats", "20260101")[1]
    assert json.loads(run("stats", "20260101", "--json")[1])["cost"] is None


def test_replay_prints_all_of_it_at_its_pace(run: Run) -> None:
    began = time.monotonic()
    out = run("replay", "20260102", "--speed", "40")[1]
    assert 0.05 < time.monotonic() - began < 2
    assert out.index("why") < out.index("and blue?")
    assert "agent: " in run("replay", "20260101", "--speed", "1000")[1]
    for wrong in ("0", "nan", "x"):
        with pytest.raises(SystemExit) as ended:
            run("replay", "20260101", "--speed", wrong)
        assert ended.value.code == 2


def test_resume_opens_the_ui_in_the_folder_of_the_session(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []

    def chat(words: list[str]) -> int:
        started.append(words)
        return 7

    monkeypatch.chdir(tmp_path)
    real = main
    monkeypatch.setattr("tui_agent.cli.main.main", lambda words: chat(words) if words[0] == "chat" else real(words))
    assert run("resume", "20260102", "--log-level", "INFO")[0] == 7
    assert started == [["chat", "--resume", B, "--log-level", "INFO", "-w", str(machine.project)]]
    code, _, err = run("resume", "20260103")
    assert code == 2 and "elsewhere" in err and "-w DIR" in err
    assert run("resume", "20260103", "-w", str(tmp_path))[0] == 7 and started[-1][-1] == str(tmp_path)


@pytest.mark.promise("P34")
def test_what_is_open_in_another_window_is_neither_deleted_nor_continued(run: Run, machine: Machine) -> None:
    log = SqliteLog(machine.home / "data" / "sessions.db")
    asyncio.run(log.hold(B))
    code, _, err = run("delete", B, "--yes")
    assert code == 1 and f"session {B} is open in another window (process {os.getpid()}" in err
    with ChatServer() as server:
        machine.configure(
            {"providers": {"fake": {"base_url": server.url, "default_model": "m", "requires_api_key": False}}}
        )
        done = machine.run("invoke", "-m", "go on", "--resume", B)
    assert done.returncode == 1 and "is open in another window" in done.stderr and f"sessions fork {B}" in done.stderr
    assert run("show", B)[0] == run("fork", B)[0] == 0
    asyncio.run(log.aclose())


def test_every_verb_has_an_example_that_it_understands(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse
    import shlex

    parser = argparse.ArgumentParser()
    sessions.configure(parser)
    (verbs,) = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs) == {
        "list", "show", "resume", "fork", "export", "import", "rename", "delete", "verify", "replay", "stats",
    }  # fmt: skip
    for name, verb in verbs.items():
        example = (verb.epilog or "").partition("tui-agent sessions ")[2]
        assert parser.parse_args(shlex.split(example)).verb == name
