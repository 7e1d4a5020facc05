"""`tui-agent doctor` says what is wrong, and never fails itself."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, Stall, reply_html, reply_steps, reply_text
from tests.project import PROGRAM, Machine
from tui_agent.cli.checkup import machine, models
from tui_agent.cli.checkup.rows import Report, Row, Section, size
from tui_agent.cli.doctor import as_text
from tui_agent.config.model import ProviderSettings
from tui_agent.providers.protocol import ModelInfo, ProbeResult

ROOT = Path(__file__).parents[2]

Rows = dict[str, dict[str, list[dict[str, str]]]]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(lambda body, number: reply_text("hello")) as running:
        yield running


@pytest.fixture
def made(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine.under(tmp_path, {"fake": server.url})


def examine(made: Machine, *words: str, **environ: str) -> tuple[Rows, int]:
    """The rows of `doctor --json` by section and name, and the exit code."""
    done = made.run("doctor", "--json", *words, **environ)
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] == (done.returncode == 0)
    found: Rows = {}
    for section in document["sections"]:
        for row in section["rows"]:
            assert not row["text"].startswith("this check broke"), row
            found.setdefault(section["title"], {}).setdefault(row["name"], []).append(row)
    return found, done.returncode


def failed(rows: Rows) -> list[str]:
    """The names of what failed. Servers are left out: on an overloaded machine even a good one is late."""
    sections = (found for title, found in rows.items() if title != "providers")
    return [name for found in sections for name, those in found.items() for row in those if row["state"] == "failed"]


def test_on_a_good_machine_nothing_is_wrong(made: Machine) -> None:
    done = made.run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "failed" not in done.stdout
    rows, _ = examine(made)
    assert [*rows] == [
        "program", "terminal", "other programs", "configuration", "working folder", "folders", "session log",
        "providers", "embedded model", "log",
    ]  # fmt: skip
    assert rows["providers"]["fake"][0]["state"] == "ok"
    assert "up in" in rows["providers"]["fake"][0]["text"]
    assert rows["providers"]["start"][0]["text"] == "fake: chosen in the settings"
    assert rows["configuration"]["settings"][0]["state"] == "ok"
    assert "msgspec 0." in rows["program"]["packages"][0]["text"]


def test_it_makes_no_folder_and_no_file(made: Machine) -> None:
    before = sorted(made.home.parent.rglob("*"))
    assert "Traceback" not in made.run("doctor").stderr
    assert sorted(made.home.parent.rglob("*")) == before


def test_a_broken_configuration_is_named_with_its_line_and_the_rest_is_looked_at_all_the_same(made: Machine) -> None:
    path = made.home / "config" / "config.yaml"
    path.write_text("mode: ask\nmodee: ask\nproviders: {x: {timeout: soon}}\n")
    (path.parent / "themes").mkdir()
    (path.parent / "themes" / "mine.yaml").write_text("name: [\n")
    rows, code = examine(made)
    assert code == 1
    texts = [row["text"] for row in rows["configuration"]["mistake"]]
    assert f"{path}:2: modee: unknown key; did you mean mode?" in texts
    assert any(text.startswith(f"{path}:3: providers.x.timeout: expected") for text in texts)
    assert any("mine.yaml:2" in text for text in texts)
    assert rows["configuration"]["in force here"][0]["text"].startswith("the shipped settings")
    assert "ollama" in rows["providers"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"a: *x", b"x" * 2_000_000, b"- 1\n"])
def test_no_configuration_breaks_it(made: Machine, content: bytes) -> None:
    (made.home / "config" / "config.yaml").write_bytes(content)
    rows, code = examine(made)
    assert code == 1
    assert rows["configuration"]["mistake"][0]["state"] == "failed"


def test_a_broken_project_leaves_the_users_settings_in_force(made: Machine) -> None:
    (made.project / ".tui-agent").mkdir()
    (made.project / ".tui-agent" / "config.yaml").write_text("mode: x\n")
    rows, code = examine(made)
    assert code == 1
    assert "without those of the project" in rows["configuration"]["in force here"][0]["text"]
    assert "fake" in rows["providers"]


def test_what_a_project_asks_for_and_does_not_get_is_said(made: Machine) -> None:
    (made.project / ".tui-agent").mkdir()
    (made.project / ".tui-agent" / "config.yaml").write_text("model: x\n")
    rows, _ = examine(made)
    (row,) = rows["configuration"]["trust"]
    assert "not in force: model" in row["text"] and "tui-agent trust" in row["fix"]


def test_a_folder_that_is_not_there_and_a_file_that_is_not_there(made: Machine, tmp_path: Path) -> None:
    rows, code = examine(made, "-w", str(tmp_path / "gone"), "--config", str(tmp_path / "no.yaml"))
    assert code == 1
    assert "no such folder" in rows["working folder"]["folder"][0]["text"]
    assert "no.yaml: no such file" in rows["configuration"]["mistake"][0]["text"]


@pytest.mark.promise("P38")
def test_a_current_folder_that_is_gone(made: Machine, tmp_path: Path) -> None:
    command = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["bash", "-c", command, "bash", *PROGRAM, "doctor", "--bundle", str(tmp_path / "b.zip")],
        cwd=tmp_path,
        env={**made.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "the current one is gone" in done.stdout
    assert "Traceback" not in done.stderr and (tmp_path / "b.zip").exists()


@pytest.mark.promise("P31")
def test_without_a_home_folder(made: Machine, tmp_path: Path) -> None:
    # As for a user that the system does not know.
    code = (
        "import pwd, sys\n"
        "def unknown(*_): raise KeyError('uid not found')\n"
        "pwd.getpwuid = unknown\n"
        "from tui_agent.cli.main import main\n"
        f"sys.exit(main(['doctor', '--json', '--bundle', {str(tmp_path / 'b.zip')!r}]))"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=made.project, env=environ, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    rows = {row["name"]: row for section in json.loads(done.stdout)["sections"] for row in section["rows"]}
    assert rows["data"]["state"] == "warning"
    assert "no home folder" in rows["data"]["text"]
    assert (tmp_path / "b.zip").exists()


@pytest.mark.promise("P37")
@pytest.mark.parametrize("environ", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "TERM": "dumb"}, {"TERM": ""}])
def test_plain_locales_and_terminals(made: Machine, environ: dict[str, str]) -> None:
    rows, _ = examine(made, **environ)
    assert failed(rows) == []
    assert rows["terminal"]["characters"][0]["state"] == ("warning" if "LC_ALL" in environ else "ok")
    assert rows["terminal"]["TERM"][0]["state"] == ("warning" if "TERM" in environ else "ok")
    assert made.run("doctor", **environ, PYTHONIOENCODING="ascii").stderr == ""


def test_folders_that_cannot_be_used(made: Machine) -> None:
    (made.home / "data").write_text("a file where the folder should be")
    rows, code = examine(made)
    assert code == 1  # the session log is not there where it should be made
    assert rows["folders"]["data"][0]["state"] == "warning"
    assert "is not a folder" in rows["folders"]["data"][0]["text"]


def test_a_damaged_session_log_fails_and_says_what_to_do(made: Machine) -> None:
    (made.home / "data").mkdir()
    (made.home / "data" / "sessions.db").write_bytes(b"not a database" * 200)
    rows, code = examine(made)
    assert code == 1
    assert "not a database" in rows["session log"]["file"][0]["text"]
    assert "move the file away" in rows["session log"]["file"][0]["fix"]


def test_a_session_log_of_a_newer_version_fails(made: Machine) -> None:
    assert made.run("invoke", "-m", "hi").returncode == 0
    with sqlite3.connect(made.home / "data" / "sessions.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    rows, code = examine(made)
    assert code == 1
    assert "a newer tui-agent wrote" in rows["session log"]["schema"][0]["text"]


def test_a_writer_that_hangs_is_a_warning(made: Machine) -> None:
    assert made.run("invoke", "-m", "hi").returncode == 0
    writer = sqlite3.connect(made.home / "data" / "sessions.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        rows, _ = examine(made)
    finally:
        writer.close()
    assert failed(rows) == []
    assert rows["session log"]["lock"][0]["state"] == "warning"
    assert "1 sessions" in rows["session log"]["file"][0]["text"]


def test_the_log_is_named_before_there_is_one_and_when_nothing_is_wrong(made: Machine) -> None:
    file = made.home / "data" / "state" / "log" / "tui-agent.log"
    assert str(file) in examine(made)[0]["log"]["log"][0]["text"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    (row,) = examine(made)[0]["log"]["log"]
    assert row["state"] == "ok" and row["text"] == f"no errors in {file}"


def test_errors_of_the_log_are_counted_and_not_repeated(made: Machine) -> None:
    folder = made.home / "data" / "state" / "log"
    folder.mkdir(parents=True)
    rest = '"process": 12, "logger": "x", "text": "something private, \\"level\\": \\"ERROR\\""}'
    lines = [f'{{"time": "2026-11-21T09:4{number}:00.123+0000", "level": "ERROR", {rest}' for number in range(3)]
    info = f'{{"time": "2026-11-21T09:49:00.123+0000", "level": "INFO", {rest}'
    (folder / "tui-agent.log").write_text("\n".join([*lines, info, ""]))
    rows, _ = examine(made)
    assert failed(rows) == []
    (row,) = rows["log"]["log"]
    assert row["state"] == "warning"
    assert row["text"].startswith("3 errors, the last one at 2026-11-21 09:42: ")
    assert "private" not in json.dumps(rows)


def test_servers_that_are_down_strange_silent_or_without_a_key(tmp_path: Path) -> None:
    silent = reply_steps(Stall(30.0))
    with ChatServer(models_reply=reply_html()) as web, ChatServer(models_reply=silent) as slow:
        made = Machine.under(tmp_path, {"down": "http://localhost:1/v1/", "web": web.url, "slow": slow.url})
        settings: dict[str, object] = {
            "provider": "down",
            "providers": {
                "down": {"base_url": "http://localhost:1/v1/", "requires_api_key": False, "start_hint": "start it"},
                "web": {"base_url": web.url, "requires_api_key": False},
                "slow": {"base_url": slow.url, "requires_api_key": False},
                "keyless": {"base_url": "https://example.org/v1/"},
            },
        }
        made.configure(settings)
        begun = time.monotonic()
        rows, code = examine(made)
        seconds = time.monotonic() - begun
    assert code == 1
    assert seconds < 10
    states = {name: (found[0]["state"], found[0]["text"].split(",")[0]) for name, found in rows["providers"].items()}
    assert states["down"] == ("failed", "down")
    assert rows["providers"]["down"][0]["fix"] == "start it"
    assert states["web"][0] == "warning"
    assert states["slow"][0] in ("info", "warning")
    assert states["keyless"] == ("info", "no key")
    assert rows["providers"]["keyless"][0]["text"].endswith("KEYLESS_API_KEY is not set")


def test_nothing_to_start_with_is_a_failure_with_what_to_do(made: Machine) -> None:
    made.configure({"provider": "auto", "providers": {}})
    shipped = {"OLLAMA_HOST": "localhost:1"}
    rows, code = examine(made, **shipped)
    start = rows["providers"]["start"][0]
    # Somebody's real server may run where the shipped settings look.
    assert (start["state"], code) in (("failed", 1), ("ok", 0))
    assert start["state"] == "ok" or "start a local server" in start["fix"]


PROBES = [
    (ProbeResult("x", "up", 0.012, (ModelInfo("m"),)), False, "ok", "up in 12 ms, 1 model, http://localhost:1/v1/"),
    (ProbeResult("x", "up", 0.012, (), "no models", "pull"), False, "warning", "up in 12 ms, 0 models"),
    (ProbeResult("x", "down", None, (), "refused"), False, "info", "down, http://localhost:1/v1/"),
    (ProbeResult("x", "down", None, (), "refused"), True, "failed", "down, http://localhost:1/v1/"),
    (ProbeResult("x", "error", None, (), "a web page"), False, "warning", "error, http://localhost:1/v1/: a web page"),
    (ProbeResult("x", "no key", None, (), "no", "export"), False, "info", "no key, http://localhost:1/v1/"),
    (ProbeResult("x", "no key", None, (), "no", "export"), True, "failed", "no key, http://localhost:1/v1/"),
    (
        ProbeResult("x", "missing", None, (), "no engine", "pip"),
        False,
        "info",
        "missing, http://localhost:1/v1/: no engine",
    ),
]


@pytest.mark.parametrize(("result", "needed", "state", "text"), PROBES)
def test_what_the_state_of_a_server_means(result: ProbeResult, needed: bool, state: str, text: str) -> None:
    row = models._row(result, ProviderSettings(start_hint="serve"), "http://localhost:1/v1/", "", needed=needed)
    assert (row.state, row.text.startswith(text)) == (state, True)
    assert bool(row.fix) == (state != "ok" and (result.state != "no key" or needed) and result.state != "error")


def test_a_server_elsewhere_that_is_down_is_a_warning() -> None:
    row = models._row(
        ProbeResult("x", "down", None, (), "refused"), ProviderSettings(), "http://h/v1/", "", needed=False
    )
    assert (row.state, row.text) == ("warning", "down, http://h/v1/: refused")


def test_a_key_command_is_not_run(made: Machine, tmp_path: Path, server: ChatServer) -> None:
    mark = tmp_path / "ran"
    command = f"touch {mark}"
    made.configure(
        {
            "provider": "auto",
            "providers": {
                "here": {"base_url": server.url, "requires_api_key": False, "api_key_command": command},
                "there": {"base_url": "https://example.org/v1/", "api_key_command": command},
            },
        }
    )
    rows, _ = examine(made, "--bundle", str(tmp_path / "b.zip"))
    assert not mark.exists()
    assert "not run here" in rows["providers"]["here"][0]["text"]
    assert "not run here" in rows["providers"]["there"][0]["text"]
    rows, _ = examine(made, HERE_API_KEY="the-key-itself")
    assert not mark.exists()
    assert "HERE_API_KEY is set" in rows["providers"]["here"][0]["text"]


def test_a_program_of_the_project_is_not_run(made: Machine) -> None:
    program = made.project / "git"
    program.write_text(f"#!/bin/sh\ntouch {made.project / 'ran'}\n")
    program.chmod(0o755)
    examine(made, PATH=f"{made.project}:.:{os.environ['PATH']}")
    assert not (made.project / "ran").exists()


def test_programs_that_hang_or_say_nothing_do_not_hold_it_up(made: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("rg", "echo ripgrep without a number"), ("git", "sleep 60"), ("docker", "exit 3")):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    begun = time.monotonic()
    rows, _ = examine(made, PATH=f"{folder}:{os.environ['PATH']}")
    assert time.monotonic() - begun < 20
    assert failed(rows) == []
    assert rows["other programs"]["rg"][0]["state"] == "warning"
    assert rows["other programs"]["git"][0]["state"] == "warning"


def test_without_other_programs_it_says_what_that_means(made: Machine, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    rows, code = examine(made, PATH=str(tmp_path / "bin"))
    assert code == 1
    assert rows["other programs"]["bash"][0]["text"] == "not found: the model can run no command"
    assert rows["other programs"]["git"][0]["state"] == "info"


def test_in_a_terminal_of_80_columns_no_text_is_wider(made: Machine) -> None:
    with Terminal([*PROGRAM, "doctor"], env=made.environ, cwd=str(made.project), columns=80, rows=200) as terminal:
        assert terminal.wait_exit(30) == 0
    text = terminal.raw.decode()
    assert "80 columns, 200 rows" in text
    wide = [line for line in text.splitlines() if len(line) > 80]
    # Only paths and addresses, which stay whole to be copied.
    assert all(len(word) > 40 for line in wide for word in [line.split()[-1]])


def test_the_report_as_text_shows_no_control_characters_and_wraps() -> None:
    row = Row("a\x1b[31mname", "warning", "text \x07" + "word " * 40, "do this\nand that\x1b]0;x\x07")
    report = Report("1", "now", (Section("things", (row, Row("n" * 40, "ok", "short"))),))
    text = as_text(report, 80)
    assert "\x1b" not in text and "\x07" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "fix: and that" in text
    assert text.endswith("1 warning")
    assert len(as_text(report).splitlines()) == 10


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (12_000, "12 kB"), (1_117_320_768, "1.1 GB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PACKAGES", ("msgspec", "surely-not-installed"))
    rows = machine.program().rows
    (missing,) = [row for row in rows if row.state == "failed"]
    assert "surely-not-installed" in missing.text and "pip install" in missing.fix


def test_the_memory_that_is_free_is_known_or_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "limit"
    meminfo.write_text("MemTotal: 4000 kB\nMemAvailable:    3000 kB\n")
    monkeypatch.setattr(models, "_MEMORY", meminfo)
    monkeypatch.setattr(models, "_LIMITS", (limit, tmp_path / "none"))
    assert models._memory() == (3000 * 1024, 4000 * 1024)
    limit.write_text("1000000\n")
    assert models._memory() == (1_000_000, 1_000_000)
    limit.write_text("max\n")
    assert models._memory() == (3000 * 1024, 4000 * 1024)
    meminfo.write_text("nothing of use\n")
    assert models._memory() is None


def test_a_model_file_of_the_wrong_size_and_a_half_download_are_told(made: Machine) -> None:
    folder = made.home / "data" / "models"
    folder.mkdir(parents=True)
    (folder / "qwen2.5-coder-1.5b.gguf").write_bytes(b"short")
    (folder / "qwen2.5-coder-0.5b.partial").write_bytes(bytes(10_000_000))
    rows, _ = examine(made)
    wrong, half = rows["embedded model"]["qwen2.5-coder-1.5b"][0], rows["embedded model"]["qwen2.5-coder-0.5b"][0]
    assert wrong["state"] == "warning" and "is not 1,117,320,768 bytes long" in wrong["text"]
    assert half["text"] == "10 MB of 491 MB downloaded"


def test_it_imports_neither_the_ui_nor_the_big_client(made: Machine) -> None:
    code = (
        "import sys, io, contextlib\nfrom tui_agent.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['doctor'])\n"
        "print(sorted({'textual', 'openai', 'pydantic', 'xllamacpp', 'rich'} & set(sys.modules)))"
    )
    environ = {**made.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, cwd=made.project)
    assert done.stdout.strip() == "[]", done.stderr
