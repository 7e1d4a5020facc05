"""What happens on the disk between the question and the answer, and while the work is done, harms nobody.

After every swap nothing outside has changed or is shown, exactly what was shown last is written or nothing is, nothing
of ours is left behind, and nobody waits.
"""

import errno
import itertools
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.sandbox.boxes import WORKS, needs_bwrap
from tests.tools.swaps import NEW, OF_FILE, OF_ROOT, OLD, SECRET, Tree, again_and_again, exchange, swaps
from tui_agent.conversation.messages import ToolCall
from tui_agent.permissions.approval import AllowOnce, ApprovalRequest, WriteAccess
from tui_agent.permissions.policy import RulePolicy
from tui_agent.permissions.rules import Rules, parse_rules
from tui_agent.sandbox.enclosure import Sandbox
from tui_agent.tools.builtin import finder
from tui_agent.tools.executor import ToolExecutor, ToolOutcome
from tui_agent.workspace import paths

WRITTEN = b"WRITTEN text\n"
HAMMERED = 1.5
"""Seconds that a race is tried to be won in."""
SWAPS = dict(swaps())
ASKING = RulePolicy(rules=Rules(ask=parse_rules(["tool(read_file)", "tool(list_directory)", "tool(g*)"])))
"""Reading asks too, so that there is a question during which something can happen."""


class Call(NamedTuple):
    """A tool, what it is given, and the path that it is about."""

    tool: str
    arguments: dict[str, Any]
    path: str


WRITING = {
    "write": Call("write_file", {"file_path": OLD, "content": WRITTEN.decode()}, OLD),
    "write new": Call("write_file", {"file_path": NEW, "content": WRITTEN.decode()}, NEW),
    "write where nothing is": Call(
        "write_file", {"file_path": "sub/deep/a/b.txt", "content": WRITTEN.decode()}, "sub/deep/a"
    ),
    "edit": Call("edit_file", {"file_path": OLD, "old_string": "INSIDE", "new_string": "WRITTEN"}, OLD),
    "edit new": Call("edit_file", {"file_path": NEW, "old_string": "", "new_string": WRITTEN.decode()}, NEW),
}
READING = {
    "read": Call("read_file", {"file_path": OLD}, OLD),
    "read a secret": Call("read_file", {"file_path": SECRET}, SECRET),
    "read by an edit": Call("edit_file", {"file_path": SECRET, "old_string": "KEY", "new_string": "K"}, SECRET),
    "list": Call("list_directory", {"path": "sub/deep"}, OLD),
    "glob": Call("glob_files", {"pattern": "**/*", "path": "sub"}, OLD),
    "grep": Call("grep_search", {"pattern": "text|KEY", "path": "sub"}, OLD),
    "grep a file": Call("grep_search", {"pattern": "text|KEY", "path": OLD}, OLD),
}


class Yes:
    """Says yes to everything, but lets something happen before the first answer."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.requests: list[ApprovalRequest] = []
        self._meanwhile = meanwhile

    async def approve(self, request: ApprovalRequest) -> AllowOnce:
        self.requests.append(request)
        if len(self.requests) == 1:
            self._meanwhile()
        return AllowOnce(request.digest)


async def run(executor: ToolExecutor, call: Call) -> ToolOutcome:
    return await executor.run(ToolCall("c", call.tool, json.dumps(call.arguments)))


async def reads_first(executor: ToolExecutor, call: Call) -> None:
    """What is written over was read."""
    if call.path == OLD and call in WRITING.values():
        approver, executor.approver = executor.approver, Yes(lambda: None)
        assert (await run(executor, READING["read"])).result.ok
        executor.approver = approver


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path.resolve())


def is_sound(tree: Tree, outcome: ToolOutcome, approver: Yes, swap: str, *, harmless: bool = False) -> None:
    """What has to hold whatever happened; after a harmless swap nobody need be asked again."""
    told = outcome.result.content
    assert tree.outside_is_untouched()
    assert "OUTSIDE" not in told or "hard link" in swap, told  # a hard link is a file of the directory that it is in
    assert "only-outside" not in told, told
    assert tree.left_behind() == []
    assert "Errno" not in told and "Traceback" not in told and not told.startswith(f"{outcome.tool} failed"), told
    access = approver.requests[-1].access
    held = tree.holding(WRITTEN)
    if outcome.result.ok and isinstance(access, WriteAccess):
        (change,) = access.plan.changes
        assert change.after == WRITTEN and held == [Path(change.path)], told
        assert len(approver.requests) == 2 or harmless, "it was not asked again"
    else:
        assert held == [], told


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("call", WRITING)
async def test_a_write_meets_what_was_shown_or_nothing(tree: Tree, call: str, swap: str) -> None:
    path = tree.work / WRITING[call].path
    approver = Yes(lambda: SWAPS[swap](tree, path))
    executor = ToolExecutor(tree.work, approver=approver, policy=ASKING)
    await reads_first(executor, WRITING[call])
    with tree.in_time():
        outcome = await run(executor, WRITING[call])
    is_sound(tree, outcome, approver, swap, harmless=swap == "file: removed" and "edit" != call != "write")


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("call", ["write", "write new", "write where nothing is"])
async def test_a_swap_while_the_bytes_already_lie_beside_the_file(
    tree: Tree, call: str, swap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here paths are opened part by part, as where the kernel does not help."""
    monkeypatch.setattr(paths, "_openat2", lambda: None)
    path = tree.work / WRITING[call].path
    approver = Yes(lambda: None)
    executor = ToolExecutor(tree.work, approver=approver, policy=ASKING)
    await reads_first(executor, WRITING[call])
    fsync, done = os.fsync, []

    def late(descriptor: int) -> None:
        if not done:
            done.append(True)
            SWAPS[swap](tree, path)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", late)
    with tree.in_time():
        outcome = await run(executor, WRITING[call])
    assert done
    is_sound(tree, outcome, approver, swap, harmless=swap in ("file: removed", "file: read-only") and call != "write")


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("call", READING)
async def test_what_is_read_is_inside(tree: Tree, call: str, swap: str) -> None:
    path = tree.work / READING[call].path
    approver = Yes(lambda: SWAPS[swap](tree, path))
    executor = ToolExecutor(tree.work, approver=approver, policy=ASKING)
    with tree.in_time():
        outcome = await run(executor, READING[call])
    assert approver.requests
    is_sound(tree, outcome, approver, swap)


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("call", ["read", "list"])
async def test_what_is_opened_part_by_part_is_inside_too(
    tree: Tree, call: str, swap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_openat2", lambda: None)
    await test_what_is_read_is_inside(tree, call, swap)


@pytest.mark.parametrize("background", [False, True], ids=["in front", "in the background"])
@pytest.mark.parametrize("sandbox", [Sandbox(), pytest.param(WORKS, marks=needs_bwrap)], ids=["free", "sandboxed"])
@pytest.mark.parametrize("swap", OF_ROOT)
@pytest.mark.parametrize("root", ["work", "shared"])
async def test_a_command_does_not_run_beside_a_directory_that_was_swapped(
    tree: Tree, root: str, swap: str, sandbox: Sandbox, background: bool
) -> None:
    approver = Yes(lambda: OF_ROOT[swap](tree, tree.root / root))
    executor = ToolExecutor(tree.work, allowed_directories=[tree.shared], approver=approver, sandbox=sandbox)
    arguments = {"command": f"cat {tree.root}/{root}/*; echo x > made; echo x > {tree.root}/{root}/made"}
    with tree.in_time():
        outcome = await run(executor, Call("run_command", {**arguments, "background": background}, "."))
        await executor.aclose()
    is_sound(tree, outcome, approver, swap)
    assert re.search("cannot be used any more|replaced by another one", outcome.result.content)
    assert tree.holding(b"x\n") == []


@pytest.mark.parametrize("swap", OF_ROOT)
@pytest.mark.parametrize("tool", ["write_file", "read_file", "list_directory", "glob_files", "grep_search"])
async def test_an_allowed_directory_that_was_swapped_is_not_used(tree: Tree, tool: str, swap: str) -> None:
    approver = Yes(lambda: OF_ROOT[swap](tree, tree.shared))
    executor = ToolExecutor(tree.work, allowed_directories=[tree.shared], approver=approver, policy=ASKING)
    arguments = {
        "write_file": {"file_path": f"{tree.shared}/new.txt", "content": WRITTEN.decode()},
        "read_file": {"file_path": f"{tree.shared}/f.txt"},
        "list_directory": {"path": str(tree.shared)},
        "glob_files": {"pattern": "*", "path": str(tree.shared)},
        "grep_search": {"pattern": "text", "path": str(tree.shared)},
    }[tool]
    with tree.in_time():
        outcome = await run(executor, Call(tool, arguments, ""))
    is_sound(tree, outcome, approver, swap)
    assert not outcome.result.ok


async def test_a_file_that_appears_at_the_very_last_moment_is_not_written_over(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def late(*words: Any, **more: Any) -> None:
        (tree.work / NEW).write_text("THEIRS\n")
        link(*words, **more)

    monkeypatch.setattr(os, "link", late)
    approver = Yes(lambda: None)
    outcome = await run(ToolExecutor(tree.work, approver=approver), WRITING["write new"])
    assert outcome.result.content == f"cannot write {NEW}: file exists"
    assert (tree.work / NEW).read_text() == "THEIRS\n"
    is_sound(tree, outcome, approver, "")


async def test_where_the_disk_has_no_hard_links_a_new_file_is_written_too(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: Any, **more: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    approver = Yes(lambda: None)
    outcome = await run(ToolExecutor(tree.work, approver=approver), WRITING["write new"])
    is_sound(tree, outcome, approver, "", harmless=True)
    assert outcome.result.ok


async def test_the_second_question_says_why_it_is_asked(tree: Tree) -> None:
    approver = Yes(lambda: OF_FILE["the same again"](tree, tree.work / OLD))
    executor = ToolExecutor(tree.work, approver=approver)
    await reads_first(executor, WRITING["edit"])
    await run(executor, WRITING["edit"])
    first, second = approver.requests
    assert first.reasons == (f"changes {OLD}",)
    assert second.reasons == (f"{OLD} has changed since the change was prepared: look again", *first.reasons)


LED_OUTSIDE = """#!/bin/sh
case "$*" in
*--files*) printf './link/only-outside.txt\\0./f.txt\\0';;
*) cat <<'END'
{"type":"match","data":{"path":{"text":"./link/f.txt"},"lines":{"text":"OUTSIDE text\\n"},"line_number":1}}
{"type":"end","data":{"path":{"text":"./link/f.txt"},"binary_offset":null}}
{"type":"match","data":{"path":{"text":"./twin/f.txt"},"lines":{"text":"OUTSIDE text\\n"},"line_number":1}}
{"type":"match","data":{"path":{"text":"./twin/f.txt"},"lines":{"text":"OUTSIDE more\\n"},"line_number":2}}
{"type":"end","data":{"path":{"text":"./twin/f.txt"},"binary_offset":null}}
{"type":"match","data":{"path":{"text":"./f.txt"},"lines":{"text":"INSIDE text\\n"},"line_number":1}}
{"type":"end","data":{"path":{"text":"./f.txt"},"binary_offset":null}}
END
esac
"""
"""An `rg` under whose feet a directory became a link."""


@pytest.mark.parametrize(
    ("call", "found", "left_out"),
    [
        (Call("glob_files", {"pattern": "**"}, ""), "f.txt", "1 file"),
        (Call("grep_search", {"pattern": "text"}, ""), "f.txt:1:INSIDE text", "2 files"),
        (Call("read_file", {"file_path": "only-outsid.txt"}, ""), "no such file: only-outsid.txt. list_dir", ""),
    ],
    ids=["glob", "grep", "names that are like it"],
)
async def test_what_a_search_finds_outside_is_not_shown(
    tree: Tree, call: Call, found: str, left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.work / "link").symlink_to(tree.outside)
    program = tree.root / "rg"
    program.write_text(LED_OUTSIDE)
    program.chmod(0o755)
    monkeypatch.setattr(finder, "find_rg", lambda workspace: str(program))
    told = (await run(ToolExecutor(tree.work), call)).result.content
    note = f"\n[{left_out} changed during the search and left out: search again if it matters]"
    assert told.startswith(found + note if left_out else found)
    assert "OUTSIDE" not in told and "only-outside" not in told


async def hammered(tree: Tree, calls: dict[str, Call], step: Callable[[], None]) -> None:
    """Make all the calls for HAMMERED seconds while `step` is done again and again; what each says is true."""
    executor = ToolExecutor(tree.work, approve_all=True)
    done, made = 0, dict[bytes, bool]()
    over = time.monotonic() + HAMMERED
    with tree.in_time(), again_and_again(step):
        while time.monotonic() < over:
            data = b"%s %d" % (WRITTEN, len(made))
            new = {"file_path": f"sub/deep/new{len(made)}.txt", "content": data.decode()}
            for call in (*calls.values(), Call("write_file", new, "")):
                outcome = await run(executor, call)
                told = outcome.result.content
                assert "OUTSIDE" not in told and "only-outside" not in told, told
                assert "Errno" not in told and not told.startswith(f"{outcome.tool} failed"), told
                done += outcome.result.ok
            made[data] = outcome.result.ok
    assert done > 20
    held = set(tree.contents().values())
    assert {data: data in held for data in made} == made
    assert tree.outside_is_untouched() and tree.left_behind() == []


async def test_nothing_is_shown_or_written_outside_while_a_directory_and_a_link_change_places(tree: Tree) -> None:
    link = tree.work / "link"
    link.symlink_to(tree.outside / "sub")
    calls = {**READING, "grep all": Call("grep_search", {"pattern": "text"}, "")}
    await hammered(tree, calls, lambda: exchange(tree.work / "sub", link))


async def test_nobody_waits_or_is_led_outside_while_a_file_becomes_a_link_and_a_pipe(tree: Tree) -> None:
    path, link, pipe = (tree.work / "sub/deep" / name for name in ("f.txt", "link", "pipe"))
    link.symlink_to(tree.outside / "f.txt")
    os.mkfifo(pipe)
    others = itertools.cycle((link, pipe))

    def step() -> None:
        other = next(others)
        exchange(path, other)
        time.sleep(0.000_3)
        exchange(path, other)

    edit = Call("edit_file", {"file_path": OLD, "old_string": "text", "new_string": "text text"}, OLD)
    calls = {**{name: READING[name] for name in ("read", "read by an edit", "list", "grep a file")}, "edit": edit}
    await hammered(tree, calls, step)
