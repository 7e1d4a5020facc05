"""What the activity line says from one event of a turn to the next."""

from tui_agent.conversation.events import (
    AssistantReplied,
    CallStarted,
    DecisionMade,
    Event,
    PromptSubmitted,
    ProviderStatus,
    RequestStarted,
    TextDelta,
    TurnEnded,
)
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.progress import Progress
from tui_agent.tui.widgets.activity import Activity

ASKED = RequestStarted("embedded", "qwen", 1, 300)
WAITING = Activity("waiting", "embedded · qwen", since=1.0, tokens=300)


def shown(*events: Event) -> list[Activity]:
    progress = Progress()
    seen = []
    for at, event in enumerate(events):
        progress.take(event, float(at))
        seen.append(progress.activity)
    return seen


def test_a_prompt_is_waited_for_before_its_request_leaves() -> None:
    assert shown(PromptSubmitted("hi"), ASKED) == [Activity("waiting", since=0.0), WAITING]


def test_what_the_provider_does_is_told_while_its_answer_is_waited_for() -> None:
    seen = shown(PromptSubmitted("hi"), ASKED, ProviderStatus("loading qwen"), ProviderStatus("reading the prompt"))
    assert seen[2:] == [
        Activity("preparing", "loading qwen", since=1.0),
        Activity("preparing", "reading the prompt", since=1.0),
    ]
    assert shown(PromptSubmitted("hi"), ASKED, ProviderStatus("loading qwen"), ProviderStatus(""))[-1] == WAITING


def test_how_far_the_provider_is_stands_by_itself() -> None:
    seen = shown(PromptSubmitted("hi"), ASKED, ProviderStatus("downloading qwen: 45 % of 1.1 GB, 56 s left"))
    assert seen[-1] == Activity("preparing", "downloading qwen", since=1.0, details=("45 % of 1.1 GB", "56 s left"))


def test_a_status_taken_back_late_does_not_hide_the_answer() -> None:
    seen = shown(PromptSubmitted("hi"), ASKED, ProviderStatus("loading"), TextDelta("Hello"), ProviderStatus(""))
    assert seen[-1].kind == "receiving"


def test_the_end_of_a_turn_leaves_nothing() -> None:
    replied = AssistantReplied("Hello", "", (), "stop", "embedded", "qwen", Usage(), 1.0)
    seen = shown(PromptSubmitted("hi"), ASKED, ProviderStatus("loading"), replied, TurnEnded("done"))
    assert seen[-2:] == [Activity(), Activity()]
    assert shown(ASKED, ProviderStatus("loading"), TurnEnded("interrupted"), ProviderStatus(""))[-1] == Activity()


def test_a_call_runs_from_the_moment_it_was_allowed_and_as_what_was_allowed() -> None:
    started = CallStarted(ToolCall("c", "run_command", "{}"), "make")
    yes = DecisionMade("c", "run_command", "allowed", "user", ())
    edited = DecisionMade("c", "run_command", "allowed", "user", (), edited=True, command="make all\nls")
    assert shown(ASKED, started, yes)[1:] == [
        Activity("tool", "run_command make", since=1.0),
        Activity("tool", "run_command make", since=2.0),
    ]
    assert shown(ASKED, started, edited)[-1] == Activity("tool", "run_command make all", since=2.0)
