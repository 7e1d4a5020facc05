"""What requests cost, what a session used, and when a run of the program stops."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.agent.spending import (
    Limits,
    Meter,
    Spent,
    cost_of,
    limit_reached,
    spent,
    spent_in_turn,
    tokens_written,
    uncounted,
)
from tui_agent.config.model import Price
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    LoggedEvent,
    PromptSubmitted,
    Record,
    Rewound,
    SessionStarted,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.text.money import money
from tui_agent.text.tokens import estimate as tokens_of

COUNTS = st.integers(0, 10_000_000)
MONEY = st.floats(0, 10_000)
PRICES = st.builds(Price, input=MONEY, output=MONEY, cached=st.none() | MONEY)
USAGES = st.builds(Usage, st.none() | COUNTS, st.none() | COUNTS, st.none() | COUNTS, st.none() | COUNTS)


def reply(usage: Usage, cost: float | None = None, estimate: int = 0, text: str = "Yes.") -> AssistantReplied:
    return AssistantReplied(text, "", (), "stop", "p", "m", usage, 1.0, estimate=estimate, cost=cost)


def records(*events: LoggedEvent) -> Sequence[Record]:
    return [Record("s", place, 0.0, event, "") for place, event in enumerate(events, 1)]


# ---- cost ----


def test_the_cost_is_by_the_million_with_cached_tokens_as_a_part_of_the_prompt() -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=600_000)
    assert cost_of(usage, Price(input=2, output=8), prompt=0, reply=0) == pytest.approx(2.8)
    assert cost_of(usage, Price(input=2, output=8, cached=0.5), prompt=0, reply=0) == pytest.approx(0.8 + 0.3 + 0.8)


@given(USAGES, PRICES, COUNTS, COUNTS)
def test_a_cost_lies_between_its_cheapest_and_its_dearest_reading(
    usage: Usage, price: Price, prompt: int, written: int
) -> None:
    cost = cost_of(usage, price, prompt=prompt, reply=written)
    assert cost is not None
    sent, out = usage.prompt_tokens or prompt, usage.completion_tokens or written
    rates = (price.input, price.input if price.cached is None else price.cached)
    lowest, highest = ((sent * rate + out * price.output) / 1e6 for rate in (min(rates), max(rates)))
    assert lowest * (1 - 1e-9) <= cost <= highest * (1 + 1e-9) + 1e-12


@given(USAGES, COUNTS, COUNTS)
def test_without_a_price_there_is_no_cost(usage: Usage, prompt: int, written: int) -> None:
    assert cost_of(usage, None, prompt=prompt, reply=written) is None


def test_a_price_of_nothing_is_a_cost_of_nothing() -> None:
    assert cost_of(Usage(10, 10), Price(input=0, output=0), prompt=0, reply=0) == 0.0


# ---- what was spent ----


def test_what_servers_do_not_count_is_counted_here_and_marked() -> None:
    call = ToolCall("1", "read_file", '{"file_path": "a.py"}')
    silent = AssistantReplied(
        "Let me look.", "Hm.", (call,), "tool_calls", "p", "m", Usage(), 1.0, estimate=500, written=30
    )
    used = spent(records(reply(Usage(10, 5, 4)), silent))
    assert used == Spent(2, 510, 35, 4, None, True, unpriced=2, steps=2)
    assert spent(records(reply(Usage(10, 5)))).estimated is False
    assert spent(records(reply(Usage(10, None)))).estimated is True


def test_a_cost_is_the_sum_of_what_has_a_price_and_the_rest_is_told() -> None:
    used = spent(records(reply(Usage(1, 1), 0.25), reply(Usage(1, 1)), reply(Usage(1, 1), 0.5)))
    assert (used.cost, used.unpriced) == (0.75, 1)
    assert spent(records(reply(Usage(1, 1)))).cost is None


def test_summaries_by_a_model_and_questions_beside_count_and_so_does_what_was_rewound() -> None:
    used = spent(
        records(
            PromptSubmitted("a"),
            reply(Usage(10, 1), 1.0),
            TurnEnded("done"),
            Compacted(2, "short", "full", "p", "m", usage=Usage(20, 2), cost=0.5),
            Compacted(2, "shorter", "edit", "p", "m", usage=Usage(20, 2), cost=0.5),
            Compacted(2, "a list", "full"),
            AsideAnswered("why?", "so", "stop", "p", "m", Usage(30, 3), cost=0.25),
            Rewound(1),
        )
    )
    assert used == Spent(3, 60, 6, 0, 1.75, steps=1)


def test_a_turn_is_what_was_used_from_its_prompt_to_its_end_without_questions_beside_it() -> None:
    beside = AsideAnswered("why?", "so", "stop", "p", "m", Usage(1000, 1))
    opening = [SessionStarted("/", "p", "m", "ask", "1"), PromptSubmitted("a"), reply(Usage(1, 1)), TurnEnded("done")]
    assert spent_in_turn(records(*opening)).prompt_tokens == 1
    assert spent_in_turn(records(*opening, beside, Compacted(2, "s", "user", "p", "m", usage=Usage(50)))) == spent(
        records(reply(Usage(1, 1)))
    )
    running = [PromptSubmitted("b"), reply(Usage(2, 1)), beside, PromptSubmitted("steered"), reply(Usage(4, 1))]
    assert spent_in_turn(records(*opening, beside, *running)).prompt_tokens == 6
    assert spent_in_turn(records(*opening, beside, *running, TurnEnded("done"), beside)).prompt_tokens == 6
    assert spent_in_turn([]) == spent_in_turn(records(opening[0])) == Spent()


SPENT = st.builds(
    Spent, COUNTS, COUNTS, COUNTS, COUNTS, st.none() | st.integers(0, 1000).map(float), st.booleans(), COUNTS, COUNTS
)


@given(st.lists(st.tuples(USAGES, st.none() | st.integers(0, 1000).map(float), COUNTS), max_size=6), st.integers(0, 6))
def test_parts_of_a_log_add_up_to_the_whole(replies: list[tuple[Usage, float | None, int]], cut: int) -> None:
    log = records(*(reply(usage, cost, estimate) for usage, cost, estimate in replies))
    assert spent(log[:cut]) + spent(log[cut:]) == spent(log)


@given(st.lists(st.integers(0, 9), max_size=6), SPENT)
def test_a_meter_counts_every_record_of_a_growing_log_once(reads: list[int], begin: Spent) -> None:
    meter, log = Meter(begin), list(records(*(reply(Usage(place, 1)) for place in range(9))))
    for length in sorted(reads):
        assert meter.upto(log[:length]) == begin + spent(log[:length])
    later = Meter(begin)
    later.skip(log[:4])
    assert later.upto(log) == begin + spent(log[4:])


def test_of_a_long_text_only_the_beginning_is_counted() -> None:
    text = "def area(radius): return 3.14 * radius ** 2\n" * 400
    assert tokens_written(text, "", "one") == tokens_of(text) + 1
    begun = time.process_time()
    about = tokens_written(text * 200)
    assert time.process_time() - begun < 0.05
    assert about == pytest.approx(tokens_of(text) * 200, rel=0.02)


@given(SPENT, SPENT)
def test_nothing_is_lost_in_a_sum(one: Spent, other: Spent) -> None:
    both = one + other
    assert both.tokens == one.tokens + other.tokens and both == other + one and one + Spent() == one
    assert (both.cost is None) is (one.cost is None and other.cost is None)


# ---- limits ----


@given(SPENT, COUNTS, COUNTS, MONEY)
def test_a_limit_stops_once_it_is_used_up_and_not_before(used: Spent, tokens: int, turns: int, cost: float) -> None:
    assert limit_reached(Limits(), used) is None
    assert (limit_reached(Limits(max_tokens=tokens), used) is None) is (used.tokens < tokens)
    assert (limit_reached(Limits(max_turns=turns), used) is None) is (used.steps < turns)
    assert (limit_reached(Limits(max_cost=cost), used) is None) is (used.cost is None or used.cost < cost)


def test_what_stops_says_which_limit_how_much_and_how_to_go_on() -> None:
    used = Spent(3, 1200, 300, 0, 1.25, estimated=True)
    notice = limit_reached(Limits(max_cost=1, currency="€"), used)
    assert notice is not None and notice.text == "stopped by max_cost: this run has used ~€1.25, the limit is €1.00"
    assert "config.yaml" in notice.hint
    notice = limit_reached(Limits(max_tokens=1500, flags=frozenset({"max_tokens"})), used)
    assert (
        notice is not None
        and notice.text == "stopped by max_tokens: this run has used about 1,500 tokens, the limit is 1,500"
    )
    assert "--max-tokens" in notice.hint and "config.yaml" not in notice.hint


def test_a_cost_that_cannot_be_counted_is_told() -> None:
    limits = Limits(max_cost=1)
    assert uncounted(limits, "p", "m", Price(input=0, output=0)) is None and uncounted(Limits(), "p", "m", None) is None
    notice = uncounted(limits, "p", "m", None)
    assert notice is not None and notice.text == "no price is known for p · m: max_cost does not count it"


# ---- money for people ----


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, "$", "$0.00"),
        (1234.5, "$", "$1,234.50"),
        (0.01, "€", "€0.01"),
        (0.0042, "$", "$0.0042"),
        (0.000042, "$", "$0.000042"),
        (1.5, "EUR", "EUR 1.50"),
    ],
)
def test_money_is_short(amount: float, currency: str, text: str) -> None:
    assert money(amount, currency) == text
    assert money(amount, currency, estimated=True) == f"~{text}"


@given(st.floats(1e-6, 1e9))
def test_an_amount_is_never_shown_as_nothing(amount: float) -> None:
    assert float(money(amount, "$")[1:].replace(",", "")) == pytest.approx(amount, rel=0.51, abs=1e-9)
