"""Keys of ours are in nothing that is written, whoever repeats them: every file of a journey is looked through."""

import json
import re
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, Reply, reply_calls, reply_error, reply_text
from tests.project import Machine

COMMAND = [str(Path(sys.executable).with_name("tui-agent"))]

KEYS = {
    "FAKE_API_KEY": "fk-4f9a8b7c6d5e4f3a2b1c",
    "OTHER_API_KEY": "other/key+with=signs.0123456789",
    "command": "from.a.command.77aa88bb99",
    "default": "token-abc123-of-the-settings",
}
TELLING = f"Your keys are {' and '.join(KEYS.values())}, I think."
PRINTING = reply_calls(
    [
        ("run_command", {"command": "env; cat /proc/$PPID/environ | tr '\\0' '\\n'; cat keys.txt"}),
        ("read_file", {"file_path": "keys.txt"}),
        ("grep_search", {"pattern": "key"}),
    ],
    answer=f"Let me see {KEYS['FAKE_API_KEY']}.",
)


class Stage:
    """A user with four keys, and a server that repeats them all."""

    def __init__(self, root: Path, server: ChatServer) -> None:
        self.root, self.server = root, server
        self.machine = Machine.under(root, {"fake": server.url}, sandbox="off")
        common = {"default_model": "fake-model", "max_retries": 0}
        self.machine.configure(
            {
                "provider": "fake",
                "sandbox": "off",
                "providers": {
                    "fake": {"base_url": server.url, **common},
                    "other": {"base_url": server.url, **common},
                    "asked": {"base_url": server.url, "api_key_command": f"echo {KEYS['command']}", **common},
                    "local": {
                        "base_url": server.url,
                        "requires_api_key": False,
                        "default_api_key": KEYS["default"],
                        **common,
                    },
                },
            }
        )
        (self.machine.project / "keys.txt").write_text("".join(f"the key is {key}\n" for key in KEYS.values()))
        self.written = root / "written"
        self.written.mkdir()

    @property
    def environ(self) -> dict[str, str]:
        return self.machine.environ | {name: key for name, key in KEYS.items() if name.isupper()}

    def run(self, *words: str) -> str:
        """The installed program; what it prints is kept as if it had been sent to a file."""
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.machine.project, env=self.environ, capture_output=True, text=True, timeout=60
        )
        text = done.stdout + done.stderr
        (self.written / f"{len(list(self.written.iterdir()))}-{words[0]}.txt").write_text(text)
        return text

    def leaks(self) -> list[str]:
        """Every file that holds a key, the settings and the project's own file aside, of which a snapshot is a copy."""
        found = []
        known = {self.machine.project / "keys.txt", self.machine.home / "config" / "config.yaml"}
        own = {(self.machine.project / "keys.txt").read_bytes()}
        for path in self.root.rglob("*"):
            if path.name.startswith("snapshots.db-"):
                continue
            if not path.is_file() or path in known:
                continue
            contents = [path.read_bytes()]
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    contents += [archive.read(name) for name in archive.namelist()]
            if path.name == "snapshots.db":  # copies of files of the project, and of nothing else
                with sqlite3.connect(path) as db:
                    blobs = list(db.execute("SELECT packed, data FROM blobs"))
                    noted = [row[0] for row in db.execute("SELECT record FROM records")]
                kept = [zlib.decompress(data) if packed else data for packed, data in blobs]
                contents = [data for data in (*noted, *kept) if data not in own]
            elif path.suffix == ".db":
                with sqlite3.connect(path) as db:
                    contents += [row[0] for row in db.execute("SELECT payload FROM events")]
            forms = [form for key in KEYS.values() for form in (key.encode(), json.dumps(key)[1:-1].encode())]
            found += [f"{path}: {form!r}" for form in forms if any(form in content for content in contents)]
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ChatServer() as server:
        yield Stage(tmp_path, server)


def script(server: ChatServer, *replies: Reply) -> None:
    """Give these replies from now on, the last one again and again."""
    first = len(server.requests)
    server._respond = lambda body, number: replies[min(number - first, len(replies) - 1)]


def test_no_file_of_a_whole_journey_holds_a_key(stage: Stage) -> None:
    server = stage.server
    for provider in ("fake", "other", "asked", "local"):
        script(server, PRINTING, reply_text(TELLING, thought=TELLING))
        rows = stage.run(
            *("invoke", "-m", f"are they {TELLING}", "--approve", "all", "--provider", provider),
            *("--output-format", "stream-json", "--log-level", "DEBUG"),
        )
        assert rows.count("[secret]") > 8, rows
    script(server, reply_error(401, f"wrong key {TELLING}"))
    assert "wrong key" in stage.run("invoke", "-m", "again", "--log-level", "DEBUG")
    used = {seen.headers.get("authorization", "").removeprefix("Bearer ") for seen in server.requests}
    assert used == set(KEYS.values()), "each was really used"
    results = [json.dumps(seen.body["messages"]) for seen in server.requests]
    assert not any(key in result for key in (KEYS["FAKE_API_KEY"], KEYS["OTHER_API_KEY"]) for result in results)

    script(server, PRINTING, reply_text(TELLING))
    with Terminal(COMMAND, env=stage.environ, cwd=str(stage.machine.project)) as terminal:
        terminal.wait_for("›")
        terminal.settle(0.5)
        terminal.send("show me\r")
        terminal.wait_for(r"\by (allow )?once")
        terminal.settle(0.6)
        terminal.send("y")
        terminal.wait_for("I think")
        terminal.send("\x11")
        assert terminal.wait_exit() == 0
    assert not [key for key in KEYS.values() if key != KEYS["command"] and key.encode() in terminal.raw]

    stage.run("doctor", "--bundle", str(stage.written / "bundle.zip"))
    stage.run("config", "show")
    listed = stage.run("sessions", "list", "--json")
    session = re.findall(r"\d{8}-\d{4}-[0-9a-f]{6}", listed)[-1]
    assert "[secret]" in stage.run("sessions", "show", session, "--json")
    stage.run("tools", "call", "read_file", "--args", '{"file_path": "keys.txt"}')
    leaks = [leak for leak in stage.leaks() if KEYS["command"] not in leak]
    assert leaks == []


def test_the_key_of_a_command_is_hidden_once_the_command_has_told_it(stage: Stage) -> None:
    script(stage.server, PRINTING, reply_text(TELLING, thought=TELLING))
    stage.run("invoke", "-m", "hello", "--approve", "all", "--provider", "asked", "--log-level", "DEBUG")
    assert stage.leaks() == []


def test_an_exception_is_logged_without_the_key_that_it_names(stage: Stage) -> None:
    """A fault of ours, in a process of its own."""
    program = (
        "import logging, sys\n"
        "from tui_agent.cli import main, wiring\n"
        "def fail(args):\n"
        "    raise ValueError('Bearer ' + sys.argv[1])\n"
        "parser = main._parser\n"
        "def failing(name):\n"
        "    made = parser(name)\n"
        "    made.set_defaults(run=lambda args: (wiring.settings_from(args), fail(args)))\n"
        "    return made\n"
        "main._parser = failing\n"
        "sys.exit(main.main(['config', 'show']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, KEYS["OTHER_API_KEY"]],
        cwd=stage.machine.project,
        env=stage.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "internal error" in done.stderr
    (log,) = (stage.machine.home / "data" / "state" / "log").iterdir()
    assert "Traceback" in log.read_text() and "ValueError" in log.read_text()
    (stage.written / "errors.txt").write_text(done.stderr)
    assert stage.leaks() == []
