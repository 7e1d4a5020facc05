"""Answers that are a yes to something else than was proposed: another command, a part of a change, a changed change."""

from pathlib import Path
from typing import Any

from tests.tools.test_executor import Answers, call, names
from tui_agent.permissions.approval import AllowOnce, ApprovalDecision, ApprovalRequest, Reviewed, WriteAccess
from tui_agent.permissions.decision import Scene
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.tools.attempt import ToolOutcome
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tools.reviewing import what_was_made
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.diff import diff_change

BEFORE = "".join(f"{number}\n" for number in range(1, 31))
AFTER = BEFORE.replace("2\n3\n", "two\n3\n", 1).replace("\n29\n", "\ntwenty-nine\n", 1)


def reviewing(*files: Reviewed, **more: Any) -> Any:
    def answer(request: ApprovalRequest) -> ApprovalDecision:
        assert isinstance(request.access, WriteAccess)
        return AllowOnce(request.digest, files=files, **more)

    return answer


async def written(tmp_path: Path, *files: Reviewed, **more: Any) -> tuple[str, ToolOutcome]:
    (tmp_path / "n.txt").write_text(BEFORE)
    executor = ToolExecutor(tmp_path, approver=Answers(reviewing(*files, **more)))
    await call(executor, "read_file", {"file_path": "n.txt"})
    outcome = await call(executor, "write_file", {"file_path": "n.txt", "content": AFTER})
    assert names(tmp_path) == {"n.txt"}
    return (tmp_path / "n.txt").read_text(), outcome


async def test_a_command_that_the_user_changed_runs_and_the_model_hears_of_it(tmp_path: Path) -> None:
    answers = Answers(lambda request: AllowOnce(request.digest, command="echo mine", comment="quieter"))
    outcome = await call(ToolExecutor(tmp_path, approver=answers), "run_command", {"command": "touch x"})
    assert outcome.result.ok and outcome.title == "echo mine"
    told = outcome.result.content
    assert "the user changed the command before it ran" in told and "echo mine\n" in told and "mine\n" in told
    assert told.endswith("the user says: quieter")
    assert outcome.decision is not None
    assert (outcome.decision.edited, outcome.decision.command) == (True, "echo mine")
    assert not (tmp_path / "x").exists()


async def test_a_changed_command_that_a_rule_refuses_does_not_run(tmp_path: Path) -> None:
    policy = RulePolicy("ask", Rules(deny=parse_rules(["touch"])), Scene(str(tmp_path), (str(tmp_path),)))
    answers = Answers(lambda request: AllowOnce(request.digest, command="touch x"))
    outcome = await call(ToolExecutor(tmp_path, approver=answers, policy=policy), "run_command", {"command": "true"})
    assert outcome.status == "denied" and "deny: touch" in outcome.result.content
    assert not (tmp_path / "x").exists()


async def test_a_changed_command_that_cannot_be_one_is_an_error_and_nothing_runs(tmp_path: Path) -> None:
    answers = Answers(lambda request: AllowOnce(request.digest, command="touch x\0"))
    outcome = await call(ToolExecutor(tmp_path, approver=answers), "run_command", {"command": "true"})
    assert outcome.status == "failed" and "NUL" in outcome.result.content
    assert not (tmp_path / "x").exists()


async def test_exactly_what_the_user_made_of_a_file_is_written_and_told(tmp_path: Path) -> None:
    mine = BEFORE.replace("\n29\n", "\nnearly thirty\n", 1)
    text, outcome = await written(tmp_path, Reviewed(mine.encode(), (1,), (2,), ((2, "say it so"),)), comment="thanks")
    assert text == mine
    told = outcome.result.content
    assert told == (
        "n.txt: written, but not as proposed. Of 2 hunks: 0 applied as proposed, 1 changed by the user, 1 refused\n"
        "changed by the user: hunk 2 @@ -26,5 +26,5 @@\n"
        "from what you proposed (-) to what was written (+):\n"
        "--- n.txt\n+++ n.txt\n@@ -26,5 +26,5 @@\n 26\n 27\n 28\n-twenty-nine\n+nearly thirty\n 30\n"
        "refused by the user, so the lines with - are still there and those with + are not:\n"
        "hunk 1 @@ -1,5 +1,5 @@\n-2\n+two\n"
        "the user says: thanks; on hunk 2 (@@ -26,5 +26,5 @@) of n.txt: say it so"
    )
    assert outcome.decision is not None and outcome.decision.edited
    assert (outcome.result.files[0].added, outcome.result.files[0].removed) == (1, 1)


async def test_of_hunks_that_were_only_refused_the_model_hears_which_were_applied(tmp_path: Path) -> None:
    text, outcome = await written(tmp_path, Reviewed(BEFORE.replace("2\n3\n", "two\n3\n", 1).encode(), (2,)))
    assert text.startswith("1\ntwo\n") and "twenty-nine" not in text
    assert outcome.result.content == (
        "n.txt: written, but not as proposed. Of 2 hunks: 1 applied as proposed, 0 changed by the user, 1 refused\n"
        "applied as proposed: hunk 1 @@ -1,5 +1,5 @@\n"
        "refused by the user, so the lines with - are still there and those with + are not:\n"
        "hunk 2 @@ -26,5 +26,5 @@\n-29\n+twenty-nine"
    )


def test_what_a_model_is_told_of_a_review_is_bounded() -> None:
    before = "".join(f"{number}\n" for number in range(20_000))
    after = before.replace("5\n", "five" * 1_000 + "\n")
    plan = ChangePlan((FileChange("/p/a", "a", before.encode(), after.encode(), None),))
    hunks = len(diff_change(plan.changes[0]).hunks)
    mine = Reviewed(before.encode() + b"mine\n" * 5_000, tuple(range(1, hunks)), (hunks,))
    told = what_was_made(plan, (mine,))
    assert len(told) < 300_000 and "more lines were refused" in told
    assert max(map(len, told.split("\n"))) < 4_000


async def test_what_was_reviewed_and_left_as_proposed_is_no_change_of_the_users(tmp_path: Path) -> None:
    text, outcome = await written(tmp_path, Reviewed(AFTER.encode()))
    assert text == AFTER
    assert outcome.decision is not None and not outcome.decision.edited
    assert "replaced all of n.txt" in outcome.result.content


async def test_a_face_without_hunks_says_only_the_bytes_and_the_model_hears_what_became_of_each(tmp_path: Path) -> None:
    mine = BEFORE.replace("\n29\n", "\nnearly thirty\n", 1)
    text, outcome = await written(tmp_path, Reviewed(mine.encode()))
    assert text == mine
    told = outcome.result.content
    assert "0 applied as proposed, 1 changed by the user, 1 refused" in told
    assert "-twenty-nine\n+nearly thirty\n" in told and "hunk 1 @@ -1,5 +1,5 @@\n-2\n+two" in told


async def test_what_the_user_changed_elsewhere_in_the_file_is_told(tmp_path: Path) -> None:
    text, outcome = await written(tmp_path, Reviewed(AFTER.replace("\n15\n", "\nfifteen\n").encode()))
    assert "fifteen" in text and "twenty-nine" in text
    assert "2 applied as proposed, 0 changed by the user" in outcome.result.content
    assert "-15\n+fifteen\n" in outcome.result.content


async def test_an_answer_about_hunks_that_are_not_there_writes_nothing(tmp_path: Path) -> None:
    for wrong in (Reviewed(b"x\n", (3,)), Reviewed(b"x\n", (), (0,))):
        text, outcome = await written(tmp_path, wrong)
        assert text == BEFORE and "hunks that the proposal does not have" in outcome.result.content


async def test_refusing_every_file_is_a_denial(tmp_path: Path) -> None:
    for nothing in (Reviewed(None, comments=((0, "not this file"),)), Reviewed(BEFORE.encode(), (1, 2))):
        text, outcome = await written(tmp_path, nothing, comment="no")
        assert text == BEFORE
        assert outcome.status == "denied" and "no" in outcome.result.content
    assert outcome.decision is not None and outcome.decision.by == "user"


async def test_the_model_knows_what_was_written_and_may_edit_it_again(tmp_path: Path) -> None:
    mine = BEFORE.replace("1\n", "one\n", 1)
    (tmp_path / "n.txt").write_text(BEFORE)
    executor = ToolExecutor(
        tmp_path, approver=Answers(reviewing(Reviewed(mine.encode())), lambda request: AllowOnce(request.digest))
    )
    await call(executor, "read_file", {"file_path": "n.txt"})
    await call(executor, "write_file", {"file_path": "n.txt", "content": AFTER})
    outcome = await call(executor, "edit_file", {"file_path": "n.txt", "old_string": "one\n", "new_string": "ONE\n"})
    assert outcome.result.ok and (tmp_path / "n.txt").read_text().startswith("ONE\n")


async def test_answers_about_other_files_than_were_proposed_write_nothing(tmp_path: Path) -> None:
    text, outcome = await written(tmp_path, Reviewed(b"x"), Reviewed(b"y"))
    assert (text, outcome.status) == (BEFORE, "failed")
