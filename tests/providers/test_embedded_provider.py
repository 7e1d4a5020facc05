"""What the embedded provider says of itself, what it needs, and how it gets its model."""

import asyncio
import importlib.metadata
import os
import platform
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.embedded_stage import FAKE, Stage, prime, request, statuses, talk
from tests.providers.support import text_of
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ProviderError, WorkspaceError
from tui_agent.providers.embedded import launch, machine
from tui_agent.providers.embedded.catalogue import DEFAULT_MODEL, MODELS, EmbeddedModel
from tui_agent.providers.embedded.child import parameters
from tui_agent.providers.embedded.download import PullProgress
from tui_agent.providers.embedded.launch import Launcher, Meter, chat_template, speaks_chatml
from tui_agent.providers.embedded.messages import EngineJob
from tui_agent.providers.embedded.provider import EmbeddedProvider
from tui_agent.providers.embedded.shared import Shared
from tui_agent.providers.factory import create_provider
from tui_agent.providers.protocol import LLMProvider, ModelInfo, PrimingProvider

SMALL = MODELS[1]


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("e"))


@pytest.fixture
def engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "engine_version", lambda: "1.0")


def catalogue_provider(stage: Stage, **settings: Any) -> EmbeddedProvider:
    made = ProviderSettings(api="embedded", requires_api_key=False, **settings)
    return EmbeddedProvider("embedded", made, stage.environ, places=stage.places, command=FAKE)


def test_the_factory_makes_it() -> None:
    settings = Settings(providers={"mine": ProviderSettings(api="embedded")})
    provider: LLMProvider = create_provider("mine", settings, {})
    assert isinstance(provider, PrimingProvider)
    assert (provider.name, provider.local) == ("mine", True)


async def test_models_are_described_without_an_engine(stage: Stage) -> None:
    provider = catalogue_provider(stage)
    assert [info.id for info in await provider.models()] == [model.name for model in MODELS]
    described = await provider.describe("")
    assert described == ModelInfo(DEFAULT_MODEL, 8192, True, MODELS[0].parameters)
    assert (await catalogue_provider(stage, default_model=SMALL.name).describe("")).id == SMALL.name
    assert (await catalogue_provider(stage, context_length=4096).describe("")).context_length == 4096


async def test_a_file_of_the_user_is_the_only_model(stage: Stage) -> None:
    provider = stage.provider(default_model=DEFAULT_MODEL)
    assert await provider.models() == (ModelInfo("fake", 8192),)
    for name in ("", "fake", DEFAULT_MODEL):
        assert (await provider.describe(name)).id == "fake"
    with pytest.raises(ProviderError) as caught:
        await provider.describe("qwen")
    assert (caught.value.kind, caught.value.hint) == ("model", "there is: fake")


async def test_a_wrong_model_name_says_what_there_is(stage: Stage) -> None:
    provider = catalogue_provider(stage)
    for attempt in (provider.describe("gpt\x1b[31m-9"), talk_to(provider, "gpt\x1b[31m-9")):
        with pytest.raises(ProviderError) as caught:
            await attempt
        assert caught.value.kind == "model"
        assert "\x1b" not in caught.value.message
        assert all(model.name in caught.value.hint for model in MODELS)


async def talk_to(provider: EmbeddedProvider, model: str) -> None:
    from msgspec.structs import replace

    [event async for event in provider.stream(replace(request("hello"), model=model))]


async def test_without_the_engine_nothing_is_fetched(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(launch, "pull", lambda *args: pytest.fail("it was fetched"))
    with pytest.raises(ProviderError) as caught:
        await talk(catalogue_provider(stage), "hello")
    assert (caught.value.kind, caught.value.exit_code) == ("unreachable", 4)
    assert caught.value.hint == "install it: pip install 'tui-agent[local]'"


async def test_an_old_processor_is_refused_before_anything_is_fetched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu sse2 avx fma\n")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
    with pytest.raises(ProviderError) as caught:
        await talk(catalogue_provider(stage), "hello")
    assert caught.value.message == "This processor cannot run the embedded engine: it lacks AVX2 and F16C"


def test_the_system_is_asked_for_instructions_only_where_they_matter() -> None:
    flags = "processor : 0\nflags : fpu avx2 fma f16c\n"
    assert machine.missing_instructions(flags, "x86_64") == ()
    assert machine.missing_instructions("flags : fpu\n", "x86_64") == ("avx2", "fma", "f16c")
    assert machine.missing_instructions("flags : fpu\n", "aarch64") == ()
    assert machine.missing_instructions("", "x86_64") == ()


def cpuinfo(*cores: tuple[int, int]) -> str:
    blocks = (f"processor\t: {n}\nphysical id\t: {a}\ncore id\t\t: {b}\n" for n, (a, b) in enumerate(cores))
    return "\n".join(blocks)


@pytest.mark.parametrize(
    ("cores", "allowed", "quota", "expected"),
    [
        ([(0, 0), (0, 1)], {0, 1}, "", 2),
        ([(0, 0), (0, 1), (0, 0), (0, 1)], {0, 1, 2, 3}, "max 100000", 2),
        ([(0, 0), (1, 0)], {0, 1}, "", 2),
        ([(0, 0), (0, 1), (0, 2)], {1}, "", 1),
        ([(0, n) for n in range(64)], set(range(64)), "", 16),
        ([(0, n) for n in range(8)], set(range(8)), "250000 100000", 3),
        ([(0, 0)], {0}, "1000 100000", 1),
        ([], {0, 1, 2}, "", 3),
    ],
)
def test_a_thread_for_each_core_that_may_be_used(
    cores: list[tuple[int, int]], allowed: set[int], quota: str, expected: int
) -> None:
    assert machine.count_threads(cpuinfo(*cores), allowed, quota) == expected


@given(st.text(), st.sets(st.integers(0, 100), min_size=1), st.text())
def test_whatever_the_system_says_there_is_a_thread(text: str, allowed: set[int], quota: str) -> None:
    assert 1 <= machine.count_threads(text, allowed, quota) <= machine.MOST_THREADS
    machine.missing_instructions(text, "x86_64")


def pulling(steps: list[PullProgress], after: Callable[[EmbeddedModel, Path], None]) -> Any:
    async def pull(
        model: EmbeddedModel, folder: Path, environ: Mapping[str, str]
    ) -> AsyncGenerator[PullProgress, None]:
        for step in steps:
            yield step
            await asyncio.sleep(0.05)  # as long as a face needs to show it
        after(model, folder)

    return pull


@pytest.mark.usefixtures("engine_is_there")
async def test_a_missing_model_is_fetched_once_for_all_who_wait(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[Path] = []

    def arrive(model: EmbeddedModel, folder: Path) -> None:
        path = folder / model.file_name
        folder.mkdir(parents=True)
        path.write_text("{}")
        there.append(path)

    half = PullProgress(SMALL.size // 2, SMALL.size, "downloading", "the hub")
    monkeypatch.setattr(launch, "installed", lambda model, folder: there[0] if there else None)
    monkeypatch.setattr(launch, "pull", pulling([half], arrive))
    provider = catalogue_provider(stage, default_model=SMALL.name)
    primed, events = await asyncio.gather(prime(provider), talk(provider, "hello"))
    downloading = f"downloading {SMALL.name}: 50 % of 0.5 GB"
    assert primed[:2] == statuses(events)[:2] == [downloading, f"loading {SMALL.name}"]
    assert text_of(events) == f"{SMALL.name} says hello"
    assert len(there) == 1
    await provider.aclose()


@pytest.mark.usefixtures("engine_is_there")
async def test_a_disk_that_cannot_take_it_is_an_error_of_the_provider(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(model: EmbeddedModel, folder: Path) -> None:
        raise WorkspaceError("the disk is full", "make room")

    monkeypatch.setattr(launch, "installed", lambda model, folder: None)
    monkeypatch.setattr(launch, "pull", pulling([], full))
    with pytest.raises(ProviderError) as caught:
        await talk(catalogue_provider(stage), "hello")
    assert (caught.value.message, caught.value.hint) == ("the disk is full", "make room")


@pytest.mark.usefixtures("engine_is_there")
async def test_a_missing_file_of_the_user_is_an_error_with_the_key_to_correct(stage: Stage) -> None:
    stage.model.unlink()
    with pytest.raises(ProviderError) as caught:
        await talk(stage.provider(), "hello")
    assert caught.value.kind == "model"
    assert str(stage.model) in caught.value.message
    assert "`model_file` under `providers: embedded:`" in caught.value.hint


def test_the_home_folder_in_a_model_file_is_the_users(stage: Stage) -> None:
    settings = ProviderSettings(api="embedded", model_file="~/m.gguf")
    assert Launcher("embedded", settings, {}, stage.places).file == Path("~/m.gguf").expanduser()


def test_the_rest_of_a_download_is_said_once_it_is_known() -> None:
    meter = Meter("m")

    def said(done: int, now: float, stage: Any = "downloading") -> str:
        return meter.text(PullProgress(done, 1_000_000_000, stage, "hub"), now)

    assert said(100_000_000, 10.0) == "downloading m: 10 % of 1.0 GB"
    assert said(200_000_000, 11.0) == "downloading m: 20 % of 1.0 GB"
    assert said(300_000_000, 14.0) == "downloading m: 30 % of 1.0 GB, 14 s left"
    assert said(300_400_000, 2014.0) == "downloading m: 30 % of 1.0 GB, 117 min left"
    assert said(500_000_000, 2015.0, "checking") == "checking m: 50 % of 1.0 GB"


def test_a_model_with_other_turns_keeps_its_own_template(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.write_bytes(os.urandom(100) + b"<|im_start|>" + os.urandom(100))
    other.write_bytes(b"[INST]")
    assert (speaks_chatml(ours), speaks_chatml(other)) == (True, False)


def test_the_template_is_shipped_and_has_those_turns() -> None:
    assert launch.TURN_MARK.decode() in chat_template()


class Anything:
    """Takes any parameter."""

    def __init__(self) -> None:
        self.model = self.cpuparams = self.cpuparams_batch = self

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def test_the_engine_is_told_to_keep_to_itself() -> None:
    job = EngineJob("/m.gguf", "m", 4096, 3, "template", "/slots")
    made = vars(parameters(job, "the-key", Anything))
    closed = {"hostnames": ["127.0.0.1"], "port": 0, "api_keys": ["the-key"], "cors_origins": "", "ui": False}
    bounded = {"n_ctx": 4096, "n_parallel": 1, "cache_ram_mib": 256, "n_threads": 3, "offline": True}
    asked = {"chat_template": "template", "use_jinja": True, "slot_save_path": "/slots/", "endpoint_slots": True}
    assert {name: made[name] for name in (*closed, *bounded, *asked)} == closed | bounded | asked
    without = vars(parameters(EngineJob("/m.gguf", "m", 4096, 3, "", ""), "the-key", Anything))
    assert "chat_template" not in without
    assert "slot_save_path" not in without


async def test_shared_work_tells_each_watcher_the_latest_and_its_end() -> None:
    go = asyncio.Event()

    async def work(tell: Callable[[str], None]) -> int:
        tell("one")
        tell("two")
        await go.wait()
        tell("three")
        raise ValueError("broken")

    shared = Shared(work)

    async def watch() -> list[str]:
        told = []
        with pytest.raises(ValueError, match="broken"):
            async for text in shared.watch():
                told.append(text)
                go.set()
        return told

    assert await asyncio.gather(watch(), watch()) == [["two"], ["two"]]
    assert shared.failed


async def test_shared_work_that_is_given_up_ends_its_watchers_quietly() -> None:
    async def work(tell: Callable[[str], None]) -> None:
        await asyncio.sleep(3600)

    shared = Shared(work)
    watching = asyncio.ensure_future(anext(shared.watch(), "nothing"))
    await asyncio.sleep(0)
    await shared.stop()
    assert await watching == "nothing"
    assert shared.failed
