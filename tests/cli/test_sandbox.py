"""The sandbox from the command line: chosen, missing, shown, and commands in it."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.sandbox.boxes import needs_bwrap


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {})


def call(machine: Machine, command: str, *words: str, **environ: str) -> tuple[int, str, str]:
    arguments = json.dumps({"command": command})
    done = machine.run("tools", "call", "run_command", "--yes", "--args", arguments, *words, **environ)
    return done.returncode, done.stdout, done.stderr


def without_bwrap(tmp_path: Path) -> str:
    """A search path with bash and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bash").symlink_to("/bin/bash")
    return str(folder)


@needs_bwrap
def test_commands_run_in_it_where_it_works(machine: Machine) -> None:
    assert call(machine, "touch /usr/x || touch here")[0] == 0
    assert (machine.project / "here").exists()
    code, _, errors = call(machine, "touch /usr/x")
    assert code == 1
    assert "only the working directory and /tmp can be written" in errors
    assert "sandbox" not in call(machine, "touch /proc/x", "--sandbox", "off")[2]


@needs_bwrap
def test_the_folders_of_the_flag_can_be_written_too(machine: Machine, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    assert call(machine, f"touch {more}/x {tmp_path}/y", "--allowed-dirs", str(more))[0] == 0
    assert (more / "x").exists() and not (tmp_path / "y").exists()  # which was made in a /tmp of its own


def test_one_that_is_asked_for_by_name_and_missing_is_an_error(machine: Machine, tmp_path: Path) -> None:
    path = without_bwrap(tmp_path)
    code, _, errors = call(machine, "touch x", "--sandbox", "bwrap", PATH=path)
    assert code == 2
    assert "bubblewrap is not installed" in errors and "apt install bubblewrap" in errors
    code, _, errors = call(machine, "touch x", "--sandbox", "docker", PATH=path)
    assert code == 2 and "DOCKER_IMAGE" in errors
    code, _, errors = call(machine, "touch x", "--sandbox", "docker", PATH=path, DOCKER_IMAGE="debian")
    assert code == 2 and "docker is not installed" in errors
    done = machine.run("invoke", "-m", "x", "--sandbox", "bwrap", PATH=path)
    assert done.returncode == 2 and "bubblewrap is not installed" in done.stderr
    assert not (machine.project / "x").exists()


def test_without_one_commands_still_run_when_none_is_asked_for(machine: Machine, tmp_path: Path) -> None:
    path = without_bwrap(tmp_path)
    assert call(machine, "> x", PATH=path)[0] == 0
    assert (machine.project / "x").exists()


def test_the_settings_choose_it_and_the_flag_wins(machine: Machine, tmp_path: Path) -> None:
    machine.configure({"sandbox": "docker"})
    assert call(machine, "true")[0] == 2
    assert call(machine, "true", "--sandbox", "off")[0] == 0
    assert "sandbox" in machine.run("config", "show").stdout


def test_where_no_command_runs_none_is_needed(machine: Machine) -> None:
    machine.configure({"sandbox": "docker"})
    assert machine.run("tools", "list").returncode == 0
    done = machine.run("tools", "call", "read_file", "--args", '{"file_path": "gone"}', "--no-commands")
    assert done.returncode == 1 and "docker" not in done.stderr


def test_the_doctor_says_what_commands_run_in(machine: Machine, tmp_path: Path) -> None:
    def row(**environ: str) -> dict[str, str]:
        report = json.loads(machine.run("doctor", "--json", **environ).stdout)
        (section,) = [section for section in report["sections"] if section["title"] == "other programs"]
        (found,) = [row for row in section["rows"] if row["name"] == "sandbox"]
        return dict(found)

    path = without_bwrap(tmp_path)
    found = row(PATH=path)
    assert found["state"] == "warning" and "bubblewrap is not installed" in found["text"]
    machine.configure({"sandbox": "bwrap"})
    found = row(PATH=path)
    assert found["state"] == "failed" and "apt install" in found["fix"]
    machine.configure({"sandbox": "off"})
    assert row()["state"] == "info"


@needs_bwrap
def test_the_doctor_says_that_it_works(machine: Machine) -> None:
    assert "commands run in bwrap" in machine.run("doctor").stdout


@needs_bwrap
@pytest.mark.parametrize(("words", "made"), [((), True), (("--sandbox", "off"), False)])
def test_the_mode_auto_runs_commands_only_inside_it(tmp_path: Path, words: tuple[str, ...], made: bool) -> None:
    with ChatServer([reply_calls([("run_command", {"command": "touch made"})]), reply_text("ok")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url}, mode="auto")
        done = machine.run("invoke", "-m", "go", *words)
    assert (done.returncode, (machine.project / "made").exists()) == (0 if made else 3, made)


def test_a_container_gets_the_variables_that_are_named(machine: Machine, tmp_path: Path) -> None:
    path = without_bwrap(tmp_path)
    docker = Path(path, "docker")
    docker.write_text(
        f"#!{sys.executable} -P\nimport os, sys\nwords = sys.argv[1:]\n"
        "if words[0] == 'run': os.execvp('bash', words[words.index('img'):])\n"
    )
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    environ = {"DOCKER_IMAGE": "img", "DOCKER_ENV_VARS": "ONE,TWO", "ONE": "1", "THREE": "3", "PATH": path}
    code, output, _ = call(machine, "echo $ONE$TWO$THREE", "--sandbox", "docker", **environ)
    assert (code, output.splitlines()[0]) == (0, "1")
    assert os.environ.get("ONE") is None
