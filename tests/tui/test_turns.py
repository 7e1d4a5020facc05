"""Sending, queueing, editing, stopping and failing in any order: each text is sent once, waits, or is back."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.session import Session
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import Event, Noticed, PromptSubmitted, TurnEnded
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.conversation.outbox import Outbox, When
from tui_agent.providers.protocol import ChatRequest, Finished, ModelInfo, ProviderEvent, TextDelta
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tui.engine import Engine
from tui_agent.tui.standby import Standby
from tui_agent.tui.turns import Turns

Reply = Literal["answer", "call", "fail", "cut"]
FOLDER = tempfile.gettempdir()
LONG = 80
rounds = st.sampled_from((LONG, LONG, 0, 1, 2, 3, 5, 9))
"""Of the event loop, before the user does the next thing: enough for all to come to rest, or less."""


class Ordered(Outbox):
    """Tells when what follows a turn leaves before what steers it."""

    def next(self, when: When) -> str | None:
        assert when != "turn" or not self.has("step")
        return super().next(when)


class Model:
    """Answers when it is told to."""

    name = "fake"
    local = False

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Reply] = asyncio.Queue()
        self.waiting = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.waiting += 1
        try:
            reply = await self.asked.get()
        finally:
            self.waiting -= 1
        if reply == "fail":
            raise ProviderError("unreachable", "nobody is there")
        yield TextDelta("so")
        if reply == "call":
            yield Finished("tool_calls", (ToolCall("1", "no_such_tool", "{}"),), Usage())
        else:
            yield Finished("incomplete" if reply == "cut" else "stop", (), Usage(), "it broke off" * (reply == "cut"))

    async def models(self) -> tuple[ModelInfo, ...]:
        return ()

    async def describe(self, model: str) -> ModelInfo:
        return ModelInfo(model)

    async def aclose(self) -> None:
        pass


class Screen:
    """A prompt with texts in it, and what runs beside it."""

    def __init__(self) -> None:
        self.draft: list[str] = []
        self.shown: list[Event] = []
        self.turns: Turns
        self.tasks: set[asyncio.Task[None]] = set()

    def aside(self, work: Callable[[], Coroutine[None, None, None]], group: str, *, instead: bool = True) -> None:
        task = asyncio.ensure_future(work())
        self.tasks.add(task)

    def give_back(self, prompt: str) -> None:
        self.draft = prompt.split("\n\n") + self.draft

    def show(self, event: Event) -> None:
        self.shown.append(event)
        self.turns.take(event)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **named: None


class Stage:
    """The turns of a screen over a real session that keeps nothing."""

    def __init__(self) -> None:
        self.model, self.screen, self.outbox, self.engine = Model(), Screen(), Ordered(), Engine()
        executor = ToolExecutor(working_directory=FOLDER)
        options = TurnOptions(directory=FOLDER, max_iterations=6)
        self.session = Session(
            log=None,
            executor=executor,
            provider=self.model,
            model="m",
            options=options,
            working_directory=FOLDER,
            version="0",
        )
        self.engine.host = SimpleNamespace(session=self.session, trouble=None)  # type: ignore[assignment]
        with self.engine.opening():
            pass
        face: Any = self.screen
        standby = Standby(lambda: None, self.outbox)
        questions: Any = SimpleNamespace(first=None, forget=lambda: None)
        self.turns = self.screen.turns = Turns(face, self.engine, face, standby, questions, self.outbox)

    @property
    def sent(self) -> list[str]:
        return [record.event.text for record in self.session.records if isinstance(record.event, PromptSubmitted)]

    @property
    def waiting(self) -> list[str]:
        return [one.text for one in self.outbox.waiting]

    async def settle(self, rounds: int = LONG) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)


async def test_what_is_sent_right_behind_a_stop_opens_the_next_turn() -> None:
    stage = Stage()
    for text in ("first", "steers"):
        stage.turns.send(text)
        await stage.settle()
    stage.turns.stop()
    stage.turns.send("instead")
    await stage.settle()
    assert stage.sent == ["first", "instead"] and stage.screen.draft == ["steers"] and stage.turns.going
    stage.turns.stop()
    stage.turns.send("not this either")
    await asyncio.sleep(0)
    stage.turns.stop()
    await stage.settle()
    assert stage.sent == ["first", "instead"] and stage.screen.draft == ["not this either", "steers"]


class Typing(RuleBasedStateMachine):
    """What a user may do in any order; every other rule leaves time for what it began, or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.run_until_complete(self._begin())
        self.count = 0
        self.kinds: dict[str, str] = {}
        self.orderly = self.quiet = True
        self.opening: Any = None

    async def _begin(self) -> None:
        self.stage = Stage()

    def teardown(self) -> None:
        async def end() -> None:
            if self.opening is not None:
                self.opening.__exit__(None, None, None)
                self.opening = None
            await self.stage.settle()
            self.quiet = True
            self.each_text_is_in_one_place()
            self.in_order()
            self.stage.turns.stop()
            await self.stage.settle()
            self.each_text_is_in_one_place()
            for task in self.stage.screen.tasks:
                task.cancel()
            await asyncio.gather(*self.stage.screen.tasks, return_exceptions=True)

        self.loop.run_until_complete(end())
        self.loop.close()

    def do(self, action: Callable[[], None], settle: int) -> None:
        async def run() -> None:
            action()
            await self.stage.settle(settle)

        self.quiet = settle == LONG
        self.loop.run_until_complete(run())

    def text(self, kind: str) -> str:
        self.count += 1
        text = f"p{self.count}"
        self.kinds[text] = kind
        return text

    @rule(settle=rounds)
    def send(self, settle: int) -> None:
        text = self.text("step")
        self.do(lambda: self.stage.turns.send(text), settle)

    @rule(settle=rounds)
    def queue(self, settle: int) -> None:
        text = self.text("turn")
        self.do(lambda: self.stage.turns.queue(text), settle)

    @precondition(lambda self: self.stage.screen.draft)
    @rule(settle=rounds)
    def send_the_draft(self, settle: int) -> None:
        drafts, self.stage.screen.draft = self.stage.screen.draft, []
        self.orderly = False
        self.do(lambda: [self.stage.turns.send(text) for text in drafts] and None, settle)

    @rule(settle=rounds)
    def answer(self, settle: int) -> None:
        self.reply("answer", settle)

    @rule(settle=rounds)
    def call(self, settle: int) -> None:
        self.reply("call", settle)

    @rule(reply=st.sampled_from(("fail", "cut")), settle=rounds)
    def fail(self, reply: Reply, settle: int) -> None:
        sent, calm = self.stage.sent, self.quiet and self.opening is None and settle == LONG
        if self.reply(reply, settle) and calm:
            assert not self.stage.turns.going and self.stage.sent == sent, "what waits stays"

    def reply(self, reply: Reply, settle: int) -> bool:
        if asks := self.stage.model.waiting > 0:
            self.do(lambda: self.stage.model.asked.put_nowait(reply), settle)
        return asks

    @rule(settle=rounds)
    def stop(self, settle: int) -> None:
        self.orderly = False
        self.do(self.stage.turns.stop, settle)

    @rule()
    def escape_when_idle(self) -> None:
        if not self.stage.turns.going:
            self.orderly = False
            self.do(self.stage.turns.give_back, LONG)

    @rule(settle=rounds)
    def go_on(self, settle: int) -> None:
        if not self.stage.turns.going:
            self.do(self.stage.turns.go_on, settle)

    @rule(settle=rounds)
    def take_back(self, settle: int) -> None:
        self.orderly = False
        self.do(self.stage.turns.take_back, settle)

    @rule()
    def log_first(self) -> None:
        """As after a resume with another model: a stop comes before the log has the prompt."""
        self.stage.session._unsaid.append(Noticed("info", "something else"))

    @rule(place=st.integers(0, 5), change=st.sampled_from(("up", "down", "kind", "edit")), settle=rounds)
    def look_through(self, place: int, change: str, settle: int) -> None:
        self.do(self.stage.turns.hold, settle)
        if place < len(waiting := self.stage.outbox.waiting):
            self.orderly = False
            number = waiting[place].number
            match change:
                case "edit":
                    self.stage.outbox.edit(number, waiting[place].text)
                case "kind":
                    self.stage.outbox.turn(number)
                case _:
                    self.stage.outbox.move(number, -1 if change == "up" else 1)
        before = self.stage.waiting
        if settle == LONG:
            self.do(lambda: None, LONG)
            assert self.stage.waiting[: len(before)] == before or self.opening is None
        self.do(self.stage.turns.release, settle)

    @rule()
    def open_or_close_something(self) -> None:
        self.quiet = True

        async def change() -> None:
            if self.opening is None:
                self.opening = self.stage.engine.opening()
                self.opening.__enter__()
            else:
                self.opening.__exit__(None, None, None)
                self.opening = None
            await self.stage.settle()

        self.loop.run_until_complete(change())

    @invariant()
    def each_text_is_in_one_place(self) -> None:
        if self.opening is not None or not self.quiet:
            return
        stage = self.stage
        everywhere = [*stage.sent, *stage.waiting, *stage.screen.draft]
        assert sorted(everywhere) == sorted(self.kinds), everywhere
        assert not any(task.done() and task.exception() for task in stage.screen.tasks)
        ends = [event.reason for event in stage.screen.shown if isinstance(event, TurnEnded)]
        if not stage.turns.going and (not ends or ends[-1] == "done"):
            assert not stage.waiting, "what follows a turn that ended well is sent"
        if not stage.turns.going and ends[-1:] == ["interrupted"]:
            assert not stage.waiting, "what the user stopped comes back"

    @invariant()
    def in_order(self) -> None:
        if not self.orderly:
            return
        for kind in ("step", "turn"):
            numbers = [int(text[1:]) for text in self.stage.sent if self.kinds[text] == kind]
            assert all(a < b for a, b in pairwise(numbers)), self.stage.sent
        running = False
        for event in self.stage.screen.shown:
            match event:
                case PromptSubmitted():
                    assert not (running and self.kinds[event.text] == "turn"), "what follows has a turn of its own"
                    running = True
                case TurnEnded():
                    running = False


TestTyping = Typing.TestCase
TestTyping.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
