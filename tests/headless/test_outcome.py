"""What a turn comes to for a script, counted from its events."""

from tui_agent.conversation.events import AssistantReplied, Compacted, TurnEnded
from tui_agent.conversation.messages import Usage
from tui_agent.headless.writers import TurnOutcome


def test_a_summary_that_a_model_wrote_counts_as_usage_and_cost() -> None:
    outcome = TurnOutcome()
    for event in (
        Compacted(3, "short", "full", "p", "m", usage=Usage(100, 10), cost=0.5),
        AssistantReplied("Yes.", "", (), "stop", "p", "m", Usage(20, 2), 1.0, cost=0.25),
        TurnEnded("limit"),
    ):
        outcome.take(event)
    assert outcome.usage == {"prompt_tokens": 120, "completion_tokens": 12}
    assert (outcome.cost, outcome.reason, outcome.exit_code) == ({"cost": 0.75}, "limit", 1)


def test_a_list_in_place_of_a_summary_costs_nothing() -> None:
    outcome = TurnOutcome()
    outcome.take(Compacted(3, "a list", "full"))
    assert (outcome.cost, outcome.usage) == ({}, {})
