"""The chat: status, transcript, question, prompt; it carries events from the engine to the widgets and answers back."""

import asyncio
import logging
import os
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from inspect import isawaitable
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from tui_agent.config.load import LoadedSettings
from tui_agent.config.model import Settings
from tui_agent.conversation.errors import ConfigError, TuiAgentError
from tui_agent.conversation.events import Level, Mode, PromptSubmitted, RequestStarted, ToolFinished, TurnEnded
from tui_agent.permissions.approval import ApprovalDecision, ApprovalRequest, Denied
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.arming import SILENCE
from tui_agent.tui.bindings import bindings_for, keymap
from tui_agent.tui.collecting import Collector, lasting
from tui_agent.tui.commands import SlashCommand, completions, find
from tui_agent.tui.engine import Engine
from tui_agent.tui.history import PromptHistory
from tui_agent.tui.host import Host, Launch, Offer
from tui_agent.tui.later import later
from tui_agent.tui.models import Models
from tui_agent.tui.questions import Questions
from tui_agent.tui.standby import Standby
from tui_agent.tui.theming import Palette, symbols
from tui_agent.tui.transcript import Transcript
from tui_agent.tui.welcome import Line, welcome_lines
from tui_agent.tui.widgets.activity import Activity, ActivityLine, QueuedLine
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.prompt import PromptArea
from tui_agent.tui.widgets.status_bar import StatusBar, StatusInfo
from tui_agent.tui.widgets.transcript.copying import amount
from tui_agent.tui.widgets.transcript.document import WelcomeBlock
from tui_agent.tui.widgets.transcript.layout import prepare
from tui_agent.tui.widgets.transcript.view import TranscriptView
from tui_agent.workspace.git import branch

if TYPE_CHECKING:  # what the first paint does not show is imported after it
    from tui_agent.conversation.events import Event, Record
    from tui_agent.tui.app import TuiAgent
    from tui_agent.tui.finder import Finder
    from tui_agent.tui.widgets.answer_bar import AnswerBar

QUIET = 0.5
"""Seconds from the end of a turn to the first work that nobody waits for."""

SETTLING = 0.1
"""Seconds from the first paint to the first work that it did not need."""

SAFE_COPY = 100_000
LARGEST_COPY = 4_000_000
"""Bytes that most terminals take into the clipboard, and those that are not even tried."""

MODES: tuple[Mode, ...] = ("plan", "ask", "accept-edits", "auto")


_seq = attrgetter("seq")


class ChatScreen(Screen[None]):
    """The main screen; also the `Approver` of the engine."""

    BINDINGS = bindings_for("chat")
    AUTO_FOCUS = "PromptArea"

    app: "TuiAgent"

    def __init__(self, launch: Launch) -> None:
        super().__init__()
        self._launch = launch
        self.engine = Engine()
        self._transcript = Transcript(thoughts_folded=launch.loaded.settings.ui.thoughts == "folded")
        self._standby = Standby(self._progress_changed)
        self._models = Models(self, self._standby, self._settings, self._keys)
        self._offer_seen = -inf
        self._greeting: WelcomeBlock | None = None
        self._end: asyncio.Task[Sequence[Record]] | None = None
        self._questions = Questions(self, self._questions_changed)
        self._finder: Finder | None = None
        self.takes_keys = False
        self._stopped = False
        self._warm = False
        self._collector = Collector()
        self._last_state: tuple[object, ...] = ()
        self._branch = ""
        self._context_limit: int | None = None

    def compose(self) -> ComposeResult:
        """Status, transcript, and at the foot: question, activity, prompt, keys."""
        ui = self._launch.loaded.settings.ui
        signs = symbols(ui.symbols, os.environ, getattr(sys.__stdout__, "encoding", None) or "")
        self.symbols = signs
        self._status = StatusBar(self._status_info(), home=os.environ.get("HOME", ""), symbols=signs)
        self._view = TranscriptView(self._transcript.document, palette=self.app.palette, symbols=signs)
        self._activity = ActivityLine(symbols=signs)
        self._queued = QueuedLine(symbols=signs)
        self._prompt = PromptArea(
            commands=completions(),
            files=self._files,
            history=PromptHistory(self._launch.history),
            placeholder="ask, or / for commands, @ for files",
            symbols=signs,
        )
        yield self._status
        yield self._view
        with Vertical(id="foot"):
            yield self._activity
            yield self._queued
            yield self._prompt
            yield KeyFooter()

    def on_mount(self) -> None:
        """Show where we are; everything that is not needed for the first paint comes after it."""
        if self._launch.read_end is None:
            self._welcome()
        else:
            self._end = asyncio.create_task(self._look_back(self._launch.read_end))
        self._prompt.focus(scroll_visible=False)
        self.takes_keys = True
        self.app.call_later(self.app.deliver_early_keys)
        self.call_after_refresh(self._after_first_paint)

    def on_unmount(self) -> None:
        """Leave the collector as it was."""
        self._collector.end()

    def _after_first_paint(self) -> None:
        # A key typed at launch comes first: imports in a thread would make its echo wait for the interpreter's lock.
        later(self, SETTLING, self._start)

    def _start(self) -> None:
        self._collector.begin()
        self.run_worker(self._prompt.past.load, thread=True, exit_on_error=False)
        self._open_host()
        self._look_at_branch()
        self.app.watch_settings()

    # ---- engine ----

    @work(exit_on_error=False, group="host")
    async def _open_host(self) -> None:
        with self.engine.opening():
            try:
                self.engine.host = host = await self._launch.open_host(self)
                if self._end is not None and (end := await self._end):
                    await self._take_up(host, end)
            except TuiAgentError as error:
                self.engine.failure = error
                self.say("error", error.message, error.hint)
        self.refresh_bindings()
        self._update_status()
        self._learn_context_length()
        if self.engine.host is None:
            return
        if self.engine.host.trouble is not None:
            self._models.look_at_offers(self.engine.host)
            self._update_status()
        else:
            self._get_ready(self._models.missing(self.engine.host))

    @work(exit_on_error=False, group="context length", exclusive=True)
    async def _learn_context_length(self) -> None:
        self._context_limit = None
        if self.engine.host is not None:
            self._context_limit = await self.engine.host.context_length()
            self._update_status()

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self.engine.busy

    async def close_host(self) -> None:
        """Stop the turn, let it log its end, and close the engine."""
        self._questions.close()
        if self.engine.host is None:
            return
        if self.engine.busy:
            self.engine.host.session.interrupt()
            with suppress(Exception):
                await self.workers.wait_for_complete([w for w in self.workers if w.group == "turn"])
        await self.engine.host.aclose()

    @work(exit_on_error=False, group="turn")
    async def _run_turn(self, text: str) -> None:
        host = await self.engine.ready()
        if host is None:
            self._prompt.restore(text)
            if self.engine.failure is not None:
                self.say("error", self.engine.failure.message, self.engine.failure.hint)
            return
        if self._standby.going:
            self._standby.hold(text)
            return
        if host.trouble is not None:
            if await self._models.look(host):
                self._standby.hold(text)
                self._get_ready()
            else:
                self.give_back(text)
                self._models.still_nobody()
                self._update_status()
            return
        if host.session.busy:
            host.session.steer(text)
            self._queued.show([*self._queued.texts, text])
            self._progress_changed()
            return
        prompt: str | None = text
        while prompt is not None:
            async with aclosing(host.session.run(prompt)) as happening:
                async for event in happening:
                    self.show(event)
            # What was typed too late to steer this turn opens the next one, unless the user stopped it.
            left = self._take_queue(host)
            prompt = "\n\n".join(left) if left and not self._stopped else None
            if left and prompt is None:
                self._prompt.restore("\n\n".join(left))
            self._stopped = False
        self._progress_changed()

    def _take_queue(self, host: Host) -> list[str]:
        """What was not sent yet; it is no longer queued."""
        self._queued.show(())
        return host.session.take_steering()

    def show(self, event: "Event") -> None:
        """Show what happened."""
        self._transcript.take(event)
        if isinstance(event, PromptSubmitted) and event.text in self._queued.texts:
            self._queued.show([text for text in self._queued.texts if text != event.text])
        if isinstance(event, ToolFinished | TurnEnded):
            self._look_at_branch()
        if isinstance(event, TurnEnded):
            self._stopped = event.reason in ("interrupted", "denied")
            self.call_back()
            later(self, QUIET, self._collector.round)
        elif isinstance(event, RequestStarted):
            self._collector.between()
        self._progress_changed()

    def _progress_changed(self) -> None:
        asked = self._questions.first
        doing = self._transcript.progress.activity if self.busy else self._standby.activity
        self._activity.show(doing if asked is None else Activity("you", asked.tool))
        if self._standby.held:
            self._queued.show(self._standby.held, "the download" if self._standby.fetching else "loading")
        if (state := (self.busy, self._standby.waited_for, self._standby.fetching)) != self._last_state:
            self._last_state = state
            self.refresh_bindings()
        self._update_status()

    # ---- questions ----

    async def approve(self, request: ApprovalRequest) -> ApprovalDecision:
        """Ask the user."""
        return await self._questions.ask(request, self.query_one("#foot"), self.symbols)

    def _questions_changed(self) -> None:
        if self._finder is not None:
            self._finder.question = self._questions.first is not None
        if self._questions.first is None:
            if self.focused is None:
                self._prompt.focus()
        elif not self.app.app_focus:
            self.app.bell()
        self._progress_changed()

    def on_answer_bar_answered(self, event: "AnswerBar.Answered") -> None:
        """The user decided."""
        self._questions.answer(event.request, event.decision)

    @on(PromptArea.KeyPressed)
    def _prompt_key(self) -> None:
        if not self._warm and self.engine.opened:
            self._warm = True
            self.run_worker(self._warm_up, thread=True, exit_on_error=False)

    def _warm_up(self) -> None:
        """Import in a thread what the first answer needs."""
        with lasting():
            prepare()
            self._launch.warm_up()

    def typed_elsewhere(self) -> None:
        """A key went to some other widget than a question: the question waits."""
        self._questions.typed_elsewhere()

    def on_app_focus(self) -> None:
        """The terminal has the focus again."""
        self._questions.refocused()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault of ours is said, logged, and costs no more than what it happened in."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            logging.getLogger(__name__).error("worker failed", exc_info=event.worker.error)
            self.say("error", f"internal error: {event.worker.error!r}", "the session goes on")

    # ---- prompt ----

    @on(PromptArea.Submitted)
    def _submitted(self, event: PromptArea.Submitted) -> None:
        if (found := find(event.text)) is not None:
            self._run_command(*found)
        else:
            self._stopped = False
            self._run_turn(event.text)

    @on(PromptArea.PasteCut)
    def _paste_cut(self, event: PromptArea.PasteCut) -> None:
        text = f"the paste has {event.length:,} characters; the first {event.kept:,} went in"
        self.say("warning", text, "put it in a file and name it with @")

    @work(exit_on_error=False)
    async def _run_command(self, command: SlashCommand, argument: str) -> None:
        if argument and command.name == "/model":
            provider, _, model = argument.partition("/")
            await self._switch(provider, model)
        elif argument and command.name == "/mode":
            await self._set_mode(argument)
        elif argument and command.name == "/profile":
            await self._set_profile(argument)
        elif command.name == "/download":
            await self._fetch()
        elif argument and command.name == "/theme":
            self.app.choose_theme(argument)
        else:
            place, _, _ = command.action.partition(".")
            method = next(action.method for action in ACTIONS if action.id == command.action)
            # Not `run_action`: it would say nothing of an action that is not offered now, and these say why.
            done = getattr(self.app if place == "app" else self, f"action_{method}")()
            if isawaitable(done):
                await done

    async def _files(self, typed: str) -> list[str]:
        return [] if self.engine.host is None else await self.engine.host.project_files(typed)

    # ---- actions ----

    def action_interrupt(self) -> None:
        """Stop the turn; what was typed meanwhile and not yet sent comes back into the prompt."""
        host = self.engine.host
        if self._standby.waited_for and not self.busy:
            if self._models.stopped():
                self.workers.cancel_group(self, "ready")
            self._progress_changed()
            return
        if host is None or not host.session.busy:
            return
        waiting = self._take_queue(host)
        if waiting:
            self._prompt.restore("\n\n".join(waiting))
        self._stopped = True
        if (asked := self._questions.first) is not None:
            self._questions.answer(asked, Denied(stop=True))
        else:
            host.session.interrupt()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Stopping is offered while there is something to stop, and so on."""
        match action:
            case "interrupt":
                return self.busy or self._standby.waited_for
            case "fetch":
                offered = self._models.offered
                return offered is not None and not offered.problem and self._standby.fetching is None
            case "look":
                return (
                    self.engine.host is not None
                    and self.engine.host.trouble is not None
                    and self._standby.fetching is None
                )
        return True

    def action_page_up(self) -> None:
        """Scroll the transcript while the prompt keeps the keys."""
        self._view.action_page_up()

    def action_page_down(self) -> None:
        """The other way."""
        self._view.action_page_down()

    def action_focus_transcript(self) -> None:
        """Move into the transcript; escape or typing leads back."""
        self._view.focus()

    async def action_find(self) -> None:
        """Look for text in the transcript."""
        if self._finder is None:
            from tui_agent.tui.finder import Finder

            self._finder = Finder(self, self._view, self.symbols, self.typed_elsewhere)
            self._finder.question = self._questions.first is not None
        await self._finder.open(self.query_one("#foot"), above=self._prompt)

    @on(TranscriptView.FoldToggled)
    def _fold_toggled(self, event: TranscriptView.FoldToggled) -> None:
        if self._finder is not None:
            self._finder.keep_fold(event.block_id)

    def action_toggle_thoughts(self) -> None:
        """Fold or unfold all thoughts."""
        self._transcript.toggle_thoughts()

    def action_toggle_details(self) -> None:
        """Fold or unfold all tool calls."""
        self._transcript.toggle_details()

    @work(exit_on_error=False)
    async def action_cycle_mode(self) -> None:
        """Go to the next mode that can be chosen here."""
        host = await self.engine.ready()
        if host is None:
            return
        place = MODES.index(host.session.mode)
        for mode in (*MODES[place + 1 :], *MODES[:place]):
            if not host.mode_problem(mode):
                await self._set_mode(mode)
                return

    async def _set_mode(self, name: str) -> None:
        host = await self.engine.ready()
        if host is None:
            return
        mode = next((mode for mode in MODES if mode == name), None)
        if mode is None:
            self.say("warning", f"no mode is called {name}", f"modes are {', '.join(MODES)}")
        elif problem := host.mode_problem(mode):
            self.say("warning", problem)
        else:
            for event in await host.session.set_mode(mode):
                self.show(event)
            self._update_status()

    @work(exit_on_error=False)
    async def action_providers(self) -> None:
        """Choose provider and model among what answers."""
        host = await self.engine.ready()
        if host is None:
            return
        from tui_agent.tui.screens.picker import PickerScreen, provider_rows

        session = host.session
        screen = PickerScreen(
            provider_rows(self.app.loaded.settings, os.environ),
            host.probe,
            host.offers,
            provider="" if host.trouble is not None else session.provider.name,
            model=session.model,
            symbols=self.symbols,
        )
        chosen = await self.app.push_screen_wait(screen)
        if chosen is not None:
            await self._switch(*chosen)

    async def _switch(self, provider: str, model: str) -> None:
        host = await self.engine.ready()
        if host is None:
            return
        here = self._models.offer(host, provider, model)
        if self._standby.fetching is not None:
            self._models.stopped()
        if here is not None and not here.installed:
            self._get_ready(here)  # to choose it is to want it
        elif await self._models.use(host, provider, model):
            self._get_ready()

    @work(exit_on_error=False, group="ready", exclusive=True)
    async def _get_ready(self, fetch: Offer | None = None) -> None:
        if (host := await self.engine.ready()) is not None:
            await self._models.get_ready(host, fetch)

    @work(exit_on_error=False)
    async def action_fetch(self) -> None:
        """Download the offered model and let it answer; not before the offer could be read."""
        if time.monotonic() >= self._offer_seen + SILENCE:
            await self._fetch()

    async def _fetch(self) -> None:
        host = await self.engine.ready()
        if host is None or self._standby.fetching is not None:
            return
        if (offer := self._models.fetchable(host)) is None:
            self.say("info", "no model that runs on this machine is configured", "`api: embedded` makes a provider one")
        else:
            await self._switch(offer.provider, offer.model)

    @work(exit_on_error=False, group="look", exclusive=True)
    async def action_look(self) -> None:
        """Look for a model server once more."""
        host = await self.engine.ready()
        if host is None:
            return
        if host.trouble is None:
            self.action_providers()
        elif await self._models.look(host):
            self._get_ready()
        else:
            self._update_status()
            self.notify("looked again: nobody answers", timeout=2, markup=False)

    @work(exit_on_error=False)
    async def action_cycle_profile(self) -> None:
        """Give the model more than it is given now, or less."""
        host = await self.engine.ready()
        if host is not None:
            await self._set_profile(self._models.next_profile(host))

    async def _set_profile(self, name: str) -> None:
        host = await self.engine.ready()
        if host is not None and self._models.set_profile(host, name):
            profile = host.session.profile
            given = "few tools and a short prompt" if profile.name == "small" else "all tools and the whole prompt"
            self.notify(f"{profile.name} profile ({profile.why}): {given}", timeout=4, markup=False)
            self._get_ready()

    @work(exit_on_error=False)
    async def action_sessions(self) -> None:
        """Open an earlier session of this folder."""
        host = await self.engine.ready()
        if host is None:
            return
        if host.session.busy:
            self.say("info", "a turn is running", "stop it with esc, then open another session")
            return
        from tui_agent.tui.screens.sessions import SessionRow, SessionsScreen

        try:
            rows = [
                SessionRow(row.id, row.title, row.updated, row.turns, row.model, row.working_directory)
                for row in await host.sessions()
            ]
        except TuiAgentError as error:
            self.say("error", error.message, error.hint)
            return
        chosen = await self.app.push_screen_wait(SessionsScreen(rows, current=host.session.id, symbols=self.symbols))
        if chosen is not None and chosen != host.session.id and not host.session.busy:
            try:
                await self._show_session(host, chosen)
            except TuiAgentError as error:
                self.say("error", error.message, error.hint)

    async def _show_session(self, host: Host, beginning: str) -> None:
        """Continue a session."""
        with self.engine.opening():
            end = await host.end_of(beginning)
            await self._show_end(end)
            await self._take_up(host, end)

    async def _look_back(self, read_end: "Callable[[], Awaitable[Sequence[Record]]]") -> "Sequence[Record]":
        """Show the end of the session to continue, without waiting for the engine; nothing comes back if that fails."""
        try:
            end = await read_end()
        except TuiAgentError as error:
            self._welcome()
            self.say("error", error.message, error.hint)
            return ()
        await self._show_end(end)
        return end

    async def _show_end(self, end: "Sequence[Record]") -> None:
        """Show the last turns of a session, or all of them."""
        self.workers.cancel_group(self, "earlier")
        await self._transcript.begin_with(end)
        self._view.action_end()
        self._update_status()

    async def _take_up(self, host: Host, end: "Sequence[Record]") -> None:
        """Let the engine continue the session whose end is shown; what is before that follows when it has been read."""
        try:
            with lasting():
                records = await host.resume(end[0].session)
        except TuiAgentError:
            if host.session.records:
                await self._show_end(host.session.records)
            else:
                self._reset()
                self._welcome()
            raise
        for record in records[bisect_right(records, end[-1].seq, key=_seq) :]:  # from another window, just now
            self.show(record.event)
        earlier = records[: bisect_left(records, end[0].seq, key=_seq)]
        # Not `@work`: it makes a text of all arguments, which takes a second here.
        self.run_worker(self._show_earlier(host, earlier), "earlier", "earlier", exit_on_error=False)
        self._update_status()

    async def _show_earlier(self, host: Host, records: "Sequence[Record]") -> None:
        """Put the turns before those that are shown above them, then say what is wrong with the log, if anything is."""
        await self._transcript.put_above(records)
        try:
            problem = await host.check_log()
        except TuiAgentError as error:
            problem = error.message
        if problem:
            self.say("warning", f"the log of this session is damaged: {problem}", "what is shown may not be all of it")

    @work(exit_on_error=False)
    async def action_new_session(self) -> None:
        """Start over with an empty transcript; the old session is kept."""
        host = await self.engine.ready()
        if host is None:
            return
        if host.session.busy:
            self.say("info", "a turn is running", "stop it with esc first")
            return
        await host.fresh_session()
        self._reset()
        self._welcome()
        self._update_status()

    def _reset(self) -> None:
        self.workers.cancel_group(self, "earlier")
        self._transcript.clear()

    @work(exit_on_error=False)
    async def action_review(self) -> None:
        """Open the diff of the change that waits for an answer."""
        if not await self._questions.review(self.app.loaded.settings.ui.diff, self.symbols):
            self.say("info", "no change waits for an answer", "a made change unfolds in the transcript")

    def on_key(self, event: events.Key) -> None:
        """Typing goes to the prompt wherever the focus is, but for the keys of that place; escape leads back to it."""
        if self.focused not in (None, self._view) or event.key in self.active_bindings:
            return
        if event.key == "escape" or (event.is_printable and event.character):
            event.stop()
            self._prompt.focus()
            if event.is_printable and event.character:
                self._prompt.insert(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """A paste goes to the prompt too."""
        if self.focused in (None, self._view):
            event.stop()
            self._prompt.focus()
            self._prompt.post_message(events.Paste(event.text))

    def on_answer_bar_typed(self, event: "AnswerBar.Typed") -> None:
        """Typed at the panel, but no answer: it belongs to the prompt."""
        self._prompt.focus()
        self._prompt.insert(event.text)

    def on_answer_bar_review_wanted(self) -> None:
        """The user wants to see the whole diff."""
        self.action_review()

    @on(StatusBar.ModelClicked)
    def _model_clicked(self) -> None:
        self.action_providers()

    @on(StatusBar.ProfileClicked)
    def _profile_clicked(self) -> None:
        self.action_cycle_profile()

    @on(StatusBar.ModeClicked)
    def _mode_clicked(self) -> None:
        self.action_cycle_mode()

    @on(TranscriptView.Copied)
    def _copied(self, event: TranscriptView.Copied) -> None:
        size = len(event.text.encode())
        if size > LARGEST_COPY:
            said = f"not copied: {size:,} bytes are more than terminals take; select less"
            self.notify(said, severity="warning", timeout=4, markup=False)
            return
        self.app.copy_to_clipboard(event.text)
        said = f"copied {amount(event.text, event.what)}"
        if size > SAFE_COPY:
            self.notify(f"{said}; many terminals cut so much", severity="warning", timeout=4, markup=False)
        else:
            self.notify(said, timeout=2, markup=False)

    def action_copy_text(self) -> None:
        """ctrl+c where something is selected, in the transcript or elsewhere; else it is for those above."""
        if not self._view.copy_selection():
            super().action_copy_text()

    @on(TranscriptView.LinkOpened)
    @work(exit_on_error=False)
    async def _open_link(self, event: TranscriptView.LinkOpened) -> None:
        from tui_agent.tui.opening import open_link

        if await open_link(event.url):
            self.notify(f"opened {event.url}", timeout=4, markup=False)
        else:
            self.app.copy_to_clipboard(event.url)
            self.notify(f"nothing here opens links; copied {event.url}", timeout=4, markup=False)

    # ---- what is shown, and what the models need of it ----

    def _settings(self) -> Settings:
        return self.app.loaded.settings

    def _keys(self) -> Mapping[str, str]:
        return keymap(self._settings().ui.keys)

    def give_back(self, prompt: str) -> None:
        """Put a prompt that was not sent back where it was typed."""
        self._queued.show(())
        self._prompt.restore(prompt)

    def send(self, prompt: str) -> None:
        """Begin a turn."""
        self._queued.show(())
        self._run_turn(prompt)

    def answerer_changed(self) -> None:
        """Another model answers, or the same is given more or less."""
        self.refresh_bindings()
        self._update_status()
        self._learn_context_length()

    def call_back(self) -> None:
        """Ring for a user who looks elsewhere."""
        if not self.app.app_focus:
            self.app.bell()

    def say(self, level: Level, text: str, hint: str = "") -> None:
        """A notice in the transcript."""
        self._transcript.say(level, text, hint)

    def _welcome(self) -> None:
        self._greeting = self._transcript.document.add(WelcomeBlock(lines=self._welcome_lines()))

    def _welcome_lines(self) -> tuple[Line, ...]:
        keys, host = self._keys(), self.engine.host
        about: list[Line] = [(("no model", "muted"),)] if self.engine.failure is not None else []
        urgent: list[Line] = []
        if host is not None and self.engine.opened:
            from tui_agent.tui.start import about_lines, elsewhere_lines, nobody_lines, places

            where = places(self._settings(), os.environ)
            if host.trouble is not None:
                urgent = nobody_lines(host.trouble, self._models.offered, self._standby.fetching, where, keys)
            else:
                info = self._status_info()
                answers = f"{info.provider} {self.symbols.separator} {info.model or 'no model'}"
                about = [((answers, "text"),)]
                start = host.start if host.start and host.start.name == info.provider else None
                about += about_lines(start, self._models.offer(host), host.session.profile, where, keys)
                urgent = elsewhere_lines(start, where.addresses) if start is not None else []
        return welcome_lines(self._launch.version, about, keys, urgent)

    def _update_welcome(self) -> None:
        """Who answers becomes known after the first paint; once something was asked the transcript says it."""
        greeting, host = self._greeting, self.engine.host
        if (
            greeting is None
            or self._transcript.document.get(greeting.id) is None
            or (host is not None and host.session.records)
        ):
            return
        lines = self._welcome_lines()
        if lines != greeting.lines:
            greeting.lines = lines
            self._transcript.document.touch(greeting)
            self._offer_seen = time.monotonic()

    def _status_info(self) -> StatusInfo:
        settings = self._settings()
        host = self.engine.host
        if host is not None and host.trouble is not None:
            return StatusInfo(project=str(self._launch.directory), branch=self._branch, mode=host.session.mode)
        session = host.session if host is not None else None
        provider = session.provider.name if session else settings.provider
        configured = settings.providers.get(provider)
        return StatusInfo(
            project=str(self._launch.directory),
            branch=self._branch,
            provider=provider,
            model=(session.model if session else settings.model or (configured.default_model if configured else "")),
            profile="small" if session and session.profile.name == "small" else "",
            mode=session.mode if session else settings.mode,
            sandbox=session.executor.sandbox.describe() if session else "",
            context_used=self._transcript.progress.context_used,
            context_limit=self._context_limit,
        )

    @work(exit_on_error=False, group="branch", exclusive=True)
    async def _look_at_branch(self) -> None:
        self._branch = await asyncio.to_thread(branch, self._launch.directory)
        self._update_status()

    def _update_status(self) -> None:
        self._status.update_status(self._status_info())
        self._update_welcome()

    def palette_changed(self, palette: Palette) -> None:
        """The theme is another one."""
        self._view.palette = palette

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
