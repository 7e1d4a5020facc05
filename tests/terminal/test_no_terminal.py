"""Where the UI cannot be drawn, one clear line says so."""

from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.project import PROGRAM, Machine


@pytest.mark.promise("P37")
def test_stdin_that_is_no_terminal_is_one_clear_message(tmp_path: Path) -> None:
    done = Machine.under(tmp_path, {}).run()
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr and "invoke" in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


@pytest.mark.promise("P37")
@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_is_one_clear_message(tmp_path: Path, term: str) -> None:
    made = Machine.under(tmp_path, {})
    with Terminal(PROGRAM, env={**made.environ, "TERM": term}, cwd=str(made.project)) as terminal:
        assert terminal.wait_exit() == 2
    assert b"cannot draw" in terminal.raw and b"Traceback" not in terminal.raw


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["/does/not/exist"], "no such folder"),
        (["--mode", "yolo"], "invalid choice"),
        (["--thme", "slate"], "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(tmp_path: Path, words: list[str], part: str) -> None:
    made = Machine.under(tmp_path, {})
    with Terminal([*PROGRAM, *words], env=made.environ, cwd=str(made.project)) as terminal:
        assert terminal.wait_exit() == 2
    assert part in terminal.raw.decode() and b"Traceback" not in terminal.raw


@pytest.mark.promise("P35")
def test_a_configuration_with_a_typo_names_file_line_and_nearest_key(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {})
    (made.home / "config" / "config.yaml").write_text("provider: auto\nui:\n  thme: slate\n")
    with Terminal(PROGRAM, env=made.environ, cwd=str(made.project)) as terminal:
        assert terminal.wait_exit() == 2
    said = " ".join(terminal.raw.decode().split())
    assert "config.yaml:3" in said and "thme" in said and "theme" in said and "Traceback" not in said
