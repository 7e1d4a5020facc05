"""A policy that only lets look: whatever the one below it says, it never asks and nothing is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.permissions.test_policy import MODES, write
from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import (
    Access,
    Allow,
    CommandAccess,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    Refuse,
    WriteAccess,
)
from tui_agent.permissions.policy import PLAN_MODE, RulePolicy
from tui_agent.permissions.reading import ReadingPolicy
from tui_agent.permissions.rules import Rules, parse_rules

WHY = "only looking now"
WIDE = ["write(**)", "read(**)", "run_command", "mcp_tool", "npm *", "ls", "rm *"]

commands = st.sampled_from(
    ["ls", "cat a", "rm -rf .", "npm install x", "ls > a", "git log", "git commit", "touch a", "("]
)
accesses: st.SearchStrategy[Access] = st.one_of(
    st.just(NoAccess()),
    st.sampled_from([ReadAccess(("/w/a",)), ReadAccess(("/w/.env",)), ForeignAccess({}), write("a"), write(".env")]),
    st.builds(
        CommandAccess,
        commands,
        st.just("/w"),
        st.just(1.0),
        background=st.booleans(),
        sandbox=st.sampled_from(["", "bwrap"]),
        network=st.booleans(),
    ),
)


def rules(*allow: str, reading: bool = False) -> Rules:
    return Rules(allow=parse_rules(allow), read_only=reading)


@given(
    access=accesses,
    mode=st.sampled_from(MODES),
    allowed=st.lists(st.sampled_from(WIDE), unique=True),
    reading=st.booleans(),
    lets=st.booleans(),
)
def test_it_never_asks_and_lets_nothing_be_changed(
    access: Access, mode: Mode, allowed: list[str], reading: bool, lets: bool
) -> None:
    below = RulePolicy(mode, rules(*allowed, reading=reading), sandboxed=True)
    policy = ReadingPolicy(below, WHY)
    verdict = (policy.letting_reading_run() if lets else policy).decide("tool", access)
    assert isinstance(verdict, Allow | Refuse)
    if isinstance(verdict, Allow):
        assert not isinstance(access, WriteAccess | ForeignAccess)
        assert not isinstance(access, CommandAccess) or (verdict.terms.read_only and (reading or lets))


@pytest.mark.parametrize("mode", MODES)
def test_what_reads_runs(mode: Mode) -> None:
    policy = ReadingPolicy(RulePolicy(mode), WHY)
    assert isinstance(policy.decide("read_file", ReadAccess(("/w/a.py",))), Allow)
    assert isinstance(policy.decide("update_plan", NoAccess()), Allow)
    command = CommandAccess("ls", "/w", 1.0)
    assert isinstance(policy.decide("run_command", command), Refuse)
    assert isinstance(policy.letting_reading_run().decide("run_command", command), Allow)


def test_the_model_is_told_why() -> None:
    policy = ReadingPolicy(RulePolicy("accept-edits"), WHY)
    assert policy.decide("write_file", write("a")) == Refuse(WHY)
    refused = policy.decide("read_file", ReadAccess(("/w/.env",)))
    assert isinstance(refused, Refuse) and "secrets" in refused.reason and refused.reason.endswith(WHY)
    below = RulePolicy("plan")
    assert ReadingPolicy(below, WHY).decide("write_file", write("a")) == Refuse(PLAN_MODE)
