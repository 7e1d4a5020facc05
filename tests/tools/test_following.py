"""With a question about a change come those that later calls of the same reply will ask about other files."""

import json
from pathlib import Path
from typing import Any

from tests.tools.test_executor import Answers
from tests.tools.test_executor import names as files_in
from tui_agent.conversation.messages import ToolCall
from tui_agent.permissions.approval import AllowForSession, AllowOnce, ApprovalRequest, WriteAccess
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.tools.executor import MOST_FOLLOWING, ToolExecutor


def write(name: str, content: str = "x\n") -> ToolCall:
    return ToolCall(f"call-{name}-{content}", "write_file", json.dumps({"file_path": name, "content": content}))


async def asked(tmp_path: Path, *calls: ToolCall, **options: Any) -> ApprovalRequest:
    """The question about the first of these calls."""
    answers = Answers(lambda request: AllowOnce(request.digest))
    executor = ToolExecutor(tmp_path, approver=answers, **options)
    await executor.run(calls[0], position=1, total=len(calls), upcoming=calls[1:])
    return answers.requests[0]


def names(request: ApprovalRequest) -> list[str]:
    return [
        change.name
        for later in request.following
        if isinstance(later.access, WriteAccess)
        for change in later.access.plan.changes
    ]


async def test_later_changes_of_other_files_come_with_it_and_nothing_is_done(tmp_path: Path) -> None:
    calls = [write("a"), write("b"), ToolCall("r", "run_command", '{"command": "ls"}'), write("c/d")]
    request = await asked(tmp_path, *calls)
    assert names(request) == ["b", "c/d"]
    assert [(later.position, later.total) for later in request.following] == [(2, 4), (4, 4)]
    assert files_in(tmp_path) == {"a"}


async def test_a_later_question_is_the_very_one_that_was_shown_ahead(tmp_path: Path) -> None:
    answers = Answers(*[lambda request: AllowOnce(request.digest)] * 2)
    executor = ToolExecutor(tmp_path, approver=answers)
    calls = [write("a"), write("b")]
    for place, call in enumerate(calls, start=1):
        await executor.run(call, position=place, total=2, upcoming=calls[place:])
    ahead, then = answers.requests[0].following[0], answers.requests[1]
    assert ahead == then


async def test_what_builds_on_an_earlier_change_or_cannot_be_prepared_is_left_for_its_turn(tmp_path: Path) -> None:
    (tmp_path / "unread").write_text("y\n")
    edit = ToolCall("e", "edit_file", json.dumps({"file_path": "b", "old_string": "x", "new_string": "z"}))
    bad = ToolCall("w", "write_file", "{}")
    request = await asked(
        tmp_path, write("a"), write("a", "y\n"), write("b"), edit, write("unread"), bad, write("../o")
    )
    assert names(request) == ["b"]


async def test_what_does_not_ask_is_not_shown(tmp_path: Path) -> None:
    scene = Scene(str(tmp_path), (str(tmp_path),))
    policy = RulePolicy("ask", Rules(allow=parse_rules(["write(b)"]), deny=parse_rules(["write(c)"])), scene)
    assert names(await asked(tmp_path, write("a"), write("b"), write("c"), write("d"), policy=policy)) == ["d"]


async def test_what_was_allowed_for_the_session_is_not_shown(tmp_path: Path) -> None:
    answers = Answers(lambda request: AllowForSession(request.digest), lambda request: AllowOnce(request.digest))
    executor = ToolExecutor(tmp_path, approver=answers)
    await executor.run(write("b", "1\n"))
    await executor.run(write("a"), upcoming=[write("b", "2\n"), write("c")])
    assert "b" not in names(answers.requests[1])


async def test_only_so_many_are_looked_at_and_none_for_a_command(tmp_path: Path) -> None:
    later = [write(f"f{number}") for number in range(MOST_FOLLOWING + 20)]
    assert len(names(await asked(tmp_path, write("a"), *later))) == MOST_FOLLOWING
    command = ToolCall("r", "run_command", '{"command": "true"}')
    assert names(await asked(tmp_path, command, *later)) == []
