"""`tui-agent tools`: the tools for people and for programs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.terminal import Terminal

PROGRAM = [sys.executable, "-m", "tui_agent.cli.main", "tools"]
SOURCE = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(tmp_path / "home"), "PYTHONPATH": str(SOURCE)}


def tools(
    home: dict[str, str], *words: str, given: bytes = b"", code: int = 0, where: str = "work"
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*PROGRAM, *words],
        input=given,
        capture_output=True,
        env=home,
        cwd=Path(home["HOME"]).parent / where,
        timeout=30,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def rows(home: dict[str, str], *given: Any, words: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    lines = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in given)
    done = tools(home, "call", "--jsonl", *words, given=lines)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_tools_are_listed_and_shown(home: dict[str, str]) -> None:
    listed = tools(home, "list").stdout.decode()
    described = json.loads(tools(home, "list", "--json").stdout)
    assert [line.split()[0] for line in listed.splitlines()] == [spec["name"] for spec in described]
    assert b"case_sensitive: boolean, optional, default true" in tools(home, "show", "grep").stdout
    assert json.loads(tools(home, "show", "bash", "--json").stdout)["name"] == "run_command"
    assert b"there is no tool 'x'" in tools(home, "show", "x", code=2).stderr
    assert b"run_command" not in tools(home, "list", "--no-commands").stdout


def test_a_call_prints_the_result_and_ends_with_the_code_for_what_happened(home: dict[str, str]) -> None:
    work = Path(home["HOME"]).parent / "work"
    (work / "f").write_text("hello \x1b]0;title\x07\n")
    assert tools(home, "call", "read_file", "--args", '{"file_path": "f"}').stdout.startswith(b"1\thello ")
    assert b"\x1b" not in tools(home, "call", "read_file", "--args", '{"file_path": "f"}').stdout
    done = tools(home, "call", "read_file", "--args", '{"file_path": "gone"}', code=1)
    assert (done.stdout, done.stderr) == (b"", b"no such file: gone. list_directory shows what is there.\n")
    tools(home, "call", "read_file", "--args", "{", code=2)
    tools(home, "call", "nope", code=2)
    tools(home, "call", code=2)
    tools(home, "call", "read_file", "--args", '{"file_path": "/etc/passwd"}', code=3)
    assert b"nobody to ask" in tools(home, "call", "bash", "--args", '{"command": "true"}', code=3).stderr
    disabled = tools(home, "call", "bash", "--args", '{"command": "true"}', "--yes", "--no-commands", code=3)
    assert b"Command execution is disabled" in disabled.stderr


def test_json_says_ok_content_and_error(home: dict[str, str]) -> None:
    done = tools(home, "call", "run_command", "--args", '{"command": "echo hi"}', "--yes", "--json")
    assert json.loads(done.stdout) == {"ok": True, "content": "hi\n[exit code 0]", "error": None}
    done = tools(home, "call", "read_file", "--args", '{"file_path": "../x"}', "--json", code=3)
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["content"]) == (False, None)
    assert answer["error"].startswith("../x is outside the working directory")


def test_working_and_allowed_directories_are_taken_from_the_flags(home: dict[str, str]) -> None:
    folder = Path(home["HOME"]).parent
    (folder / "more").mkdir()
    (folder / "more/f").write_text("x\n")
    arguments = ("call", "read_file", "--args", json.dumps({"file_path": str(folder / "more/f")}))
    tools(home, *arguments, code=3)
    assert tools(home, *arguments, "--allowed-dirs", str(folder / "more")).stdout == b"1\tx\n"
    assert tools(home, *arguments, "-w", str(folder / "more")).stdout == b"1\tx\n"
    tools(home, *arguments, "--allowed-dirs", "", code=3)
    assert b"cannot use" in tools(home, *arguments, "--allowed-dirs", "/no/such", code=2).stderr


def test_rows_are_answered_one_by_one_in_one_session(home: dict[str, str]) -> None:
    work = Path(home["HOME"]).parent / "work"
    (work / "f").write_text("one\n")
    edit = {"file_path": "f", "old_string": "one", "new_string": "two"}
    answers = rows(
        home,
        {"id": 1, "name": "edit_file", "args": edit},
        {"id": 2, "name": "read_file", "args": {"file_path": "f"}},
        {"id": "three", "name": "edit_file", "args": edit},
        {"id": 4, "name": "read_file", "args": json.dumps({"file_path": "f"})},
        words=("--yes",),
    )
    assert [(row["id"], row["ok"]) for row in answers] == [(1, False), (2, True), ("three", True), (4, True)]
    assert "was not read in this session" in answers[0]["error"]
    assert answers[3]["content"] == "1\ttwo"


def test_a_bad_row_is_answered_and_does_not_stop_the_others(home: dict[str, str]) -> None:
    answers = rows(
        home,
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
        [1],
        {"id": 5},
        {"id": 6, "name": 7},
        {"id": 7, "name": "read_file", "args": [1]},
        {"id": 8, "name": "read_file", "args": {"file_path": "a\0b"}},
        {"id": "\ud800", "name": "re\ud800ad", "args": {"\ud800": "\udfff"}},
        {"id": 10, "name": "read_file", "args": {"file_path": "\ud800"}},
        b'{"id": 11, "name": "read_file", "args": {"file_path": NaN}}',
        {"id": 12, "name": "write_file", "args": {"file_path": "g", "content": "x"}},
        {"id": 13, "name": "list_directory"},
    )
    assert [row["id"] for row in answers] == [None, None, None, None, 5, 6, 7, 8, "\ud800", 10, 11, 12, 13]
    assert [row["ok"] for row in answers] == [False] * 12 + [True]
    assert all(row["error"] for row in answers[:-1])
    assert "nobody to ask" in answers[11]["error"]
    assert answers[12]["content"] == "(empty)"


@pytest.mark.parametrize(("typed", "written"), [("y\r", True), ("\r", False), ("n\r", False), ("yy\r", False)])
def test_on_a_terminal_the_change_is_shown_and_only_y_is_yes(home: dict[str, str], typed: str, written: bool) -> None:
    work = Path(home["HOME"]).parent / "work"
    arguments = json.dumps({"path": "f", "content": "a\u202eb\n"})
    with Terminal([*PROGRAM, "call", "write_file", "--args", arguments], env=home, cwd=str(work)) as terminal:
        terminal.wait_for(r"\[y/N\]")
        seen = terminal.raw.decode()
        assert "+a<U+202E>b" in seen
        assert "creates f" in seen
        assert "repaired: path → file_path" in seen
        terminal.send(typed)
        terminal.wait_exit()
    assert (work / "f").exists() is written


def test_on_a_terminal_a_command_is_taken_apart_with_the_reasons(home: dict[str, str]) -> None:
    work = Path(home["HOME"]).parent / "work"
    command = json.dumps({"command": "npm test && rm 'a\nb\x1b[2J' | cat <<< $(date)"})
    words = ["--command-allowlist", "npm test", "--sandbox", "off"]
    with Terminal([*PROGRAM, "call", "run_command", "--args", command, *words], env=home, cwd=str(work)) as terminal:
        terminal.wait_for(r"\[y/N\]")
        lines = terminal.text.splitlines()
        assert "  1  npm test   allow: npm test" in lines
        assert any(line.startswith("  2  rm 'a<U+000A>b<U+001B>[2J'   asks: `rm a") for line in lines)
        assert any(line.startswith("asks because: it runs a command to make up part of another") for line in lines)
        assert "asks because: `date` is not covered by a rule" not in lines  # it stands with its part
        assert "no sandbox" in terminal.text
        terminal.send("n\r")
        terminal.wait_exit()


def test_help_has_examples(home: dict[str, str]) -> None:
    assert b"tui-agent tools call read_file --args" in tools(home, "--help").stdout
    for verb in ("list", "show", "call"):
        assert b"example: tui-agent tools" in tools(home, verb, "--help").stdout
