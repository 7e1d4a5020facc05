"""`--approve` on the command line: the same requests under every policy, on a terminal, and on the screen."""

import json
import subprocess
import termios
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import PROGRAM, Machine
from tests.tui.chat_stage import chat_app, submit, until
from tui_agent.conversation.events import DecisionMade

CALLS = {
    "read": ("read_file", {"file_path": "notes.txt"}),
    "secret": ("read_file", {"file_path": ".env"}),
    "write": ("write_file", {"file_path": "new.txt", "content": "new\n"}),
    "control": ("write_file", {"file_path": ".envrc", "content": "export A=1\n"}),
    "covered": ("run_command", {"command": "touch covered"}),
    "other": ("run_command", {"command": "touch other"}),
    "reading": ("run_command", {"command": "ls"}),
    "denied": ("run_command", {"command": "shred notes.txt"}),
}
ASKED = {"secret", "write", "control", "other"}
DONE = {
    "never": {"read", "reading"},
    "read-only": {"read"},
    "rules": {"read", "covered", "reading"},
    "all": set(CALLS) - {"denied"},
    "ask": set(CALLS) - {"denied"},
}
"""What is done under each policy, with `ask` when every question is answered yes."""


def machine(tmp_path: Path, server: ChatServer, **settings: object) -> Machine:
    permissions = {"allow": ["touch covered"], "deny": ["shred"], "read_only_commands": "allow"}
    made = Machine.under(tmp_path, {"fake": server.url}, permissions=permissions, sandbox="off", **settings)
    (made.project / "notes.txt").write_text("notes\n")
    (made.project / ".env").write_text("A=1\n")
    return made


def script() -> list[object]:
    """One call a reply, so that each is asked about by itself."""
    calls = [reply_calls([call], first=number) for number, call in enumerate(CALLS.values(), 1)]
    return [*calls, reply_text("Done.")]


def done(rows: list[dict[str, object]]) -> set[str]:
    names = {f"call_{number}": name for number, name in enumerate(CALLS, 1)}
    return {names[str(row["id"])] for row in rows if row["type"] == "tool_result" and row["status"] == "ok"}


@pytest.mark.parametrize("policy", ["never", "read-only", "rules", "all"])
def test_what_is_done_without_anyone_to_ask(tmp_path: Path, policy: str) -> None:
    with ChatServer(script()) as server:
        made = machine(tmp_path, server)
        ran = made.run("invoke", "-m", "go", "--approve", policy, "--output-format", "stream-json")
    assert done([json.loads(line) for line in ran.stdout.splitlines()]) == DONE[policy]
    # The last thing that it tried was refused; with tools away from it, the model got lost.
    assert ran.returncode == (1 if policy == "read-only" else 3)
    assert (made.project / "other").exists() == (policy == "all")


def on_terminal(made: Machine, out: Path, *words: str) -> Terminal:
    """`invoke --approve ask` in a shell on a pty, with its standard output in a file."""
    command = " ".join([*PROGRAM, "invoke", "-m", "go", "--approve", "ask", *words])
    shell = ["bash", "--norc", "-c", f"{command} > {out}; echo ended with $?; sleep 60"]
    return Terminal(shell, columns=100, rows=30, env=made.environ, cwd=str(made.project))


def test_on_a_terminal_the_same_things_ask_as_on_the_screen(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ChatServer(script()) as server:
        made = machine(tmp_path, server)
        with on_terminal(made, out, "--output-format", "stream-json") as terminal:
            for count in range(1, len(ASKED) + 1):
                wait(terminal, "q (stop): ", count)
                terminal.send("y\n")
            terminal.wait_for("ended with 3")
    assert terminal.raw.count(b"q (stop): ") == len(ASKED)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert done(rows) == DONE["ask"]
    decided = [row for row in rows if row["type"] == "approval"]
    assert {name for name, row in zip(CALLS, decided, strict=True) if row["by"] == "user"} == ASKED


async def test_on_the_screen_the_same_things_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(script()) as server:
        app = chat_app(machine(tmp_path, server), monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            questions = app.chat._questions
            for _ in ASKED:
                await until(pilot, lambda: questions.armed, "a question")
                asked = questions.first
                await pilot.press("y")
                await until(pilot, lambda asked=asked: questions.first is not asked, "the answer")
            host = app.chat.engine.host
            assert host is not None
            await until(pilot, lambda: not host.session.busy, "the end")
            decided = [record.event for record in host.session.records if isinstance(record.event, DecisionMade)]
    assert {name for name, event in zip(CALLS, decided, strict=True) if event.by == "user"} == ASKED
    assert {name for name, event in zip(CALLS, decided, strict=True) if event.outcome == "allowed"} == DONE["ask"]


def test_never_means_it_whatever_the_mode_says_and_bears_no_allow_list(tmp_path: Path) -> None:
    write = reply_calls([("write_file", {"file_path": "a", "content": "x"})])
    with ChatServer([write, reply_text("No.")]) as server:
        made = machine(tmp_path, server, mode="accept-edits")
        assert made.run("invoke", "-m", "go", "--approve", "never").returncode == 3
        both = made.run("invoke", "-m", "go", "--approve", "never", "--command-allowlist", "make")
    assert not (made.project / "a").exists()
    assert both.returncode == 2 and "--approve rules" in both.stderr


# ---- on a terminal ----


def wait(terminal: Terminal, text: str, count: int = 1) -> None:
    """Wait until a text was written so often."""
    end = time.monotonic() + 15
    while terminal.raw.count(text.encode()) < count:
        assert time.monotonic() < end, f"no {text!r} on\n{terminal.text}"
        terminal.read()


WRITE = reply_calls([("write_file", {"file_path": "new.txt", "content": "new\n"})])


def invoke(made: Machine, *words: str, **environ: str) -> Terminal:
    return Terminal(
        [*PROGRAM, "invoke", "-m", "go", "--approve", "ask", *words],
        columns=100,
        rows=30,
        env={**made.environ, **environ},
        cwd=str(made.project),
    )


@pytest.mark.parametrize(("typed", "code", "there"), [("y\n", 0, True), ("n\n", 3, False), ("q\n", 3, False)])
def test_the_exit_code_says_how_it_ended(tmp_path: Path, typed: str, code: int, there: bool) -> None:
    with ChatServer([WRITE, reply_text("Well.")]) as server:
        made = machine(tmp_path, server)
        with invoke(made) as terminal:
            terminal.send("y\ny\n")  # typed ahead, for something else
            wait(terminal, "q (stop): ")
            terminal.settle(0.2)
            assert not (made.project / "new.txt").exists()
            terminal.send(typed)
            assert terminal.wait_exit() == code
    assert (made.project / "new.txt").exists() == there


def test_ctrl_c_stops_the_turn_and_gives_the_terminal_back(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Well.")]) as server, invoke(machine(tmp_path, server)) as terminal:
        before = termios.tcgetattr(terminal._master)
        wait(terminal, "q (stop): ")
        assert termios.tcgetattr(terminal._master) != before
        terminal.send("\x03")
        assert terminal.wait_exit() == 130
        assert termios.tcgetattr(terminal._master) == before


def test_ctrl_z_stops_the_program_and_the_question_is_asked_again(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Well.")]) as server:
        made = machine(tmp_path, server)
        # A shell with job control, which starts it, sees it stop, and takes it up again.
        program = " ".join([*PROGRAM, "invoke", "-m", "go", "--approve", "ask"])
        shell = Terminal(["bash", "--norc", "-i"], columns=100, rows=30, env=made.environ, cwd=str(made.project))
        with shell as terminal:
            terminal.settle(0.3)
            terminal.send(f"PS1='ready> '; {program}\n")
            wait(terminal, "q (stop): ")
            terminal.send("y")  # the beginning of an answer goes with it
            terminal.settle(0.1)
            terminal.send("\x1a")
            wait(terminal, "Stopped")
            wait(terminal, "ready> ")
            (child,) = psutil.Process(terminal.process.pid).children()
            assert child.status() == psutil.STATUS_STOPPED
            terminal.send("fg\n")
            wait(terminal, "wants to create new.txt", 2)
            wait(terminal, "q (stop): ", 2)
            terminal.settle(0.1)
            assert not (made.project / "new.txt").exists()
            terminal.send("y\n")
            wait(terminal, "Well.")
            terminal.send("echo code $?\n")
            wait(terminal, "code 0")
    assert (made.project / "new.txt").exists()


def test_the_users_editor_gets_the_terminal_and_ctrl_c(tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/bash\ntrap \'echo interrupted\' INT\necho editing; read line < /dev/tty; echo "$line" > "$1"\n'
    )
    editor.chmod(0o755)
    with ChatServer([WRITE, reply_text("Well.")]) as server:
        made = machine(tmp_path, server)
        with invoke(made, VISUAL=str(editor)) as terminal:
            wait(terminal, "q (stop): ")
            terminal.send("e\n")
            wait(terminal, "editing")
            terminal.send("\x03")
            wait(terminal, "interrupted")
            terminal.send("mine\n")
            wait(terminal, "+mine")
            wait(terminal, "q (stop): ", 2)
            terminal.send("y\n")
            assert terminal.wait_exit() == 0
    assert (made.project / "new.txt").read_text() == "mine\n"
    assert "0 applied as proposed, 1 changed by the user, 0 refused" in server.bodies[1]["messages"][-1]["content"]


def test_an_edited_command_runs_and_is_told_as_that(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ChatServer([reply_calls([("run_command", {"command": "touch a"})]), reply_text("Well.")]) as server:
        made = machine(tmp_path, server)
        with on_terminal(made, out, "--output-format", "stream-json") as terminal:
            wait(terminal, "q (stop): ")
            terminal.send("e\n")
            wait(terminal, "the command in one line: ")
            terminal.send("touch b\n")
            wait(terminal, "q (stop): ", 2)
            terminal.send("y\n")
            terminal.wait_for("ended with 0")
    (row,) = (row for line in out.read_text().splitlines() if (row := json.loads(line))["type"] == "approval")
    assert (row["edited"], row["command"], row["outcome"], row["by"]) == (True, "touch b", "allowed", "user")
    assert (made.project / "b").exists() and not (made.project / "a").exists()
    assert "what ran is:\ntouch b" in server.bodies[1]["messages"][-1]["content"]


def test_with_a_pipe_on_stdin_it_asks_on_the_terminal_of_the_program(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Well.")]) as server:
        made = machine(tmp_path, server)
        command = " ".join([*PROGRAM, "invoke", "-m", "-", "--approve", "ask"])
        shell = ["bash", "--norc", "-c", f"echo go | {command} 2> err | cat > out; echo ended; sleep 60"]
        with Terminal(shell, columns=100, rows=30, env=made.environ, cwd=str(made.project)) as terminal:
            wait(terminal, "q (stop): ")
            terminal.send("y\n")
            terminal.wait_for("ended")
    assert (made.project / "out").read_text() == "Well.\n"
    assert "q (stop)" not in (made.project / "err").read_text()


def test_without_a_terminal_it_is_a_usage_error(tmp_path: Path) -> None:
    with ChatServer([WRITE]) as server:
        made = machine(tmp_path, server)
        ran = subprocess.run(
            [*PROGRAM, "invoke", "-m", "go", "--approve", "ask"],
            cwd=made.project,
            env=made.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=60,
        )
    assert ran.returncode == 2 and "needs a terminal to ask on" in ran.stderr and "--approve rules" in ran.stderr
    assert server.bodies == []
