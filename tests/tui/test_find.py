"""Finding in the transcript as the user meets it: the bar, the marks, the way there and back."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import Key, Paste
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tests.project import Machine
from tests.tui.chat_stage import chat_app, keep_session, screen_text, submit, until
from tests.tui.stage import THEMES, Stage
from tui_agent.conversation.events import AssistantReplied, PromptSubmitted, ToolFinished, TurnEnded
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.arming import SILENCE
from tui_agent.tui.finder import Finder
from tui_agent.tui.theming import UNICODE, Palette
from tui_agent.tui.widgets.find_bar import FindBar, FindInput
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Document,
    GrowingText,
    NoticeBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
)
from tui_agent.tui.widgets.transcript.found import Found
from tui_agent.tui.widgets.transcript.view import TranscriptView


class Show(Stage):
    """A transcript, a prompt, and what finds."""

    BINDINGS = [Binding("ctrl+f", "find")]

    def __init__(self) -> None:
        super().__init__()
        self.document = Document(clock=lambda: 100.0)
        self.view = TranscriptView(self.document, palette=Palette(THEMES["slate"]))
        self.prompt = PromptArea()

    def compose(self) -> ComposeResult:
        yield self.view
        with Vertical(id="foot"):
            yield self.prompt

    CSS = "TranscriptView { height: 1fr; } #foot { height: auto; dock: bottom; }"

    def on_mount(self) -> None:
        self.finder = Finder(self.screen, self.view, UNICODE, lambda: None)
        self.prompt.focus()

    async def action_find(self) -> None:
        await self.finder.open(self.query_one("#foot"), above=self.prompt)

    def on_transcript_view_fold_toggled(self, event: TranscriptView.FoldToggled) -> None:
        self.finder.keep_fold(event.block_id)

    # ---- what is on the screen ----

    @property
    def lines(self) -> list[str]:
        return [self.view.render_line(y).text.rstrip() for y in range(self.view.size.height)]

    @property
    def bar(self) -> str:
        return screen_text(self).split("\n")[self.query_one(FindBar).region.y].strip()

    def styled(self, wanted: Callable[[Segment], object]) -> list[tuple[int, str]]:
        """Runs of characters in a style, with their rows."""
        found = []
        for y in range(self.view.size.height):
            run = ""
            for segment in [*self.view.render_line(y), Segment("")]:
                if segment.text and segment.style and wanted(segment):
                    run += segment.text
                elif run:
                    found.append((y, run))
                    run = ""
        return found

    @property
    def marked(self) -> list[str]:
        background = Palette(THEMES["slate"]).selection.bgcolor
        return [text for _, text in self.styled(lambda segment: segment.style.bgcolor == background)]

    @property
    def present(self) -> list[str]:
        return [text for _, text in self.styled(lambda segment: segment.style.reverse)]


async def done(pilot: Pilot[object]) -> None:
    """Wait until nothing is searched and nothing is to be drawn."""
    app = pilot.app
    await pilot.pause()
    while app.finder._timer is not None or app.view._frame is not None:
        await pilot.pause(0.005)
    await pilot.pause()


async def look_for(pilot: Pilot[object], text: str) -> None:
    await pilot.press("ctrl+f")
    pilot.app.query_one(FindInput).post_message(Paste(text))
    await done(pilot)


async def go_to(pilot: Pilot[object], place: str) -> None:
    for _ in range(4):
        if pilot.app.bar.endswith(place):
            return
        await pilot.press("down")
        await done(pilot)
    raise AssertionError(f"never {place}: {pilot.app.bar}")


def talk(document: Document, turns: int = 40) -> None:
    for number in range(turns):
        document.add(UserBlock(text=f"question {number}"))
        document.add(AgentBlock(text=GrowingText(f"An an**sw**er {number}, and\n\n- a point\n- another\n")))


async def test_every_key_searches_and_escape_leads_back() -> None:
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        talk(app.document)
        await done(pilot)
        before = app.lines
        await pilot.press("ctrl+f", *"question 1")
        await done(pilot)
        assert app.bar.endswith("11 of 11"), "question 1 and 10 to 19, and the nearest is the last"
        assert app.present == ["question 1"] and any("question 19" in line for line in app.lines)
        assert not app.view.follow
        await pilot.press("2")
        await done(pilot)
        assert app.bar.endswith("1 of 1") and any("question 12" in line for line in app.lines)
        await pilot.press("x")
        await done(pilot)
        assert app.bar.endswith("not found") and app.present == []
        await pilot.press("escape")
        await done(pilot)
        assert app.lines == before and app.view.follow
        assert app.focused is app.prompt and not app.query_one(FindBar).display
        assert app.view.marks is None


async def test_next_and_previous_go_round_and_enter_goes_on_in_the_transcript() -> None:
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        talk(app.document)
        await done(pilot)
        first = min(number for number in range(40) if any(f"answer {number}," in line for line in app.lines))
        await pilot.press("ctrl+f", *"answer 3")
        await done(pilot)
        assert app.bar.endswith(f"{first - 28} of 11"), "the first one in view, whatever the first letters led to"
        await pilot.press(*["down"] * (40 - first))
        await done(pilot)
        assert app.bar.endswith("1 of 11") and any("answer 3," in line for line in app.lines)
        await pilot.press("up", "up", "ctrl+f")
        await done(pilot)
        assert app.bar.endswith("11 of 11")
        await pilot.press("enter")
        assert app.focused is app.view and app.query_one(FindBar).display
        await pilot.press("N", "N")
        await done(pilot)
        assert app.bar.endswith("9 of 11") and any("answer 37" in line for line in app.lines)
        assert app.document.blocks[75].id == app.view.cursor, "keys act on what was gone to"
        await pilot.press("escape")
        await done(pilot)
        assert app.view.marks is None and not app.query_one(FindBar).display
        assert any("answer 37" in line for line in app.lines), "one stays there"


async def test_all_hits_in_view_are_marked_over_wraps_and_marks_of_markdown() -> None:
    app = Show()
    async with app.run_test(size=(34, 16)) as pilot:
        app.document.add(AgentBlock(text=GrowingText("Some words, then an an**sw**er that is\n\n`code answer`")))
        app.document.add(UserBlock(text="日本語 answer 日本語"))
        await done(pilot)
        await look_for(pilot, "answer")
        assert app.bar.endswith("1 of 3")
        assert app.present == ["answer"] and app.marked == ["answer", "answer"]
        await pilot.press("escape")
        await look_for(pilot, "that is")
        assert app.present == ["that is"] and app.marked == []
        await pilot.press("escape")
        await look_for(pilot, "then an answer that")
        assert "".join(app.present).replace(" ", "") == "thenananswerthat" and len(app.present) > 1


async def test_a_folded_block_is_unfolded_while_the_present_hit_is_in_it() -> None:
    app = Show()
    async with app.run_test(size=(80, 16)) as pilot:
        thought = app.document.add(ThoughtBlock(text=GrowingText("hidden idea"), seconds=1))
        tool = app.document.add(ToolBlock(name="run", title="it", status="ok", content="line\n" * 30 + "idea\n"))
        notice = app.document.add(NoticeBlock(level="info", text="no ideas"))
        await done(pilot)
        await look_for(pilot, "idea")
        assert app.bar.endswith("of 3")
        folds = []
        for _ in range(3):
            folds.append((app.bar.split("  ")[-1].strip(), thought.folded, tool.folded))
            await pilot.press("down")
            await done(pilot)
        assert sorted(folds) == [("1 of 3", False, True), ("2 of 3", True, False), ("3 of 3", True, True)]
        await go_to(pilot, "2 of 3")
        assert app.present == ["idea"], "the end of a long result"
        await pilot.press("escape")
        await done(pilot)
        assert thought.folded and tool.folded
        await look_for(pilot, "idea")
        await go_to(pilot, "2 of 3")
        await pilot.press("enter", "n")
        await done(pilot)
        assert not tool.folded, "what one stayed at stays open"
        await pilot.press("escape")
        assert not tool.folded and notice in app.document.blocks


async def test_what_streams_is_found_and_the_present_hit_stays() -> None:
    app = Show()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(UserBlock(text="word"))
        block = app.document.add(AgentBlock(streaming=True))
        await done(pilot)
        await look_for(pilot, "word")
        assert app.bar.endswith("1 of 1")
        for number in range(30):
            app.document.append_text(block, f"some wo**rd** {number}\n\n")
        await done(pilot)
        assert app.bar.endswith("1 of 31") and app.present == ["word"]


async def test_expressions_and_what_is_wrong_with_them() -> None:
    app = Show()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(UserBlock(text="one two a+b Three"))
        await look_for(pilot, "a+b")
        assert app.bar.endswith("1 of 1") and "regex" not in app.bar
        await pilot.press("alt+r")
        await done(pilot)
        assert app.bar.endswith("regex  not found")
        await pilot.press("left", "left", "left", *"(", "end")
        await done(pilot)
        assert "no expression: missing )" in app.bar
        await pilot.press("ctrl+u", *"t[a-z]+")
        await done(pilot)
        assert app.bar.endswith("regex  1 of 2")
        await pilot.press("ctrl+u", *"T.r")
        await done(pilot)
        assert app.bar.endswith("regex  case  1 of 1")


async def test_what_is_pasted_is_one_clean_line_and_what_was_looked_for_is_offered_again() -> None:
    app = Show()
    async with app.run_test(size=(80, 16)) as pilot:
        app.document.add(UserBlock(text="a needle here"))
        await pilot.press("ctrl+f")
        app.query_one(FindInput).post_message(Paste("\r\n\x1b[31mneedle\x07\r\nmore\n"))
        await done(pilot)
        bar = app.query_one(FindBar)
        assert bar.text == "needle␇"
        await pilot.press("backspace")
        await done(pilot)
        assert app.bar.endswith("1 of 1")
        await pilot.press("escape", "ctrl+f")
        await done(pilot)
        assert app.bar.endswith("1 of 1") and app.present == ["needle"]
        await pilot.press(*"here")
        await done(pilot)
        assert bar.text == "here" and app.present == ["here"]
        await pilot.press("ctrl+u")
        await done(pilot)
        assert app.present == [] == app.marked and "of" not in app.bar


@pytest.mark.parametrize("size", [(40, 10), (120, 40)])
async def test_resizing_keeps_the_marks_on_their_text(size: tuple[int, int]) -> None:
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        talk(app.document)
        await done(pilot)
        await look_for(pilot, "another")
        await pilot.press("up", "down", "down", "down")
        await done(pilot)
        assert app.bar.endswith("39 of 40")
        await pilot.resize_terminal(*size)
        await done(pilot)
        assert set(app.marked) <= {"another"} and app.present == ["another"]
        assert app.bar.endswith("39 of 40") and app.bar.startswith("find another")


async def test_a_search_in_a_huge_session_never_holds_up_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = []
    work = Found.work

    def measured(found: Found, seconds: float) -> bool:
        began = time.process_time()
        more = work(found, seconds)
        slices.append(time.process_time() - began)
        return more

    monkeypatch.setattr(Found, "work", measured)
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        line = "some output with a few words in it, and an end\n"
        for _ in range(50):
            app.document.add(ToolBlock(name="run", status="ok", content=line * 8_000))
        app.document.add(UserBlock(text="the e nd"))
        await done(pilot)
        await look_for(pilot, "e n")
        assert app.present == ["e n"] and app.bar.endswith("1 of 1")
        assert len(slices) > 3
        await pilot.press("ctrl+u", "e")
        await done(pilot)
        assert app.bar.endswith(" of 1,200,002")
        assert app.present == ["e"], "the nearest one, of the prompt"
        await pilot.press("down")
        await done(pilot)
        assert max(slices) < 0.05


async def test_the_end_of_an_answer_that_is_read_bit_by_bit_is_gone_to() -> None:
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        words = "Some **text** of a long answer, with `code` and a [link](http://there.invalid).\n\n"
        app.document.add(AgentBlock(text=GrowingText(words * 4_000 + "the needle\n\n" + words * 100)))
        talk(app.document, 10)
        await done(pilot)
        await look_for(pilot, "needle")
        assert app.present == ["needle"]


async def test_another_session_may_come_while_one_looks_for_something() -> None:
    app = Show()
    async with app.run_test(size=(80, 24)) as pilot:
        talk(app.document)
        await done(pilot)
        await look_for(pilot, "answer")
        before = app.lines
        app.document.clear()
        assert app.view.reading is None
        assert app.lines == before, "until the view knows, what was painted stays"
        app.finder.step(1)
        await done(pilot)
        assert app.bar.endswith("not found")
        app.document.add(UserBlock(text="another answer"))
        await done(pilot)
        assert app.bar.endswith("1 of 1") and app.present == ["answer"]
        await pilot.press("escape")
        await done(pilot)
        assert any("another answer" in line for line in app.lines)


# ---- in the whole program ----


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.under(tmp_path, {"fake": "http://127.0.0.1:9/v1/"})


def serve(machine: Machine, server: ChatServer) -> None:
    provider = {"base_url": server.url, "default_model": "fake-model", "requires_api_key": False}
    machine.configure({"provider": "fake", "providers": {"fake": provider}})


def says(app: TuiAgent, part: str) -> Callable[[], bool]:
    return lambda: part in screen_text(app)


RUN = reply_calls([("run_command", {"command": "echo yes no"})], answer="I run it, yes.")


async def test_what_is_typed_to_find_never_answers_a_question(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([RUN, reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "run it")
            await pilot.press("ctrl+f")
            await until(pilot, says(app, "wants to run a command"))
            bar = app.chat.query_one(FindInput)
            assert app.chat.focused is bar
            await until(pilot, says(app, "a question waits: esc"))
            await pilot.press("y")
            await pilot.pause(2 * SILENCE)
            assert not app.chat._questions.armed and app.chat.focused is bar, "the bar keeps the keys however long"
            await pilot.press("e", "s", "n", "enter")
            assert bar.value == "yesn" and app.chat._questions.first is not None
            await pilot.press("backspace")
            await until(pilot, says(app, "1 of"))
            await pilot.press("enter")
            assert app.chat.focused is app.chat.query_one(TranscriptView)
            await pilot.pause(2 * SILENCE)
            await pilot.press("n")
            await pilot.pause()
            assert app.chat._questions.first is not None, "n goes to the next hit"
            await pilot.press("escape")
            assert app.chat._questions.first is not None and not app.chat.query_one(FindBar).display
            await until(pilot, lambda: app.chat._questions.armed, "armed")
            await pilot.press("n")
            await until(pilot, says(app, "denied"))


async def test_find_opens_over_an_open_question_and_gives_the_keys_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([RUN, reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(40, 10)) as pilot:
            await submit(pilot, "run it")
            await until(pilot, lambda: app.chat._questions.armed, "armed")
            await pilot.press("ctrl+f", "y", "e", "s")
            assert app.chat.query_one(FindInput).value == "yes"
            assert app.chat._questions.first is not None
            await pilot.press("escape")
            await until(pilot, lambda: app.chat._questions.armed, "armed again")
            await pilot.press("y")
            await until(pilot, says(app, "Done."))


async def test_what_is_typed_right_behind_the_key_goes_into_the_bar(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("A needle.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit(pilot, "hello")
            await until(pilot, says(app, "A needle."))
            for key in ("ctrl+f", *"needle"):
                character = key if len(key) == 1 else None
                app.post_message(Key(key, character))
            await until(pilot, says(app, "1 of 1"))
            assert app.chat.query_one(PromptArea).text == ""
            assert app.chat.query_one(FindInput).value == "needle"


PAST = [
    PromptSubmitted("where is the needle?"),
    AssistantReplied(
        "It is in a **hay**stack:\n\n- the first *needle*\n- the second, of which there is more to be said so that"
        " the line is wrapped, and a needle\n\n```python\nneedle = find(needle=True)\n```\n\n| needle | size |\n"
        "|---|---|\n| sewing needle | 3 cm |\n",
        "",
        (ToolCall("1", "run_command", '{"command": "grep -n needle hay.txt"}'),),
        "tool_calls",
        "fake",
        "fake-model",
        Usage(),
        1.0,
        0.0,
    ),
    ToolFinished(
        "1", "run_command", "grep -n needle hay.txt", "ok", "12:a needle\n40:another Needle\n", 0.5, exit_code=0
    ),
    TurnEnded("done"),
]


def test_what_is_found_looks_as_designed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool]
) -> None:
    asyncio.run(keep_session(machine, PAST))
    app = chat_app(machine, monkeypatch, "--continue")

    async def found(pilot: Pilot[int]) -> None:
        await until(pilot, says(app, "sewing"))
        await until(pilot, lambda: app.chat.engine.opened, "the engine")
        await pilot.press("ctrl+f", *"needle", "down", "down")
        await until(pilot, says(app, " of 10"))
        await until(pilot, says(app, "ctx"))
        await pilot.pause(0.2)

    assert snap_compare(app, terminal_size=(80, 24), run_before=found)
