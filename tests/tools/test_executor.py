"""The way of a call: understood, decided, asked about, done, told."""

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.conversation.events import DecisionMade
from tui_agent.conversation.messages import ToolCall, ToolSpec
from tui_agent.permissions.approval import (
    Access,
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    Denied,
    ForeignAccess,
    Refuse,
    Verdict,
    WriteAccess,
)
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.builtin import command
from tui_agent.tools.executor import ToolExecutor, ToolOutcome
from tui_agent.tools.protocol import ToolContext, ToolResult


class Answers:
    """Gives the answers in order, the last one again and again, and keeps the questions."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        made: ApprovalDecision = answer(request) if callable(answer) else answer
        return made


def yes(request: ApprovalRequest) -> ApprovalDecision:
    return AllowOnce(request.digest)


def for_session(request: ApprovalRequest) -> ApprovalDecision:
    return AllowForSession(request.digest)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def call(executor: ToolExecutor, name: str, arguments: Any, **more: Any) -> ToolOutcome:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return await executor.run(ToolCall("c1", name, raw), **more)


@pytest.mark.promise("P16")
@pytest.mark.parametrize("name", ["nope", "read file", "read_file\x1b[31m", "", "READ_FILE"])
async def test_an_unknown_tool_is_answered_with_the_known_ones_and_escaped(tmp_path: Path, name: str) -> None:
    outcome = await call(ToolExecutor(tmp_path), name, {})
    assert outcome.result.content == (
        f"unknown tool {name!a}; the tools are: read_file, write_file, edit_file, list_directory, glob_files, "
        "grep_search, run_command, update_plan"
    )
    assert (outcome.status, outcome.understood, outcome.decision) == ("failed", False, None)


@pytest.mark.promise("P13", "P15")
@pytest.mark.parametrize("raw", ["{", "[]", '{"file_path": 3}', '{"file_path": "f", "mode": "w"}', "{}", "NaN"])
async def test_arguments_that_are_not_understood_run_nothing(tmp_path: Path, raw: str) -> None:
    answers = Answers(yes)
    outcome = await call(ToolExecutor(tmp_path, approver=answers), "write_file", raw)
    assert (outcome.status, outcome.understood) == ("failed", False)
    assert not answers.requests
    assert not names(tmp_path)


async def test_a_failure_of_an_understood_call_counts_as_understood(tmp_path: Path) -> None:
    outcome = await call(ToolExecutor(tmp_path), "read_file", {"file_path": "gone"})
    assert (outcome.status, outcome.understood) == ("failed", True)
    assert outcome.result.content.startswith("no such file: gone")


async def test_every_name_and_alias_of_the_product_is_understood(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old\n")
    executor = ToolExecutor(tmp_path, approver=Answers(yes))
    for name, arguments in [
        ("file_read", {"path": "f"}),
        ("file_write", {"path": "f", "content": "new\n"}),
        ("edit_file", {"path": "f", "old_text": "new", "new_text": "newer"}),
        ("list_files", {"path": "."}),
        ("file_list", {"path": "."}),
        ("grep", {"pattern": "newer"}),
        ("bash", {"command": "true"}),
    ]:
        outcome = await call(executor, name, arguments)
        assert outcome.status == "ok", outcome
        assert outcome.tool in {spec.name for spec in executor.specs()}
    assert (tmp_path / "f").read_text() == "newer\n"


async def test_a_write_asks_with_the_very_bytes_and_writes_those(tmp_path: Path) -> None:
    answers = Answers(yes)
    outcome = await call(
        ToolExecutor(tmp_path, approver=answers),
        "write_file",
        {"file_path": "a/b", "content": "x\n"},
        position=2,
        total=3,
    )
    (request,) = answers.requests
    assert isinstance(request.access, WriteAccess)
    assert request.digest == request.access.plan.digest
    assert request.access.plan.changes[0].after == b"x\n" == (tmp_path / "a/b").read_bytes()
    assert (request.title, request.position, request.total) == ("a/b", 2, 3)
    assert outcome.decision == DecisionMade("c1", "write_file", "allowed", "user", ("creates a/b",), "", request.digest)
    assert outcome.result.content == "created a/b: 1 line"
    assert (outcome.result.files[0].added, outcome.result.files[0].created) == (1, True)


@pytest.mark.promise("P14")
async def test_what_was_repaired_is_asked_about_approved_and_told(tmp_path: Path) -> None:
    answers = Answers(for_session)
    executor = ToolExecutor(tmp_path, approver=answers)
    outcome = await call(executor, "bash", '{"cmd": ["touch", "a b"],}')
    (request,) = answers.requests
    assert isinstance(request.access, CommandAccess)
    assert request.access.command == request.title == outcome.title == "touch 'a b'"
    assert request.repairs == outcome.repairs
    assert outcome.repairs == ("trailing comma", "cmd → command", "command: list of words → command line")
    assert names(tmp_path) == {"a b"}
    # What was allowed for the session is the command that ran, however it is written.
    again = await call(executor, "run_command", {"command": "touch 'a b'"})
    assert again.decision is not None
    assert (again.decision.by, again.repairs) == ("session", ())
    assert len(answers.requests) == 1
    digests = set()
    for arguments in ({"cmd": "$ true"}, {"command": "true"}, {"command": "true", "timeout": "5"}):
        answers.answers = [yes]
        await call(executor, "run_command", arguments)
        digests.add(answers.requests[-1].digest)
    assert len(digests) == 2


async def test_a_repair_is_told_when_the_call_fails_or_is_denied(tmp_path: Path) -> None:
    outcome = await call(ToolExecutor(tmp_path), "read_file", {"path": "gone"})
    assert (outcome.status, outcome.repairs) == ("failed", ("path → file_path",))
    outcome = await call(ToolExecutor(tmp_path), "bash", {"cmd": "true"})
    assert (outcome.status, outcome.repairs) == ("denied", ("cmd → command",))
    outcome = await call(ToolExecutor(tmp_path), "bash", {"cmd": 5})
    assert (outcome.understood, outcome.repairs) == (False, ())


async def test_a_foreign_tool_gets_the_arguments_that_were_approved(tmp_path: Path) -> None:
    seen: list[str] = []

    class Foreign:
        def get_tools(self) -> Sequence[ToolSpec]:
            return [ToolSpec("foreign", "", {"type": "object", "properties": {}})]

        def can_handle(self, name: str) -> bool:
            return name == "foreign"

        async def execute(self, call: ToolCall, context: ToolContext) -> ToolResult:
            seen.append(call.arguments)
            return ToolResult(True, "")

    answers = Answers(yes)
    executor = ToolExecutor(tmp_path, approver=answers, providers=[Foreign()])
    outcome = await call(executor, "foreign", "{'a': 1,}")
    assert answers.requests[0].access == ForeignAccess({"a": 1})
    assert [json.loads(text) for text in seen] == [{"a": 1}]
    assert outcome.repairs == answers.requests[0].repairs == ("single quotes", "trailing comma")


async def test_a_denial_changes_nothing_and_its_comment_reaches_the_model(tmp_path: Path) -> None:
    executor = ToolExecutor(tmp_path, approver=Answers(Denied("use tabs", stop=True)))
    outcome = await call(executor, "write_file", {"file_path": "f", "content": "x"})
    assert outcome.result == ToolResult(False, "denied by the user: use tabs")
    assert (outcome.status, outcome.stop) == ("denied", True)
    assert outcome.decision is not None
    assert (outcome.decision.outcome, outcome.decision.by, outcome.decision.comment) == ("denied", "user", "use tabs")
    assert not names(tmp_path)


async def test_with_nobody_to_ask_what_asks_is_refused(tmp_path: Path) -> None:
    outcome = await call(ToolExecutor(tmp_path), "run_command", {"command": "touch f"})
    assert outcome.status == "denied"
    assert outcome.result.content == "refused: it needs approval and there is nobody to ask"
    assert not names(tmp_path)


async def test_an_answer_to_something_else_is_none(tmp_path: Path) -> None:
    answers = Answers(AllowOnce("of another question"), yes)
    executor = ToolExecutor(tmp_path, approver=answers)
    assert (await call(executor, "run_command", {"command": "true"})).status == "ok"
    assert len(answers.requests) == 2
    executor.approver = Answers(AllowOnce(""))
    assert (await call(executor, "run_command", {"command": "true"})).status == "denied"


async def test_allowing_for_the_session_covers_the_same_again_and_nothing_else(tmp_path: Path) -> None:
    answers = Answers(for_session)
    executor = ToolExecutor(tmp_path, approver=answers)
    for _ in range(2):
        outcome = await call(executor, "run_command", {"command": "true"})
    assert answers.requests[0].session_grant == "this exact command"
    assert len(answers.requests) == 1
    assert outcome.decision is not None
    assert outcome.decision.by == "session"
    await call(executor, "run_command", {"command": "true "})
    assert len(answers.requests) == 2


async def test_a_control_file_is_asked_about_each_time_and_named(tmp_path: Path) -> None:
    answers = Answers(for_session)
    executor = ToolExecutor(tmp_path, approver=answers)
    for content in ("a", "b"):
        await call(executor, "write_file", {"file_path": ".envrc", "content": content})
    assert len(answers.requests) == 2
    assert answers.requests[0].session_grant == ""
    assert ".envrc is a control file" in answers.requests[0].reasons[0]


@pytest.mark.promise("P16")
async def test_disabled_commands_are_not_offered_and_refused_whatever_the_policy(tmp_path: Path) -> None:
    executor = ToolExecutor(tmp_path, allow_commands=False, approver=Answers(yes))
    assert "run_command" not in {spec.name for spec in executor.specs()}
    executor.policy = RulePolicy("accept-edits")
    outcome = await call(executor, "bash", {"command": "touch f"})
    assert (outcome.status, outcome.result.content) == ("denied", "refused: Command execution is disabled")
    assert not names(tmp_path)


@pytest.mark.promise("P16")
async def test_only_the_named_tools_are_offered_and_run(tmp_path: Path) -> None:
    executor = ToolExecutor(tmp_path, tools=["file_read"])
    assert [spec.name for spec in executor.specs()] == ["read_file"]
    assert "unknown tool 'list_directory'" in (await call(executor, "list_directory", {})).result.content


async def test_the_decision_is_told_before_anything_is_done(tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    async def decided(decision: DecisionMade) -> None:
        seen.append((decision.outcome, (tmp_path / "f").exists()))

    def prepared(title: str) -> None:
        seen.append((title, (tmp_path / "f").exists()))

    executor = ToolExecutor(tmp_path, approve_all=True)
    await call(executor, "run_command", {"command": "touch f"}, on_decision=decided, on_prepared=prepared)
    assert seen == [("touch f", False), ("allowed", False)]
    assert (tmp_path / "f").exists()


async def test_a_file_must_have_been_read_and_be_unchanged_since(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n")
    executor = ToolExecutor(tmp_path, approve_all=True)
    edit = {"file_path": "f", "old_string": "one", "new_string": "two"}
    assert "was not read in this session" in (await call(executor, "edit_file", edit)).result.content
    executor = ToolExecutor(tmp_path, approve_all=True)
    write = {"file_path": "f", "content": "x"}
    assert "was not read in this session" in (await call(executor, "write_file", write)).result.content
    (tmp_path / "f").write_text("one, changed\n")
    assert "has changed since it was read" in (await call(executor, "edit_file", edit)).result.content
    assert (tmp_path / "f").read_text() == "one, changed\n"
    # What it was told of the file counts as read.
    assert (await call(executor, "edit_file", edit)).status == "ok"
    # Its own write counts as known.
    again = {"file_path": "f", "old_string": "two", "new_string": "three"}
    assert (await call(executor, "edit_file", again)).status == "ok"
    assert (tmp_path / "f").read_text() == "three, changed\n"


async def test_a_file_that_changes_while_the_question_is_open_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n")

    def meanwhile(request: ApprovalRequest) -> ApprovalDecision:
        (tmp_path / "f").write_text("by another\n")
        return AllowOnce(request.digest)

    executor = ToolExecutor(tmp_path, approver=Answers(meanwhile))
    await call(executor, "read_file", {"file_path": "f"})
    outcome = await call(executor, "edit_file", {"file_path": "f", "old_string": "one", "new_string": "two"})
    assert outcome.status == "failed"
    assert "nothing was written" in outcome.result.content
    assert "It holds:\n1\tby another" in outcome.result.content
    assert (tmp_path / "f").read_text() == "by another\n"


async def test_a_change_that_is_prepared_again_is_asked_about_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\n")

    def replaced(request: ApprovalRequest) -> ApprovalDecision:
        (tmp_path / "new").write_text("one\n")
        (tmp_path / "new").rename(tmp_path / "f")
        return AllowOnce(request.digest)

    answers = Answers(replaced, yes)
    executor = ToolExecutor(tmp_path, approver=answers)
    await call(executor, "read_file", {"file_path": "f"})
    outcome = await call(executor, "edit_file", {"file_path": "f", "old_string": "one", "new_string": "two"})
    assert (outcome.status, len(answers.requests)) == ("ok", 2)
    executor.approver = answers = Answers(replaced)
    (tmp_path / "f").write_text("one\n")
    await call(executor, "read_file", {"file_path": "f"})
    outcome = await call(executor, "edit_file", {"file_path": "f", "old_string": "one", "new_string": "two"})
    assert (outcome.status, len(answers.requests)) == ("failed", 3)
    assert outcome.result.content.endswith("It kept changing; try again later")
    assert (tmp_path / "f").read_text() == "one\n"


@pytest.mark.promise("P38")
async def test_a_working_directory_that_vanishes_is_an_error_of_each_tool(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    executor = ToolExecutor(work, approve_all=True)
    work.rmdir()
    for name, arguments in [
        ("read_file", {"file_path": "f"}),
        ("write_file", {"file_path": "f", "content": ""}),
        ("list_directory", {"path": "."}),
        ("glob_files", {"pattern": "*"}),
        ("grep_search", {"pattern": "x"}),
        ("run_command", {"command": "pwd"}),
    ]:
        outcome = await call(executor, name, arguments)
        assert outcome.status == "failed"
        assert "cannot be used any more" in outcome.result.content
    with pytest.raises(WorkspaceError):
        ToolExecutor(work)


@pytest.mark.promise("P26")
async def test_cancelling_a_question_or_a_command_leaves_nothing_done(tmp_path: Path) -> None:
    class Never:
        async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
            await asyncio.Event().wait()
            raise AssertionError

    for executor, name, arguments in (
        (ToolExecutor(tmp_path, approver=Never()), "write_file", {"file_path": "f", "content": ""}),
        (ToolExecutor(tmp_path, approve_all=True), "run_command", {"command": "sleep 600; touch f"}),
    ):
        task = asyncio.create_task(call(executor, name, arguments))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1.5)
    assert not names(tmp_path)


async def test_no_result_holds_a_lone_surrogate_or_is_longer_than_the_bound(tmp_path: Path) -> None:
    class Loud:
        def get_tools(self) -> Sequence[ToolSpec]:
            return [ToolSpec("loud", "", {"type": "object", "properties": {}})]

        def can_handle(self, name: str) -> bool:
            return name == "loud"

        async def execute(self, call: ToolCall, context: ToolContext) -> ToolResult:
            return ToolResult(True, "\udcff" + "x" * 1_000_000)

    outcome = await call(ToolExecutor(tmp_path, approve_all=True, providers=[Loud()]), "loud", {})
    outcome.result.content.encode()
    assert len(outcome.result.content) < 101_000


async def test_a_foreign_tool_is_asked_about_with_its_arguments_and_its_crash_is_a_result(tmp_path: Path) -> None:
    class Broken:
        def get_tools(self) -> Sequence[ToolSpec]:
            return [ToolSpec("broken", "", {"type": "object", "properties": {}})]

        def can_handle(self, name: str) -> bool:
            return name == "broken"

        async def execute(self, call: ToolCall, context: ToolContext) -> ToolResult:
            raise ZeroDivisionError("of its own")

    answers = Answers(yes)
    outcome = await call(ToolExecutor(tmp_path, approver=answers, providers=[Broken()]), "broken", {"a": 1})
    assert answers.requests[0].access == ForeignAccess({"a": 1})
    assert (outcome.status, outcome.result.content) == ("failed", "broken failed: of its own")


async def test_a_command_asks_with_all_that_matters_about_it(tmp_path: Path) -> None:
    answers = Answers(Denied())
    await call(ToolExecutor(tmp_path, approver=answers), "run_command", {"command": "a\nb", "timeout": 9_999})
    (request,) = answers.requests
    assert request.access == CommandAccess("a\nb", str(tmp_path), 600.0)
    assert request.title == "a"


def test_a_program_can_read_without_ado_but_must_say_so_to_write(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x\n")
    executor = ToolExecutor(working_directory=str(tmp_path), allow_commands=True)
    result = executor.execute("read_file", {"file_path": "f"})
    assert (result.ok, str(result)) == (True, "1\tx")
    assert not executor.execute("run_command", {"command": "true"}).ok
    executor.close()
    allowed = ToolExecutor(tmp_path, approve_all=True)
    assert allowed.execute("run_command", {"command": "echo hi"}).content == "hi\n[exit code 0]"
    allowed.close()


async def test_a_program_with_an_event_loop_can_call_it_too(tmp_path: Path) -> None:
    executor = ToolExecutor(tmp_path)
    assert executor.execute("list_directory", {"path": "."}).content == "(empty)"
    executor.close()


STAND_IN = """#!/bin/bash
printf '%s\\n' "$@" > "$(dirname "$0")/words"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
"""In place of bubblewrap: notes how it was called, and runs what is behind the `--`."""


@pytest.fixture
def box(tmp_path: Path) -> Sandbox:
    program = tmp_path / "bwrap"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return Sandbox("bwrap", str(program))


def words(box: Sandbox) -> list[str]:
    return Path(box.program).with_name("words").read_text().splitlines()


async def test_the_answer_can_allow_the_network_once_or_each_time(tmp_path: Path, box: Sandbox) -> None:
    answers = Answers(
        yes,
        lambda request: AllowOnce(request.digest, network=True),
        lambda request: AllowForSession(request.digest, network=True),
    )
    work = tmp_path / "work"
    work.mkdir()
    executor = ToolExecutor(work, approver=answers, sandbox=box)
    for network in (False, True, True, True):
        outcome = await call(executor, "run_command", {"command": "true"})
        assert outcome.result.ok
        assert ("--unshare-net" not in words(box)) == network
    assert len(answers.requests) == 3
    access = answers.requests[0].access
    assert isinstance(access, CommandAccess)
    assert (access.sandbox, access.network, access.network_offered) == ("bwrap", False, True)
    assert answers.requests[1].digest == answers.requests[0].digest


async def test_what_a_rule_or_an_answer_allows_with_network_says_so(tmp_path: Path, box: Sandbox) -> None:
    work = tmp_path / "work"
    work.mkdir()
    rules = Rules(parse_rules(["network(echo net)"]), parse_rules(["echo net"]))
    policy = RulePolicy("ask", rules, Scene(str(work), (str(work),)))
    answers = Answers(lambda request: AllowForSession(request.digest))
    executor = ToolExecutor(work, policy=policy, approver=answers, sandbox=box)
    first, again = [await call(executor, "run_command", {"command": "echo net"}) for _ in range(2)]
    assert [request.session_grant for request in answers.requests] == ["this exact command, with network"]
    assert first.decision is not None and first.decision.network
    assert again.decision is not None and again.decision.network and again.decision.by == "session"
    assert again.decision.reasons == ("allowed for this session: this exact command, with network",)
    other = await call(executor, "run_command", {"command": "echo other"})
    assert other.decision is not None and not other.decision.network


async def test_an_answer_can_let_commands_that_only_read_run_for_the_session(tmp_path: Path, box: Sandbox) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "a").write_text("x")
    answers = Answers(
        lambda request: AllowReading(request.digest), lambda request: AllowReading(request.digest), Denied()
    )
    policy = RulePolicy("ask", scene=Scene(str(work), (str(work),)))
    executor = ToolExecutor(work, policy=policy, approver=answers, sandbox=box)
    # To what does more than read it is a yes to that alone.
    assert (await call(executor, "run_command", {"command": "touch b"})).result.ok
    assert not executor.lets_reading_run
    first = await call(executor, "run_command", {"command": "cat a"})
    assert first.result.ok and first.decision is not None and first.decision.reading
    assert executor.lets_reading_run
    assert "--bind" not in words(box)  # it reads, so it gets a sandbox in which nothing can be written
    executor.policy = RulePolicy("plan", scene=Scene(str(work), (str(work),)))  # as another mode would have it
    second = await call(executor, "run_command", {"command": "ls -l a"})
    assert second.result.ok and second.decision is not None
    assert (second.decision.by, second.decision.reasons, second.decision.reading) == ("policy", ("read-only",), False)
    executor.policy = policy
    assert not (await call(executor, "run_command", {"command": "touch c"})).result.ok
    assert [request.only_reads for request in answers.requests] == [False, True, False]
    assert not ToolExecutor(work, policy=policy, sandbox=box).lets_reading_run


async def test_a_rule_allows_the_network_and_reading_needs_no_writing(tmp_path: Path, box: Sandbox) -> None:
    work = tmp_path / "work"
    work.mkdir()
    rules = Rules(parse_rules(["network(echo net)"]), read_only=True)
    policy = RulePolicy("ask", rules, Scene(str(work), (str(work),)))
    answers = Answers(yes)
    executor = ToolExecutor(work, policy=policy, approver=answers, sandbox=box)
    await call(executor, "run_command", {"command": "echo net"})
    assert "--unshare-net" not in words(box) and "--bind" in words(box)
    await call(executor, "run_command", {"command": "echo other"})
    assert "--unshare-net" in words(box) and "--bind" not in words(box)
    assert answers.requests == []
    await call(executor, "run_command", {"command": "echo net", "background": True})
    (request,) = answers.requests
    assert isinstance(request.access, CommandAccess)
    assert request.access.network and not request.access.network_offered
    assert "--unshare-net" not in words(box)
    await executor.aclose()


async def test_where_there_is_no_sandbox_the_network_is_nobodys_to_allow(tmp_path: Path) -> None:
    answers = Answers(lambda request: AllowOnce(request.digest, network=True))
    outcome = await call(ToolExecutor(tmp_path, approver=answers), "run_command", {"command": "true"})
    access = answers.requests[0].access
    assert isinstance(access, CommandAccess) and not access.network_offered
    assert outcome.decision is not None and "network" not in " ".join(outcome.decision.reasons)


async def test_a_directory_that_is_swapped_while_the_question_is_open_is_not_used(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()

    def meanwhile(request: ApprovalRequest) -> ApprovalDecision:
        work.rename(tmp_path / "moved")
        work.mkdir()
        return AllowOnce(request.digest)

    outcome = await call(ToolExecutor(work, approver=Answers(meanwhile)), "run_command", {"command": "touch x"})
    assert not outcome.result.ok
    assert "replaced by another one" in outcome.result.content
    assert names(work) == names(tmp_path / "moved") == set()


async def test_a_command_runs_in_the_very_directory_that_was_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    run = command.run

    async def swapped(*args: Any, **more: Any) -> Any:
        work.rename(tmp_path / "moved")  # at the last moment
        work.mkdir()
        return await run(*args, **more)

    monkeypatch.setattr(command, "run", swapped)
    await call(ToolExecutor(work, approve_all=True), "run_command", {"command": "touch x"})
    assert (names(work), names(tmp_path / "moved")) == (set(), {"x"})


async def test_whoever_waits_for_the_verdict_on_a_command_holds_up_nobody_else(tmp_path: Path) -> None:
    others_ran = threading.Event()

    class Slow(RulePolicy):
        """As where Git takes its time to say what a repository's settings are."""

        def decide(self, tool: str, access: Access) -> Verdict:
            return Refuse("too late" if others_ran.wait(5) else "nobody else could run")

    asyncio.get_running_loop().call_later(0.01, others_ran.set)
    outcome = await call(ToolExecutor(tmp_path, policy=Slow()), "run_command", {"command": "git status"})
    assert "too late" in outcome.result.content


async def test_a_changed_command_has_none_of_the_terms_of_the_proposed_one(tmp_path: Path, box: Sandbox) -> None:
    work = tmp_path / "work"
    work.mkdir()
    rules = Rules(parse_rules(["network(echo net)"]), parse_rules(["echo net"]), read_only=True)
    policy = RulePolicy("ask", rules, Scene(str(work), (str(work),)))
    answers = Answers(
        lambda request: AllowOnce(request.digest, command="touch a"),
        lambda request: AllowOnce(request.digest, command="touch b", network=True),
        lambda request: AllowOnce(request.digest, command="ls"),
    )
    executor = ToolExecutor(work, policy=policy, approver=answers, sandbox=box)
    for network, writes in [(False, True), (True, True), (False, False)]:
        outcome = await call(executor, "run_command", {"command": "echo net"})
        assert outcome.result.ok and outcome.decision is not None and outcome.decision.network == network
        assert (("--unshare-net" not in words(box)), "--bind" in words(box)) == (network, writes)
    assert all(isinstance(asked.access, CommandAccess) and asked.access.network for asked in answers.requests)
