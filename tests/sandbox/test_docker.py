"""Containers, with a program in place of Docker that notes its arguments and runs the command itself."""

import asyncio
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from tests.sandbox.boxes import boxed, shell
from tui_agent.conversation.errors import UsageError
from tui_agent.permissions.approval import Terms
from tui_agent.sandbox import process
from tui_agent.sandbox.choose import choose
from tui_agent.sandbox.enclosure import Sandbox

FAKE = """#!{python} -P
import os, signal, subprocess, sys

here = os.path.dirname(os.path.abspath(__file__))
words = sys.argv[1:]
with open(here + "/calls", "a") as file:
    file.write(repr(words) + "\\n")
trouble = open(here + "/trouble").read() if os.path.exists(here + "/trouble") else ""
if words[0] == "image" and trouble:
    sys.exit(trouble)
if words[0] in ("kill", "rm") and not os.path.exists(here + "/deaf"):
    number = signal.SIGTERM if words[0] == "kill" else signal.SIGKILL
    os.killpg(int(open(here + "/" + words[-1]).read()), number)
if words[0] == "run":
    passed = [words[at + 1] for at, word in enumerate(words) if word == "-e"]
    kept = {{name: value or os.environ.get(name, "") for name, _, value in (word.partition("=") for word in passed)}}
    child = subprocess.Popen(
        [words[words.index("--entrypoint") + 1], *words[words.index("the:image") + 1 :]],
        cwd=words[words.index("-w") + 1],
        env={{"PATH": os.environ["PATH"], **kept}},
        start_new_session=True,
    )
    with open(here + "/" + words[words.index("--name") + 1], "w") as file:
        file.write(str(child.pid))
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the program, its notes and its troubles."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(FAKE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_IMAGE", "the:image")
    monkeypatch.setenv("DOCKER_ENV_VARS", "API_URL, LATER")
    monkeypatch.setenv("API_URL", "http://x")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def calls(engine: Path) -> list[list[str]]:
    return [eval(line) for line in (engine / "calls").read_text().splitlines()]


def docker(work: Path) -> Sandbox:
    return choose("docker", (str(work),), os.environ)


async def test_a_command_runs_in_a_container_of_its_own(engine: Path, work: Path) -> None:
    sandbox = docker(work)
    assert sandbox.describe() == "docker the:image"
    outcome = await shell(boxed(work, sandbox=sandbox), "echo $API_URL $HOME; env | grep -c SECRET; pwd; exit 3")
    assert outcome.result.exit_code == 3
    assert outcome.result.content.splitlines()[1:] == ["http://x /tmp", "0", str(work)]
    *_, run = calls(engine)
    assert run[:2] == ["run", "--rm"]
    assert run[run.index("--network") + 1] == "none"
    assert f"type=bind,source={work},target={work}" in run
    assert [run[at + 1] for at, word in enumerate(run) if word == "-e"][-2:] == ["API_URL", "LATER"]


async def test_network_and_reading_only(engine: Path, work: Path) -> None:
    await shell(boxed(work, sandbox=docker(work), terms=Terms(network=True)), "true")
    assert "--network" not in calls(engine)[-1]
    await shell(boxed(work, sandbox=docker(work), terms=Terms(read_only=True)), "true")
    assert f"type=bind,source={work},target={work},readonly" in calls(engine)[-1]


async def test_a_container_is_asked_to_end_when_its_time_is_up(engine: Path, work: Path) -> None:
    outcome = await shell(
        boxed(work, sandbox=docker(work)), "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done", timeout=1
    )
    assert "longer than 1 s" in outcome.result.content and "bye" in outcome.result.content
    run, asked = calls(engine)[-2:]
    assert asked == ["kill", "--signal", "TERM", run[run.index("--name") + 1]]


async def removed(engine: Path) -> None:
    until = time.monotonic() + 5
    while calls(engine)[-1][0] != "rm" and time.monotonic() < until:  # noqa: ASYNC110 - another process notes it
        await asyncio.sleep(0.02)
    run = next(words for words in reversed(calls(engine)) if words[0] == "run")
    assert calls(engine)[-1] == ["rm", "--force", "--volumes", run[run.index("--name") + 1]]


async def test_one_that_does_not_end_is_removed_by_its_name(
    engine: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    outcome = await shell(boxed(work, sandbox=docker(work)), "trap '' TERM; touch x; sleep 60; sleep 60", timeout=1)
    assert "longer than 1 s" in outcome.result.content
    await removed(engine)


async def test_an_engine_that_does_not_listen_is_told_once(
    engine: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    sandbox = docker(work)
    (engine / "deaf").touch()
    outcome = await shell(boxed(work, sandbox=sandbox), "sleep 60; sleep 60", timeout=1)
    assert "longer than 1 s" in outcome.result.content
    assert [call[0] for call in calls(engine)].count("rm") == 1


async def test_one_that_is_cancelled_is_removed_too(engine: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    task = asyncio.create_task(shell(boxed(work, sandbox=docker(work)), "trap '' TERM; touch x; sleep 60; sleep 60"))
    while not (work / "x").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await removed(engine)


@pytest.mark.parametrize(
    ("trouble", "message", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///d",
            "the engine does not answer: Cannot connect",
            "docker info",
        ),
        (
            "Error response from daemon: No such image: the:image",
            "the image the:image is not there",
            "docker pull the:image",
        ),
    ],
)
def test_what_is_missing_is_said(engine: Path, work: Path, trouble: str, message: str, hint: str) -> None:
    (engine / "trouble").write_text(trouble)
    with pytest.raises(UsageError) as caught:
        docker(work)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("run", "message", "hint"),
    [
        ("docker: no bash\nRun 'docker run --help' for more", "the:image runs: docker: no bash", "bash"),
        ("WARNING: x\n[FATAL tini (6)] exec bash failed", "the:image runs: [FATAL tini (6)] exec bash", "bash"),
        (1, "/work cannot be written", "the engine must not map to another"),
    ],
)
def test_an_image_or_an_engine_that_is_of_no_use_is_no_sandbox(
    engine: Path, work: Path, run: str | int, message: str, hint: str
) -> None:
    program = engine / "docker"
    wrong = f'if words[0] == "run":\n    sys.exit({run!r})\n'
    program.write_text(program.read_text().replace('if words[0] == "run":\n', wrong))
    with pytest.raises(UsageError) as caught:
        docker(work)
    assert message in caught.value.message and hint in caught.value.hint
    tried, ended = calls(engine)[-2:]
    assert ended == ["rm", "--force", "--volumes", tried[tried.index("--name") + 1]]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DOCKER_IMAGE", "", "DOCKER_IMAGE names none"),
        ("DOCKER_IMAGE", "--privileged", "DOCKER_IMAGE names none"),
        ("DOCKER_ENV_VARS", "A,B=c", "no variable's name"),
        ("PATH", "/nonexistent", "docker is not installed"),
    ],
)
def test_what_is_wrong_with_the_variables_is_said(
    engine: Path, work: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=message):
        docker(work)
