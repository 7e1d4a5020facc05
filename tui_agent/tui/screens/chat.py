"""The chat: status, transcript, question, prompt; it carries events from the engine to the widgets and answers back."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from inspect import iscoroutine
from typing import TYPE_CHECKING, TypeVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState, WorkType

from tui_agent.config.load import LoadedSettings
from tui_agent.config.model import Settings
from tui_agent.conversation.errors import ConfigError, TuiAgentError
from tui_agent.conversation.events import Level
from tui_agent.conversation.outbox import Outbox
from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest, Denied
from tui_agent.tui.actions import CHANGES
from tui_agent.tui.aside import BESIDE, Aside
from tui_agent.tui.background import Background
from tui_agent.tui.bindings import bindings_for, is_for_prompt, key_name, keymap, keys_of
from tui_agent.tui.clipboard import copy, open_or_copy
from tui_agent.tui.commands import SlashCommand, Take, completions, find, run
from tui_agent.tui.comparing import Comparing
from tui_agent.tui.context import Context
from tui_agent.tui.counsel import SessionCounsel
from tui_agent.tui.engine import Engine
from tui_agent.tui.greeting import Greeting
from tui_agent.tui.history import PromptHistory
from tui_agent.tui.host import Launch
from tui_agent.tui.later import later
from tui_agent.tui.models import Models
from tui_agent.tui.modes import Modes
from tui_agent.tui.plans import Plans
from tui_agent.tui.questions import Questions
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.sessions import Sessions
from tui_agent.tui.shell import Shell
from tui_agent.tui.standby import Standby
from tui_agent.tui.status import Status
from tui_agent.tui.steering import Steering
from tui_agent.tui.talk import COMMAND
from tui_agent.tui.theming import Palette, symbols
from tui_agent.tui.transcript import Transcript
from tui_agent.tui.turns import RUNNING, Turns
from tui_agent.tui.undo import Undo
from tui_agent.tui.unsent import keep
from tui_agent.tui.upkeep import Upkeep
from tui_agent.tui.widgets.activity import Activity
from tui_agent.tui.widgets.foot import Foot
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.status_bar import StatusBar
from tui_agent.tui.widgets.transcript.view import TranscriptView

if TYPE_CHECKING:  # what the first paint does not show is imported after it
    from tui_agent.conversation.events import Event
    from tui_agent.tui.finder import Finder
    from tui_agent.tui.widgets.answer_bar import AnswerBar

_CLICKED: dict[type[Message], str] = {
    StatusBar.ModeClicked: "cycle_mode",
    StatusBar.ContextClicked: "context",
    StatusBar.BackgroundClicked: "background",
    StatusBar.ModelClicked: "providers",
    StatusBar.ProfileClicked: "cycle_profile",
}
"""What a click in the bar does."""

_OPENING = frozenset(
    {"modes", "review", "plan", "context", "summary", "background", "providers", "sessions", "rename", "fork", "export"}
    | {"replay", "changes", "rewind", "queued", "beside", "compare"}
)
"""What opens a screen: a key that is pressed twice before that is there opens one."""

_PLACEHOLDER = "ask, or / for commands, @ for files"

SETTLING = 0.1
"""Seconds from the first paint to the first work that it did not need."""

ResultT = TypeVar("ResultT")


class ChatScreen(Screen[None]):
    """The main screen; also the `Approver` of the engine and the `Face` of the parts that do the work."""

    BINDINGS = bindings_for("chat")
    AUTO_FOCUS = "PromptArea"

    app: Shell

    def __init__(self, launch: Launch) -> None:
        super().__init__()
        ui = launch.loaded.settings.ui
        settings, keys = self._settings, self._keys
        self.symbols = signs = symbols(ui.symbols, os.environ, getattr(sys.__stdout__, "encoding", None) or "")
        self._launch = launch
        self.engine = engine = Engine()
        self._transcript = transcript = Transcript(
            thoughts_folded=ui.thoughts == "folded",
            changes_key=self._changes_key,
            currency=lambda: self._settings().currency,
        )
        self._outbox = outbox = Outbox()
        self._standby = standby = Standby(self.changed, outbox)
        self._models = models = Models(self, engine, standby, settings, keys, symbols=signs)
        self._modes = Modes(self, engine, settings, symbols=signs)
        self._plans = Plans(self, engine, self._modes, keys, symbols=signs)
        self._background = background = Background(self, engine, symbols=signs)
        self._room = context = Context(
            self, engine, settings, outbox, lambda: self._turns.go_on(), self._remember, symbols=signs
        )
        self._status = Status(self, engine, context, background, settings, directory=launch.directory)
        self._greeting = greeting = Greeting(
            transcript.document, engine, models, standby, settings, keys, version=launch.version, symbols=signs
        )
        self._sessions = Sessions(self, engine, transcript, greeting, self._session_shown, symbols=signs)
        self._counsel = counsel = SessionCounsel(engine)
        self._questions = Questions(self, counsel, self._questions_changed)
        self._turns = turns = Turns(self, engine, models, standby, self._questions, outbox)
        self._undo = undo = Undo(self, engine, settings, symbols=signs)
        self._steering = Steering(self, engine, models, turns, undo, outbox, keys, self._remember, symbols=signs)
        self._beside = Aside(self, engine, models.still_nobody, symbols=signs)
        self._comparing = Comparing(self, engine, models, standby, settings, self._asks_two, symbols=signs)
        self._finder: Finder | None = None
        self._upkeep = Upkeep(self, launch.warm_up)
        self._last_state: tuple[object, ...] = ()
        self._deeds = self._table()
        self.takes_keys = False

    def compose(self) -> ComposeResult:
        """Status, transcript, and at the foot: question, activity, prompt, keys."""
        signs = self.symbols
        self._bar = StatusBar(self._status.info, home=os.environ.get("HOME", ""), symbols=signs)
        self._view = TranscriptView(self._transcript.document, palette=self.app.palette, symbols=signs)
        self._prompt = PromptArea(
            commands=completions(),
            files=self._files,
            history=PromptHistory(self._launch.history),
            placeholder=_PLACEHOLDER,
            symbols=signs,
        )
        self._foot = Foot(self._prompt, symbols=signs)
        yield self._bar
        yield self._view
        yield self._foot

    # ---- from the first paint to the end ----

    def on_mount(self) -> None:
        """Show where we are; everything that is not needed for the first paint comes after it."""
        self._sessions.begin(self._launch.read_end)
        self._prompt.focus(scroll_visible=False)
        self.watch(self, "stack_updates", self._covered, init=False)
        self.takes_keys = True
        self.app.call_later(self.app.deliver_early_keys)
        self.call_after_refresh(self._after_first_paint)

    def on_unmount(self) -> None:
        """Leave all as it was."""
        self._upkeep.end()

    def _after_first_paint(self) -> None:
        # A key typed at launch comes first: imports in a thread would make its echo wait for the interpreter's lock.
        later(self, SETTLING, self._start)

    def _start(self) -> None:
        self._upkeep.begin()
        self.run_worker(self._prompt.past.load, thread=True, exit_on_error=False)
        self._open_engine()
        self._status.look_at_branch()
        self.app.watch_settings()

    @work(exit_on_error=False, group="host")
    async def _open_engine(self) -> None:
        with self.engine.opening():
            try:
                self.engine.host = await self._launch.open_host(self)
                await self._sessions.take_up_first(self.engine.host)
            except TuiAgentError as error:
                self.engine.failure = error
                self.say("error", error.message, error.hint)
        self.answerer_changed()
        if self.engine.host is not None:
            self._models.begin(self.engine.host)

    async def close_host(self) -> None:
        """Stop the turn, let it log its end, and close the engine."""
        self._questions.close()
        host = self.engine.host
        if host is None:
            return
        ending = {BESIDE, RUNNING} if host.session.busy else {BESIDE}
        host.session.interrupt()
        self._beside.stop()
        if workers := [worker for worker in self.workers if worker.group in ending]:  # none would stand for all
            with suppress(Exception):
                await self.workers.wait_for_complete(workers)
        await host.aclose()

    @on(PromptArea.KeyPressed)
    def _prompt_key(self) -> None:
        if self.engine.opened:
            self._upkeep.typing()

    # ---- what is shown ----

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self.engine.busy

    async def keep_typed(self) -> str:
        """Put all that was typed and not sent where the up key finds it at the next start; says what came of it."""
        waiting = [one.text for one in self._outbox.waiting]
        over = [screen.typed for screen in self.app.screen_stack if isinstance(screen, ClosingScreen)]
        drafts = [
            text
            for text in (self._prompt.draft, self._questions.written, *over)
            if text not in self._prompt.past.entries
        ]
        return await keep([*waiting, *drafts], self._prompt.past)

    def show(self, event: "Event") -> None:
        """Show what happened."""
        self._transcript.take(event)
        self._turns.take(event)
        self._background.take(event)
        self._plans.take(event)
        self._room.take(event)
        self._status.take(event)
        self._upkeep.take(event)
        self.changed()

    def changed(self) -> None:
        """Something else goes on than what is shown."""
        asked, standby = self._questions.first, self._standby
        doing = self._transcript.progress.activity if self.busy else standby.activity
        ready = "the download" if standby.fetching else "loading"
        waiting, going = self._outbox.waiting, self._turns.busy or self.busy
        activity = Activity("you", asked.tool) if asked else doing
        self._beside.meanwhile(activity)
        self._foot.show(
            activity,
            waiting,
            ready,
            self._steering.hint if waiting else "",
            stuck=self._steering.stuck,
        )
        self._prompt.queueing = going
        state = (going, bool(waiting), standby.fetching, self._background.running, self._plans.offered)
        if state != self._last_state:
            self._last_state = state
            self.refresh_bindings()
        self._update_status()

    def answerer_changed(self) -> None:
        """Another model answers, or the same is given more or less."""
        self.refresh_bindings()
        self._update_status()
        self._room.learn_limit()

    def _session_shown(self) -> None:
        self._turns.give_back()  # what was typed for another session
        self._view.action_end()
        self._room.look()
        self._update_status()

    def _update_status(self) -> None:
        self._bar.update_status(self._status.info)
        self._greeting.update()

    def say(self, level: Level, text: str, hint: str = "") -> None:
        """A notice in the transcript."""
        self._transcript.say(level, text, hint)

    def tell(self, text: str, seconds: float = 2.0) -> None:
        """A notice that goes again."""
        self.notify(text, timeout=seconds, markup=False)

    def call_back(self) -> None:
        """Ring for a user who looks elsewhere."""
        if not self.app.app_focus:
            self.app.bell()

    def palette_changed(self, palette: Palette) -> None:
        """The theme is another one."""
        for screen in self.app.screen_stack:
            for view in screen.query(TranscriptView):
                view.palette = palette

    def settings_changed(self, before: LoadedSettings) -> None:
        """The settings of the app are others than `before`."""
        loaded = self.app.loaded
        if self.engine.host is not None:
            try:
                self.engine.host.reconfigure(loaded)
            except ConfigError as error:
                self.say("error", error.message, error.hint)
        if before.settings.ui.thoughts != loaded.settings.ui.thoughts:
            self._transcript.thoughts_folded = loaded.settings.ui.thoughts == "folded"
        self._update_status()

    def _settings(self) -> Settings:
        return self.app.loaded.settings

    def _changes_key(self) -> str:
        return key_name(keys_of(CHANGES, self._keys())[0])

    def _keys(self) -> Mapping[str, str]:
        return keymap(self._settings().ui.keys)

    # ---- what takes long ----

    def aside(self, work: WorkType[None], group: str, *, instead: bool = True) -> None:
        """Do something meanwhile, `instead` of what the group does or beside it; a fault in it is said."""
        # With a description: without one, as with `@work`, a text is made of all arguments, which takes a second here.
        self.run_worker(work, group, group, group, exit_on_error=False, exclusive=instead)

    def drop(self, group: str) -> None:
        """End what the group does."""
        self.workers.cancel_group(self, group)

    async def choose(self, screen: Screen[ResultT]) -> ResultT:
        """Open a screen and wait for what is chosen there."""
        return await self.app.push_screen_wait(screen)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault of ours is said, logged, and costs no more than what it happened in."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            logging.getLogger(__name__).error("worker failed", exc_info=event.worker.error)
            self.say("error", f"internal error: {event.worker.error!r}", "the session goes on")

    # ---- questions ----

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Ask the user."""
        return await self._questions.ask(request, self._foot, self.symbols)

    def _questions_changed(self) -> None:
        if self._finder is not None:
            self._finder.question = self._questions.first is not None
        if self._questions.first is None:
            if self.focused is None:
                self._prompt.focus()
        else:
            self.call_back()
        self._tell_question()
        self.changed()

    def _covered(self) -> None:
        """Another screen came or went."""
        self.app.screen.call_after_refresh(self._tell_question)

    def _tell_question(self) -> None:
        """Where other screens are over the panel it is said there that somebody waits."""
        asked = self._questions.first
        for screen in self.app.screen_stack:
            if isinstance(screen, ClosingScreen):
                screen.tell_question(asked.tool if asked is not None else "")

    def on_answer_bar_answered(self, event: "AnswerBar.Answered") -> None:
        """The user decided; a yes to what was changed in the review is given there, where it can be seen."""
        if isinstance(event.decision, Denied) and event.decision.stop:
            self._turns.stopping()
        if self._questions.is_changed(event.request, event.decision):
            self.aside(self._review, "review", instead=False)
        else:
            self._questions.answer(event.request, event.decision)

    def on_answer_bar_typed(self, event: "AnswerBar.Typed") -> None:
        """Typed at the panel, but no answer: it belongs to the prompt."""
        self._foot.type(event.text)

    def on_answer_bar_entered(self) -> None:
        """Enter at a question: whoever wrote something before it means that, and nothing else has an enter."""
        self._go_on_in_prompt("enter")

    def _go_on_in_prompt(self, key: str) -> None:
        if self._prompt.draft.strip():
            self.set_focus(self._prompt, scroll_visible=False)  # at once: the key finds its binding there
            self._questions.typed_elsewhere(key)
            self._prompt.post_message(events.Key(key, None))

    def on_answer_bar_review_wanted(self, event: "AnswerBar.ReviewWanted") -> None:
        """The user wants to see the whole diff, or to change it."""
        self.aside(partial(self._review, event.editing), "review", instead=False)

    async def _review(self, editing: bool = False) -> None:
        """Open the diff of the change that waits for an answer; with `editing` its first hunk is opened for that."""
        if not await self._questions.review(
            self._settings().ui.diff, self.symbols, editing=editing, directory=self._launch.directory
        ):
            self.say("info", "no change waits for an answer", "a made change unfolds in the transcript")

    def typed_elsewhere(self, key: str = "", at: float = 0.0) -> None:
        """A key went to some other widget than a question: the question waits."""
        self._steering.typed(key, at)
        self._questions.typed_elsewhere(key)

    async def caught_up(self) -> None:
        """Wait until the keys so far that went to a question are where they belong."""
        await self._questions.caught_up()

    def on_app_focus(self) -> None:
        """The terminal has the focus again."""
        self._questions.refocused()

    # ---- prompt ----

    @on(PromptArea.Submitted)
    def _submitted(self, event: PromptArea.Submitted) -> None:
        if (found := find(event.text)) is not None:
            self._run_command(*found)
        elif not self._comparing.send(event.text):
            self.send(event.text)
        self.changed()

    @on(PromptArea.Queued)
    def _queued(self, event: PromptArea.Queued) -> None:
        if find(event.text) is None:
            self._turns.queue(event.text)
        else:
            self.give_back(event.text)
            self.tell("a command is not queued: enter runs it now", 4)

    @on(PromptArea.WantsBack)
    def _wants_back(self) -> None:
        self._turns.take_back()

    @on(PromptArea.SentNothing)
    def _sent_nothing(self) -> None:
        if self._steering.stuck:
            self._turns.go_on()

    def send(self, prompt: str) -> None:
        """Begin a turn, or steer the one that runs."""
        self._turns.send(prompt)
        self.changed()

    def give_back(self, prompt: str) -> None:
        """Put a prompt that was not sent back where it was typed."""
        self._prompt.restore(prompt)
        self.changed()

    def _remember(self, text: str) -> None:
        self._prompt.remember(text)

    @on(PromptArea.PasteCut)
    def _paste_cut(self, event: PromptArea.PasteCut) -> None:
        text = f"the paste has {event.length:,} characters; the first {event.kept:,} went in"
        self.say("warning", text, "put it in a file and name it with @")

    async def _files(self, typed: str) -> list[str]:
        host = self.engine.host
        return [] if host is None else await host.project_files(typed)

    @work(exit_on_error=False)
    async def _run_command(self, command: SlashCommand, argument: str) -> None:
        own: dict[str, Take] = {
            "/model": self._models.choose,
            "/mode": self._modes.choose,
            "/profile": self._models.choose_profile,
            "/download": lambda _: self._models.fetch(),
            "/undo": self._undo.undo,
            COMMAND: self._beside.ask,
            "/compare": self._comparing.choose,
            "/retry": self._steering.retry,
            "/compact": self._room.compact,
            "/rename": self._sessions.rename,
            "/export": self._sessions.export,
            "/replay": self._sessions.replay,
            "/theme": self.app.choose_theme,
        }
        await run(self, command, argument, own)

    def on_key(self, event: events.Key) -> None:
        """Typing goes to the prompt wherever the focus is, but for the keys of that place; escape leads back to it."""
        empty = self.focused is self._prompt and not self._prompt.draft.strip()
        if event.key == "escape" and empty and not self.can_stop:
            event.stop()  # the screen that it may open would take it, too
            self._steering.escape(event.time)
        if self._questions.has_keys and self._prompt.draft.strip() and is_for_prompt(event.key, self.app._keymap):
            event.stop()
            event.prevent_default()
            self._go_on_in_prompt(event.key)
        if self.focused not in (None, self._view) or event.key in self.active_bindings:
            return
        if event.is_printable and event.character:
            event.stop()
            self._foot.type(event.character)
        elif event.key == "escape":
            event.stop()
            self._prompt.focus()

    def on_paste(self, event: events.Paste) -> None:
        """A paste goes to the prompt too."""
        if self.focused in (None, self._view):
            event.stop()
            self._prompt.focus()
            self._prompt.post_message(events.Paste(event.text))

    # ---- actions ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Stopping is offered while there is something to stop, and so on."""
        if action != "do":
            return True
        match parameters[0]:
            case "interrupt":
                return self.can_stop
            case "fetch":
                return self._models.can_fetch
            case "look":
                return self._models.can_look
            case "background":
                return self._background.running > 0
            case "plan":
                return self._plans.offered
        return True

    @property
    def can_stop(self) -> bool:
        """Whether there is something to stop."""
        return self.busy or self._turns.going or bool(self._outbox.waiting) or self._standby.waited_for

    def action_do(self, what: str) -> None:
        """Do what an action of the chat is for; what takes long is done meanwhile."""
        group = f"do {what}"
        if what in _OPENING and any(worker.group == group and worker.is_running for worker in self.workers):
            return
        done = self._deeds[what]()
        if iscoroutine(done):
            self.aside(done, group, instead=False)

    def _table(self) -> dict[str, Callable[[], object]]:
        """What each action of the registry does, by its method."""
        return {
            "interrupt": self.stop,
            "cycle_mode": self._modes.cycle,
            "modes": self._modes.show,
            "questions": self._show_questions,
            "review": self._review,
            "plan": self._plans.show,
            "context": self._room.show,
            "compact": self._room.compact,
            "summary": self._room.edit,
            "background": self._background.show,
            "providers": self._models.pick,
            "cycle_profile": self._models.cycle_profile,
            "fetch": self._fetch,
            "look": lambda: self.aside(self._models.look_again, "look"),
            "sessions": self._sessions.choose,
            "new_session": self._sessions.start_over,
            "rename": self._sessions.rename,
            "fork": self._sessions.fork,
            "export": self._sessions.export,
            "replay": self._sessions.replay,
            "changes": self._undo.changes,
            "undo": self._undo.undo,
            "redo": self._undo.redo,
            "rewind": self._undo.rewind,
            "retry": self._steering.retry,
            "queued": self._steering.show,
            "beside": self._ask_beside,
            "compare": self._comparing.choose,
            "page_up": lambda: self._view.action_page_up(),
            "page_down": lambda: self._view.action_page_down(),
            "focus_transcript": lambda: self._view.focus(),
            "toggle_thoughts": self._transcript.toggle_thoughts,
            "toggle_details": self._transcript.toggle_details,
        }

    def stop(self) -> None:
        """Stop the turn, or waiting for the model; what was not sent comes back into the prompt."""
        self._turns.give_back()
        if self._standby.waited_for and not self.busy:
            self._models.give_up()
        else:
            self._turns.stop()

    def _show_questions(self) -> None:
        if not self._counsel.questions:
            self.say("info", "nothing was asked in this session yet", "f12 shows what asks in each mode")
            return
        from tui_agent.tui.screens.questions import QuestionsScreen

        self.app.push_screen(QuestionsScreen(self._counsel, symbols=self.symbols))

    async def _fetch(self) -> None:
        """Not before the offer could be read."""
        if self._greeting.readable:
            await self._models.fetch()

    async def _ask_beside(self) -> None:
        """What stands in the prompt, or what is typed then."""
        question = self._prompt.draft.strip()
        self._prompt.text = ""
        await self._beside.ask(question.removeprefix(COMMAND))

    @on(StatusBar.ModeClicked)
    @on(StatusBar.ContextClicked)
    @on(StatusBar.BackgroundClicked)
    @on(StatusBar.ModelClicked)
    @on(StatusBar.ProfileClicked)
    def _bar_clicked(self, event: Message) -> None:
        self.action_do(_CLICKED[type(event)])

    def _asks_two(self) -> None:
        ways = self._comparing.ways
        names = " and ".join(way.title for way in ways) if ways else ""
        self._prompt.placeholder = f"ask {names} side by side" if names else _PLACEHOLDER

    # ---- transcript ----

    async def action_find(self) -> None:
        """Look for text in the transcript."""
        if self._finder is None:
            from tui_agent.tui.finder import Finder

            self._finder = Finder(self, self._view, self.symbols, self.typed_elsewhere)
            self._finder.question = self._questions.first is not None
        await self._finder.open(self._foot, above=self._prompt)

    @on(TranscriptView.FoldToggled)
    def _fold_toggled(self, event: TranscriptView.FoldToggled) -> None:
        if self._finder is not None:
            self._finder.keep_fold(event.block_id)

    @on(TranscriptView.Copied)
    def _copied(self, event: TranscriptView.Copied) -> None:
        copy(self.app, event.text, event.what)

    def action_copy_text(self) -> None:
        """ctrl+c where something is selected, in the transcript or elsewhere; else it is for those above."""
        if not self._view.copy_selection():
            super().action_copy_text()

    @on(TranscriptView.LinkOpened)
    @work(exit_on_error=False)
    async def _open_link(self, event: TranscriptView.LinkOpened) -> None:
        await open_or_copy(self.app, event.url)
