"""With nothing configured: what was looked for, the model that can be fetched, and how it is got ready unasked."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_html, reply_text
from tests.fakes.file_server import FileServer, Give
from tests.fakes.tiny_model import CONTENT, TINY
from tests.project import Machine
from tests.tui.chat_stage import chat_app, keep_session, screen_text, submit, until
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import ModelSwitched, PromptSubmitted, ProviderStatus, TextDelta, TurnEnded
from tui_agent.conversation.messages import Usage
from tui_agent.providers import discovery
from tui_agent.providers.embedded import catalogue, download
from tui_agent.providers.embedded import machine as embedded_machine
from tui_agent.providers.embedded import provider as embedded_provider
from tui_agent.providers.embedded.download import installed
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo, ProviderEvent
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.picker import PickerScreen
from tui_agent.tui.widgets.prompt import PromptArea

SERVERS = ("ollama", "lmstudio", "llamacpp", "vllm", "jan", "text-generation-webui", "litellm")
SIZES = [(120, 40), (80, 24), (40, 10)]


def says(app: TuiAgent, part: str) -> Callable[[], bool]:
    return lambda: part in " ".join(screen_text(app).split())


def draft(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).draft


def footer(app: TuiAgent) -> str:
    return screen_text(app).splitlines()[-1]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Nothing listens, no key is set, no model is here, and the only one that can be fetched is tiny."""
    made = Machine.under(tmp_path, {})
    configure(made)
    for name in ("OPENAI", "OPENROUTER", "GROQ", "MISTRAL", "DEEPSEEK", "ANTHROPIC", "GEMINI"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    for module in (catalogue, embedded_provider):
        monkeypatch.setattr(module, "MODELS", (TINY,))
    monkeypatch.setattr(embedded_machine, "PACKAGE", "msgspec")  # the engine itself is not needed here
    monkeypatch.setattr(embedded_machine, "NEEDED", ())
    monkeypatch.setattr(download, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(discovery, "START_LIMIT", 5.0)  # this machine may be busy
    return made


def configure(machine: Machine, **servers: str) -> None:
    """The shipped presets, those on this machine moved to ports where nobody is."""
    urls = {name: f"http://127.0.0.1:{port}/v1/" for port, name in enumerate(SERVERS, start=1)} | servers
    providers: dict[str, object] = {name: {"base_url": url, "max_retries": 0} for name, url in urls.items()}
    providers["embedded"] = {"api": "embedded", "default_model": "tiny", "requires_api_key": False}
    machine.configure({"provider": "auto", "providers": providers})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Engine:
    """Stands where the embedded engine would: it is ready when the test says so, and answers what it was asked."""

    name = "embedded"
    local = True

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.failure: ProviderError | None = None
        self.primed: list[ChatRequest] = []
        self.left_early = 0
        self.asked: list[str] = []

    async def prime(self, request: ChatRequest) -> AsyncGenerator[ProviderStatus, None]:
        self.primed.append(request)
        yield ProviderStatus("loading tiny")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.left_early += 1
            raise
        if self.failure is not None:
            raise self.failure
        yield ProviderStatus("reading the prompt")
        yield ProviderStatus("")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.asked.append(request.messages[-1].content)
        yield ProviderStatus("reading the prompt")
        await self.go.wait()
        yield TextDelta(f"Heard {len(self.asked)}.")
        yield Finished("stop", (), Usage())

    async def models(self) -> tuple[ModelInfo, ...]:
        return (ModelInfo("tiny"),)

    async def describe(self, model: str) -> ModelInfo:
        return ModelInfo("tiny", 8192, True, 1_500_000_000)

    async def aclose(self) -> None:
        pass


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The only provider of the kind that runs here."""
    from tui_agent.providers import factory

    made = Engine()
    create = factory.create_provider
    monkeypatch.setattr(
        factory, "create_provider", lambda name, *more: made if name == "embedded" else create(name, *more)
    )
    return made


@contextmanager
def hub(monkeypatch: pytest.MonkeyPatch, *script: Give) -> Iterator[FileServer]:
    """The publisher's hub, and no package index."""
    with FileServer(CONTENT, script or (Give(),)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        yield server


def put_model(machine: Machine) -> None:
    folder = machine.home / "data" / "models"
    folder.mkdir(parents=True)
    (folder / TINY.file_name).write_bytes(CONTENT)


def model_is_here(machine: Machine) -> bool:
    return installed(TINY, machine.home / "data" / "models") is not None


# ---- nobody answers ----


@pytest.mark.parametrize("size", SIZES)
async def test_the_offer_and_its_key_are_in_view_when_nobody_answers(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=size) as pilot:
        await until(pilot, says(app, "f6 downloads and starts it (0 MB)"))
        for part in ("Apache-2.0", "needs 100 kB of memory", "nothing but tests", "no model"):
            assert says(app, part)(), part
        await until(pilot, lambda: "f6 download f5 look again" in " ".join(footer(app).split()), "the keys")


@pytest.mark.parametrize("size", SIZES, ids=["wide", "classic", "tiny"])
def test_the_first_run_looks_as_designed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool], size: tuple[int, int]
) -> None:
    app = chat_app(machine, monkeypatch)

    async def ready(pilot: object) -> None:
        await until(pilot, lambda: says(app, "f6 downloads")() and "f5 look" in footer(app), "the offer")  # type: ignore[arg-type]

    assert snap_compare(app, terminal_size=size, run_before=ready)


async def test_what_was_looked_for_is_said_with_each_address_and_key(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(models=()) as empty, ChatServer(models_reply=reply_html()) as web:
        configure(machine, ollama=empty.url, llamacpp=web.url)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, says(app, "nothing listens on 127.0.0.1: 2 (lmstudio), 4 (vllm), 5 (jan)"))
            assert says(app, f"127.0.0.1:{web.port} (llamacpp) answers, but is no model server")()
            assert says(app, f"127.0.0.1:{empty.port} (ollama) is up, but has no model: ollama pull qwen2.5")()
            assert says(app, "no key is set: OPENAI_API_KEY, OPENROUTER_API_KEY")()
            assert says(app, "start a server: ")() and says(app, "export OPENAI_API_KEY=…")()


async def test_without_the_engine_the_offer_is_how_to_get_it(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_machine, "PACKAGE", "not-there")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(
            pilot, says(app, "The embedded engine is not installed; install it: pip install 'tui-agent[local]'")
        )
        assert "f6" not in footer(app)
        await pilot.press("f6")
        await submit(pilot, "/download")
        await until(pilot, says(app, "The embedded engine is not installed → install it"))
        assert not (machine.home / "data" / "models").exists()


async def test_a_prompt_nobody_can_answer_comes_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await submit(pilot, "hello")
        await until(pilot, says(app, "no model answers yet"))
        assert says(app, "f6 downloads tiny, f5 looks again when a server is up")()
        assert draft(app) == "hello"


async def test_a_server_started_meanwhile_is_found_by_key_or_by_asking(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    configure(machine, llamacpp=f"http://127.0.0.1:{port}/v1/")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, says(app, "no model answers here yet"))
        await pilot.press("f5")
        await until(pilot, says(app, "looked again: nobody answers"))
        with ChatServer([reply_text("Here I am.")], port=port):
            await pilot.press("f5")
            await until(pilot, says(app, "llamacpp · fake-model"))
            await until(pilot, says(app, f"llamacpp answers on 127.0.0.1:{port} with 1 model"))
            await until(pilot, lambda: "f5" not in footer(app) and "f6" not in footer(app), "other keys")
            await submit(pilot, "hello")
            await until(pilot, says(app, "Here I am."))


async def test_a_prompt_is_sent_when_a_server_was_started_meanwhile(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    configure(machine, llamacpp=f"http://127.0.0.1:{port}/v1/")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, says(app, "no model answers here yet"))
        with ChatServer([reply_text("Here I am.")], port=port):
            await submit(pilot, "hello")
            await until(pilot, says(app, "Here I am."))


# ---- the download ----


async def test_one_key_downloads_it_and_prompts_wait_for_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    with hub(monkeypatch, Give(pace=0.06)):
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, says(app, "f6 downloads"))
            await pilot.pause(0.5)
            await pilot.press("f6")
            await until(pilot, says(app, "downloading tiny"))
            await until(pilot, lambda: says(app, "getting Tiny 0.1K")() and "esc stop" in footer(app), "a way to stop")
            await submit(pilot, "hello")
            await until(pilot, says(app, "after the download hello"))
            await until(pilot, says(app, "• loading tiny"))
            assert not engine.asked and model_is_here(machine)
            engine.go.set()
            await until(pilot, says(app, "Heard 1."))
            await until(pilot, says(app, "tiny is ready"))
            await until(pilot, says(app, "embedded · tiny small ask"))
            assert engine.asked == ["hello"] and "alt+↑" not in screen_text(app)


async def test_esc_stops_the_download_gives_prompts_back_and_the_key_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    engine.go.set()
    with hub(monkeypatch, Give(stall_after=50_000), Give()) as server:
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, says(app, "f6 downloads"))
            await pilot.pause(0.5)
            await pilot.press("f6")
            await until(pilot, says(app, "50 %"))
            await submit(pilot, "hello")
            await until(pilot, says(app, "after the download hello"))
            await pilot.press("escape")
            await until(pilot, says(app, "download stopped at 50 % → f6 goes on from there"))
            await until(pilot, says(app, "f6 goes on with the download"))
            assert draft(app) == "hello"
            await until(pilot, lambda: "alt+↑" not in screen_text(app), "an empty queue")
            assert server.gone.wait(5)
            await pilot.pause(0.5)
            await pilot.press("f6")
            await until(pilot, says(app, "tiny is ready"))
            assert server.ranges[1].startswith("bytes=")
            assert not engine.asked, "what came back is sent by the user, or not"


async def test_a_download_that_fails_says_why_once_and_gives_prompts_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    with hub(monkeypatch, Give(content=bytes(len(CONTENT)), pace=0.005)):
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, says(app, "f6 downloads"))
            await pilot.pause(0.5)
            await pilot.press("f6")
            await until(pilot, says(app, "downloading tiny"))
            await submit(pilot, "hello")
            await until(pilot, says(app, "No source gave tiny"))
            assert draft(app) == "hello"
            await until(pilot, lambda: says(app, "no model answers here yet")() and "f6 download" in footer(app), "it")
            assert not model_is_here(machine) and not engine.primed


async def test_the_key_does_nothing_before_the_offer_could_be_read(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(monkeypatch) as server:
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            while not says(app, "f6 downloads")():
                await pilot.press("f6")
            await pilot.press("f6")
            await pilot.pause(0.2)
            assert says(app, "f6 downloads")() and not server.asked


async def test_choosing_it_in_the_picker_downloads_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    engine.go.set()
    with hub(monkeypatch), ChatServer([reply_text("Hello from a server.")]) as server:
        configure(machine, ollama=server.url)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "Hello from a server."))
            await pilot.press("f2")
            await until(pilot, lambda: isinstance(app.screen, PickerScreen), "the picker")
            await pilot.press(*"tiny")
            await until(pilot, says(app, "choosing it downloads 0 MB"))
            assert not model_is_here(machine)
            await pilot.press("enter")
            await until(pilot, says(app, "tiny is ready → nothing but tests"))
            await until(pilot, says(app, "embedded · tiny answers from here on"))
            assert model_is_here(machine)


async def test_naming_it_on_the_command_line_downloads_it_without_asking(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    engine.go.set()
    with hub(monkeypatch):
        app = chat_app(machine, monkeypatch, "--provider", "embedded")
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, says(app, "tiny is ready"))
            assert model_is_here(machine)


async def test_a_session_of_old_downloads_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    await keep_session(machine, [PromptSubmitted("hi"), ModelSwitched("embedded", "tiny"), TurnEnded("done")])
    with hub(monkeypatch) as server:
        app = chat_app(machine, monkeypatch, "--continue")
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, says(app, "embedded · tiny"))
            await pilot.pause(0.2)
            assert not server.asked and not engine.primed


# ---- getting ready in the background ----


async def test_it_is_got_ready_while_the_user_reads_and_a_prompt_waits_for_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    put_model(machine)
    app = chat_app(machine, monkeypatch, "--provider", "embedded")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, says(app, "• loading tiny"))
        assert "esc" not in footer(app), "nobody waits for it yet"
        await until(pilot, says(app, "Tiny 0.1K · 0 MB · runs on this machine nothing but tests"))
        await submit(pilot, "hello")
        await until(pilot, says(app, "after loading hello"))
        await until(pilot, lambda: "esc stop" in footer(app), "a way to stop")
        await pilot.press("escape")
        await until(pilot, lambda: draft(app) == "hello", "the prompt again")
        assert says(app, "• loading tiny")() and not engine.left_early, "it goes on in the background"
        await pilot.press("enter")
        engine.go.set()
        await until(pilot, says(app, "Heard 1."))
        await until(pilot, lambda: not says(app, "reading the prompt")(), "silence")
        assert len(engine.primed) == 1 and engine.asked == ["hello"]


async def test_switching_to_another_provider_ends_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    put_model(machine)
    with ChatServer([reply_text("Hello from a server.")]) as server:
        configure(machine, ollama=server.url)
        app = chat_app(machine, monkeypatch, "--provider", "embedded")
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, says(app, "• loading tiny"))
            await submit(pilot, "/model ollama/fake-model")
            await until(pilot, says(app, "ollama · fake-model"))
            await until(pilot, lambda: engine.left_early == 1, "the end of it")
            await until(pilot, lambda: "loading" not in screen_text(app), "silence")
            await submit(pilot, "hello")
            await until(pilot, says(app, "Hello from a server."))


async def test_a_failure_to_get_ready_is_said_once_with_the_next_step(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    put_model(machine)
    engine.failure = ProviderError("server", "the engine ended", "look into its log")
    engine.go.set()
    app = chat_app(machine, monkeypatch, "--provider", "embedded")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, says(app, "the engine ended → look into its log"))
        await pilot.pause(0.2)
        assert screen_text(app).count("the engine ended") == 1
        await submit(pilot, "hello")
        await until(pilot, says(app, "Heard 1."))


async def test_what_the_provider_does_is_told_while_a_turn_waits(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    put_model(machine)
    engine.go.set()
    app = chat_app(machine, monkeypatch, "--provider", "embedded")
    async with app.run_test(size=(40, 10)) as pilot:
        await until(pilot, lambda: bool(engine.primed) and not app.chat._standby.going, "a ready engine")
        engine.go.clear()
        await submit(pilot, "hello")
        await until(pilot, says(app, "reading the prompt"))
        engine.go.set()
        await until(pilot, says(app, "Heard 1."))
        await until(pilot, lambda: "reading" not in screen_text(app), "silence")


# ---- somebody answers ----


async def test_the_first_screen_says_who_else_is_up_and_which_keys_are_not_used(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with ChatServer(models=("a", "b", "c")) as first, ChatServer() as second:
        configure(machine, llamacpp=first.url, lmstudio=second.url)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, says(app, f"llamacpp answers on 127.0.0.1:{first.port} with 3 models"))
            await until(pilot, says(app, f"also up: lmstudio on 127.0.0.1:{second.port} with 1 model"))
            assert says(app, "OPENAI_API_KEY (openai) is set, not used")()
            assert "sk-secret" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_found_by_chance_is_named_with_its_provider_before_anything_is_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-secret")
    monkeypatch.setenv("MISTRAL_API_KEY", "m-secret")
    app = chat_app(machine, monkeypatch)
    async with app.run_test(size=size) as pilot:
        await until(pilot, says(app, "GROQ_API_KEY is set, the key of groq: what you ask goes to groq (api.groq.com)"))
        assert size == (40, 10) or says(app, "MISTRAL_API_KEY (mistral) is set, not used")()
        assert "secret" not in screen_text(app)


async def test_the_profile_is_shown_with_its_reason_and_can_be_changed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    put_model(machine)
    engine.go.set()
    app = chat_app(machine, monkeypatch, "--provider", "embedded")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(
            pilot, says(app, "small profile (1.5 billion parameters): few tools and a short prompt f8 changes it")
        )
        await until(pilot, says(app, "embedded · tiny small ask"))
        await until(pilot, lambda: bool(engine.primed), "the first request")
        few = len(engine.primed[0].tools)
        await pilot.press("f8")
        await until(pilot, says(app, "embedded · tiny ask"))
        await until(pilot, lambda: len(engine.primed[-1].tools) > few, "all tools")
        await submit(pilot, "/profile auto")
        await until(pilot, says(app, "embedded · tiny small ask"))
        await submit(pilot, "/profile huge")
        await until(pilot, says(app, "no profile is called huge → profiles are auto, small, full"))


async def test_the_settings_choose_the_profile_of_a_server(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("Hello.")]) as server:
        fake = {"base_url": server.url, "default_model": "big", "requires_api_key": False, "profile": "small"}
        machine.configure({"provider": "fake", "providers": {"fake": fake}})
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, says(app, "fake · big small ask"))
            await until(pilot, says(app, "small profile (set by you)"))


async def test_a_small_model_of_a_server_is_known_before_anything_is_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer(models=("qwen2.5-coder:1.5b",)) as server:
        configure(machine, llamacpp=server.url)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, says(app, "llamacpp · qwen2.5-coder:1.5b small ask"))
            assert not server.requests
