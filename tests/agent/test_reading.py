"""What is read of a log piece by piece is what the whole of it says."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from tests.agent.test_context import anything, conversations, long_results
from tui_agent.agent.context import items, living, summary_among
from tui_agent.agent.learning import Learned, Teachings
from tui_agent.agent.reading import Conversation
from tui_agent.conversation.events import (
    AssistantReplied,
    Compacted,
    LoggedEvent,
    ModelSwitched,
    Record,
    ResultsTrimmed,
    Rewound,
    SessionStarted,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage


def records_of(events: Sequence[LoggedEvent]) -> list[Record]:
    return [Record("s", seq, 0.0, event, "") for seq, event in enumerate(events, start=1)]


def check(events: list[LoggedEvent], steps: Sequence[int], *, small: bool) -> None:
    records, conversation, place = records_of(events), Conversation(), 0
    for step in [*steps, len(events)]:
        place = min(place + step, len(events))
        known = events[:place]
        assert conversation.items(records[:place], small=small) == items(known, small=small)
        assert conversation.summary(records[:place]) == summary_among(living(known))
        begins = max((event.before_seq for event in known if isinstance(event, Compacted)), default=0)
        further = [ResultsTrimmed(place + 1, 9), Compacted(max(begins, place - 3), "S", "full", quoted=50)]
        told = conversation.items(records[:place], *further, small=small)
        assert told == items([*known, *further], small=small)


steps = st.lists(st.integers(0, 6), max_size=8)


@given(anything, steps, st.booleans())
@example([[Compacted(1, "", "full")], [Compacted(3, "", "full")], [Rewound(2)]], [], False)
def test_any_log_is_read_piece_by_piece_as_it_is_read_whole(
    parts: list[list[LoggedEvent]], steps: list[int], small: bool
) -> None:
    check([event for part in parts for event in part], steps, small=small)


@given(conversations(), st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12), st.booleans())), steps)
def test_turns_with_summaries_and_ways_back_are_read_so_too(
    log: list[LoggedEvent], decided: list[tuple[int, int, bool]], steps: list[int]
) -> None:
    for place, back, rewound in decided:
        at = min(place, len(log))
        log.insert(at, Rewound(max(at + 1 - back, 2)) if rewound else Compacted(max(at + 1 - back, 1), "S", "full"))
    check(log, steps, small=False)


@given(anything, anything, st.booleans())
def test_another_log_or_profile_is_read_anew(
    one: list[list[LoggedEvent]], other: list[list[LoggedEvent]], small: bool
) -> None:
    conversation = Conversation()
    for parts in (one, other, one):
        events: list[LoggedEvent] = [SessionStarted("/x", "p", "m", "ask", "0")]
        events += [event for part in parts for event in part]
        for profile in (small, not small):
            assert conversation.items(records_of(events), small=profile) == items(events, small=profile)


taught = st.one_of(
    st.builds(
        lambda estimate, read, name: AssistantReplied("x", "", (), "stop", "p", name, Usage(read), 0.1, 0.0, estimate),
        st.integers(0, 9000),
        st.none() | st.integers(-5, 9000),
        st.sampled_from("mn"),
    ),
    st.builds(ModelSwitched, st.just("p"), st.sampled_from("mn")),
    st.builds(TurnEnded, st.just("error"), window=st.sampled_from([0, 4096])),
    st.builds(Compacted, st.just(2), st.just(""), st.just("overflow"), before=st.integers(1, 9000)),
    long_results,
)


@given(st.lists(taught, max_size=30), steps)
def test_what_replies_teach_is_read_so_too(events: list[LoggedEvent], steps: list[int]) -> None:
    records, teachings, place = records_of(events), Teachings(), 0
    for step in [*steps, len(events)]:
        place = min(place + step, len(events))
        for model in "mn":
            whole = Teachings().of(records[:place], "p", model)
            assert teachings.of(records[:place], "p", model) == whole
            assert isinstance(whole[1], Learned)
