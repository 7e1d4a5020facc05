"""Running commands: what comes back, and that nothing stays."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tui_agent.conversation.errors import ToolError
from tui_agent.sandbox import process
from tui_agent.sandbox.background import BackgroundCommands
from tui_agent.sandbox.environment import QUIET
from tui_agent.sandbox.process import run
from tui_agent.sandbox.tree import MARK

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def alive(file: Path) -> bool:
    """Whether the process whose id is in the file still runs."""
    try:
        return psutil.Process(int(file.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def filled(file: Path) -> bool:
    return file.exists() and bool(file.read_text().strip())


async def wait_for(file: Path) -> None:
    async with asyncio.timeout(10):
        while not filled(file):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


def gone(file: Path, seconds: float = 3) -> bool:
    until = time.monotonic() + seconds
    while alive(file) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(file)


ESCAPES = {
    "child": "sleep 600 & echo $! > {file}; {rest}",
    "own session": "setsid bash -c 'echo $$ > {file}; exec sleep 600' & {rest}",
    "double fork": "(setsid bash -c 'echo $$ > {file}; exec sleep 600' > /dev/null 2>&1 &) ; {rest}",
    "ignores TERM": "bash -c 'trap \"\" TERM HUP INT; echo $$ > {file}; while :; do sleep 1; done' & {rest}",
    "without the mark": "env -i setsid bash -c 'echo $$ > {file}; sleep 600; :' & {rest}",
}


async def test_output_and_error_come_together_with_the_exit_code(tmp_path: Path) -> None:
    finished = await run("echo out; echo err >&2; exit 3", tmp_path, 10)
    assert (finished.output, finished.exit_code, finished.timed_out, finished.cut) == ("out\nerr\n", 3, False, 0)


async def test_it_runs_in_its_directory_with_no_input_and_no_start_up_files(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("echo sourced\n")
    (tmp_path / ".bash_profile").write_text("echo sourced\n")
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "BASH_ENV": str(tmp_path / ".bashrc")}
    finished = await run("test . -ef $HOME && echo here; cat; echo end", tmp_path, 10, environ=environ)
    assert finished.output == "here\nend\n"


async def test_keys_and_settings_of_ours_do_not_reach_it(tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": "/home/someone",
        "LC_ALL": "C",
        **dict.fromkeys(
            ["OPENAI_API_KEY", "GITHUB_TOKEN", "MY_SECRET", "LD_PRELOAD", "GIT_DIR", "PYTHONPATH", "NODE_OPTIONS"], "x"
        ),
        "https_proxy": "http://user:password@proxy",
        "http_proxy": "http://proxy",
    }
    finished = await run("env | cut -d= -f1 | sort", tmp_path, 10, environ=environ)
    names = set(finished.output.split())
    assert {"PATH", "HOME", "LC_ALL", "http_proxy"} <= names
    assert names - {"PATH", "HOME", "LC_ALL", "http_proxy", "PWD", "SHLVL", "_", "OLDPWD", MARK} == set(QUIET)


@pytest.mark.promise("P24")
async def test_a_huge_output_keeps_its_head_and_tail_and_little_memory(tmp_path: Path) -> None:
    before = psutil.Process().memory_info().rss
    finished = await run("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last", tmp_path, 60)
    assert psutil.Process().memory_info().rss - before < 100_000_000
    assert finished.output.startswith("first\nxxx")
    assert finished.output.endswith("xxx\nlast\n")
    assert f"… {finished.cut:,} bytes cut …" in finished.output
    assert len(finished.output) < 60_000
    assert finished.cut + len(finished.output.replace(f"\n… {finished.cut:,} bytes cut …\n", "")) == 100_000_012


@pytest.mark.promise("P24")
async def test_the_event_loop_stays_free_while_output_pours(tmp_path: Path) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    await run("timeout 0.5 yes", tmp_path, 10)
    counting.cancel()
    assert turns > 100


async def test_output_is_told_on_while_it_runs_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    pieces: list[str] = []
    first = asyncio.Event()

    def tell(text: str) -> None:
        pieces.append(text)
        first.set()

    task = asyncio.create_task(
        run(
            f"printf 'caf\\303'; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; printf '\\251!'",
            tmp_path,
            10,
            on_output=tell,
        )
    )
    await asyncio.wait_for(first.wait(), 5)
    assert not task.done()
    assert pieces == ["caf"]
    (tmp_path / "go").touch()
    await task
    assert "".join(pieces) == "café!"
    pieces.clear()
    await run("head -c 3000000 /dev/zero | tr '\\0' x", tmp_path, 10, on_output=tell)
    assert max(map(len, pieces)) <= 8_000


@pytest.mark.promise("P27")
async def test_a_command_that_runs_too_long_is_stopped_and_its_output_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.3)
    finished = await run("echo begun; trap '' TERM; while :; do sleep 0.1; done", tmp_path, 0.5)
    assert finished.timed_out
    assert finished.output == "begun\n"
    assert finished.exit_code == -signal.SIGKILL


@pytest.mark.promise("P27")
@needs_proc
@pytest.mark.parametrize("how", ESCAPES)
async def test_after_a_time_out_nothing_of_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    file = tmp_path / "pid"
    task = asyncio.create_task(run(ESCAPES[how].format(file=file, rest="sleep 600"), tmp_path, 1.0))
    await wait_for(file)
    assert (await task).timed_out
    assert not alive(file)


@pytest.mark.promise("P27")
@needs_proc
@pytest.mark.parametrize("how", [how for how in ESCAPES if how != "without the mark"])
async def test_after_it_ended_nothing_of_it_runs_even_what_holds_the_pipe(tmp_path: Path, how: str) -> None:
    file = tmp_path / "pid"
    wait = f"while [ ! -s {file} ]; do sleep 0.02; done; echo done"
    finished = await run(ESCAPES[how].format(file=file, rest=wait), tmp_path, 30)
    assert (finished.output, finished.exit_code, finished.timed_out) == ("done\n", 0, False)
    assert finished.killed >= 1
    assert not finished.timed_out
    assert not alive(file)


@pytest.mark.promise("P26")
@needs_proc
@pytest.mark.parametrize("how", ESCAPES)
async def test_cancelling_returns_at_once_and_the_tree_dies_within_three_seconds(tmp_path: Path, how: str) -> None:
    file = tmp_path / "pid"
    task = asyncio.create_task(run(ESCAPES[how].format(file=file, rest="sleep 600"), tmp_path, 60))
    await wait_for(file)
    task.cancel()
    async with asyncio.timeout(1.5):  # less than the grace before the kill
        with pytest.raises(asyncio.CancelledError):
            await task
    assert gone(file, 3)


@needs_proc
def test_what_runs_when_the_program_ends_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    command = ESCAPES["ignores TERM"].format(file=file, rest="wait")
    program = f"""
import asyncio, pathlib
from tui_agent.sandbox.process import run

async def leave():
    task = asyncio.create_task(run({command!r}, pathlib.Path({str(tmp_path)!r}), 60))
    while not pathlib.Path({str(file)!r}).exists():
        await asyncio.sleep(0.01)

asyncio.run(leave())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20, cwd=Path(__file__).parents[2])
    assert not alive(file)


async def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    await run("true", tmp_path, 10)
    before = psutil.Process().num_fds()
    for _ in range(5):
        await run("echo x; sleep 0.01 &", tmp_path, 10)
    assert psutil.Process().num_fds() == before


async def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="could not be started"):
        await run("true", tmp_path / "gone", 10)


async def test_a_background_command_goes_on_and_logs_until_it_is_closed(tmp_path: Path) -> None:
    commands = BackgroundCommands()
    started = await commands.start("echo up; while :; do sleep 0.1; done", tmp_path)
    assert started.exit_code is None
    assert commands.list() == (started,)
    await wait_for(started.log)
    assert started.log.read_text() == "up\n"
    assert psutil.pid_exists(started.pid)
    await commands.aclose()
    assert not psutil.pid_exists(started.pid) or psutil.Process(started.pid).status() == psutil.STATUS_ZOMBIE
    assert not started.log.exists()


async def test_a_background_command_that_fails_at_once_says_so(tmp_path: Path) -> None:
    commands = BackgroundCommands()
    started = await commands.start("no-such-program-here", tmp_path)
    assert started.exit_code == 127
    assert "not found" in started.log.read_text()
    await commands.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_background_commands_die_with_the_event_loop(tmp_path: Path) -> None:
    async def leave() -> int:
        return (await BackgroundCommands().start("sleep 600", tmp_path)).pid

    pid = asyncio.run(leave())
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(5)
    assert not psutil.pid_exists(pid)


async def test_closing_asks_background_commands_to_end_before_it_kills_them(tmp_path: Path) -> None:
    commands = BackgroundCommands()
    script = "trap 'echo bye > said; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    started = [await commands.start(script, tmp_path), await commands.start("sleep 60", tmp_path)]
    async with asyncio.timeout(10):
        while "ready" not in started[0].log.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        await commands.aclose()
    assert (tmp_path / "said").read_text() == "bye\n"
    for command in started:
        with pytest.raises(ProcessLookupError):
            os.kill(command.pid, 0)  # neither running nor a zombie
