"""Kills the program in the middle of a scripted turn, and looks at what is left."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fakes.chat_server import ChatServer, Reply, reply_calls, reply_text
from tests.project import ROOT, Machine
from tui_agent.conversation.events import DecisionMade, Record, ToolFinished
from tui_agent.store.sqlite import SqliteLog

OLD = "old line\n" * 9_000
NEW = "new line\n" * 9_000
MADE = "made line\n" * 4_000

TEMPORARY = re.compile(r"\.kept\.txt\.[0-9a-f]{12}\.tmp")

Place = tuple[str, int]


def script(body: dict[str, Any], number: int) -> Reply:
    """A turn in four requests: looks at a file, writes two, runs a command, says so. Then an answer to anything."""
    messages = body["messages"]
    ids = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    if messages[-1]["role"] != "tool":
        if messages[-1]["content"] != "go":
            return reply_text("Fine.")
        return reply_calls([("read_file", {"file_path": "kept.txt", "limit": 5})], answer="Let me look.", first=1)
    if len(ids) == 1:
        calls = [
            ("write_file", {"file_path": "made.txt", "content": MADE}),
            ("write_file", {"file_path": "kept.txt", "content": NEW}),
        ]
        return reply_calls(calls, answer="I will write.", first=2, chunk=20_000)
    if len(ids) == 3:
        return reply_calls([("run_command", {"command": "echo ran >> ran.txt"})], answer="Now I run it.", first=4)
    return reply_text("All is done.", chunk=4)


class Zygote:
    """Runs the program many times without its start: a process that has it imported, and forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.reliability.victim"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, machine: Machine, *argv: str, kill: Place | None = None, trace: Path | None = None) -> int:
        """Start it; its process id."""
        assert self._process.stdin is not None
        job = {
            "argv": argv,
            "cwd": str(machine.project),
            "env": machine.environ,
            "out": str(machine.home / "out"),
            "err": str(machine.home / "err"),
            "kill": kill,
            "trace": str(trace) if trace else None,
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """The exit code of what was started last, negative for a signal."""
        return int(self._line())

    def run(self, machine: Machine, *argv: str, kill: Place | None = None, trace: Path | None = None) -> int:
        """Start it and wait."""
        self.start(machine, *argv, kill=kill, trace=trace)
        return self.wait()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def zygote() -> Iterator[Zygote]:
    """One for the duration."""
    made = Zygote()
    try:
        yield made
    finally:
        made.close()


def scene(root: Path, server: ChatServer) -> Machine:
    """A project with one file, and a configuration."""
    root.mkdir()
    machine = Machine.under(root, {"fake": server.url})
    (machine.project / "kept.txt").write_text(OLD)
    return machine


def kill(pid: int) -> None:
    """What `kill -9` does."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def records(machine: Machine) -> tuple[str, list[Record], str]:
    """The one session's id, its records and what is wrong with its chain; nothing when there is no session."""

    async def read() -> tuple[str, list[Record], str]:
        log = SqliteLog(machine.home / "data" / "sessions.db")
        try:
            rows = await log.sessions(str(machine.project))
            if not rows:
                return "", [], ""
            (row,) = rows
            return row.id, await log.read(row.id), await log.verify(row.id)
        finally:
            await log.aclose()

    return asyncio.run(read())


def told(machine: Machine) -> Iterator[tuple[str, str, str]]:
    """What `--output-format stream-json` has told of decisions and results, as far as whole lines came."""
    for line in (machine.home / "out").read_text().split("\n")[:-1]:
        row = json.loads(line)
        if row["type"] == "approval":
            yield row["type"], row["id"], row["outcome"]
        elif row["type"] == "tool_result":
            yield row["type"], row["id"], row["content"]


def kept(records: Sequence[Record]) -> Iterator[tuple[str, str, str]]:
    """The same from the log."""
    for record in records:
        match record.event:
            case DecisionMade() as event:
                yield "approval", event.call_id, event.outcome
            case ToolFinished() as event:
                yield "tool_result", event.call_id, event.content


def tree(machine: Machine) -> dict[str, str]:
    """The files of the project, with what is in them."""
    return {
        str(path.relative_to(machine.project)): path.read_text()
        for path in machine.project.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def check_files(files: dict[str, str]) -> None:
    """Old or new, and nothing else."""
    assert set(files) <= {"kept.txt", "made.txt", "ran.txt"}, f"left behind: {sorted(files)}"
    assert files["kept.txt"] in (OLD, NEW), "kept.txt is half written"
    assert files.get("made.txt", MADE) == MADE, "made.txt is half written"
    assert files.get("ran.txt", "") in ("", "ran\n"), "the command ran twice"


def check_after_kill(machine: Machine, server: ChatServer, asked: int, runner: Zygote) -> None:
    """Everything that is promised after `kill -9`; `asked` is how many requests the server had seen before the turn.

    A temporary file may lie beside the one that was being replaced until the session is gone on with, and no longer.
    """
    files = {name: text for name, text in tree(machine).items() if not TEMPORARY.fullmatch(name)}
    check_files(files)
    session, before, fault = records(machine)
    sent = [body["messages"] for body in server.bodies[asked:]]
    if sent:
        assert session, "the session is not there, though its prompt was sent"
    if not session:
        return
    assert fault == "", fault
    missing = set(told(machine)) - set(kept(before))
    assert not missing, f"shown and not in the log: {missing}"
    assert runner.run(machine, "sessions", "list", "--json") == 0
    assert [row["id"] for row in json.loads((machine.home / "out").read_text())] == [session]
    assert runner.run(machine, "sessions", "verify", session) == 0, (machine.home / "out").read_text()

    assert runner.run(machine, "invoke", "-m", "and?", "--resume", session, "--approve", "all") == 0, (
        machine.home / "err"
    ).read_text()
    check_files(tree(machine))  # a command that had begun may have run to its end meanwhile, but once
    assert {**tree(machine), "ran.txt": ""} == {**files, "ran.txt": ""}, "something was done again"
    if ("approval", "call_4", "allowed") not in kept(before):
        assert "ran.txt" not in tree(machine), "a command was run that was not allowed before"
    resumed = server.bodies[-1]["messages"]
    if sent and sent[-1][-1].get("content") != "and?":
        _check_kept(resumed, sent[-1])
    answers = {message["tool_call_id"]: message["content"] for message in resumed if message["role"] == "tool"}
    for done, call in (("made.txt" in files, "call_2"), (files["kept.txt"] == NEW, "call_3")):
        if done:
            assert "not run" not in answers[call], "a write that was done is said to have not run"
    _, after, fault = records(machine)
    assert fault == "" and after[: len(before)] == before


def _check_kept(resumed: Sequence[dict[str, Any]], sent: Sequence[dict[str, Any]]) -> None:
    """All that was sent before is sent again, word for word."""
    known = list(sent)
    if known[-1]["role"] == "user":  # prompts that follow each other are one message
        last = known.pop()
        assert resumed[len(known)]["content"].startswith(last["content"])
    assert list(resumed[: len(known)]) == known
