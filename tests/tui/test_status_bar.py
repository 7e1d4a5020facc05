"""The line at the top and the line of activity: what they say, and what goes first when there is no room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.content import Content

from tests.tui.stage import Stage
from tui_agent.tui.theming import ASCII
from tui_agent.tui.widgets.activity import Activity, ActivityLine, activity_words
from tui_agent.tui.widgets.status_bar import StatusBar, StatusInfo, short_count, status_parts

FULL = StatusInfo(
    project="/home/u/src/shop",
    branch="main",
    provider="ollama",
    model="qwen2.5:latest",
    profile="small",
    mode="ask",
    context_used=12_400,
    context_limit=32_768,
    sandbox="bwrap",
)


class Bar(Stage):
    def __init__(self, info: StatusInfo) -> None:
        super().__init__()
        self.bar = StatusBar(info, home="/home/u")
        self.heard: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.bar

    def on_status_bar_model_clicked(self) -> None:
        self.heard.append("model")

    def on_status_bar_profile_clicked(self) -> None:
        self.heard.append("profile")

    def on_status_bar_mode_clicked(self) -> None:
        self.heard.append("mode")

    @property
    def line(self) -> str:
        return self.bar.render_line(0).text


async def test_everything_is_there_on_a_wide_screen() -> None:
    app = Bar(FULL)
    async with app.run_test(size=(120, 4)):
        left, _, right = app.line.partition("      ")
        assert left == "tui-agent  ~/src/shop  ⎇ main"
        assert right.strip() == "ollama · qwen2.5:latest  small  ask  sandbox bwrap  ctx ▰▰▱▱▱ 38%"
        assert len(app.line) == 117


async def test_model_and_mode_are_there_at_forty_columns() -> None:
    app = Bar(FULL)
    async with app.run_test(size=(40, 10)):
        assert "qwen2.5:latest  small  ask" in app.line
        assert "ctx 38%" in app.line


def test_an_unknown_limit_shows_tokens_only_and_no_use_shows_nothing() -> None:
    def context(info: StatusInfo) -> list[str]:
        return [part.text for part in status_parts(info, 120)[1] if part.kind == "context"]

    assert context(StatusInfo(context_used=3_100)) == ["ctx 3.1k"]
    assert context(StatusInfo(context_limit=8_192)) == []
    assert context(StatusInfo(context_used=0, context_limit=8_192)) == ["ctx ▱▱▱▱▱ 0%"]
    assert context(StatusInfo(context_used=9_000, context_limit=8_192)) == ["ctx ▰▰▰▰▰ 110%"]


@pytest.mark.parametrize(("used", "style"), [(50, "context"), (80, "nearly-full"), (95, "full"), (140, "full")])
def test_a_full_context_is_coloured(used: int, style: str) -> None:
    _, right = status_parts(StatusInfo(context_used=used, context_limit=100), 120)
    assert right[-1].style == style


names = st.text(max_size=40)


@given(
    st.builds(
        StatusInfo,
        project=names,
        branch=names,
        provider=names,
        model=names,
        profile=st.sampled_from(["", "small"]),
        mode=st.sampled_from(["plan", "ask", "accept-edits", "auto"]),
        reading=st.booleans(),
        context_used=st.none() | st.integers(0, 10**7),
        context_limit=st.none() | st.integers(0, 10**7),
        sandbox=names,
    ),
    st.integers(20, 200),
)
def test_the_parts_always_fit_and_model_and_mode_never_go(info: StatusInfo, width: int) -> None:
    left, right = status_parts(info, width, home="/home/u")
    parts = [*left, *right]
    gaps = 2 * (len(parts) - 1 - sum(part.kind == "provider" for part in parts))
    assert sum(Content(part.text).cell_length for part in parts) + gaps <= width
    assert {"model", "mode"} <= {part.kind for part in parts}
    text = "".join(part.text for part in parts)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)


def test_that_reading_commands_run_is_said_behind_the_mode_as_long_as_there_is_room() -> None:
    info = StatusInfo(model="a-model-of-twenty-xx", mode="accept-edits", reading=True)
    for width, mode in ((120, "accept-edits +reads"), (41, "accept-edits +reads"), (40, "accept-edits")):
        assert [part.text for part in status_parts(info, width)[1] if part.kind == "mode"] == [mode]


def test_ascii_symbols_are_ascii() -> None:
    left, right = status_parts(FULL, 120, "/home/u", ASCII)
    assert "".join(part.text for part in [*left, *right]).isascii()


async def test_a_click_on_model_profile_or_mode_is_posted_and_elsewhere_is_not() -> None:
    app = Bar(FULL)
    async with app.run_test(size=(100, 4)) as pilot:
        line = " " * 2 + app.line
        for word in ("ollama", "qwen", "small", "ask", "tui-agent", "ctx"):
            await pilot.click(StatusBar, offset=(line.index(word) + 1, 0))
        assert app.heard == ["model", "model", "profile", "mode"]


async def test_the_same_facts_paint_nothing() -> None:
    app = Bar(FULL)
    async with app.run_test() as pilot:
        painted: list[object] = []
        app.bar.refresh = lambda *a, **k: painted.append(a)  # type: ignore[method-assign,assignment,return-value]
        app.bar.update_status(StatusInfo(**{name: getattr(FULL, name) for name in FULL.__struct_fields__}))
        assert painted == []
        app.bar.update_status(StatusInfo(model="other"))
        assert len(painted) == 1
        await pilot.pause()


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (3_140, "3.1k"), (9_960, "10k"), (128_000, "128k"), (1_500_000, "1.5M")],
)
def test_counts_are_short(count: int, shown: str) -> None:
    assert short_count(count) == shown


@pytest.mark.parametrize(
    ("activity", "words"),
    [
        (Activity(), []),
        (Activity("waiting", "ollama", since=10, tokens=1_204), ["waiting for ollama", "5 s", "1.2k tokens sent"]),
        (Activity("waiting", since=15), ["waiting for the model", "0 s"]),
        (Activity("receiving", since=5, tokens=120), ["receiving", "10 s", "120 tokens", "12/s"]),
        (Activity("receiving", since=15, tokens=3), ["receiving", "0 s", "3 tokens"]),
        (Activity("tool", "run_command\x1b[2J npm\ntest", since=-110), ["running run_command npm test", "2 min 5 s"]),
        (Activity("preparing", "loading qwen", since=12), ["loading qwen", "3 s"]),
        (Activity("preparing", "reading", since=12, details=("45 %",)), ["reading", "45 %", "3 s"]),
        (Activity("preparing", "downloading", details=("45 %", "9 s left")), ["downloading", "45 %", "9 s left"]),
        (Activity("quiet", "loading\x1b[2J qwen", since=12), ["loading qwen"]),
        (Activity("quiet"), []),
        (Activity("you", "write_file"), ["waiting for you", "write_file"]),
        (Activity("retrying", "503", until=17.2), ["trying again in 3 s", "503"]),
        (Activity("retrying", "503", until=9), ["trying again in 0 s", "503"]),
    ],
)
def test_every_state_reads_differently(activity: Activity, words: list[str]) -> None:
    assert activity_words(activity, 15.0) == words


class Working(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.line = ActivityLine(clock=lambda: 14.0)

    def compose(self) -> ComposeResult:
        yield self.line


async def test_a_timer_runs_only_while_time_counts() -> None:
    app = Working()
    async with app.run_test() as pilot:
        assert not app.line.ticking
        app.line.show(Activity("waiting", since=10))
        assert app.line.ticking
        app.line.show(Activity("tool", "read_file", since=10))
        assert app.line.ticking
        app.line.show(Activity("you", "run_command"))
        assert not app.line.ticking
        app.line.show(Activity("preparing", "loading", since=10))
        assert app.line.ticking
        app.line.show(Activity("quiet", "loading"))
        assert not app.line.ticking, "nobody waits: nothing blinks"
        app.line.show(Activity())
        assert not app.line.ticking
        await pilot.pause()
        assert app.line.size.height == 1, "blank, so that nothing jumps"


async def test_on_a_short_screen_idle_takes_no_line() -> None:
    app = Working()
    async with app.run_test(size=(40, 10)) as pilot:
        assert app.line.size.height == 0
        app.line.show(Activity("quiet", "loading"))
        await pilot.pause()
        assert app.line.size.height == 0
        app.line.show(Activity("waiting", "a-very-long-provider-name · model", since=10, tokens=900))
        await pilot.pause()
        assert app.line.size.height == 1
        assert "4 s" in app.line.render_line(0).text, "the seconds are not cut"
