"""What a command in a real sandbox can and cannot do."""
# ruff: noqa: ASYNC221, ASYNC240 - files are looked at when nothing else runs

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.sandbox.boxes import WORKS, boxed, needs_bwrap, shell
from tui_agent.permissions.approval import Terms
from tui_agent.sandbox import process
from tui_agent.sandbox.choose import choose

PYTHON = os.path.realpath(sys.executable)
"""The interpreter itself: an environment may lie in a folder that a sandbox has its own of."""

pytestmark = needs_bwrap

GIT = "git -c user.name=n -c user.email=e"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that no private folder for temporary files hides; our own folders are in it."""
    folder = Path(tempfile.mkdtemp(prefix=".tui-agent-test-", dir=Path.home()))
    for name in ("HOME", "TUI_AGENT_CONFIG_DIR", "TUI_AGENT_DATA_DIR"):
        monkeypatch.setenv(name, str(folder / {"HOME": ""}.get(name, name.lower())))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def work(home: Path) -> Path:
    folder = home / "work"
    folder.mkdir()
    return folder


async def test_it_writes_in_the_project_and_nowhere_else(work: Path, home: Path) -> None:
    command = f"echo in > a; mkdir -p d/e; echo out > ../b; touch {home}/c /etc/c /usr/c; echo t > /tmp/t && cat /tmp/t"
    outcome = await shell(boxed(work), command)
    assert outcome.result.exit_code == 0
    assert outcome.result.content.count("Read-only file system") == 4
    assert outcome.result.content.splitlines()[-2:] == ["t", "[exit code 0]"]
    assert {path.name for path in work.iterdir()} == {"a", "d"}
    assert {path.name for path in home.iterdir()} == {"work"}


async def test_a_failure_to_write_outside_is_explained(work: Path) -> None:
    content = (await shell(boxed(work), "touch /etc/x")).result.content
    assert "only the working directory and /tmp can be written" in content
    assert "network" not in content


async def test_allowed_directories_can_be_written_too_also_below_tmp(work: Path, tmp_path: Path) -> None:
    outcome = await shell(boxed(work, tmp_path), f"echo x > {tmp_path}/f; ls -A {tmp_path.parent}")
    assert (tmp_path / "f").read_text() == "x\n"
    assert outcome.result.content.splitlines()[0] == tmp_path.name  # and nothing else of the folder around it


async def test_tmp_is_private(work: Path) -> None:
    with tempfile.NamedTemporaryFile(prefix="tui-agent-", dir="/tmp") as other:
        outcome = await shell(boxed(work), f"ls {other.name}; ls -A /tmp; echo x > /tmp/left; echo x > /var/tmp/left")
    assert "No such file" in outcome.result.content
    assert not Path("/tmp/left").exists() and not Path("/var/tmp/left").exists()


async def test_the_network_cannot_be_reached_but_where_it_was_allowed(work: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        assert (await shell(boxed(work), connect)).result.exit_code != 0
        assert (await shell(boxed(work, terms=Terms(network=True)), connect)).result.exit_code == 0


async def test_a_failure_for_want_of_network_is_explained(work: Path) -> None:
    ask = f"{PYTHON} -c 'import socket; socket.getaddrinfo(\"example.invalid\", 80)'"
    assert "without network" in (await shell(boxed(work), ask)).result.content
    assert "without network" not in (await shell(boxed(work), "echo getaddrinfo")).result.content
    allowed = await shell(boxed(work, terms=Terms(network=True)), "echo Could not resolve host; exit 6")
    assert "without network" not in allowed.result.content


async def test_keys_and_our_own_folders_cannot_be_read(work: Path, home: Path) -> None:
    for name in (
        ".ssh/id_rsa",
        ".aws/credentials",
        "tui_agent_data_dir/sessions.db",
        "tui_agent_config_dir/config.yaml",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("SECRET")
    (home / ".netrc").write_text("SECRET")
    (home / ".gitconfig").write_text("[user]\n")
    outcome = await shell(
        boxed(work), f"cd {home}; cat .ssh/* .aws/* */*.db */*.yaml .netrc; cat .gitconfig; ls -A .ssh"
    )
    assert "SECRET" not in outcome.result.content
    assert "[user]" in outcome.result.content


async def test_they_cannot_be_read_either_when_the_home_is_the_project(home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_rsa").write_text("SECRET")
    (home / ".netrc").write_text("SECRET")
    outcome = await shell(boxed(home), "cat .ssh/id_rsa .netrc; echo x > new; mv .ssh .gone; rm -f .netrc; ls -d .ssh")
    assert "SECRET" not in outcome.result.content
    assert (home / ".ssh" / "id_rsa").read_text() == (home / ".netrc").read_text() == "SECRET"
    assert (home / "new").exists()


async def test_a_project_inside_a_hidden_folder_is_there(home: Path) -> None:
    inside = home / ".aws" / "project"
    inside.mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("SECRET")
    outcome = await shell(boxed(inside), "pwd -P; echo x > new; ls -A ..")
    assert outcome.result.content.splitlines()[:2] == [str(inside), "project"]
    assert (inside / "new").exists()


async def test_sockets_of_the_machine_and_other_processes_are_out_of_reach(work: Path, home: Path) -> None:
    outcome = await shell(boxed(work), f"ls -A /run; ls /proc | grep -c '^[0-9]'; kill -0 {os.getpid()}; echo end")
    count, refused, end, *_ = outcome.result.content.splitlines()
    assert int(count) < 10
    assert "No such process" in refused and end == "end"
    (home / ".docker" / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(home / ".docker/run/docker.sock"))
        engine.listen()
        reach = f"import socket; socket.socket(socket.AF_UNIX).connect('{home}/.docker/run/docker.sock')"
        assert (await shell(boxed(work), f'{PYTHON} -c "{reach}"')).result.exit_code == 1


async def test_control_files_cannot_be_written_and_new_ones_are_named(work: Path) -> None:
    (work / ".envrc").write_text("a")
    (work / "sub" / ".vscode").mkdir(parents=True)
    (work / "sub" / ".vscode" / "tasks.json").write_text("{}")
    command = (
        "echo x > .envrc; rm .envrc; mv .envrc b; echo x > sub/.vscode/tasks.json; echo x > sub/.vscode/new;"
        " mv sub/.vscode sub/v; mkdir -p deep/er; echo x > deep/er/.mcp.json; mv sub moved; echo end"
    )
    outcome = await shell(boxed(work), command)
    assert (work / ".envrc").read_text() == "a"
    assert [path.name for path in (work / "moved" / ".vscode").iterdir()] == ["tasks.json"]
    assert (work / "moved" / ".vscode" / "tasks.json").read_text() == "{}"
    named = outcome.result.content.splitlines()[-1]
    assert named.startswith("[control files were made or changed")
    assert "deep/er/.mcp.json" in named and "moved/.vscode" in named and ".envrc" not in named


def repository(folder: Path) -> None:
    script = "git init -q . && echo a > a && git add a && git -c user.name=n -c user.email=e commit -qm first"
    subprocess.run(["bash", "-c", script], cwd=folder, check=True)


async def test_git_works_and_what_makes_it_run_programs_cannot_be_written(work: Path) -> None:
    repository(work)
    shutil.rmtree(work / ".git" / "hooks")
    executor = boxed(work)
    outcome = await shell(
        executor, f"echo b >> a; git status --short; {GIT} commit -qam second; git log --oneline | wc -l"
    )
    assert outcome.result.content.splitlines() == [" M a", "2", "[exit code 0]"]
    before = (work / ".git" / "config").read_bytes()
    command = (
        "git config core.pager evil; echo x > .git/hooks/pre-commit; echo x >> .git/config; rm -rf .git/hooks;"
        " mv .git .g; mv .git/config c; git switch -qc topic && git branch --show-current;"
        " echo /elsewhere > .git/commondir"
    )
    outcome = await shell(executor, command)
    assert (work / ".git" / "config").read_bytes() == before
    assert list((work / ".git" / "hooks").iterdir()) == []
    assert "topic" in outcome.result.content
    assert outcome.result.content.splitlines()[-1].endswith(".git/commondir]")


async def test_a_linked_work_tree_can_be_committed_in(home: Path, work: Path) -> None:
    repository(work)
    subprocess.run(["git", "worktree", "add", "-q", str(home / "tree")], cwd=work, check=True)
    command = f"echo b >> a; {GIT} commit -qam second && git log --oneline | wc -l; touch {work}/.git/hooks/x {work}/y"
    outcome = await shell(boxed(home / "tree"), command)
    assert outcome.result.content.startswith("2\n") or "\n2\n" in outcome.result.content
    assert not (work / ".git" / "hooks" / "x").exists() and not (work / "y").exists()


async def test_a_git_file_does_not_make_another_folder_writable(home: Path, work: Path) -> None:
    victim = home / "victim"
    victim.mkdir()
    repository(victim)
    (work / ".git").write_text(f"gitdir: {victim}/.git\n")
    await shell(boxed(work), f"touch {victim}/.git/x {victim}/y")
    assert not (victim / ".git" / "x").exists() and not (victim / "y").exists()


async def test_the_variant_for_reading_writes_nowhere(work: Path) -> None:
    repository(work)
    executor = boxed(work, terms=Terms(read_only=True))
    outcome = await shell(executor, "git status --short; cat a; echo x > a; touch b")
    assert "nothing can be written" in outcome.result.content
    assert outcome.result.content.count("Read-only file system") == 2
    assert (work / "a").read_text() == "a\n" and not (work / "b").exists()


async def test_no_secret_is_in_the_environment(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "GITHUB_TOKEN", "LD_PRELOAD_X", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, "SECRET")
    outcome = await shell(boxed(work), "env; cat /proc/*/environ | tr '\\0' '\\n'")
    assert "PATH=" in outcome.result.content
    assert "SECRET" not in outcome.result.content


async def test_python_and_what_installs_work_in_the_project(work: Path) -> None:
    (work / "m.py").write_text("print('imported')\n")
    command = (
        f"{PYTHON} -c 'import m, tempfile; tempfile.NamedTemporaryFile()' && test -d __pycache__ && "
        "mkdir -p node_modules/a/.bin && echo x > node_modules/a/index.js && mv node_modules/a node_modules/b && "
        "ln -s ../b node_modules/.bin && ln m.py n.py && chmod +x m.py && rm -r node_modules && echo done > $TMPDIR/x"
    )
    outcome = await shell(boxed(work), command)
    assert outcome.result.content == "imported\n[exit code 0]"


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("true", 0, "exit code 0"),
        ("false", 1, "exit code 1"),
        ("exit 42", 42, "exit code 42"),
        ("no-such-program-here", 127, "exit code 127"),
        ("kill -9 $$", 137, "exit code 137 (SIGKILL)"),
        ("kill $$", 143, "exit code 143 (SIGTERM)"),
    ],
)
async def test_exit_codes_come_through(work: Path, command: str, code: int, text: str) -> None:
    result = (await shell(boxed(work), command)).result
    assert result.exit_code == code
    assert text in result.content


def sleepers(seconds: str) -> list[int]:
    processes = psutil.process_iter(["cmdline", "status"])
    asleep = [each for each in processes if each.info["cmdline"] == ["sleep", seconds]]
    return [each.pid for each in asleep if each.info["status"] != psutil.STATUS_ZOMBIE]


def gone(seconds: str, within: float = 5) -> bool:
    until = time.monotonic() + within
    while sleepers(seconds) and time.monotonic() < until:
        time.sleep(0.02)
    return not sleepers(seconds)


@pytest.mark.promise("P27")
async def test_a_time_out_ends_the_whole_tree(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    leave = "env -i setsid sleep 1234567 & (setsid sleep 1234567 > /dev/null 2>&1 &)"
    command = f"{leave}; trap '' TERM; sleep 1234567; sleep 1234567"
    task = asyncio.create_task(shell(boxed(work), command, timeout=1))
    while len(sleepers("1234567")) < 3:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.02)
    assert "longer than 1 s" in (await task).result.content
    assert gone("1234567")


async def test_it_is_asked_to_end_before_it_is_killed(work: Path) -> None:
    command = "trap 'echo bye > said; exit 3' TERM; touch begun; while :; do sleep 0.05; done"
    outcome = await shell(boxed(work), command, timeout=1)
    assert outcome.result.exit_code == 3
    assert (work / "said").read_text() == "bye\n"


async def test_what_is_left_running_ends_and_the_model_is_told(work: Path) -> None:
    outcome = await shell(boxed(work), "setsid sleep 1234568 & sleep 1234568 & echo started")
    assert outcome.result.exit_code == 0
    assert "use background: true" in outcome.result.content
    assert gone("1234568")
    assert "background" not in (await shell(boxed(work), "true && echo a 2>&1 | cat &> x")).result.content


@pytest.mark.promise("P26")
async def test_cancelling_ends_the_tree(work: Path) -> None:
    task = asyncio.create_task(shell(boxed(work), "setsid sleep 1234569 & trap '' TERM; sleep 1234569; sleep 1234569"))
    while len(sleepers("1234569")) < 2:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gone("1234569")


@pytest.mark.promise("P24")
async def test_a_huge_output_takes_little_memory(work: Path) -> None:
    before = psutil.Process().memory_info().rss
    outcome = await shell(boxed(work), "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert psutil.Process().memory_info().rss - before < 100_000_000
    assert "\nlast\n" in outcome.result.content
    assert outcome.result.content.endswith("[exit code 0]")
    assert "bytes cut" in outcome.result.content


async def test_a_background_command_runs_in_it_too_and_its_log_can_be_read(work: Path) -> None:
    executor = boxed(work)
    outcome = await shell(executor, "touch /etc/x; echo up; sleep 1234570", background=True)
    assert outcome.result.ok
    log = outcome.result.content.rpartition(" ")[2]
    while "up" not in Path(log).read_text():  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.02)
    read = await shell(executor, f"cat {log}; echo x > {log}")
    assert "Read-only file system\nup" in read.result.content
    assert len(sleepers("1234570")) == 1
    await executor.aclose()
    assert gone("1234570")


async def test_a_directory_that_took_the_place_of_the_approved_one_is_not_used(work: Path, home: Path) -> None:
    executor = boxed(work)
    work.rename(home / "moved")
    work.mkdir()
    outcome = await shell(executor, "touch x")
    assert not outcome.result.ok
    assert "replaced by another one" in outcome.result.content
    assert list(work.iterdir()) == [] and list((home / "moved").iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "-rf", "line\nbreak", "ünï→✓", "quo'te\"$x"])
async def test_odd_names_of_projects(home: Path, name: str) -> None:
    folder = home / name
    folder.mkdir()
    (folder / ".envrc").write_text("a")
    outcome = await shell(boxed(folder), "echo x > made; echo x > .envrc")
    assert "Read-only" in outcome.result.content
    assert (folder / "made").exists() and (folder / ".envrc").read_text() == "a"


@pytest.mark.promise("P28")
def test_kill_9_of_the_program_ends_its_commands(work: Path) -> None:
    program = f"""
import asyncio, os
from pathlib import Path
from tests.sandbox.boxes import boxed, shell
asyncio.run(shell(boxed(Path({str(work)!r})), "setsid sleep 1234571 & sleep 1234571; :"))
"""
    started = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    until = time.monotonic() + 20
    while len(sleepers("1234571")) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert gone("1234571")


def test_it_was_tried_and_not_only_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "bwrap"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    found = choose("auto", ("/etc",), os.environ)
    assert not found.on
    assert found.reason == "bubblewrap does not work here: bwrap: No permissions to create new namespace"


def test_one_of_the_project_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose("auto", (str(tmp_path),), os.environ).reason == "bubblewrap is not installed"


def test_where_all_can_be_written_there_is_nothing_to_keep_in() -> None:
    assert WORKS.kind == "bwrap"
    assert "/, so it would keep nothing in" in choose("auto", ("/",), os.environ).reason
