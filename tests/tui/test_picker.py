"""The provider picker: live states as they come in, filtering, and no silent choice of a server that is down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.tui.stage import Stage
from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ProviderError
from tui_agent.providers.protocol import ModelInfo, ProbeResult
from tui_agent.tui.host import Offer
from tui_agent.tui.screens.picker import Choice, PickerScreen, ProviderRow, provider_rows
from tui_agent.tui.theming import ASCII

ROWS = (
    ProviderRow("llamacpp", "http://localhost:8080/v1", local=True),
    ProviderRow("ollama", "http://localhost:11434/v1/", local=True),
    ProviderRow("openai", "https://api.openai.com/v1", key_variable="OPENAI_API_KEY", key_present=False),
    ProviderRow("openrouter", "https://openrouter.ai/api/v1", key_variable="OPENROUTER_API_KEY", key_present=True),
    ProviderRow("silent", "http://localhost:1", local=True),
)
OLLAMA = ProbeResult(
    "ollama",
    "up",
    0.003,
    (
        ModelInfo("qwen2.5:latest", 32_768, True),
        ModelInfo("llama3.2:latest", 131_072, True),
        ModelInfo("phi3\x1b[31m:mini", None, False),
        ModelInfo("strange", None, None),
    ),
)
DOWN = ProbeResult(
    "llamacpp", "down", None, (), "Connection refused to localhost:8080", "start it: `llama-server -m M`"
)
NO_KEY = ProbeResult("openai", "no key", None, (), "API key not found", "export OPENAI_API_KEY=…\nor: a\n  b: c")
MANY = ProbeResult("openrouter", "up", 1.25, tuple(ModelInfo(f"vendor-{n % 50}/model-{n}", 8192) for n in range(2000)))


def test_a_server_that_is_down_shows_the_command_that_starts_it() -> None:
    settings = Settings(providers={"local": ProviderSettings(base_url="http://localhost:1/v1", start_hint="serve it")})
    row = provider_rows(settings, {})[0]
    down = ProbeResult("local", "down", None, (), "Connection refused", "nothing listens for local; start it: serve it")
    picker = PickerScreen([row], lambda names: answers(down), provider="", model="")
    picker._results["local"] = down
    assert picker._draw_unusable(row, "down", 80).plain.split("down")[1].strip() == "serve it"


def answers(*results: ProbeResult) -> AsyncIterator[ProbeResult]:
    async def stream() -> AsyncIterator[ProbeResult]:
        for result in results:
            yield result

    return stream()


class Picking(Stage):
    def __init__(self, *results: ProbeResult, rows: Sequence[ProviderRow] = ROWS, **more: object) -> None:
        super().__init__()
        self.picker = PickerScreen(
            rows, lambda names: answers(*results), provider="ollama", model="qwen2.5:latest", **more
        )  # type: ignore[arg-type]
        self.chosen: object = "nothing yet"

    def on_mount(self) -> None:
        self.push_screen(self.picker, lambda chosen: setattr(self, "chosen", chosen))

    @property
    def text(self) -> str:
        choices = self.picker._list
        return "\n".join(choices.render_line(y).text for y in range(choices.size.height))

    @property
    def note(self) -> str:
        return str(self.picker._note.render())


async def settle(pilot: Pilot[object]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_states_models_and_advice_are_shown() -> None:
    app = Picking(DOWN, OLLAMA, NO_KEY, MANY)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        lines = {line.split()[0]: line for line in app.text.splitlines() if line.strip(" ›")}
        assert "3 ms" in lines["ollama"] and "localhost:11434" in lines["ollama"]
        assert "1.2 s" in lines["openrouter"] and "OPENROUTER_API_KEY set" in lines["openrouter"]
        assert "tools" in lines["llama3.2:latest"] and "128k" in lines["llama3.2:latest"]
        assert "no tools" in lines["phi3:mini"] and "context unknown" in lines["phi3:mini"]
        assert "tools unknown" in lines["strange"]
        assert "down" in lines["llamacpp"] and "llama-server" in lines["llamacpp"]
        assert "no key" in lines["openai"] and "export OPENAI_API_KEY=…" in lines["openai"]
        assert "no answer" in lines["silent"]
        assert "1,990 more: type to filter" in app.text
        assert "2 of 5 up" in str(app.picker._title.render())
        assert "\x1b" not in app.text


async def test_an_answer_that_comes_when_the_picker_was_left_ends_nothing() -> None:
    app = Picking(OLLAMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert app.chosen is None and not app.picker.children
        app.picker._asked = {"llamacpp"}
        app.picker._probe = lambda names: answers(DOWN)
        await app.picker._ask({"llamacpp", "silent"})
        app.picker._asked = {"silent"}
        await app.picker._ask({"silent"})


async def test_the_model_in_use_is_marked_and_highlighted() -> None:
    app = Picking(DOWN, MANY, OLLAMA)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        line = next(line for line in app.text.splitlines() if "in use" in line)
        assert line.startswith("› ") and "qwen2.5:latest" in line


async def test_enter_gives_provider_and_model() -> None:
    app = Picking(DOWN, OLLAMA)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.chosen == ("ollama", "llama3.2:latest")


async def test_escape_gives_none() -> None:
    app = Picking(OLLAMA)
    async with app.run_test() as pilot:
        await pilot.press("escape")
        await pilot.pause()
        assert app.chosen is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("llamacpp", ["Connection refused to localhost:8080", "start it: `llama-server -m M`"]),
        ("openai", ["API key not found", "export OPENAI_API_KEY=…", "  b: c"]),
        ("silent", ["silent did not answer at localhost:1"]),
    ],
)
async def test_choosing_a_provider_that_cannot_be_used_says_why(words: str, told: list[str]) -> None:
    app = Picking(DOWN, OLLAMA, NO_KEY)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(*words, "enter")
        await pilot.pause()
        assert app.chosen == "nothing yet" and app.screen is app.picker
        for piece in told:
            assert piece in app.note
        await pilot.press("backspace")
        assert told[0] not in app.note, "gone when something else is done"


async def test_a_provider_that_is_up_without_models_cannot_be_chosen() -> None:
    app = Picking(ProbeResult("ollama", "up", 0.1, (), hint="ollama pull qwen2.5"))
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"ollama", "enter")
        assert "serves no model\nollama pull qwen2.5" in app.note


async def test_words_filter_by_provider_and_model_in_any_order() -> None:
    app = Picking(OLLAMA, MANY)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"199 OpenRouter")
        await pilot.pause()
        shown = [row.key for row in app.picker._list._rows if row.key is not None]
        assert shown == [Choice("openrouter", f"vendor-{n % 50}/model-{n}") for n in (199, 1199, *range(1990, 2000))]
        await pilot.press(*"zzz")
        await pilot.pause()
        assert "nothing fits the filter" in app.text


async def test_a_quick_enter_chooses_from_what_was_typed_before_it() -> None:
    app = Picking(OLLAMA, MANY)
    async with app.run_test() as pilot:
        await settle(pilot)
        for key in [*"1234", "enter"]:
            app.simulate_key(key)
        await pilot.pause()
        assert app.chosen == ("openrouter", "vendor-34/model-1234")


async def test_answers_that_come_later_leave_the_cursor_where_the_user_put_it() -> None:
    go = asyncio.Event()

    async def slowly(names: object) -> AsyncIterator[ProbeResult]:
        yield OLLAMA
        await go.wait()
        yield MANY
        yield DOWN

    app = Picking()
    app.picker._probe = slowly
    async with app.run_test() as pilot:
        await pilot.pause()
        assert "asking 4" in str(app.picker._title.render())
        await pilot.press("down")
        go.set()
        await settle(pilot)
        assert app.picker._list.selected == Choice("ollama", "llama3.2:latest")


async def test_refresh_asks_again_and_a_second_refresh_replaces_the_first() -> None:
    asked: list[int] = []
    never = asyncio.Event()

    async def probe(names: object) -> AsyncIterator[ProbeResult]:
        asked.append(len(asked))
        if len(asked) == 1:
            await never.wait()
        yield OLLAMA

    app = Picking()
    app.picker._probe = probe
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("f5")
        await settle(pilot)
        assert asked == [0, 1]
        assert "1 of 5 up" in str(app.picker._title.render())


EMBEDDED = ProviderRow("embedded", "", local=True)
OFFER = Offer(
    provider="embedded",
    model="qwen-mini",
    title="Qwen Mini",
    size=1_117_320_768,
    licence="Apache-2.0",
    memory="4 GB of memory",
    good_for="a mini model: good for look-ups",
    installed=False,
)


class Local(Picking):
    """With a model that needs no server."""

    def __init__(self, *offers: Offer) -> None:
        super().__init__(OLLAMA, DOWN, rows=[*ROWS, EMBEDDED])
        self.offers = list(offers)
        self.picker._find_offers = lambda: self.offers

    def line(self, word: str) -> str:
        return next(line for line in self.text.splitlines() if word in line)


async def test_a_model_that_needs_no_server_says_what_choosing_it_downloads() -> None:
    app = Local(OFFER)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "local, without a server" in app.line("embedded")
        assert "1.1 GB to download" in app.line("qwen-mini")
        await pilot.press(*"qwen-mini")
        for part in ("Apache-2.0", "4 GB of memory", "good for look-ups", "choosing it downloads 1.1 GB"):
            assert part in app.note
        await pilot.press("enter")
        await pilot.pause()
        assert app.chosen == ("embedded", "qwen-mini")


async def test_a_download_and_its_end_are_shown_while_the_list_is_open(watching: None) -> None:
    app = Local(OFFER)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.offers = [replace(OFFER, here=300_000_000)]
        while "26 % of 1.1 GB here" not in app.line("qwen-mini"):
            await pilot.pause(0.01)
        app.offers = [replace(OFFER, installed=True)]
        while "context unknown" not in app.line("qwen-mini"):
            await pilot.pause(0.01)
        assert "download" not in app.line("qwen-mini")


@pytest.mark.parametrize("installed", [False, True])
async def test_without_its_engine_a_model_cannot_be_chosen_and_says_what_gets_it(installed: bool) -> None:
    app = Local(replace(OFFER, installed=installed, problem="no engine", remedy="pip install engine"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(*"qwen-mini", "enter")
        await pilot.pause()
        assert app.chosen == "nothing yet" and "no engine\npip install engine" in app.note


class Servers:
    """What answers changes while the list is open."""

    def __init__(self, *results: ProbeResult) -> None:
        self.results = results
        self.rounds: list[set[str]] = []

    async def probe(self, names: Collection[str]) -> AsyncIterator[ProbeResult]:
        self.rounds.append(set(names))
        for result in self.results:
            if result.provider in names:
                yield result

    async def next_round(self, pilot: Pilot[object]) -> None:
        done = len(self.rounds) + 1
        while len(self.rounds) <= done:
            await pilot.pause(0.01)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_agent.tui.screens.picker.WATCH", 0.02)


async def test_a_server_that_comes_up_appears_by_itself_and_keeps_the_cursor(watching: None) -> None:
    up = ProbeResult("llamacpp", "up", 0.002, (ModelInfo("qwen3"), ModelInfo("qwen3-big")))
    servers = Servers(OLLAMA, DOWN)
    app = Picking()
    app.picker._probe = servers.probe
    async with app.run_test(size=(80, 24)) as pilot:
        await servers.next_round(pilot)
        while app.picker._list.selected != Choice("llamacpp", ""):
            await pilot.press("down")
        servers.results = (OLLAMA, up)
        await servers.next_round(pilot)
        assert app.picker._list.selected == Choice("llamacpp", "qwen3")
        servers.results = (OLLAMA, DOWN)
        await servers.next_round(pilot)
        assert app.picker._list.selected == Choice("llamacpp", "")
        await pilot.press("enter")
        assert app.chosen == "nothing yet" and "Connection refused" in app.note


async def test_only_servers_of_this_machine_are_looked_at_again_and_without_a_word(watching: None) -> None:
    servers = Servers(OLLAMA, DOWN, NO_KEY, MANY)
    app = Picking()
    app.picker._probe = servers.probe
    async with app.run_test(size=(80, 24)) as pilot:
        await servers.next_round(pilot)
        painted: list[object] = []
        app.picker._list.show = lambda *rows: painted.append(rows)  # type: ignore[method-assign]
        servers.results = tuple(
            replace(result, latency=result.latency and result.latency * 1.5) for result in servers.results
        )
        await servers.next_round(pilot)
        assert servers.rounds[0] == {"llamacpp", "ollama", "openai", "openrouter", "silent"}
        assert all(names == {"llamacpp", "ollama", "silent"} for names in servers.rounds[1:])
        assert painted == [], "nothing new, nothing painted"
        servers.results = (replace(OLLAMA, latency=0.5),)
        await servers.next_round(pilot)
        assert painted, "much slower is new"
        assert "asking" not in str(app.picker._title.render())


async def test_nothing_is_asked_once_the_list_is_closed(watching: None) -> None:
    servers = Servers(OLLAMA)
    app = Picking()
    app.picker._probe = servers.probe
    async with app.run_test() as pilot:
        await servers.next_round(pilot)
        await pilot.press("escape")
        await pilot.pause()
        asked = len(servers.rounds)
        await pilot.pause(0.1)
        assert len(servers.rounds) == asked


@pytest.mark.parametrize("error", [ProviderError("protocol", "not JSON"), RuntimeError("odd"), OSError("no route")])
async def test_a_probe_that_fails_leaves_the_picker_usable(error: Exception) -> None:
    async def probe(names: object) -> AsyncIterator[ProbeResult]:
        yield OLLAMA
        raise error

    app = Picking()
    app.picker._probe = probe
    async with app.run_test() as pilot:
        await settle(pilot)
        assert f"the servers could not all be asked: {error}" in app.note
        await pilot.press("enter")
        await pilot.pause()
        assert app.chosen == ("ollama", "qwen2.5:latest")


async def test_leaving_stops_asking() -> None:
    closed = asyncio.Event()

    async def probe(names: object) -> AsyncIterator[ProbeResult]:
        try:
            await asyncio.Event().wait()
            yield OLLAMA
        finally:
            closed.set()

    app = Picking()
    app.picker._probe = probe
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("escape")
        await asyncio.wait_for(closed.wait(), 5)


async def test_a_click_moves_and_a_second_click_chooses() -> None:
    app = Picking(OLLAMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        y = next(y for y, line in enumerate(app.text.splitlines()) if "llama3.2" in line)
        await pilot.click("ChoiceList", offset=(6, y))
        assert app.picker._list.selected == Choice("ollama", "llama3.2:latest")
        await pilot.click("ChoiceList", offset=(6, y))
        await pilot.pause()
        assert app.chosen == ("ollama", "llama3.2:latest")


async def test_it_works_at_forty_by_ten() -> None:
    app = Picking(DOWN, OLLAMA, NO_KEY, MANY)
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        assert app.picker._list.size.height >= 4
        assert all(len(line) <= 40 for line in app.text.splitlines())
        for _ in range(12):
            await pilot.press("pagedown")
        assert "silent" in app.text


async def test_ascii_symbols_draw_ascii_only() -> None:
    app = Picking(DOWN, OLLAMA, symbols=ASCII)
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        assert app.text.isascii()


def test_provider_rows_tell_where_a_key_comes_from() -> None:
    settings = Settings(
        providers={
            "ollama": ProviderSettings(base_url="http://localhost:11434/v1", requires_api_key=False),
            "open-ai": ProviderSettings(base_url="https://api.openai.com/v1"),
            "groq": ProviderSettings(base_url="https://api.groq.com/openai/v1", api_key_env="MY_KEY"),
        }
    )
    assert provider_rows(settings, {"MY_KEY": "secret"}) == [
        ProviderRow("ollama", "http://localhost:11434/v1/", True, "OLLAMA_API_KEY", None),
        ProviderRow("open-ai", "https://api.openai.com/v1/", False, "OPEN_AI_API_KEY", False),
        ProviderRow("groq", "https://api.groq.com/openai/v1/", False, "MY_KEY", True),
    ]


def test_provider_rows_show_the_address_that_is_asked() -> None:
    settings = Settings(
        providers={
            "ollama": ProviderSettings(base_url="http://localhost:11434/v1/", requires_api_key=False),
            "bedrock": ProviderSettings(base_url="https://bedrock-runtime.{region}.amazonaws.com/openai/v1"),
        }
    )
    rows = provider_rows(settings, {"OLLAMA_HOST": "gpu.lan:9999", "AWS_REGION": "eu-west-1"})
    assert [(row.base_url, row.local) for row in rows] == [
        ("http://gpu.lan:9999/v1/", False),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1/", False),
    ]


SIZES = {"wide": (120, 40), "usual": (80, 24), "small": (40, 10)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_picker_looks(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert snap_compare(Picking(DOWN, OLLAMA, NO_KEY, MANY), terminal_size=size, run_before=settle)
