"""What the first screen says of what happens unasked holds under every mode and every setting."""

import itertools

import pytest

from tui_agent.conversation.events import Mode
from tui_agent.permissions.approval import Allow, CommandAccess, WriteAccess
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.tui.welcome import welcome_lines, what_asks
from tui_agent.workspace.changes import ChangePlan, FileChange

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")
SCENE = Scene("/w", ("/w",), resolve=lambda path: path)


@pytest.mark.parametrize(("mode", "reading", "rules", "sandboxed"), itertools.product(MODES, *[(False, True)] * 3))
def test_what_is_said_is_what_the_engine_does(mode: Mode, reading: bool, rules: bool, sandboxed: bool) -> None:
    said = what_asks(mode, reading=reading, rules=rules, sandboxed=sandboxed)
    allow = parse_rules(["npm test"] if rules else [])
    policy = RulePolicy(mode, Rules(allow, read_only=reading), SCENE, sandboxed)

    def runs(command: str) -> bool:
        access = CommandAccess(command, "/w", 5.0, sandbox="bwrap" if sandboxed else "")
        return isinstance(policy.decide("run_command", access), Allow)

    plan = ChangePlan((FileChange("/w/a", "a", None, b"x", None),))
    assert isinstance(policy.decide("write_file", WriteAccess(plan)), Allow) == ("plain files are written" in said)
    assert runs("make") == ("commands run unasked in the sandbox" in said)
    assert runs("ls") == (runs("make") or "commands that only read" in said)
    assert runs("npm test") == (runs("make") or "what your rules allow" in said)
    assert ("every command asks first" in said) == (not runs("make") and mode != "plan")
    assert len(said) <= 118


def test_nothing_is_said_of_auto_before_the_sandbox_was_tried() -> None:
    assert what_asks("auto", reading=True) == ""
    assert welcome_lines("0", (), {}, asks="")[3] == (("", "muted"),)
    assert "every write and every command asks first" in str(welcome_lines("0", (), {}))
