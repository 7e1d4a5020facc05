"""Disks that are full, read-only or gone: one warning, and the conversation goes on."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.chat_server import ChatServer, reply_text
from tests.project import PROGRAM, ROOT, Machine
from tests.reliability.disks import needs_disks, on_small_disk, read_only, run
from tests.reliability.stage import collect, reason, results, session_at, write
from tests.terminal.test_journey import submit


@needs_disks
@pytest.mark.promise("P30")
def test_a_disk_that_fills_up_costs_one_warning_and_no_old_content(tmp_path: Path) -> None:
    command = on_small_disk(
        tmp_path, "600k", [sys.executable, "-P", "-m", "tests.reliability.full_disk", str(tmp_path)]
    )
    done = run(command, ROOT, {**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (warning,) = told["warnings"]
    assert "goes on unsaved" in warning and "full" in warning
    assert told["replies"] == ["", "One.", "", "Two.", "Three.", "Four."]
    (wrote, failed) = told["results"]
    assert wrote[0] == "ok" and failed[0] == "failed" and "no space left on device" in failed[1]
    assert told["files"] == ["small.txt"]
    assert [text for text in told["sent"][1:] if text in "abcd" and text] == ["a", "b", "c", "d"]
    assert told["saved"] >= 6 and told["fault"] == ""


@pytest.mark.promise("P30")
def test_a_log_file_on_a_full_disk_disturbs_nothing(tmp_path: Path) -> None:
    with ChatServer([reply_text("hi")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        folder = machine.home / "data" / "state" / "log"
        folder.mkdir(parents=True)
        (folder / "tui-agent.log").symlink_to("/dev/full")
        done = machine.run("invoke", "-m", "x", "--log-level", "DEBUG")
    assert (done.stdout, done.stderr, done.returncode) == ("hi\n", "", 0)


@needs_disks
@pytest.mark.promise("P31")
def test_a_home_that_cannot_be_written_is_said_and_the_turn_is_run(tmp_path: Path) -> None:
    with ChatServer([write("a.txt"), reply_text("Written.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        command = [*PROGRAM, "invoke", "-m", "x", "--approve", "all"]
        done = run(read_only(machine.home, command), machine.project, machine.environ)
    assert (done.stdout, done.returncode) == ("Written.\n", 0)
    assert done.stderr.count("goes on unsaved") == 1 and "Traceback" not in done.stderr
    assert (machine.project / "a.txt").exists() and not (machine.home / "data").exists()


@needs_disks
@pytest.mark.slow
@pytest.mark.promise("P31")
def test_on_a_screen_it_is_said_once(tmp_path: Path) -> None:
    with ChatServer([reply_text("First answer."), reply_text("Second answer.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        command = read_only(machine.home, PROGRAM)
        with Terminal(command, env=machine.environ, cwd=str(machine.project)) as terminal:
            submit(terminal, "hello")
            terminal.wait_for("First answer")
            submit(terminal, "again")
            terminal.wait_for("Second answer")
            assert terminal.text.count("goes on unsaved") == 1
            terminal.send("\x11")
            assert terminal.wait_exit() == 0
        assert b"Traceback" not in terminal.raw


@pytest.mark.promise("P31")
def test_without_a_home_a_turn_is_run_and_not_saved(tmp_path: Path) -> None:
    with ChatServer([reply_text("hi")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        environ = {**machine.environ, "HOME": "/proc/nowhere"}
        del environ["TUI_AGENT_CONFIG_DIR"], environ["TUI_AGENT_DATA_DIR"]
        settings = str(machine.home / "config" / "config.yaml")
        done = run([*PROGRAM, "invoke", "-m", "x", "--config", settings], machine.project, environ)
    assert (done.stdout, done.returncode) == ("hi\n", 0)
    assert done.stderr.count("goes on unsaved") == 1 and "Traceback" not in done.stderr


@pytest.mark.promise("P38")
def test_a_folder_that_is_gone_before_the_start_is_one_message(tmp_path: Path) -> None:
    machine = Machine.under(tmp_path, {})
    done = run(
        ["bash", "-c", f"rmdir {machine.project}; exec {' '.join(PROGRAM)} invoke -m x"],
        machine.project,
        machine.environ,
    )
    assert done.returncode == 2
    assert "the current one is gone" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.promise("P38")
@pytest.mark.parametrize("how", ["removed", "renamed", "another in its place"])
async def test_a_folder_that_goes_between_two_turns_is_an_error_of_the_tools(tmp_path: Path, how: str) -> None:
    project = tmp_path / "project"
    with ChatServer([write("a.txt"), reply_text("One."), write("b.txt", first=2), reply_text("Two.")]) as server:
        async with session_at(server, tmp_path) as session:
            await collect(session, "a")
            if how == "removed":
                shutil.rmtree(project)
            else:
                project.rename(tmp_path / "elsewhere")
            if how == "another in its place":
                project.mkdir()
            await collect(session, "b")
            assert reason(session) == "done"
            assert [status for _, status in results(session)] == ["ok", "failed"]
    assert not list(tmp_path.rglob("b.txt"))  # noqa: ASYNC240 - a folder of a test
