"""The keys that answer a question, and the gate they pass: shared by the approval panel and the diff review."""

import time
from asyncio import TimerHandle
from collections.abc import Callable, Mapping
from dataclasses import replace

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui_agent.permissions.approval import (
    AllowForSession,
    AllowOnce,
    AllowReading,
    ApprovalDecision,
    ApprovalRequest,
    CommandAccess,
    Denied,
)
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.arming import BEHIND, SILENCE, ArmingGuard
from tui_agent.tui.bindings import KEEPS_KEYS, bindings_for, keys_of
from tui_agent.tui.later import later
from tui_agent.tui.widgets.answer_keys import Question
from tui_agent.tui.widgets.key_hints import KeyHints


class AnswerBar(Widget):
    """Shows the keys of one question and lets only those through that were meant for it.

    Until `ArmingGuard` opens it has no focus and takes nothing; then it takes the focus and brightens. A key answers
    only when it was pressed, by the clock, while the guard was open: one that waited in a queue is as old as it is.
    Keys of ours reach their action through `on_key` alone, so that no key which another widget passed on can answer.
    Any other printable key or paste is given back (`Typed`) and closes the gate again.

    A letter that allows or opens something waits for silence behind it too, marked from the first moment: somebody who
    begins to type a word goes on, and then its letter belongs to the word. What denies waits for nothing.
    """

    DEFAULT_CSS = """
    AnswerBar {
        height: auto;
        Input { display: none; height: 1; border: none; padding: 0; background: $tui-raised; }
        &.-commenting Input { display: block; }
        &.-commenting KeyHints { display: none; }
    }
    """
    BINDINGS = [replace(binding, show=False) for binding in bindings_for("approval") if isinstance(binding, Binding)]

    class Answered(Message):
        """The user decided."""

        def __init__(self, request: ApprovalRequest, decision: ApprovalDecision) -> None:
            super().__init__()
            self.request = request
            self.decision = decision

    class ReviewWanted(Message):
        """The user wants to see the whole diff, or, `editing`, to change it."""

        def __init__(self, request: ApprovalRequest, editing: bool = False) -> None:
            super().__init__()
            self.request = request
            self.editing = editing

    class Opened(Message):
        """The user wants the line for a rule ("allow_rule"), or to edit the command ("edit")."""

        def __init__(self, request: ApprovalRequest, what: str) -> None:
            super().__init__()
            self.request = request
            self.what = what

    class Typed(Message):
        """Typed or pasted where the bar has the focus, but meant for the prompt: focus it and insert the text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """Enter was pressed, which answers nothing: what was typed before may be sent."""

    class Armed(Message):
        """The gate opened or closed."""

        def __init__(self, armed: bool) -> None:
            super().__init__()
            self.armed = armed

    def __init__(
        self,
        guard: ArmingGuard,
        clock: Callable[[], float] = time.monotonic,
        *,
        beside: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.guard = guard
        self._clock = clock
        self._beside = beside  # the place whose keys work too and are not meant for the prompt
        self._question: Question | None = None
        self._command = ""  # what runs in place of the proposed command
        self._asked = 0
        self._admitted = False
        self._timer: TimerHandle | None = None
        self._came_from: Widget | None = None
        self._pressed = ""  # the letter of the key that was admitted last
        self._keymap: Mapping[str, str] | None = None
        self._known_keys: dict[str, dict[str, str]] = {}  # of a place, while the keymap stays
        self._held: TimerHandle | None = None  # what waits for silence behind its key
        self._hints = KeyHints()
        self._comment = Input(compact=True, placeholder="why not? the model reads this; enter denies, esc goes back")
        self._comment.cursor_blink = False

    def compose(self) -> ComposeResult:
        """Keys, or the line for a comment."""
        yield self._hints
        yield self._comment

    def on_mount(self) -> None:
        """The terminal's focus closes the gate, coming or going, and so does a screen that covers this one."""
        self.watch(self.app, "app_focus", self.refocused, init=False)
        self.watch(self.screen, "stack_updates", self.refocused, init=False)

    # ---- for the widget around ----

    @property
    def hints(self) -> KeyHints:
        """The line of keys."""
        return self._hints

    @property
    def armed(self) -> bool:
        """True when the keys are shown as working."""
        return self.has_class("-armed")

    @property
    def pending(self) -> bool:
        """True while what a key asked for waits for silence behind it."""
        return self._held is not None

    @property
    def keys(self) -> dict[str, str]:
        """Key names and the action each runs for the question shown."""
        return {key: method for key, method in self._keys_of("approval").items() if self.check_action(method, ())}

    @property
    def _request(self) -> ApprovalRequest | None:
        return None if self._question is None else self._question.request

    @property
    def comment(self) -> str:
        """The comment as it is written so far."""
        return self._comment.value

    def key_of(self, action: str) -> str:
        """The key of an action as people read it; "" when the question has none for it."""
        return next((hint.key for hint in self._hints.hints if hint.action == action), "")

    def _keys_of(self, place: str) -> dict[str, str]:
        # Textual 8.2.8 has no public way to read the keymap that `App.set_keymap` was given.
        keymap = self.app._keymap
        if keymap is not self._keymap:
            self._keymap, self._known_keys = keymap, {}
        if place not in self._known_keys:
            own = (action for action in ACTIONS if action.owner == place)
            self._known_keys[place] = {key: action.method for action in own for key in keys_of(action, keymap)}
        return self._known_keys[place]

    def ask(
        self,
        request: ApprovalRequest,
        *,
        command: str = "",
        always: str | None = None,
        editable: bool = False,
        refused: bool = False,
    ) -> None:
        """Show the keys for a question; they work when it has been painted and the guard says so.

        `command` is what a yes lets run in place of the proposed one; the others are those of `answer_keys.Question`.
        """
        self._reset()
        self._question = Question(request, always=always, editable=editable, refused=refused, beside=self._beside)
        self._command = command
        self._asked += 1
        keymap = self.app._keymap
        self._hints.hints = self._question.hints(keymap, short=False)
        self._hints.short = self._question.hints(keymap, short=True)
        self._hints.refresh(layout=True)
        self.call_after_refresh(self._painted, self._asked)

    def clear(self) -> None:
        """Nothing is asked any more."""
        self._reset()

    def prompt_key(self, key: str = "", at: float | None = None) -> None:
        """A key or paste went to the prompt; `key` is its name, where it is a key, `at` when that was: now."""
        if (self._take_back() or self._admitted) and self._pressed:
            self.post_message(self.Typed(self._pressed))
        self._admitted = False
        self.guard.prompt_key(self._clock() if at is None else at, key)
        self._wait()

    def lend_focus(self, widget: Widget) -> None:
        """Let a line of this question have the keys; no key answers until it gave them back."""
        self.screen.set_focus(widget, scroll_visible=False)
        self.prompt_key()

    def come_back(self) -> None:
        """Take the keys from that line; they answer after a silence."""
        if self.is_attached:
            self.screen.set_focus(self if self.can_focus else self._came_from, scroll_visible=False)
            self.prompt_key()

    def admits(self, event: events.Event) -> bool:
        """True when this very key or click, pressed in a line of this question, may answer it."""
        waited = max(0.0, time.monotonic() - event.time)
        return self._request is not None and self.app.app_focus and self.guard.armed(self._clock() - waited)

    def refocused(self) -> None:
        """The terminal's focus changed, or another screen came or went."""
        self._take_back()
        self.guard.refocused(self._clock())
        self._wait()

    def arm_if_due(self) -> None:
        """Take the focus when the guard is open; the timer calls this, and calling it early does nothing."""
        self._timer = None
        if self._request is None or self.has_class("-commenting") or self.app.screen is not self.screen:
            return  # Textual counts also the screen below another one as current
        focused = self.screen.focused
        if focused is not None and focused.has_class(KEEPS_KEYS):
            return  # until it has them no more, which tells `prompt_key`
        if self._clock() < self._opens_at():
            self._wait()
            return
        self._look(armed=True)
        self._take_focus()

    # ---- the gate ----

    def _painted(self, asked: int) -> None:
        if asked == self._asked and self._request is not None:
            self.guard.shown(self._clock())
            self._wait()

    def _wait(self) -> None:
        """Look closed, and open when it is time; one timer, none when nothing is shown."""
        if self._request is None:
            return
        now, opens = self._clock(), self._opens_at()
        if now < opens:
            self._look(armed=False)
        if self._timer is None and opens != float("inf"):
            self._timer = later(self, opens - now, self.arm_if_due)

    def _opens_at(self) -> float:
        """The moment from which every key of the question counts, also the one that was pressed last."""
        return max(self.guard.opens_at(key) for key in ("", *self.keys))

    def _look(self, armed: bool) -> None:
        if armed != self.armed:
            self.set_class(armed, "-armed")
            self._hints.set_class(armed, "-armed")
            self.post_message(self.Armed(armed))

    def _reset(self) -> None:
        self.guard.hidden()
        self._take_back()
        if self._comment.value:
            self.post_message(self.Typed(self._comment.value))
        self._question = None
        self._admitted = False
        self._give_focus_back()
        self._look(armed=False)
        self.remove_class("-commenting")
        self._comment.value = ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_focus(self) -> None:
        self.can_focus = True
        if not self.has_focus_within:
            self._came_from = self.screen.focused
        self.screen.set_focus(self, scroll_visible=False)

    def _give_focus_back(self) -> None:
        """To whoever had it, at once: a key pressed now is theirs."""
        if self.is_attached and self.has_focus_within:
            self.screen.set_focus(self._came_from, scroll_visible=False)
        self.can_focus = False

    def _open_for(self, event: events.Event) -> bool:
        """True when the guard was open at the moment the key or button was pressed."""
        waited = max(0.0, time.monotonic() - event.time)
        key = event.key if isinstance(event, events.Key) else ""
        return self.armed and self.app.app_focus and self.guard.armed(self._clock() - waited, key)

    def on_key(self, event: events.Key) -> None:
        """Let a key of ours through when it was pressed in time; give back what was meant for the prompt."""
        if self.has_class("-commenting"):
            if event.key == "escape":
                event.stop()
                self._close_comment()
            return
        opened, own = self._open_for(event), event.key in self.keys
        if (self._admitted or self._held is not None) and (event.is_printable or event.key == "enter"):
            own = opened = False  # it came before the key in front of it did anything: they are a word
        if opened and own:
            self._admitted, self._pressed = True, (event.character or "") if event.is_printable else ""
            self.guard.pressed(self._clock(), event.key)
        elif event.key == "enter" and opened:
            event.stop()
            self.post_message(self.Entered())
        elif not own and event.key in self._keys_of(self._beside):
            return
        elif event.is_printable and event.character and not event.key.startswith("alt+"):
            event.stop()
            self.prompt_key(event.key)
            self.post_message(self.Typed(event.character))
        elif not opened and (own or event.key == "enter"):
            event.stop()
            self.prompt_key()

    def on_paste(self, event: events.Paste) -> None:
        """A paste never answers."""
        event.stop()
        self.prompt_key()
        self.post_message(self.Typed(event.text))

    @on(KeyHints.Pressed)
    async def _clicked(self, event: KeyHints.Pressed) -> None:
        event.stop()
        if self._open_for(event.event):
            self._admitted, self._pressed = True, ""
            await self.run_action(event.action)

    # ---- answers ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what the question offers."""
        return self._question is not None and self._question.offers(action)

    def _take(self) -> ApprovalRequest | None:
        """The question, when a key or click has just been admitted for it."""
        admitted, self._admitted = self._admitted, False
        return self._request if admitted and self.guard.armed(self._clock()) else None

    def _answer(self, request: ApprovalRequest, decision: ApprovalDecision) -> None:
        self._comment.value = ""
        self._reset()
        self.post_message(self.Answered(request, decision))

    def action_allow(self) -> None:
        """Allow this call."""
        if request := self._take():
            self._hold("allow", BEHIND, lambda: self._answer(request, self._once(request)))

    def action_allow_session(self) -> None:
        """Allow it for the rest of the session."""
        if request := self._take():
            self._hold("allow_session", SILENCE, lambda: self._answer(request, AllowForSession(request.digest)))

    def action_allow_network(self) -> None:
        """Allow this call, with network."""
        if request := self._take():
            self._hold("allow_network", SILENCE, lambda: self._answer(request, self._once(request, network=True)))

    def action_allow_reading(self) -> None:
        """Allow this call, and let commands that only read run for the rest of the session."""
        if request := self._take():
            self._hold("allow_reading", SILENCE, lambda: self._answer(request, AllowReading(request.digest)))

    def action_allow_rule(self) -> None:
        """Open the line for a rule."""
        if request := self._take():
            self._hold("allow_rule", BEHIND, lambda: self.post_message(self.Opened(request, "allow_rule")))

    def action_edit(self) -> None:
        """Edit the command, or the change in its review."""
        if request := self._take():
            command = isinstance(request.access, CommandAccess)
            wanted = self.Opened(request, "edit") if command else self.ReviewWanted(request, editing=True)
            self._hold("edit", BEHIND, lambda: self.post_message(wanted))

    def action_review(self) -> None:
        """Ask for the diff review."""
        if request := self._take():
            self._hold("review", BEHIND, lambda: self.post_message(self.ReviewWanted(request)))

    def action_deny_comment(self) -> None:
        """Open the line for the comment."""
        if self._take():
            self._hold("deny_comment", BEHIND, self._open_comment)

    def action_deny(self) -> None:
        """Deny this call."""
        if request := self._take():
            self._answer(request, Denied())

    def action_stop(self) -> None:
        """Deny and stop the turn."""
        if request := self._take():
            self._answer(request, Denied(stop=True))

    def _once(self, request: ApprovalRequest, network: bool = False) -> AllowOnce:
        access = request.access
        if self._command and isinstance(access, CommandAccess):
            network = network or access.network
        return AllowOnce(request.digest, network=network, command=self._command)

    def _hold(self, action: str, seconds: float, act: Callable[[], object]) -> None:
        """Do it when no further key came for a while; at once for a click or a key that types nothing."""

        def silent() -> None:
            if self._take_back():
                act()

        self._take_back()
        if not self._pressed:
            act()
            return
        self._hints.mark(action)
        self._held = later(self, seconds, silent)

    def _take_back(self) -> bool:
        """Give up what waits for silence, if there is something."""
        waiting, self._held = self._held, None
        self._hints.mark("")
        if waiting is not None:
            waiting.cancel()
        return waiting is not None

    # ---- the comment ----

    def _open_comment(self) -> None:
        self.add_class("-commenting")
        self.screen.set_focus(self._comment, scroll_visible=False)

    def _close_comment(self) -> None:
        """Back to the keys; what was written is there again when the line is opened again."""
        self.remove_class("-commenting")
        self._take_focus()
        self.prompt_key()

    @on(Input.Submitted)
    def _comment_sent(self, event: Input.Submitted) -> None:
        event.stop()
        if self._request is not None:
            self._answer(self._request, Denied(comment=event.value.strip()))
