"""What a nearly right path means: never anything outside, and never one of two things."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.tools.builtin.places import find_place
from tui_agent.workspace.paths import Workspace

TREE = ("src/app.py", "src/work/deep.py", "etc/passwd", "README.md", "we ird")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("places").resolve()
    for name in (*(f"work/{name}" for name in TREE), "secret", "other/secret"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "work/out").symlink_to("../other")
    return root / "work"


PARTS = (
    "/",
    "\\",
    ".",
    "..",
    "~",
    "src",
    "app.py",
    "work",
    "out",
    "secret",
    "etc",
    "passwd",
    "home",
    "new.py",
    "README.md",
)
PATHS = st.lists(st.sampled_from((*PARTS, "`", '"', "'", " ", "\n", "\0", "\ud800", "x" * 300)), max_size=9).map(
    "".join
)


@settings(deadline=None)
@given(text=PATHS, for_write=st.booleans())
@example(text="'/etc/passwd'", for_write=False)
@example(text="`../secret`", for_write=True)
@example(text="..\\secret", for_write=True)
@example(text="/out/secret", for_write=False)
@example(text="\\`/`", for_write=True)
@example(text="/" + "work/" * 800 + "x", for_write=False)
def test_whatever_is_written_means_something_inside_or_nothing(work: Path, text: str, for_write: bool) -> None:
    workspace = Workspace(work)
    try:
        said = workspace.resolve(text, for_write=for_write)
    except TuiAgentError:
        said = None
    try:
        location, repairs = find_place(workspace, text, for_write=for_write)
    except TuiAgentError:
        assert said is None
        return
    assert location.path.is_relative_to(work)
    assert Path(os.path.realpath(location.path)) == location.path
    assert bool(repairs) == (location != said)
    if said is not None and os.path.lexists(said.path):
        assert not repairs
    if repairs:
        assert for_write or os.path.lexists(location.path)
        assert find_place(workspace, location.name, for_write=for_write) == (location, ())


@pytest.mark.parametrize("name", TREE)
def test_what_exists_is_never_read_otherwise(work: Path, name: str) -> None:
    workspace = Workspace(work)
    for text in (name, f"./{name}", str(work / name)):
        assert find_place(workspace, text).location.path == work / name
        assert find_place(workspace, text).repairs == ()


def test_an_absolute_path_in_a_directory_that_exists_is_meant_as_it_is(work: Path, tmp_path: Path) -> None:
    for text in ("/etc/passwd", "/etc/none", f"{tmp_path}/src/app.py", f"{tmp_path}/README.md"):
        with pytest.raises(TuiAgentError, match="outside the working directory"):
            find_place(Workspace(work), text)
