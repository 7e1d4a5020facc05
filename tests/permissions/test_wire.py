"""Questions and answers as JSON: nothing of them is lost, and nothing else is taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.test_executor import call
from tui_agent.permissions.approval import (
    Access,
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    CommandPart,
    Denied,
    ForeignAccess,
    NoAccess,
    ReadAccess,
    Reviewed,
    WriteAccess,
)
from tui_agent.permissions.wire import WireError, as_json, decision_from, request_from
from tui_agent.tools.executor import ToolExecutor
from tui_agent.workspace.changes import ChangePlan, FileChange, FileIdentity, FolderIdentity

text = st.text(st.characters(codec=None), max_size=20)  # also lone surrogates: names of files are any bytes
data = st.binary(max_size=20)  # not only UTF-8
numbers = st.integers(0, 2**62)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(text, some, max_size=3),
    max_leaves=6,
)
changes = st.builds(
    FileChange,
    text,
    text,
    st.none() | data,
    data,
    st.none() | st.builds(FileIdentity, numbers, numbers, text),
    text,
    st.none() | st.builds(FolderIdentity, text, numbers, numbers),
)
accesses: st.SearchStrategy[Access] = st.one_of(
    st.just(NoAccess()),
    st.builds(ReadAccess, st.tuples(text, text)),
    st.builds(WriteAccess, st.builds(ChangePlan, st.tuples(changes, changes))),
    st.builds(CommandAccess, text, text, st.floats(0, 1e6), st.booleans(), text, st.booleans(), st.booleans()),
    st.builds(ForeignAccess, st.dictionaries(text, values, max_size=3)),
)
parts = st.tuples(st.builds(CommandPart, text, text, text, st.booleans()))


def requests(following: st.SearchStrategy[tuple[ApprovalRequest, ...]]) -> st.SearchStrategy[ApprovalRequest]:
    texts = st.tuples(text, text)
    return st.builds(
        ApprovalRequest,
        *(text, text, text, accesses, texts, text, numbers, numbers, text, texts, parts, st.booleans()),
        following,
    )


reviews = st.builds(
    Reviewed, st.none() | data, st.tuples(numbers), st.tuples(numbers), st.tuples(st.tuples(numbers, text))
)
decisions: st.SearchStrategy[ApprovalDecision] = st.one_of(
    st.builds(AllowOnce, text, st.booleans(), text, st.tuples(reviews, reviews), text, text),
    st.builds(AllowForSession, text, st.booleans()),
    st.builds(AllowReading, text),
    st.builds(Denied, text, st.booleans(), st.sampled_from(("user", "policy"))),
)


@given(requests(st.tuples(requests(st.just(())))))
def test_a_question_is_the_same_after_the_way(request: ApprovalRequest) -> None:
    sent = as_json(request)
    assert sent.isascii()
    assert request_from(sent) == request
    assert request_from(sent.encode()) == request


@given(decisions)
def test_an_answer_is_the_same_after_the_way(decision: ApprovalDecision) -> None:
    assert decision_from(as_json(decision)) == decision


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "yes",
        "{}",
        '{"type":"allow_once"}',
        '{"type":"allow_all","digest":"d"}',
        '{"type":"allow_once","digest":1}',
        '{"type":"allow_once","digest":"d","comand":"ls"}',
        '{"type":"allow_once","digest":"d","files":[{"after":"no base64!"}]}',
        '{"type":"allow_once","digest":"d","files":[{}]}',
        '{"type":"denied","by":"nobody"}',
        "[" * 100_000,
        b"\xff\xfe{",
    ],
)
def test_what_is_no_answer_is_taken_for_none(sent: str | bytes) -> None:
    with pytest.raises(WireError):
        decision_from(sent)


@given(st.text() | values.map(json.dumps))
def test_no_text_brings_it_down(sent: str) -> None:
    with pytest.raises(WireError):
        decision_from(sent)


class Remote:
    """A face at the other end of a line: it sees JSON and answers in JSON."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        seen = json.loads(as_json(request))
        self.asked.append(seen)
        return decision_from(json.dumps(self.answers.pop(0)(seen)))


def yes(seen: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allow_once", "digest": seen["digest"]}


async def test_a_face_at_the_other_end_of_a_line_decides(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\xff\xfe old\n")
    face = Remote(
        yes,
        lambda seen: {**yes(seen), "command": "echo mine"},
        lambda seen: {"type": "denied", "comment": "not this"},
    )
    executor = ToolExecutor(tmp_path, approver=face)
    assert (await call(executor, "write_file", {"file_path": "new.txt", "content": "new\n"})).result.ok
    assert (tmp_path / "new.txt").read_text() == "new\n"
    assert "mine" in (await call(executor, "run_command", {"command": "touch x"})).result.content
    assert "not this" in (await call(executor, "run_command", {"command": "touch x"})).result.content
    assert not (tmp_path / "x").exists()
    assert [seen["access"]["type"] for seen in face.asked] == ["write", "command", "command"]
    await executor.aclose()


async def test_an_answer_to_something_else_counts_as_none(tmp_path: Path) -> None:
    stale = {"type": "allow_once", "digest": "0" * 64}
    face = Remote(lambda seen: stale, lambda seen: {**stale, "type": "allow_for_session"}, yes)
    assert (await call(ToolExecutor(tmp_path, approver=face), "run_command", {"command": "touch x"})).result.ok
    assert len(face.asked) == 3 and (tmp_path / "x").exists()
    face = Remote(*[lambda seen: stale] * 3)
    denied = await call(ToolExecutor(tmp_path, approver=face), "run_command", {"command": "touch y"})
    assert denied.status == "denied" and not (tmp_path / "y").exists()
