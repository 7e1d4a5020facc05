"""The plan that a turn in plan mode ended with: offered, shown, edited, kept in a file, sent back, or carried out."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tui_agent.conversation.events import Mode, PromptSubmitted, Rewound, TurnEnded
from tui_agent.tui.engine import Engine
from tui_agent.tui.modes import Modes
from tui_agent.tui.plan_document import carrying_out_prompt, latest_plan, revising_prompt, save_plan
from tui_agent.tui.theming import Symbols
from tui_agent.tui.welcome import shortest

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event
    from tui_agent.tui.face import Face

CARRIES_OUT: tuple[Mode, ...] = ("ask", "accept-edits", "auto")
"""Modes in which a plan can be carried out."""


class Plans:
    """The plan of the session in the engine."""

    def __init__(
        self, face: "Face", engine: Engine, modes: Modes, keys: Callable[[], Mapping[str, str]], *, symbols: Symbols
    ) -> None:
        self._face = face
        self._engine = engine
        self._modes = modes
        self._keys = keys
        self._symbols = symbols
        self._edited = ("", "")  # a plan, and what the user made of it
        self._ended: object = None  # the session whose latest turn ended with a plan

    @property
    def offered(self) -> bool:
        """Whether the latest turn of the session ended with a plan."""
        host = self._engine.host
        return host is not None and host.session is self._ended

    def take(self, event: "Event") -> None:
        """Account for what happened."""
        host = self._engine.host
        match event:
            case TurnEnded("done") if host is not None and host.session.mode == "plan":
                if latest_plan(host.session.records):
                    self._ended = host.session
                    key = shortest(self._keys(), "chat.plan")
                    hint = f"{key} or /plan: edit it, send it back, or let it be carried out"
                    self._face.say("info", "the plan waits for you", hint)
            case PromptSubmitted() | Rewound():
                self._ended = None
            case _:
                pass

    async def show(self) -> None:
        """Show the latest plan, and do what the user decides."""
        host = await self._engine.ready()
        if host is None:
            return
        plan = latest_plan(host.session.records)
        if not plan:
            self._face.say("info", "there is no plan yet", "in the mode plan a turn ends with one: /mode plan")
            return
        from tui_agent.tui.screens.plan import PlanScreen

        text = self._edited[1] if self._edited[0] == plan else plan
        ways = [(mode, self._modes.summary(host, mode)) for mode in CARRIES_OUT if not host.mode_problem(mode)]
        workspace = host.session.executor.workspace
        screen = PlanScreen(
            plan,
            text,
            ways,
            directory=workspace.root.path,
            save=lambda name, text, replace: asyncio.to_thread(save_plan, workspace, name, text, replace=replace),
            busy=lambda: host.session.busy,
            symbols=self._symbols,
        )
        answer = await self._face.choose(screen)
        self._edited = (plan, screen.text)
        if answer is None:
            return
        mode: Mode = answer.mode or "plan"
        if mode != host.session.mode:
            await self._modes.choose(mode)
        if host.session.mode != mode:
            return  # it could not be chosen any more, which was said
        edited = screen.text != plan
        if answer.mode is None:
            self._face.send(revising_prompt(answer.comment, screen.text if edited else ""))
        else:
            self._face.send(carrying_out_prompt(screen.text, edited=edited))
