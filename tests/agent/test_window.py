"""What fills a window: our count, set right by what servers report, and what is known of the window."""

from itertools import accumulate

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tui_agent.agent.context import items, request_size
from tui_agent.agent.learning import Calibration, Learned, Sample, Teachings, calibrate
from tui_agent.agent.requests import with_items
from tui_agent.agent.window import Window, use_of, window_of
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    LoggedEvent,
    ModelSwitched,
    PromptSubmitted,
    Record,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.conversation.messages import Message, ToolCall, ToolSpec, Usage
from tui_agent.providers.protocol import ChatRequest

STARTED = SessionStarted("/x", "p", "m", "ask", "0")


def replied(estimate: int, usage: Usage, provider: str = "p", text: str = "x") -> AssistantReplied:
    return AssistantReplied(text, "", (), "stop", provider, "m", usage, 0.1, estimate=estimate)


def log(*events: LoggedEvent) -> list[Record]:
    return [Record("s", seq, 0.0, event, "") for seq, event in enumerate(events, start=1)]


def test_only_replies_of_the_model_in_use_teach_and_only_where_both_counts_are_known() -> None:
    records = log(
        STARTED,
        replied(100, Usage(120, 5)),
        replied(100, Usage(900, 5), provider="other"),
        replied(0, Usage(120, 5)),
        replied(100, Usage()),
        replied(1000, Usage(50, 5, cached_tokens=1100)),  # a server that leaves out what it had in its cache
        replied(1000, Usage(1200, 5, cached_tokens=1100)),
    )
    same = calibrate([Sample(100, 120), Sample(1000, 1150), Sample(1000, 1200)])
    assert Teachings().of(records, "p", "m") == (same, Learned())
    assert Teachings().of(records, "other", "m")[0] == calibrate([Sample(100, 900)])


@pytest.mark.parametrize(
    ("known", "factor", "replies"),
    [
        ([], 1.0, 0),
        ([(1000, 1200)], 1.2, 1),
        ([(1000, 1100), (2000, 2600), (3000, 3600), (4000, 4800)], 1.2, 3),
        ([(1000, 40)], 1.0, 0),  # no count of the whole prompt
        ([(1000, 9000)], 1.0, 0),
        ([(1000, 1200), (3000, 900)], 1.2, 1),  # only what was not in the cache
        ([(8000, 8000), (3000, 3100)], 1.0333, 2),  # after a summary it is shorter
    ],
)
def test_the_factor_is_learned_from_counts_that_make_sense(
    known: list[tuple[int, int]], factor: float, replies: int
) -> None:
    found = calibrate([Sample(*one) for one in known])
    assert (round(found.factor, 4), found.replies, found.cut) == (factor, replies, None)


@given(
    st.lists(st.integers(60, 3000), min_size=2, max_size=40),
    st.floats(0.6, 2.5),
    st.lists(st.floats(0.97, 1.03), min_size=40, max_size=40),
)
def test_a_server_that_counts_all_is_never_said_to_cut(grown: list[int], factor: float, noise: list[float]) -> None:
    read = accumulate(round(more * factor * wobble) for more, wobble in zip(grown, noise, strict=False))
    found = calibrate([Sample(*one) for one in zip(accumulate(grown), read, strict=True)])
    assert found.cut is None
    assert found.factor == pytest.approx(factor, rel=0.1)


@pytest.mark.promise("P23")
@given(st.integers(4000, 60_000), st.floats(0.7, 1.6), st.integers(300, 2000))
def test_a_server_that_cuts_is_found_out_after_two_of_them(window: int, factor: float, step: int) -> None:
    assume(4 * step * factor < window)
    sizes = [step * turn for turn in range(1, round(2 * window / step / factor) + 8)]
    known = [Sample(size, min(window, round(size * factor))) for size in sizes]
    whole = sum(sample.read < window for sample in known)
    assert calibrate(known[:whole]).cut is None
    clearly = sum(size * factor < 1.1 * window for size in sizes) + 3
    assert calibrate(known[:clearly]).cut == window
    fitting = [*known[:clearly], Sample(step, round(step * factor)), Sample(2 * step, round(2 * step * factor))]
    assert calibrate(fitting).cut == window  # it is not forgotten when what is sent fits


def test_a_server_that_keeps_half_of_its_window_is_found_out() -> None:
    known = [Sample(2000 * turn, 2000 * turn if turn < 5 else 4100) for turn in range(1, 8)]
    found = calibrate(known)
    assert found.cut == 8000 and found.sent == 14_000  # the most that it ever read


def test_a_server_that_takes_more_by_now_is_believed() -> None:
    known = [Sample(2000 * turn, min(6000, 2000 * turn)) for turn in range(1, 7)]
    assert calibrate(known).cut == 6000
    assert calibrate([*known, Sample(14_000, 14_000)]).cut is None


def test_tiny_constant_counts_are_no_cut() -> None:
    assert calibrate([Sample(1000 * turn, 10) for turn in range(1, 9)]) == Calibration()
    assert calibrate([Sample(9000 - 900 * turn, 10) for turn in range(9)]) == Calibration()


def test_a_count_of_what_was_not_in_the_cache_is_no_cut() -> None:
    known = [Sample(2500 + 1500 * turn, 1500 if turn else 2500) for turn in range(9)]
    assert calibrate(known) == Calibration(1.0, 1)


def test_what_errors_told_is_kept_by_model() -> None:
    records = log(
        STARTED,
        Compacted(2, "", "overflow", before=9000),
        ModelSwitched("q", "n"),
        TurnEnded("error", "context", window=4096),
        Compacted(2, "", "overflow", before=500, window=8192),
        ModelSwitched("p", "m"),
        Compacted(2, "", "overflow", before=7000),
        Compacted(2, "", "full", before=100),
    )
    teachings = Teachings()
    assert teachings.of(records[:3], "p", "m")[1] == Learned(None, 9000)
    assert teachings.of(records, "p", "m")[1] == Learned(None, 7000)
    assert teachings.of(records, "q", "n")[1] == Learned(8192)
    assert teachings.of(records[:3], "q", "n")[1] == Learned()  # another log


def test_a_wrong_count_at_the_beginning_does_not_stay() -> None:
    known = [Sample(2000, 5000), *(Sample(2000 + 400 * turn, 2000 + 400 * turn) for turn in range(1, 12))]
    found = calibrate(known)
    assert (found.factor, found.cut) == (1.0, None)


@given(st.integers(1, 20), st.sampled_from([0.5, 2.0, 2.9]), st.lists(st.integers(20, 900), min_size=25, max_size=40))
def test_one_wrong_count_is_no_sign_of_a_server_that_cuts(place: int, wrong: float, grown: list[int]) -> None:
    sizes = [2000 + size for size in accumulate(grown)]
    found = calibrate([Sample(size, round(size * (wrong if at == place else 1))) for at, size in enumerate(sizes)])
    assert found.cut is None and found.factor == pytest.approx(1.0, rel=0.05)


def test_a_server_that_counts_otherwise_from_now_on_is_believed() -> None:
    sizes = [2000 + 300 * turn for turn in range(20)]
    found = calibrate([Sample(size, size if at < 10 else round(size * 0.6)) for at, size in enumerate(sizes)])
    assert found.cut is None and found.factor == pytest.approx(0.6, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "server", "told", "cut", "found"),
    [
        (None, None, Learned(), None, Window(None, "")),
        (32_000, None, Learned(), None, Window(32_000, "settings")),
        (32_000, 8192, Learned(), None, Window(8192, "server")),
        (8192, 8192, Learned(), None, Window(8192, "settings")),
        (None, 32_000, Learned(8192), None, Window(8192, "learned from an error")),
        (None, 32_000, Learned(), 4096, Window(4096, "learned from a cut")),
        (32_000, None, Learned(), 4096, Window(32_000, "settings")),
        (None, None, Learned(None, 10_000), None, Window(None, "", 10_000)),
    ],
)
def test_the_window_is_the_smallest_that_anybody_names(
    settings: int | None, server: int | None, told: Learned, cut: int | None, found: Window
) -> None:
    assert window_of(settings, server, told, cut) == found


@pytest.mark.parametrize(("tokens", "room"), [(4096, 3072), (8192, 6144), (131_072, 126_976), (None, None)])
def test_a_part_of_the_window_is_kept_for_the_reply(tokens: int | None, room: int | None) -> None:
    assert Window(tokens, "server").room == room


def test_without_a_number_a_request_stays_below_what_was_refused() -> None:
    assert Window(None, "", 10_000).room == 8000


def test_the_parts_are_the_whole_request_and_the_largest_things_are_named() -> None:
    call = ToolCall("a", "read_file", '{"file_path":"src/a.py"}')
    last = AssistantReplied("", "", (call,), "tool_calls", "p", "m", Usage(90, 5, 64), 0.1)
    events: list[LoggedEvent] = [
        STARTED,
        PromptSubmitted("what is in src/a.py and why?"),
        last,
        ToolFinished("a", "read_file", "src/a.py", "ok", "word " * 500, 0.1),
        AssistantReplied("It runs.", "", (ToolCall("b", "run_command", "{}"),), "tool_calls", "p", "m", Usage(), 0.1),
        ToolFinished("b", "run_command", "make", "ok", "fine " * 50, 0.1),
    ]
    beginning = ChatRequest("m", (Message("system", "be brief"),), (ToolSpec("t", "does it", {"type": "object"}),))
    sent = items(events)
    use = use_of(beginning, sent, Calibration(2.0, 3), Window(8192, "server"), last)
    assert [(part.name, part.count) for part in use.parts] == [
        *(("system", 1), ("tools", 1), ("summary", 0), ("files", 1), ("results", 1), ("conversation", 3))
    ]
    assert use.total == sum(part.tokens for part in use.parts) == 2 * request_size(with_items(beginning, sent))
    assert (use.largest[0].title, use.largest[0].seq, use.largest[0].tokens) == ("read_file src/a.py", 4, 1002)
    assert [one.title for one in use.largest[1:]][:2] == ["run_command make", "call of read_file"]
    assert (use.window, use.room, use.factor, use.replies, use.source) == (8192, 6144, 2.0, 3, "server")
    assert (use.prompt, use.cached) == (90, 64)
