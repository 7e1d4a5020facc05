"""Containers of a real engine: run when TUI_AGENT_TEST_IMAGE names an image that it has, with bash and coreutils."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import PROGRAM, Machine
from tests.sandbox.boxes import boxed, shell
from tui_agent.conversation.errors import UsageError
from tui_agent.permissions.approval import Terms
from tui_agent.sandbox.choose import choose
from tui_agent.sandbox.enclosure import Enclosure, Sandbox, launch
from tui_agent.sandbox.programs import find_program

IMAGE = os.environ.get("TUI_AGENT_TEST_IMAGE", "")
DOCKER = find_program("docker", None)
SANDBOX = Sandbox("docker", DOCKER, IMAGE)

pytestmark = pytest.mark.skipif(not IMAGE, reason="TUI_AGENT_TEST_IMAGE names no image for a Docker engine")

DEAF = "trap '' TERM; echo begun; echo > begun; sleep 300; sleep 300"
"""A command that does not end when it is asked to."""


def docker(*words: str) -> str:
    done = subprocess.run([DOCKER, *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def containers() -> set[str]:
    """All of ours, those that do not run included."""
    return set(docker("ps", "--all", "--filter", "name=^tui-agent-", "--format", "{{.Names}} {{.Status}}").splitlines())


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = {line.split()[0] for line in containers()}
    yield
    until = time.monotonic() + 10
    while left := {line for line in containers() if line.split()[0] not in before}:
        assert time.monotonic() < until, left
        time.sleep(0.1)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / ".git" / "config").write_text("[core]\n")
    return folder


def of_the_engine() -> dict[str, str]:
    """What a program needs to find the engine that these tests find."""
    return {"DOCKER_IMAGE": IMAGE, **{name: value for name, value in os.environ.items() if name == "DOCKER_HOST"}}


def wait_for(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


async def test_what_it_writes_is_ours_and_lies_in_the_project_alone(work: Path) -> None:
    line = "pwd; id -u; echo x > made; echo x > ../out; exit 3"
    outcome = await shell(boxed(work, sandbox=SANDBOX), line)
    assert outcome.result.exit_code == 3
    assert outcome.result.content.splitlines()[1:3] == [str(work), str(os.getuid())]
    assert (work / "made").stat().st_uid == os.getuid()
    assert not (work.parent / "out").exists()


async def test_output_and_errors_come_in_their_order(work: Path) -> None:
    outcome = await shell(boxed(work, sandbox=SANDBOX), "for i in $(seq 300); do echo o$i; echo e$i >&2; done")
    expected = [f"{kind}{number}" for number in range(1, 301) for kind in "oe"]
    assert outcome.result.content.splitlines()[: len(expected)] == expected


async def test_control_files_cannot_be_written(work: Path) -> None:
    line = "echo x > .git/config; echo x > .git/hooks/pre-commit; mv .git moved; echo x > .git/index; echo x > .envrc"
    outcome = await shell(boxed(work, sandbox=SANDBOX), line)
    assert outcome.result.content.count("Read-only") == 2
    assert "busy" in outcome.result.content and "made or changed" in outcome.result.content
    assert (work / ".git" / "config").read_text() == "[core]\n" and not list((work / ".git" / "hooks").iterdir())
    assert (work / ".git" / "index").exists()


async def test_what_only_reads_can_write_nothing_of_the_project(work: Path) -> None:
    outcome = await shell(boxed(work, sandbox=SANDBOX, terms=Terms(read_only=True)), "ls -a; echo x > made")
    assert ".git" in outcome.result.content and "Read-only" in outcome.result.content
    assert not (work / "made").exists()


async def test_keys_are_hidden_where_the_home_is_the_project(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / ".ssh").mkdir()
    (work / ".ssh" / "id").write_text("KEY")
    (work / ".netrc").write_text("KEY")
    monkeypatch.setenv("HOME", str(work))
    outcome = await shell(boxed(work, sandbox=SANDBOX), "cat .ssh/id .netrc; echo x > .netrc; echo x > .ssh/id; ls -A")
    assert "KEY" not in outcome.result.content and ".ssh" in outcome.result.content
    assert (work / ".ssh" / "id").read_text() == (work / ".netrc").read_text() == "KEY"


async def test_the_network_is_there_only_where_it_was_allowed(work: Path) -> None:
    devices = "tail -n +3 /proc/net/dev | wc -l; exit 0"
    without = await shell(boxed(work, sandbox=SANDBOX), devices)
    allowed = await shell(boxed(work, sandbox=SANDBOX, terms=Terms(network=True)), devices)
    counts = [
        next(line for line in each.result.content.splitlines() if line.isdecimal()) for each in (without, allowed)
    ]
    assert counts[0] == "1" and int(counts[1]) > 1


async def test_it_has_no_privileges_and_only_the_variables_that_were_named(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_URL", "SERVICE_KEY"):
        monkeypatch.setenv(name, f"of {name}")
    sandbox = Sandbox("docker", DOCKER, IMAGE, ("API_URL", "NOT_SET"))
    line = 'cat /proc/self/status; echo "$API_URL/$SERVICE_KEY/$HOME/${NOT_SET-none}"'
    content = (await shell(boxed(work, sandbox=sandbox), line)).result.content
    assert "CapBnd:\t0000000000000000" in content and "NoNewPrivs:\t1" in content
    assert "of API_URL//tmp/none" in content.replace("//", "/")


async def test_one_that_takes_too_long_may_tidy_up(work: Path) -> None:
    started = time.monotonic()
    outcome = await shell(
        boxed(work, sandbox=SANDBOX), "trap 'echo bye; exit' TERM; echo begun; sleep 300; sleep 300", timeout=3
    )
    assert "longer than 3 s" in outcome.result.content and "bye" in outcome.result.content
    assert time.monotonic() - started < 10


async def test_one_that_does_not_listen_is_ended(work: Path) -> None:
    outcome = await shell(boxed(work, sandbox=SANDBOX), f"(setsid sleep 300 &); {DEAF}", timeout=2)
    assert "longer than 2 s" in outcome.result.content and "begun" in outcome.result.content
    assert not containers()


async def test_one_that_is_cancelled_leaves_nothing_however_far_its_start_is(work: Path) -> None:
    async def cancelled_after(seconds: float) -> None:
        task = asyncio.create_task(shell(boxed(work, sandbox=SANDBOX), "sleep 300; sleep 300"))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for step in range(10):
        await cancelled_after(0.02 + step * 0.02)


def test_one_that_was_made_and_never_started_is_removed() -> None:
    started = launch(Enclosure(SANDBOX), "true", "/", os.environ, f"test-{os.getpid()}")
    docker("create", "--name", started.container, IMAGE, "true")
    subprocess.run(started.ending(), check=True, capture_output=True)
    assert not any(started.container in line for line in containers())


async def test_a_background_command_runs_until_the_session_ends(work: Path) -> None:
    executor = boxed(work, sandbox=SANDBOX)
    outcome = await shell(executor, DEAF, background=True)
    await asyncio.to_thread(wait_for, work / "begun")
    assert "begun" in await asyncio.to_thread(Path(outcome.result.content.rpartition(" ")[2]).read_text)
    assert containers()
    await executor.aclose()
    assert not containers()


@pytest.mark.parametrize("name", ["a b", "-rf", "a:b,c=\"d'", "line\nbreak", " ünï {{.Id}}$x "])
async def test_odd_names_of_projects(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / ".envrc").write_text("a")
    sandbox = choose("docker", (str(folder),), {**os.environ, "DOCKER_IMAGE": IMAGE})
    outcome = await shell(boxed(folder, sandbox=sandbox), "echo x > made; echo x > .envrc")
    assert "Read-only" in outcome.result.content
    assert (folder / "made").exists() and (folder / ".envrc").read_text() == "a"


async def test_much_output_is_cut_and_the_engine_keeps_none(work: Path) -> None:
    outcome = await shell(boxed(work, sandbox=SANDBOX), "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert "\nlast\n" in outcome.result.content and "bytes cut" in outcome.result.content
    executor = boxed(work, sandbox=SANDBOX)
    await shell(executor, DEAF, background=True)
    (name,) = (line.split()[0] for line in containers())
    assert docker("inspect", "--format", "{{.HostConfig.LogConfig.Type}}", name).strip() == "none"
    await executor.aclose()


def test_an_entry_point_of_the_image_is_not_run(work: Path) -> None:
    made = docker("create", IMAGE, "true").strip()
    changed = docker("commit", "--change", 'ENTRYPOINT ["echo", "entry"]', made).strip()
    docker("rm", made)
    try:
        sandbox = choose("docker", (str(work),), {**os.environ, "DOCKER_IMAGE": changed})
        content = asyncio.run(shell(boxed(work, sandbox=sandbox), "echo $((40 + 2))")).result.content
    finally:
        docker("rmi", "--force", changed)
    assert "42" in content and "entry" not in content


async def test_an_image_that_is_not_there_is_named_and_not_fetched(work: Path) -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match="is not there"):
        choose("docker", (str(work),), {**os.environ, "DOCKER_IMAGE": "registry.invalid/none:1"})
    gone = Sandbox("docker", DOCKER, "registry.invalid/none:1")
    outcome = await shell(boxed(work, sandbox=gone), "true")
    assert outcome.result.exit_code == 125 and "No such image" in outcome.result.content
    assert time.monotonic() - started < 10


async def test_an_engine_that_has_gone_is_named_and_nothing_runs(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = boxed(work, sandbox=SANDBOX)
    assert (await shell(executor, "true")).result.ok
    monkeypatch.setenv("DOCKER_HOST", f"unix://{work}/none.sock")
    outcome = await shell(executor, "echo x > made")
    assert not outcome.result.ok and "Cannot connect" in outcome.result.content
    assert not (work / "made").exists()
    with pytest.raises(UsageError, match="the engine does not answer"):
        choose("docker", (str(work),), {**os.environ, "DOCKER_IMAGE": IMAGE})


def test_a_turn_from_the_command_line_runs_in_it(tmp_path: Path) -> None:
    arguments = {"command": "echo x > made; echo x > /etc/made; echo in $API_URL"}
    with ChatServer([reply_calls([("run_command", arguments)]), reply_text("done")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        words = ("invoke", "-m", "go", "--sandbox", "docker", "--approve", "all")
        done = machine.run(*words, **of_the_engine(), DOCKER_ENV_VARS="API_URL", API_URL="a-place")
        assert done.returncode == 0, done.stderr
        told = json.dumps(server.bodies[-1])
    assert "in a-place" in told
    assert (machine.project / "made").exists() and not Path("/etc/made").exists()


def test_kill_9_of_the_program_ends_its_container(tmp_path: Path) -> None:
    machine = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})
    program = subprocess.Popen(
        [
            *PROGRAM,
            "tools",
            "call",
            "run_command",
            "--sandbox",
            "docker",
            "--yes",
            "--args",
            json.dumps({"command": DEAF}),
        ],
        cwd=machine.project,
        env={**machine.environ, **of_the_engine()},
        stdout=subprocess.DEVNULL,
    )
    wait_for(machine.project / "begun")
    assert containers()
    program.kill()
    program.wait()
