"""The disk changes while a question stands on the screen, and under a run without a screen."""

from pathlib import Path

import pytest
from textual.app import App

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tools.swaps import Tree, again_and_again, exchange
from tests.tui.chat_stage import chat_app, screen_text, submit, until

READ = ("read_file", {"file_path": "note.txt"})
EDIT = ("edit_file", {"file_path": "note.txt", "old_string": "old", "new_string": "new"})


def flat(app: App[int]) -> str:
    """The screen as one line."""
    return " ".join(screen_text(app).split())


def said(server: ChatServer) -> list[str]:
    """What the model was told of its calls."""
    return [message["content"] for message in server.bodies[-1]["messages"] if message["role"] == "tool"]


@pytest.mark.parametrize("how", ["changed", "replaced by its like", "link to outside"])
async def test_a_file_that_changes_under_an_open_question(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("old OUTSIDE\n")
    with ChatServer([reply_calls([READ]), reply_calls([EDIT]), reply_text("Done.")]) as server:
        machine = Machine.under(tmp_path, {"fake": server.url})
        note = machine.project / "note.txt"
        note.write_text("old\n")
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "change it")
            await until(pilot, lambda: app.chat._questions.armed, "an open question")
            note.rename(machine.project / "was.txt")
            if how == "link to outside":
                note.symlink_to(outside)
            else:
                note.write_text("old\n" if how == "replaced by its like" else "old, but theirs\n")
            await pilot.press("y")
            if how == "replaced by its like":
                await until(pilot, lambda: "has changed since the change was prepared: look again" in flat(app))
                assert note.read_text() == "old\n"
                await until(pilot, lambda: app.chat._questions.armed, "the question again")
                await pilot.press("y")
            await until(pilot, lambda: "Done." in screen_text(app))
    told = said(server)[-1]
    assert outside.read_text() == "old OUTSIDE\n" and "OUTSIDE" not in told
    if how == "replaced by its like":
        assert note.read_text() == "new\n" and told.startswith("edited note.txt")
    else:
        assert "so nothing was written" in told
        assert note.read_text() == ("old OUTSIDE\n" if how == "link to outside" else "old, but theirs\n")


def test_a_run_without_a_screen_is_not_led_outside(tmp_path: Path) -> None:
    """While it works, a directory and a link to outside change places."""
    tree = Tree(tmp_path.resolve() / "tree")
    link = tree.work / "link"
    link.symlink_to(tree.outside / "sub")
    names = [f"sub/deep/new{number}.txt" for number in range(30)]
    calls = [("write_file", {"file_path": name, "content": f"WRITTEN {name}\n"}) for name in names]
    looks = [
        ("grep_search", {"pattern": "text"}),
        ("glob_files", {"pattern": "**"}),
        ("read_file", {"file_path": "sub/f.txt"}),
    ]
    with ChatServer([reply_calls([*calls, *looks]), reply_text("Done.")]) as server:
        machine = Machine.under(tmp_path / "machine", {"fake": server.url})
        with again_and_again(lambda: exchange(tree.work / "sub", link)):
            done = machine.run(
                "invoke", "-m", "go", "--approve", "all", "--sandbox", "off", "--working-dir", str(tree.work)
            )
    assert done.stdout == "Done.\n", done.stderr
    told = said(server)
    assert len(told) == len(calls) + len(looks)
    assert tree.outside_is_untouched() and tree.left_behind() == []
    assert "OUTSIDE" not in "".join(told) and "only-outside" not in "".join(told)
    held = set(tree.contents().values())
    assert [text.startswith("created") for text in told[: len(names)]] == [
        f"WRITTEN {name}\n".encode() in held for name in names
    ]
