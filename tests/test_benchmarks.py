"""The benchmarks measure what they say, and tell better from worse."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import SEPARATE, SUBJECTS, main
from benchmarks.place import place
from benchmarks.recording import Failure, Recording, shows
from benchmarks.report import Report, Row, compared_to, comparison, load, markdown, missed, regressed, save, table
from benchmarks.streaming import answer
from benchmarks.workload import chunks

ROOT = Path(__file__).parents[1]

ROWS = (
    Row("first key", (0.25, 0.24, 0.31), "s", subject="startup"),
    Row("memory", (50.0,), "MB", ratio=1.5, to="bare app", ratio_limit=1.8, subject="startup"),
    Row("5,000 chunks", (1.5,), "s", limit=1.0, subject="streaming"),
)
REPORT = Report("2026-01-01 00:00 UTC", "a machine", 0.5, "0.1.0", "python -m benchmarks", ROWS, ("search: no rg",))


def test_the_table_has_a_line_a_row_under_its_subject_with_spread_ratio_budget_and_verdict() -> None:
    lines = table(ROWS).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["startup", "", "", "streaming", ""]
    assert re.search(r"first key +0\.250 s +0\.240 … 0\.310$", lines[2])
    assert re.search(r"memory +50\.0 MB +1\.50 × +bare app +≤ 1\.8 × +met$", lines[3])
    assert re.search(r"5,000 chunks +1\.50 s +≤ 1 s +missed$", lines[5])


def test_the_markdown_has_the_same_figures_in_cells_those_with_a_budget_first() -> None:
    lines = markdown(REPORT).splitlines()
    assert "python -m benchmarks" in lines[0] and "a machine" in lines[0] and "2026-01-01" in lines[0]
    assert "| streaming | 5,000 chunks | 1.50 s |  |  |  | ≤ 1 s | missed |" in lines
    assert lines[-1] == "| startup | first key | 0.250 s | 0.240 … 0.310 |  |  |  |  |"
    assert {line.count("|") for line in lines if line.startswith("|")} == {9}
    starred = msgspec.structs.replace(REPORT, rows=(Row("**/*.py | all", (1.0,), "s"),))
    assert r"\*\*/\*.py \| all |" in markdown(starred)


def test_only_rows_over_a_budget_are_named() -> None:
    assert missed(ROWS) == ["streaming: 5,000 chunks"]


def test_a_ratio_has_its_own_budget() -> None:
    base = Row("1,000", (1.0, 2.0, 3.0), "s")
    assert compared_to(base, Row("5,000", (9.0,), "s"), 4.4).verdict == "missed"
    assert compared_to(base, Row("5,000", (8.0,), "s"), 4.4).verdict == "met"
    assert compared_to(base, Row("5,000", (8.0,), "s")).verdict == ""


def test_a_result_comes_back_from_its_file(tmp_path: Path) -> None:
    save(REPORT, tmp_path / "result.json")
    assert load(tmp_path / "result.json") == REPORT


def test_a_file_that_is_no_result_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text('{"rows": 3}')
    with pytest.raises(SystemExit) as ended:
        main(["--compare", str(tmp_path / "other.json")])
    assert ended.value.code == 2
    assert "other.json is no result" in capsys.readouterr().err


def row(*samples: float) -> Row:
    return Row("5,000 chunks", samples, "s", subject="streaming")


def test_worse_by_a_fifth_and_beyond_the_noise_is_a_regression() -> None:
    assert "REGRESSION" in comparison([row(1.5, 1.6, 1.7)], [row(1.0, 1.1, 1.2)])


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (row(1.15, 1.16), row(1.0, 1.01)),  # clearly apart, but little
        (row(1.1, 1.6, 1.7), row(1.0, 1.1, 1.2)),  # a run of now is as good as one of then
        (row(1.4), row(1.0)),  # one run each: nobody knows how much they scatter
        (row(0.5), row(1.0)),
    ],
)
def test_little_noise_and_better_are_no_regressions(now: Row, then: Row) -> None:
    text = comparison([now], [then])
    assert "REGRESSION" not in text
    assert f"{now.median / then.median:.2f} ×" in text


def test_a_row_that_was_not_measured_before_is_new() -> None:
    assert comparison([ROWS[0]], []).rstrip().endswith("new")


samples = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=5)


@given(samples, samples)
def test_of_two_runs_at_most_one_is_a_regression_of_the_other(one: list[float], other: list[float]) -> None:
    assert not (regressed(row(*one), row(*other)) and regressed(row(*other), row(*one)))
    assert not regressed(row(*one), row(*one))


def test_the_list_names_every_subject_and_command_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = capsys.readouterr().out
    for name in (*SUBJECTS, *SEPARATE):
        assert re.search(rf"\b{name} +[A-Z].*\.$", told, re.MULTILINE), name


def test_an_unknown_subject_is_an_error_that_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "speed"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "'speed'" in error and "streaming" in error


def test_one_subject_from_the_command_line_to_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "request_size", "--json", str(tmp_path / "result.json")]) == 0
    assert re.search(r"whole request +[\d.]+ KB +≤ 6 KB +met", capsys.readouterr().out)
    (first, *_), tall = load(tmp_path / "result.json").rows, 6.0
    assert first.subject == "request_size" and 0 < first.median < tall


def test_an_answer_is_timed_on_the_screen_of_the_installed_program() -> None:
    with place() as at, at.opened() as program:
        found = answer(at, program, [*chunks(50), "\n\n"])
    assert 0 < found.seconds < 20
    assert found.memory > 10
    assert not at.home.exists()
    assert not psutil.pid_exists(program.process.pid)


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def test_what_was_shown_when_does_not_depend_on_when_it_is_asked(tmp_path: Path) -> None:
    code = "import time; print('first'); time.sleep(0.4); print('second'); time.sleep(60)"
    with Recording(python(code), {}, str(tmp_path)) as program:
        program.wait_bytes(b"second", 10)
        time.sleep(0.3)
        first, second = program.when(shows("first")), program.when(shows("second"))
    assert 0.35 < second - first < 0.4 + 0.25


def test_what_never_comes_is_told_with_the_screen(tmp_path: Path) -> None:
    with (
        Recording(python("print('something else')"), {}, str(tmp_path)) as program,
        pytest.raises(Failure, match="something else"),
    ):
        program.when(shows("the word"), timeout=5)


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    child_of = "subprocess.Popen(['sleep', '60'], start_new_session=True)"  # as the program starts tools
    code = f"import subprocess, time; print({child_of}.pid, 'end'); time.sleep(60)"
    with Recording(python(code), {}, str(tmp_path)) as program:
        program.when(shows("end"))
        child = int(program.screen.rows[0].split()[0])
        assert psutil.pid_exists(child)
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "idle"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        tree: list[psutil.Process] = []
        deadline = time.monotonic() + 20
        while not any("tui-agent" in " ".join(child.cmdline()) for child in tree) and time.monotonic() < deadline:
            time.sleep(0.05)
            tree = [child for child in psutil.Process(process.pid).children(recursive=True) if child.is_running()]
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 130, error
    assert b"Traceback" not in error
    _, alive = psutil.wait_procs(tree, timeout=5)
    assert not alive
    assert not list(tmp_path.iterdir())


def test_a_missing_program_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit) as ended:
        main(["--only", "idle"])
    assert ended.value.code == 2
    assert "python -m pip install -e ." in capsys.readouterr().err


def test_a_subject_that_fails_is_named_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(quick: bool) -> list[Row]:
        raise Failure("nothing on the screen")

    monkeypatch.setattr("benchmarks.idle.measure", fail)
    monkeypatch.setattr("benchmarks.startup.measure", lambda quick: [msgspec.structs.replace(ROWS[0], subject="")])
    assert main(["--only", "idle", "startup"]) == 1
    said = capsys.readouterr()
    assert "first key" in said.out
    assert "idle: nothing on the screen" in said.err


def test_the_documentation_knows_every_subject_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    for name in (*SUBJECTS, *SEPARATE, *options):
        assert re.search(rf"(`|\.|benchmarks ){name}\b", page), name
