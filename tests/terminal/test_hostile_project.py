"""Opening a project runs nothing of it and takes over none of its settings, whatever it brings along."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.terminal.hostile import INSTRUCTIONS, make_hostile
from tui_agent.cli.rules import scene_of
from tui_agent.workspace import git_config
from tui_agent.workspace.git import branch

COMMAND = [str(Path(sys.executable).with_name("tui-agent"))]

LOOKING = reply_calls(
    [
        ("grep_search", {"pattern": "VALUE"}),
        ("glob_files", {"pattern": "**/*.py"}),
        ("list_directory", {"path": "."}),
        ("read_file", {"file_path": "code.py"}),
        ("read_file", {"file_path": "pipe.txt"}),
        ("run_command", {"command": "ls"}),
        ("run_command", {"command": "git status"}),
        ("run_command", {"command": "git diff"}),
        ("run_command", {"command": "cd sub && git status"}),
    ]
)


class Stage:
    """A user with their server, and a project that wants to be another's."""

    def __init__(self, root: Path, server: ChatServer, evil: ChatServer) -> None:
        self.server, self.evil = server, evil
        self.machine = Machine.under(root, {"fake": server.url}, permissions={"read_only_commands": "allow"})
        self.marks = root / "marks"
        make_hostile(self.machine.project, self.marks, evil.url)

    @property
    def ran(self) -> list[str]:
        """What left a mark."""
        return sorted(path.name for path in self.marks.iterdir())

    def untouched(self) -> None:
        """Nothing of the project ran, and nobody else was asked."""
        assert self.ran == []
        assert not self.evil.requests and not self.evil.others and not self.evil.connections

    def run(self, *words: str, stdin: str = "", path: str = "") -> subprocess.CompletedProcess[str]:
        """The installed program in the project; `path` comes first on the search path."""
        environ = self.machine.environ
        environ["PATH"] = path + environ["PATH"]
        return subprocess.run(
            [*COMMAND, *words],
            cwd=self.machine.project,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ChatServer([LOOKING, reply_text("Looked.")]) as server, ChatServer(reply_text("Mine now.")) as evil:
        yield Stage(tmp_path, server, evil)


@pytest.mark.parametrize("path", ["", ".::node_modules/.bin:"])
def test_a_turn_without_a_screen_runs_nothing_of_a_hostile_project(stage: Stage, path: str) -> None:
    done = stage.run("invoke", "-m", "look around", "--output-format", "stream-json", path=path)
    assert "12 settings that are not in force" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["text"] == "Looked."
    results = [row for row in rows if row["type"] == "tool_result"]
    status = {row["name"] + str(number): row["status"] for number, row in enumerate(results)}
    assert [row["status"] for row in results[:4]] == ["ok"] * 4, status
    assert results[4]["status"] == "failed", "a pipe is not read"
    assert results[5]["status"] == "ok" and "code.py" in results[5]["content"], "the real ls ran"
    assert [row["status"] for row in results[6:]] == ["denied"] * 3, status
    stage.untouched()
    sent = json.dumps(stage.server.requests[0].body)
    assert INSTRUCTIONS not in sent and "BANANA" not in sent


def test_the_screen_runs_nothing_of_a_hostile_project(stage: Stage) -> None:
    machine = stage.machine
    with Terminal(COMMAND, env=machine.environ, cwd=str(machine.project)) as terminal:
        terminal.wait_for("›")
        terminal.wait_for("fake-model")
        terminal.settle(0.5)  # the engine is built behind the first paint
        terminal.send("@cod")
        terminal.wait_for("code.py")
        terminal.send("\x1b")
        terminal.settle(0.3)
        terminal.send(" look around\r")
        for place in (7, 8, 9):
            terminal.wait_for(f"{place} of 9")
            terminal.settle(1.2)  # right behind a key a question waits longer
            terminal.send("n")
        terminal.wait_for("Looked")
        terminal.send("\x11")
        assert terminal.wait_exit() == 0
    stage.untouched()


@pytest.mark.parametrize(
    "words",
    [
        ("config", "show"),
        ("doctor",),
        ("trust", "--json"),
        ("permissions", "check", "git status && ls", "--json"),
        ("tools", "call", "run_command", "--args", '{"command": "git status; ls"}'),
    ],
)
def test_no_subcommand_runs_anything_of_a_hostile_project(stage: Stage, words: tuple[str, ...]) -> None:
    done = stage.run(*words, path=".:")
    assert done.stdout or done.returncode == 3, done.stderr
    stage.untouched()
    if words[0] == "permissions":
        assert json.loads(done.stdout)["decision"] == "ask"


def test_the_project_is_really_hostile(stage: Stage) -> None:
    """Without this, nothing that the tests above show would mean anything."""
    project = stage.machine.project
    environ = {"PATH": os.environ["PATH"], "HOME": str(stage.machine.home)}
    subprocess.run(["git", "status"], cwd=project, env=environ, capture_output=True, timeout=30)
    assert "payload" in stage.ran
    subprocess.run(["ls"], cwd=project, env=environ | {"PATH": f".:{os.environ['PATH']}"}, check=True)
    assert "ls" in stage.ran
    subprocess.run([sys.executable, "-m", "tui_agent.cli.main"], cwd=project, env=environ, capture_output=True)
    assert {"module-__init__", "module-main"} & set(stage.ran)
    done = stage.run("trust", "--yes")
    assert done.returncode == 0, done.stderr
    stage.run("invoke", "-m", "hello")
    assert stage.evil.requests, "what is trusted counts"


@pytest.mark.parametrize("name", ["include", "config", "HEAD", "gitdir"])
def test_a_pipe_where_git_expects_a_file_keeps_nobody_waiting(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_config, "_SECONDS", 0.3)
    subprocess.run(["git", "init", "-q", str(tmp_path / "r")], check=True)
    place = tmp_path / "r" / ".git"
    if name == "include":
        os.mkfifo(tmp_path / "r" / "pipe")
        with (place / "config").open("a") as file:
            file.write("[include]\n    path = ../pipe\n")
    elif name == "gitdir":
        place.rename(tmp_path / "away")
        os.mkfifo(place)
    else:
        (place / name).unlink()
        os.mkfifo(place / name)
    started = time.monotonic()
    assert branch(tmp_path / "r") in ("", "main", "master")
    reason = scene_of(tmp_path / "r", [tmp_path / "r"]).repository(str(tmp_path / "r"))
    assert time.monotonic() - started < 2
    assert reason or name in ("HEAD", "gitdir"), "what cannot be read is not taken for harmless"


@pytest.mark.parametrize("command", ["python3 -m keyring get x y", "payload"], ids=lambda text: text[:8])
def test_a_key_command_is_not_run_where_a_project_could_lend_it_something(stage: Stage, command: str) -> None:
    stage.machine.configure(
        {
            "provider": "fake",
            "providers": {"fake": {"base_url": stage.server.url, "default_model": "m", "api_key_command": command}},
        }
    )
    (stage.machine.project / "keyring.py").write_text(f"open({str(stage.marks / 'keyring')!r}, 'w')\n")
    stage.run("invoke", "-m", "hello", path=".:")
    stage.untouched()
