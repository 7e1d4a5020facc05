"""Undo, redo, going back and the changes of a turn on the screen, with the real engine."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, Stall, reply_calls, reply_steps, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, screen_text, submit, until
from tests.tui.test_chat import says, serve
from tests.tui.test_sessions import Listing
from tui_agent.agent.undo import Prompt
from tui_agent.conversation.events import FileDelta, FilesRestored, Rewound, TurnEnded
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.review import ReviewScreen
from tui_agent.tui.screens.rewind import RewindScreen
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import Document, NoticeBlock, ToolBlock, TurnBlock
from tui_agent.tui.widgets.transcript.layout import rows_of
from tui_agent.tui.widgets.transcript.lines import text_of
from tui_agent.tui.widgets.transcript.projection import Projector

COMMAND = reply_calls([("run_command", {"command": "cp b.txt a.txt; mkdir d; mv b.txt d/b.txt"})], answer="Go.")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})
    (machine.project / "b.txt").write_text("b\n")
    return machine


def opened(machine: Machine, server: ChatServer, monkeypatch: pytest.MonkeyPatch, *words: str) -> TuiAgent:
    serve(machine, server, permissions={"allow": ["cp", "mkdir", "mv"]})
    return chat_app(machine, monkeypatch, *words)


def files(machine: Machine) -> dict[str, str]:
    return {path.name: path.read_text() for path in machine.project.iterdir() if path.is_file()}


async def test_a_turn_is_summed_up_reviewed_undone_and_redone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_text("Done.")]) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(100, 40)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "± 3 files changed  +2 −1   ctrl+g review   /undo"))
            after = files(machine)
            await pilot.press("ctrl+g")
            await until(pilot, lambda: isinstance(app.screen, ReviewScreen), "the review")
            await until(pilot, says(app, "last turn · a.txt"))
            await pilot.press("escape")
            await submit(pilot, "/undo")
            await until(pilot, says(app, "undo  4 paths are as they were before"))
            assert files(machine) == {"b.txt": "b\n"}
            await submit(pilot, "/undo")
            await until(pilot, says(app, "nothing to undo"))
            await pilot.press("alt+y")
            await until(pilot, says(app, "redo  4 paths are as they were before the undo"))
            assert files(machine) == after and app.chat.query_one(PromptArea).draft == ""
            await submit(pilot, "/undo all of it")
            await until(pilot, says(app, "all of it cannot be undone"))
            await app.chat.close_host()
        assert len(server.requests) == 2

    with ChatServer([reply_text("Yes.")]) as server:
        app = opened(machine, server, monkeypatch, "--continue")
        async with app.run_test(size=(100, 40)) as pilot:
            await until(pilot, says(app, "± 3 files changed  +2 −1   ctrl+g review"))
            await submit(pilot, "/undo call")
            await until(pilot, lambda: files(machine) == {"b.txt": "b\n"}, "the undo")


async def test_undo_waits_for_the_end_of_the_turn(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([COMMAND, reply_steps(Stall())]) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(100, 40)) as pilot:
            await submit(pilot, "go")
            await until(pilot, lambda: len(server.requests) == 2, "the second request")
            for command in ("/undo", "/redo", "/rewind"):
                await submit(pilot, command)
                await until(pilot, lambda: screen_text(app).count("a turn is running") >= 1, "a word")
            assert "a.txt" in files(machine) and not isinstance(app.screen, RewindScreen)
            await pilot.press("escape")
            await until(pilot, lambda: not app.chat.busy, "the end of the turn")


async def test_going_back_gives_the_prompt_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("One."), COMMAND, reply_text("Two.")]) as server:
        app = opened(machine, server, monkeypatch)
        async with app.run_test(size=(100, 40)) as pilot:
            await submit(pilot, "first")
            await until(pilot, says(app, "One."))
            await submit(pilot, "second")
            await until(pilot, says(app, "Two."))
            await until(pilot, lambda: not app.chat.busy, "the end of the turn")
            await pilot.press("alt+g")
            await until(pilot, lambda: isinstance(app.screen, RewindScreen), "the list of prompts")
            await pilot.press("enter")
            await until(pilot, says(app, "the conversation goes on from before “second”"))
            assert files(machine) == {"b.txt": "b\n"}
            assert app.chat.query_one(PromptArea).draft == "second"


class Going(Listing):
    def __init__(self, *prompts: Prompt) -> None:
        super().__init__()
        self.list_screen = RewindScreen(prompts, now=1000.0)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (("enter",), (3, ("files", "conversation"))),
        (("down", "tab", "enter"), (1, ("conversation",))),
        ((*"one", "tab", "tab", "enter"), (1, ("files",))),
        (("tab", "tab", "tab", "enter"), (3, ("files", "conversation"))),
        (("escape",), None),
    ],
)
async def test_the_list_of_prompts(keys: tuple[str, ...], chosen: object) -> None:
    app = Going(Prompt(1, 400.0, "one\x1b[31m"), Prompt(3, 990.0, "two\nlines"))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.lines[0].startswith("› two lines") and app.lines[0].endswith("just now")
        assert app.lines[1].startswith("  one") and "10 min ago" in app.lines[1]
        await pilot.press(*keys)
        await pilot.pause()
        given = app.chosen
        assert given == chosen or (isinstance(given, tuple) and (given[0].seq, given[1]) == chosen)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_what_goes_back_is_said_at_every_size(size: tuple[int, int]) -> None:
    app = Going(Prompt(1, 400.0, "one"))
    async with app.run_test(size=size):
        await asyncio.sleep(0)
        text = screen_text(app)  # type: ignore[arg-type]
        assert "files and conversation" in text and "› one" in text and "esc" in text


def drawn(*events: FilesRestored | Rewound | TurnEnded, width: int = 80) -> list[str]:
    document = Document()
    projector = Projector(document, changes_key=lambda: "ctrl+g")
    for event in events:
        projector.apply(event)
    return [text_of(line.spans) for block in document for line in rows_of(block, width, lambda: 0.0)]


def test_what_was_left_alone_is_named_with_its_reason() -> None:
    delta = FileDelta("a.py", 1, 2, "")
    rows = drawn(
        FilesRestored("undo", ("x",), (delta,), (("b\x07.py", "it was changed since"),), 1, 1, "s", 2), width=100
    )
    assert rows[0] == "undo  1 path is as it was before · 1 path left alone"
    assert "a.py  +1 −2" in rows and "  b␇.py: it was changed since" in rows
    assert rows[-1] == "2 earlier calls can no longer be undone: there was no room"
    (failed,) = drawn(FilesRestored("redo", ("x",), (), (), 0))
    assert failed.startswith("redo  nothing was put back")


def test_many_paths_are_bounded_and_a_summary_without_counts_has_none() -> None:
    deltas = tuple(FileDelta(f"f{number}", 0, 0, "") for number in range(100))
    left = tuple((f"g{number}", "gone") for number in range(100))
    rows = drawn(FilesRestored("undo", ("x",), deltas, left, 20_000, 150, "s"))
    assert len(rows) < 130 and "… and 19,900 more" in rows and "  … and 130 more" in rows
    assert drawn(TurnEnded("done", "", 20_000)) == ["20,000 files changed   ctrl+g review   /undo"]
    assert drawn(TurnEnded("done")) == []
    assert drawn(TurnEnded("done", "", 1, 5, 1), width=24) != []
    assert {type(block) for block in _blocks(TurnEnded("done", "", 1), Rewound(1, "p"))} == {TurnBlock, NoticeBlock}
    assert isinstance(_blocks(FilesRestored("undo", (), (), (), 1))[0], ToolBlock)


def _blocks(*events: FilesRestored | Rewound | TurnEnded) -> list[object]:
    document = Document()
    for event in events:
        Projector(document).apply(event)
    return list(document)
