"""The life of the engine: found or started, shared, and gone with the last who needs it, with a fake model."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.providers.embedded_stage import FAKE, SECONDS, Stage, prime, request, statuses, talk, until
from tests.providers.support import end_of, text_of
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import TextDelta
from tui_agent.providers.embedded import engine as engine_module
from tui_agent.providers.embedded import supervisor
from tui_agent.providers.embedded.api import EngineApi
from tui_agent.providers.embedded.engine import EngineFolders, private_folder, share_engine
from tui_agent.providers.embedded.running import WAITING


@pytest.fixture
async def stage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("tui_agent.providers.embedded.launch.engine_version", lambda: "1.0")
    stage = Stage(tmp_path_factory.mktemp("e"))  # a socket's path must not be long
    yield stage
    await stage.close()


async def error_of(stage: Stage, text: str = "hello") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await talk(stage.provider(), text)
    return caught.value


async def test_it_answers_and_ends_with_its_only_client(stage: Stage) -> None:
    provider = stage.provider()
    events = await talk(provider, "hello")
    assert text_of(events) == "fake says hello"
    first, *reading, last = statuses(events)
    assert (first, last) == ("loading fake", "")
    # On a busy machine the engine is asked about before it has taken the prompt up.
    assert all(text.startswith("reading the prompt: ") or text == WAITING for text in reading)
    assert isinstance(events[len(statuses(events))], TextDelta)
    assert len(stage.alive()) == 2
    await provider.aclose()
    assert stage.engines() == []
    await provider.aclose()


async def test_a_closed_provider_starts_again(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "one")
    await provider.aclose()
    assert text_of(await talk(provider, "two")) == "fake says two"
    assert len(stage.starts()) == 2


async def test_two_clients_share_one_engine_and_the_last_one_ends_it(stage: Stage) -> None:
    one, two = stage.provider(), stage.provider()
    await talk(one, "hello")
    events = await talk(two, "there")
    assert (text_of(events), statuses(events)) == ("fake says there", ["loading fake", ""])
    assert len(stage.starts()) == 1
    async with asyncio.timeout(engine_module.LEAVE_SECONDS / 2):
        await one.aclose()
    assert text_of(await talk(two, "still")) == "fake says still"
    await two.aclose()
    assert (len(stage.starts()), stage.engines()) == (1, [])


async def test_of_many_that_start_at_once_one_wins_and_all_are_answered(stage: Stage) -> None:
    answers = await asyncio.gather(*(talk(stage.provider(), f"number {number}") for number in range(5)))
    assert [text_of(events) for events in answers] == [f"fake says number {number}" for number in range(5)]
    assert len(stage.starts()) == 1


async def test_another_window_size_is_another_engine(stage: Stage) -> None:
    await talk(stage.provider(), "hello")
    await talk(stage.provider(context_length=4096), "hello")
    assert len(stage.starts()) == 2


CLIENT = """
import asyncio, subprocess, sys
from pathlib import Path
from tests.providers.embedded_stage import Stage, prime
import tui_agent.providers.embedded.launch as launch
launch.engine_version = lambda: "1.0"

async def main():
    stage = Stage.__new__(Stage)
    model = Path(sys.argv[1]).joinpath("fake.gguf").read_text()
    Stage.__init__(stage, Path(sys.argv[1]))
    stage.model.write_text(model)
    provider = stage.provider()
    task = asyncio.ensure_future(prime(provider))
    print("begun", flush=True)
    await task
    subprocess.Popen(["sleep", "60"])  # what it runs must not hold the engine
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def client_process(stage: Stage) -> "subprocess.Popen[str]":
    here = Path(__file__).parent.parent.parent
    command = [sys.executable, "-c", CLIENT, str(stage.root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here, env={**os.environ, "PYTHONPATH": "."})


async def test_kill_9_of_the_client_ends_the_engine(stage: Stage) -> None:
    with client_process(stage) as client:
        assert client.stdout is not None
        lines = [await asyncio.to_thread(client.stdout.readline) for _ in range(2)]
        assert lines == ["begun\n", "ready\n"]
        assert len(stage.alive()) == 2
        sleeping = [child for child in psutil.Process(client.pid).children() if child.name() == "sleep"]
        client.kill()
    await until(lambda: not stage.alive(), "the end of the engine")
    assert [child.is_running() for child in sleeping] == [True]
    sleeping[0].kill()


async def test_kill_9_of_the_client_ends_an_engine_that_is_still_loading(stage: Stage) -> None:
    stage.load_with(seconds=3600)
    with client_process(stage) as client:
        await until(stage.starts, "a start")
        assert len(stage.alive()) == 2
        client.kill()
    await until(lambda: not stage.alive(), "the end of the engine")


async def test_kill_9_of_one_client_leaves_the_engine_to_the_other(stage: Stage) -> None:
    with client_process(stage) as client:
        assert client.stdout is not None
        assert [await asyncio.to_thread(client.stdout.readline) for _ in range(2)][1] == "ready\n"
        other = stage.provider()
        await talk(other, "hello")
        sleeping = [child for child in psutil.Process(client.pid).children() if child.name() == "sleep"]
        client.kill()
        sleeping[0].kill()
    assert text_of(await talk(other, "again")) == "fake says again"
    assert len(stage.starts()) == 1


async def test_kill_9_of_the_supervisor_ends_the_engine_and_its_socket_is_no_trap(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "hello")
    (engine, supervisor_pid) = stage.starts()[0]
    os.kill(supervisor_pid, signal.SIGKILL)
    await until(lambda: engine not in stage.alive(), "the end of the engine")
    assert stage.socket.exists()
    events = await talk(provider, "again")
    assert statuses(events)[0] == "the engine had stopped: loading fake"
    assert text_of(events) == "fake says again"


async def test_a_client_that_goes_while_another_is_answered_disturbs_nothing(stage: Stage, tmp_path: Path) -> None:
    one, two = stage.provider(), stage.provider()
    gate = tmp_path / "gate"
    answer = asyncio.ensure_future(talk(one, f"HOLD {gate}"))
    await until(lambda: "/v1/chat/completions" in stage.requests(), "the request")
    waiting = asyncio.ensure_future(talk(two, "me too"))
    await until(lambda: two._engine is not None and two._engine.task.done(), "the second client")
    waiting.cancel()
    await two.aclose()
    gate.touch()
    assert text_of(await answer) == f"fake says HOLD {gate}"


async def test_a_queued_client_says_that_it_waits(stage: Stage, tmp_path: Path) -> None:
    one, two = stage.provider(), stage.provider()
    gate = tmp_path / "gate"
    answer = asyncio.ensure_future(talk(one, f"HOLD {gate}"))
    await until(lambda: "/v1/chat/completions" in stage.requests(), "the request")
    said: list[object] = []

    async def queue() -> None:
        async for event in two.stream(request("me too")):
            said.append(event)  # noqa: PERF401 - it is looked at in the meantime

    queued = asyncio.ensure_future(queue())
    await until(lambda: len(said) >= 2, "two statuses")
    assert statuses(said) == ["loading fake", "waiting for the engine, which is busy"]  # type: ignore[arg-type]
    gate.touch()
    await asyncio.gather(answer, queued)
    assert text_of(said) == "fake says me too"  # type: ignore[arg-type]


async def test_being_given_back_while_it_loads_ends_it_at_once(stage: Stage) -> None:
    stage.load_with(seconds=3600)
    provider = stage.provider()
    waiting = asyncio.ensure_future(talk(provider, "hello"))
    await until(stage.starts, "a start")
    await provider.aclose()
    assert stage.engines() == []
    with pytest.raises(ProviderError, match="was given back"):
        await waiting


async def test_who_stops_waiting_does_not_stop_the_start(stage: Stage, tmp_path: Path) -> None:
    stage.load_with(seconds=0.3)
    provider = stage.provider()
    first, second = (asyncio.ensure_future(talk(provider, text)) for text in ("one", "two"))
    await until(stage.starts, "a start")
    first.cancel()
    assert text_of(await second) == "fake says two"
    assert len(stage.starts()) == 1


async def test_an_engine_that_dies_in_mid_answer_is_explained_and_started_again(stage: Stage) -> None:
    provider = stage.provider()
    events = await talk(provider, "CRASH")
    assert text_of(events) == "fake says "
    end = end_of(events)
    assert end.finish == "incomplete"
    assert end.error.startswith("The embedded engine was killed (signal 9); it may have run out of memory (fake needs")
    events = await talk(provider, "hello")
    assert statuses(events)[0] == "the engine had stopped: loading fake"
    assert text_of(events) == "fake says hello"


async def test_an_engine_that_dies_before_it_answers_is_an_error_with_the_next_step(stage: Stage) -> None:
    provider = stage.provider()
    with pytest.raises(ProviderError) as caught:
        await talk(provider, "CRASH-AT-ONCE")
    assert "was killed (signal 9)" in caught.value.message
    assert "it is started again with the next prompt" in caught.value.hint
    assert str(stage.log) in caught.value.hint
    assert text_of(await talk(provider, "hello")) == "fake says hello"


async def test_an_engine_that_ended_between_two_requests_is_started_again_at_once(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "hello")
    engine = psutil.Process(stage.starts()[0][0])
    engine.kill()
    engine.wait(SECONDS)  # without a turn of the loop, in which the provider would hear of it
    events = await talk(provider, "again")
    assert statuses(events)[0] == "the engine had stopped: loading fake"
    assert text_of(events) == "fake says again"


async def test_an_engine_that_ends_just_before_the_question_is_explained(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = stage.provider()
    await talk(provider, "hello")
    render = EngineApi.render

    async def last(self: EngineApi, body: Mapping[str, Any]) -> str:
        prompt = await render(self, body)
        engine = psutil.Process(stage.starts()[0][0])
        engine.kill()
        engine.wait(SECONDS)
        return prompt

    monkeypatch.setattr(EngineApi, "render", last)
    with pytest.raises(ProviderError, match="was killed"):
        await talk(provider, "again")


async def test_keys_typed_in_the_terminal_do_not_reach_it(stage: Stage) -> None:
    await talk(stage.provider(), "hello")
    assert {os.getsid(pid) for pid in stage.alive()} == {stage.starts()[0][1]} != {os.getsid(0)}


async def test_both_clients_of_an_engine_that_dies_learn_why(stage: Stage, tmp_path: Path) -> None:
    one, two = stage.provider(), stage.provider()
    await talk(one, "hello")
    await talk(two, "hello")
    with pytest.raises(ProviderError, match="signal 9"):
        await talk(two, "CRASH-AT-ONCE")
    answers = await asyncio.gather(talk(one, "one"), talk(two, "two"))
    assert [text_of(events) for events in answers] == ["fake says one", "fake says two"]
    assert len(stage.starts()) == 2


@pytest.mark.parametrize(
    ("how", "message", "hint"),
    [
        ({"signal": signal.SIGKILL}, "was killed (signal 9) while it loaded fake; it may have run out of mem", "log: "),
        ({"signal": signal.SIGILL}, "This processor cannot run the embedded engine: it lacks AVX2", "another machine"),
        ({"signal": signal.SIGABRT}, "The embedded engine crashed (signal 6) while it loaded fake", "log: "),
        ({"exit": 3}, "The embedded engine ended with exit code 3 while it loaded fake", "log: "),
        ({"error": "no such thing"}, "fake.gguf: no such thing", "`model_file` must be a whole GGUF file; its log: "),
    ],
)
async def test_an_engine_that_does_not_load_says_why(
    stage: Stage, how: dict[str, object], message: str, hint: str
) -> None:
    stage.load_with(**how)
    error = await error_of(stage)
    assert message in error.message
    assert hint in error.hint


async def test_what_a_failed_start_left_does_not_hinder_the_next(stage: Stage) -> None:
    stage.load_with(exit=1)
    provider = stage.provider()
    for _ in range(2):
        with pytest.raises(ProviderError):
            await talk(provider, "hello")
    stage.load_with()
    assert text_of(await talk(provider, "hello")) == "fake says hello"


async def test_nobody_else_can_look_in(stage: Stage) -> None:
    await talk(stage.provider(), "hello")
    folders = [stage.places.engines, stage.places.logs, stage.places.prompts]
    files = [path for folder in folders for path in folder.iterdir()]
    assert {path.suffix for path in files} == {".lock", ".sock", ".log", ".slot"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


async def test_no_key_is_on_a_command_line_or_in_an_environment(stage: Stage) -> None:
    provider = stage.provider()
    await talk(provider, "hello")
    assert provider._engine is not None
    key = provider._engine.task.result().lease.report.key
    assert len(key) >= 24
    for pid in stage.alive():
        process = psutil.Process(pid)
        assert key not in " ".join(process.cmdline())
        assert "not for the engine" not in " ".join(process.environ().values())
        assert key not in " ".join(process.environ().values())


async def test_without_its_key_the_engine_refuses(stage: Stage) -> None:
    import httpx2

    provider = stage.provider()
    await talk(provider, "hello")
    assert provider._engine is not None
    url = provider._engine.task.result().lease.report.url
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{url}/v1/chat/completions", json={"messages": []})
    assert answer.status_code == 401


async def test_a_log_is_kept_once_more_and_stays_bounded(stage: Stage) -> None:
    old = stage.log.with_name(stage.log.name + ".1")
    stage.load_with(log=supervisor.LOG_BYTES + 10)
    provider = stage.provider()
    await talk(provider, "hello")
    await until(lambda: stage.log.stat().st_size == 0, "an emptied log")
    assert old.stat().st_size == supervisor.LOG_BYTES + 11
    await provider.aclose()
    stage.load_with(log=5)
    await talk(provider, "hello")
    assert (stage.log.read_text(), old.stat().st_size) == ("xxxxx\n", 0)


async def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(ProviderError, match="belongs to somebody else"):
        private_folder(link)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ProviderError, match="belongs to somebody else"):
        private_folder(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProviderError) as caught:
        private_folder(tmp_path / "file" / "folder")
    assert "cannot be made: Not a directory" in caught.value.message
    assert "TUI_AGENT_DATA_DIR" in caught.value.hint


async def test_a_long_path_to_the_socket_is_replaced_by_a_short_one(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module.tempfile, "gettempdir", lambda: str(stage.root))
    spec, _ = stage.spec()
    deep = [EngineFolders(tmp_path / ("d" * 90) / name, tmp_path / "log") for name in "ab"]
    paths = {folders.socket(spec) for folders in deep}
    assert len(paths) == 2
    assert {path.parent for path in paths} == {stage.root / f"tui-agent-{os.getuid()}"}
    lease = await share_engine(spec, deep[0], {}, FAKE)
    report = await lease.loaded()
    await lease.close()
    assert (report.state, report.error) == ("ready", "")


async def test_a_supervisor_that_does_not_answer_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(engine_module, "JOIN_SECONDS", 0.0)
    spec, folders = stage.spec()
    private_folder(folders.sockets)
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(folders.socket(spec)))
        frozen.listen()
        monkeypatch.setattr(engine_module, "SUPERVISOR", (sys.executable, "-c", ""))
        with pytest.raises(ProviderError, match="of another tui-agent does not answer"):
            await share_engine(spec, folders, {}, FAKE)


async def test_a_supervisor_that_cannot_start_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "SUPERVISOR", (sys.executable, "-c", "raise SystemExit(1)"))
    spec, folders = stage.spec()
    with pytest.raises(ProviderError, match="could not be started"):
        await share_engine(spec, folders, {}, FAKE)


async def test_a_port_or_file_that_the_supervisor_cannot_have_is_reported(stage: Stage) -> None:
    spec, folders = stage.spec()
    private_folder(folders.sockets)
    folders.socket(spec).mkdir()
    lease = await share_engine(spec, folders, {}, FAKE)
    async with asyncio.timeout(SECONDS):
        report = await lease.loaded()
    assert (report.state, report.code) == ("stopped", None)
    assert "irectory" in report.error
    await lease.close()


async def test_priming_twice_reads_once(stage: Stage) -> None:
    provider = stage.provider()
    assert await prime(provider)
    assert await prime(provider) == []
    assert stage.requests() == ["/completion", "/slots/0?action=save"]
