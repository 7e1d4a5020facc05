"""What was shown is what is written, or nothing is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace.apply import StaleChange, apply
from tui_agent.workspace.changes import ChangePlan, FileChange
from tui_agent.workspace.files import read_bytes
from tui_agent.workspace.paths import Workspace


def change(workspace: Workspace, name: str, after: bytes) -> FileChange:
    location = workspace.resolve(name, for_write=True)
    if not location.path.exists():
        return FileChange(str(location.path), name, None, after, None)
    before, identity = read_bytes(location)
    return FileChange(str(location.path), name, before, after, identity)


@given(before=st.none() | st.binary(max_size=200), after=st.binary(max_size=200))
def test_exactly_the_bytes_of_the_plan_are_written(
    tmp_path_factory: pytest.TempPathFactory, before: bytes | None, after: bytes
) -> None:
    tmp_path = tmp_path_factory.mktemp("w")
    if before is not None:
        (tmp_path / "f").write_bytes(before)
    workspace = Workspace(tmp_path)
    apply(ChangePlan((change(workspace, "f", after),)), workspace)
    assert (tmp_path / "f").read_bytes() == after


def altered(path: Path) -> None:
    path.write_bytes(b"other")


def replaced(path: Path) -> None:
    (path.parent / "new").write_bytes(path.read_bytes())
    (path.parent / "new").rename(path)


def linked(path: Path) -> None:
    path.rename(path.parent / "moved")
    path.symlink_to("moved")


@pytest.mark.parametrize("how", [altered, replaced, linked, Path.unlink])
def test_a_file_that_is_not_the_one_shown_is_left_alone(tmp_path: Path, how: object) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"before")
    workspace = Workspace(tmp_path)
    plan = ChangePlan((change(workspace, "f", b"after"),))
    assert callable(how)
    how(path)
    with pytest.raises(StaleChange):
        apply(plan, workspace)
    assert not any(each.read_bytes() == b"after" for each in tmp_path.iterdir())


def test_a_new_file_that_has_appeared_meanwhile_is_left_alone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    plan = ChangePlan((change(workspace, "f", b"after"),))
    os.symlink("nowhere", tmp_path / "f")
    with pytest.raises(StaleChange):
        apply(plan, workspace)
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_written_when_one_of_several_files_has_changed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in "ab":
        (tmp_path / name).write_bytes(b"before")
    plan = ChangePlan((change(workspace, "a", b"after"), change(workspace, "b", b"after")))
    (tmp_path / "b").write_bytes(b"other")
    with pytest.raises(StaleChange, match=r"^b has changed"):
        apply(plan, workspace)
    assert (tmp_path / "a").read_bytes() == b"before"


def test_what_was_written_before_a_late_change_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    for name in "ab":
        (tmp_path / name).write_bytes(b"before")
    plan = ChangePlan((change(workspace, "a", b"after"), change(workspace, "b", b"after")))
    rename = os.rename

    def late(*words: object, **more: object) -> None:
        rename(*words, **more)  # type: ignore[arg-type]
        altered(tmp_path / "b")

    monkeypatch.setattr(os, "rename", late)
    with pytest.raises(WorkspaceError, match=r"^b has changed since .*; written before that: a$") as raised:
        apply(plan, workspace)
    assert not isinstance(raised.value, StaleChange)  # which says that nothing was written
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"after", b"other")
