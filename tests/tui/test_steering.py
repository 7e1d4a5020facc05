"""Prompts beside and behind a turn, on the screen: what waits, looking through it, once more, and escape twice."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.pilot import Pilot

from tests.fakes.chat_server import ChatServer, Reply, Stall, finish, reply_calls, reply_error, reply_steps, reply_text
from tests.fakes.replies import Delay, text
from tests.project import Machine
from tests.stopwatch import Stopwatch
from tests.tui.chat_stage import chat_app, keep_session, screen_text, submit, until
from tests.tui.test_chat import machine, says
from tui_agent.conversation.events import Noticed, PromptSubmitted, TurnEnded, TurnReason
from tui_agent.tui.app import TuiAgent
from tui_agent.tui.screens.queued import QueuedScreen
from tui_agent.tui.screens.rewind import RewindScreen
from tui_agent.tui.twice import AGAIN, Twice
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.transcript.document import Document, NoticeBlock
from tui_agent.tui.widgets.transcript.projection import RETRY, Projector

__all__ = ["machine"]

FIRST = reply_steps(text("Thinking about"), Delay(60), finish("stop"))
COMMAND = reply_calls([("run_command", {"command": "cat gate"})], answer="Wait.")
"""Runs until it is let go: see `let_go`."""
WRITE = reply_calls([("write_file", {"file_path": "new.txt", "content": "x\n"})], answer="Writing.")


class Answers:
    """Answers the requests in order, each when it is let go."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies

    def __call__(self, body: dict[str, Any], number: int) -> Reply:
        return self.replies[min(number, len(self.replies) - 1)]


def serve(machine: Machine, *servers: ChatServer, **more: object) -> None:
    names = ("fake", "other")
    if not (machine.project / "gate").exists():
        os.mkfifo(machine.project / "gate")
    common = {"default_model": "fake-model", "requires_api_key": False, "max_retries": 0}
    providers = {name: {"base_url": server.url, **common} for name, server in zip(names, servers, strict=False)}
    machine.configure({"provider": "fake", "providers": providers, "permissions": {"allow": ["cat"]}, **more})


async def let_go(pilot: Pilot[int], machine: Machine) -> None:
    """Let the command end that runs, or is about to."""

    def opened() -> bool:
        try:
            os.close(os.open(machine.project / "gate", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody reads it yet
            return False
        return True

    await until(pilot, opened, "the command")


def prompts(server: ChatServer) -> list[list[str]]:
    """The user's words of each request, joined where the server was sent them joined."""
    return [[m["content"] for m in body["messages"] if m["role"] == "user"] for body in server.bodies]


def draft(app: TuiAgent) -> str:
    return app.chat.query_one(PromptArea).draft


def footer(app: TuiAgent) -> list[str]:
    return [f"{key.key} {key.label}" for key in app.chat.query_one(KeyFooter).keys]


def idle(app: TuiAgent) -> Callable[[], bool]:
    return lambda: not app.chat._turns.going and app.chat.engine.host is not None


async def typed(pilot: Pilot[int], line: str, key: str = "tab") -> None:
    pilot.app.screen.query_one(PromptArea).insert(line)
    await pilot.press(key)


# ---- what follows ----


async def test_tab_queues_and_each_one_gets_a_turn_of_its_own_in_order(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_text("One."), reply_text("Two."), reply_text("Three.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--mode", "accept-edits")
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            assert "tab queue" not in footer(app)
            await submit(pilot, "go")
            await until(pilot, says(app, "running run_command"))
            assert "tab queue" in footer(app)
            await typed(pilot, "then this")
            await typed(pilot, "and that")
            await typed(pilot, "quickly", "enter")
            await until(pilot, says(app, "after this turn  and that"))
            lines = [line[2:].strip() for line in screen_text(app).splitlines() if line.startswith("↵")]
            assert [line.partition("  alt+")[0] for line in lines] == [
                "after this step  quickly",
                "after this turn  then this",
                "after this turn  and that",
            ]
            await let_go(pilot, machine)
            await until(pilot, says(app, "Three."))
            await until(pilot, idle(app), "the end")
            assert "after this" not in screen_text(app) and "tab queue" not in footer(app)
            reasons = [record.event for record in app.chat.engine.host.session.records]  # type: ignore[union-attr]
            order = [event.text if isinstance(event, PromptSubmitted) else "." for event in reasons
                     if isinstance(event, PromptSubmitted | TurnEnded)]  # fmt: skip
            assert order == ["go", "quickly", ".", "then this", ".", "and that", "."]
            await pilot.press("up")
            assert draft(app) == "quickly", "the history has what was typed, in the order in which it was"
            await pilot.press("up", "up")
            assert draft(app) == "then this"


async def test_tab_completes_where_there_is_a_word_for_it_and_refuses_commands(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.project / "notes.txt").write_text("x")
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            await pilot.press("tab")
            assert draft(app) == "" and "after this" not in screen_text(app)
            await pilot.press(*"read @no")
            await until(pilot, says(app, "notes.txt"))
            await until(pilot, lambda: "tab queue" not in footer(app), "another meaning of tab")
            await pilot.press("tab")
            assert draft(app) == "read @notes.txt "
            await pilot.press("tab")
            await until(pilot, says(app, "after this turn  read @notes.txt"))
            await until(pilot, lambda: "tab queue" in footer(app), "tab for queueing")
            await typed(pilot, "/theme ember")
            await until(pilot, says(app, "a command is not queued: enter runs it now"))
            assert draft(app) == "/theme ember"


async def test_a_burst_of_keys_is_taken_in_its_order(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            prompt = app.chat.query_one(PromptArea)
            for key in (*"ab", "tab", *"cd", "enter", *"ef", "tab", *"gh", "alt+up", *"ij"):
                prompt.post_message(events.Key(key, key if len(key) == 1 else None))
            await until(pilot, lambda: draft(app).endswith("ij"), "the last key")
            await until(pilot, lambda: draft(app) == "ef\nghij", "what was queued last, before the draft")
            assert [(one.text, one.when) for one in app.chat._outbox.waiting] == [("cd", "step"), ("ab", "turn")]


async def test_what_is_typed_right_behind_the_first_prompt_is_queued_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            prompt = app.chat.query_one(PromptArea)
            for key in (*"go", "enter", *"ab", "tab", *"cd", "tab", *"ef"):
                prompt.post_message(events.Key(key, key if len(key) == 1 else None))
            await until(pilot, says(app, "Thinking about"))
            await until(pilot, lambda: draft(app) == "ef", "the rest")
            assert [(one.text, one.when) for one in app.chat._outbox.waiting] == [("ab", "turn"), ("cd", "turn")]


async def test_a_command_leaves_tab_as_it_was(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.host is not None)
            await submit(pilot, "/profile small")
            await until(pilot, lambda: not app.chat.query_one(PromptArea).queueing)
            await typed(pilot, "not sent")
            await pilot.pause()
            assert draft(app) == "not sent" and not server.requests


async def test_escape_gives_all_of_it_back_in_order_before_the_draft(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            await typed(pilot, "follow")
            await typed(pilot, "steer", "enter")
            await typed(pilot, "follow too")
            app.chat.query_one(PromptArea).insert("my draft")
            await until(pilot, says(app, "follow too"))
            watch = Stopwatch()
            await pilot.press("escape")
            await until(pilot, idle(app), "the end of the turn")
            assert watch.seconds < 0.5
            assert draft(app) == "steer\n\nfollow\n\nfollow too\nmy draft"
            assert not app.chat._outbox.waiting and len(server.requests) == 1


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_what_waits_takes_few_lines_at_every_size(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=size) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            for number in range(7):
                await typed(pilot, f"prompt \x1b[31m number {number}\nwith a second line " + "and much more " * 20)
            shown = 3 if size[1] > 16 else 1
            await until(pilot, says(app, f"and {7 - shown} more"))
            lines = [line for line in screen_text(app).splitlines() if line.startswith("↵")]
            assert len(lines) == shown + 1 and "prompt" in lines[0] and "\x1b" not in "".join(lines)
            assert "this turn" in lines[0] and "number 0" in lines[0]
            assert "tab queue" in screen_text(app) and "esc stop" in screen_text(app)


# ---- when a turn does not end well ----


async def test_a_failed_turn_sends_nothing_and_enter_goes_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([COMMAND, reply_error(500, "no"), reply_text("Better."), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "running run_command"))
            await typed(pilot, "then this")
            await typed(pilot, "and that")
            await let_go(pilot, machine)
            await until(pilot, says(app, "2 not sent  enter sends, esc takes back"))
            await until(pilot, says(app, "/retry sends the prompt again, /retry PROVIDER to another model"))
            assert len(server.requests) == 2 and idle(app)()
            await pilot.press("enter")
            await until(pilot, says(app, "Done."))
            assert "not sent" not in screen_text(app)
        sent = "\n".join(prompts(server)[-1])
        assert sent.index("then this") < sent.index("and that")


async def test_what_a_failed_turn_left_comes_back_by_escape_or_goes_before_what_is_sent_next(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_error(500, "no"), COMMAND, reply_error(500, "no"), reply_text("Done.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            for number in range(2):
                await submit(pilot, "go")
                await until(pilot, says(app, "running run_command"))
                await typed(pilot, f"later {number}")
                await let_go(pilot, machine)
                await until(pilot, says(app, "1 not sent"))
                if number == 0:
                    await pilot.press("escape")
                    await until(pilot, lambda: draft(app) == "later 0", "the text")
                    assert "not sent" not in screen_text(app)
                    app.chat.query_one(PromptArea).text = ""
            await submit(pilot, "now")
            await until(pilot, lambda: len(server.requests) == 6, "both")
        sent = "\n".join(prompts(server)[-1])
        assert "later 0" not in sent and sent.index("now") < sent.index("later 1"), "what follows a turn follows it"


async def test_another_session_does_not_get_what_was_typed_for_this_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_error(500, "no")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "running run_command"))
            await typed(pilot, "later")
            await let_go(pilot, machine)
            await until(pilot, says(app, "1 not sent"))
            await submit(pilot, "/new")
            await until(pilot, lambda: draft(app) == "later", "the text")
            assert not app.chat._outbox.waiting


async def test_a_prompt_that_is_stopped_before_the_model_has_it_comes_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([reply_text("never asked for")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            session = app.chat.engine.host.session  # type: ignore[union-attr]
            session._unsaid.append(Noticed("info", "something to be logged first"))
            real = session.record

            async def record(event: Any) -> Any:
                app.chat._turns.stop()
                return await real(event)

            monkeypatch.setattr(session, "record", record)
            await submit(pilot, "go")
            await until(pilot, lambda: draft(app) == "go", "the prompt again")
            await until(pilot, idle(app), "the end")
        assert not server.requests


# ---- looking through it ----


async def test_the_list_edits_reorders_turns_and_removes_while_nothing_is_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_text("One."), reply_text("Two.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "running run_command"))
            for line in ("one", "two", "three", "four"):
                await typed(pilot, line)
            await pilot.press("alt+u")
            await until(pilot, lambda: isinstance(app.screen, QueuedScreen), "the list")
            await pilot.press("down", "x")  # two is gone
            await pilot.press("e", *"\x00 edited"[1:], "enter", *"more q", "escape")  # three
            await pilot.press("K", "K")  # before one, and over the border: it steers
            await pilot.press("down", "down", "tab")  # four steers too
            await until(pilot, says(app, "after this step  four"))
            waiting = [(one.text, one.when) for one in app.chat._outbox.waiting]
            assert waiting == [("three edited\nmore q", "step"), ("four", "step"), ("one", "turn")]
            await let_go(pilot, machine)
            await until(pilot, lambda: idle(app)() or len(server.requests) > 1, "the end of the step")
            await pilot.pause(0.3)
            assert [(one.text, one.when) for one in app.chat._outbox.waiting] == waiting, "nothing leaves meanwhile"
            await pilot.press("escape")
            await until(pilot, lambda: not app.chat._outbox.waiting and idle(app)(), "the rest")
            assert app.screen is app.chat
        sent = "\n".join(prompts(server)[-1])
        assert sent.index("three edited\nmore q") < sent.index("four") < sent.index("one")
        assert "two" not in sent


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_the_list_fits_and_leaves_when_it_is_empty(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=size) as pilot:
            await submit(pilot, "/queue")
            await until(pilot, says(app, "nothing is queued"))
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            await typed(pilot, "first line\nsecond line")
            await pilot.press("alt+u")
            await until(pilot, says(app, "second line"))
            lines = screen_text(app).splitlines()
            assert "1 queued" in lines[0] and "after this turn" in lines[1] and "e edit" in lines[-1]
            await pilot.press("x")
            await until(pilot, lambda: app.screen is app.chat, "the chat")


async def test_what_was_sent_while_it_was_edited_comes_into_the_prompt(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([FIRST]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(80, 24)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "Thinking about"))
            await typed(pilot, "one")
            await pilot.press("alt+u")
            await until(pilot, lambda: isinstance(app.screen, QueuedScreen), "the list")
            await pilot.press("e", "x")
            app.chat._outbox.take_all()
            await pilot.press("escape")
            await until(pilot, lambda: draft(app) == "onex", "the text")


# ---- once more ----


async def test_retry_sends_the_prompt_and_what_steered_it_again_to_another_provider(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([COMMAND, reply_error(500, "no")]) as server, ChatServer([reply_text("From the other.")]) as other:
        serve(machine, server, other)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "/retry")
            await until(pilot, says(app, "there is no prompt to send again"))
            await submit(pilot, "go")
            await until(pilot, says(app, "running run_command"))
            await submit(pilot, "/retry")
            await until(pilot, says(app, "a turn is running"))
            await typed(pilot, "be quick", "enter")
            await let_go(pilot, machine)
            await until(pilot, says(app, "500"))
            await until(pilot, idle(app), "the end")
            before = len(app.chat.engine.host.session.records)  # type: ignore[union-attr]
            await submit(pilot, "/retry nowhere")
            await until(pilot, says(app, "nowhere"))
            assert len(app.chat.engine.host.session.records) == before, "nothing is rewound"  # type: ignore[union-attr]
            await submit(pilot, "/retry other")
            await until(pilot, says(app, "From the other."))
            await until(pilot, says(app, "the conversation goes on from before “go”"))
            await until(pilot, idle(app), "the end")
        assert "\n".join(prompts(other)[-1]).split() == ["go", "be", "quick"]
        assert not [m for m in other.bodies[-1]["messages"] if m["role"] == "tool"], "the turn before it is gone"


async def test_retry_says_first_that_files_were_changed_and_touches_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChatServer([WRITE, reply_error(500, "no"), reply_text("Again."), reply_text("Once more.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--mode", "accept-edits")
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "go")
            await until(pilot, says(app, "500"))
            await until(pilot, idle(app), "the end")
            await submit(pilot, "/retry")
            await until(pilot, says(app, "the last turn changed 1 file, which stays as it is"))
            assert "/undo puts back what was there" in screen_text(app) and len(server.requests) == 2
            await submit(pilot, "/retry")
            await until(pilot, says(app, "Again."))
            await until(pilot, idle(app), "the end")
            assert (machine.project / "new.txt").exists()
            await submit(pilot, "/retry")  # this turn changed nothing
            await until(pilot, says(app, "Once more."))
        assert prompts(server)[-1] == ["go"]


async def test_retry_works_after_a_resume_and_after_a_stop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep_session(machine, [PromptSubmitted("hello"), TurnEnded("error", "unreachable")])
    with ChatServer([FIRST, reply_text("Here.")]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch, "--continue")
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, says(app, "hello"))
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            await submit(pilot, "/retry")
            await until(pilot, says(app, "Thinking about"))
            await pilot.press("escape")
            await until(pilot, idle(app), "the end")
            await pilot.press("ctrl+p", *"retry", "enter")
            await until(pilot, says(app, "Here."))
        assert prompts(server) == [["hello"], ["hello"]]


@pytest.mark.parametrize(
    ("reason", "cause", "named"),
    [
        ("error", "unreachable", True),
        ("error", "timeout", True),
        ("error", "", True),
        ("error", "key", False),
        ("error", "internal", False),
        ("limit", "", False),
    ],
)
def test_the_notice_of_what_may_go_better_next_time_names_retry(reason: TurnReason, cause: str, named: bool) -> None:
    document = Document()
    projector = Projector(document)
    for event in (PromptSubmitted("go"), Noticed("error", "it failed", "look there"), TurnEnded(reason, cause)):
        projector.apply(event)
    notice = next(block for block in document if isinstance(block, NoticeBlock))
    assert notice.hint == ("look there\n" + RETRY if named else "look there")


# ---- escape, twice ----


def presses(*times: tuple[str, float], idle_since: float = 0.0) -> list[str]:
    twice, found = Twice(), []
    for key, at in times:
        twice.typed(key, at)
        if key == "escape":
            found.append(twice.pressed(at, idle_since))
    return found


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([("escape", 5.0), ("escape", 5.2)], ["first", "second"]),
        ([("escape", 5.0), ("escape", 6.5)], ["first", "first"]),
        ([("escape", 5.0), ("u", 5.01), ("escape", 5.1)], ["first", ""]),
        ([("escape", 5.0), ("escape", 5.001), ("[", 5.002)], ["first", ""]),
        ([("escape", 0.3), ("escape", 0.5), ("escape", 0.53)], ["", "", ""]),
        ([("escape", 5.0), ("escape", 5.2), ("escape", 5.4)], ["first", "second", ""]),
    ],
)
def test_two_presses_are_told_from_one_that_is_held_and_from_a_cut_sequence(
    keys: list[tuple[str, float]], found: list[str]
) -> None:
    assert presses(*keys) == found


@given(st.floats(0.02, 0.7), st.floats(0.02, 0.05), st.integers(1, 60))
def test_an_escape_that_stopped_a_turn_and_is_held_goes_nowhere(delay: float, pace: float, count: int) -> None:
    held = [("escape", delay + number * pace) for number in range(count)]
    assert set(presses(("escape", 0.0), *held)) == {""}


async def test_escape_twice_opens_the_prompts_to_go_back_to(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([reply_text("One."), reply_steps(text("Two"), Stall())]) as server:
        serve(machine, server)
        app = chat_app(machine, monkeypatch)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await until(pilot, lambda: app.chat.engine.opened, "the engine")
            again = "esc again to go back to an earlier prompt"
            await pilot.press("escape")
            await pilot.pause(0.1)
            assert again not in screen_text(app), "there is nothing to go back to"
            await submit(pilot, "first")
            await until(pilot, idle(app), "the end")
            app.chat._turns.idle_since -= 5
            app.chat._steering._twice = Twice()
            app.chat.query_one(PromptArea).insert("x")
            await pilot.press("escape", "backspace")
            assert again not in screen_text(app), "something is typed"
            app.chat._steering._twice = Twice()
            await pilot.press("escape")
            await until(pilot, says(app, again))
            await pilot.pause(0.05)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RewindScreen), "the list")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is app.chat, "the chat")
            await pilot.pause(AGAIN)
            await until(pilot, lambda: again not in screen_text(app), "silence")
            await submit(pilot, "second")
            await until(pilot, says(app, "Two"))
            await pilot.press("escape")
            await until(pilot, idle(app), "the end of the turn")
            for _ in range(4):  # the key is held
                await pilot.press("escape")
                await pilot.pause(0.04)
            assert app.screen is app.chat and again not in screen_text(app)
