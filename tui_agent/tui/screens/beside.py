"""A question beside the conversation and its answer as it comes; a question of the turn is seen there too."""

from collections.abc import Callable

from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import bindings_for, key_name, keys_of
from tui_agent.tui.clipboard import copy, open_or_copy
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.talk import COMMAND, Talk
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.activity import Activity, ActivityLine
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.transcript.view import TranscriptView

_LEAVE = next(action for action in ACTIONS if action.id == "beside.leave")


class QuestionArea(DocumentArea):
    """Grows with what is typed or pasted; enter asks it."""

    class Asked(Message):
        """Ask `text`."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            if self.text.strip():
                self.post_message(self.Asked(self.text))
                self.load_text("")  # what is typed behind it is not part of it
        else:
            await super()._on_key(event)


class BesideScreen(ClosingScreen[None]):
    """Shows `talk`; where nothing is asked yet, or it failed, the question is typed here."""

    BINDINGS = bindings_for("beside")
    AUTO_FOCUS = ""

    app: Shell

    DEFAULT_CSS = """
    BesideScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; color: $tui-muted; }
        TranscriptView { height: 1fr; }
        ActivityLine { padding: 0 1 0 2; }
        #said { height: auto; max-height: 4; padding: 0 1 0 2; color: $error; display: none; }
        #turn { height: auto; max-height: 2; padding: 0 1 0 2; color: $tui-faint; display: none; }
        #turn.-waits { color: $warning; text-style: bold; }
        QuestionArea, QuestionArea:focus {
            height: auto;
            max-height: 40%;
            padding: 0 1 0 2;
            background: $tui-raised;
            display: none;
        }
        &.-said #said, &.-turn #turn, &.-typing QuestionArea { display: block; }
    }
    """

    def __init__(
        self,
        talk: Talk,
        ask: Callable[[str], None],
        answerer: str,
        *,
        symbols: Symbols = UNICODE,
    ) -> None:
        """`ask` begins to ask; `answerer` is who is asked."""
        super().__init__()
        self.meanwhile = Activity()
        """What the turn does; see `show_meanwhile`."""
        self._talk = talk
        self._ask = ask
        self._answerer = answerer
        self._symbols = symbols
        self._state: tuple[object, ...] = ()
        self._told: tuple[str, bool] | None = None
        self._composed = False
        self._title = Static(id="title", markup=False)
        self._activity = ActivityLine(symbols=symbols)
        self._said = Static(id="said", markup=False)
        self._turn = Static(id="turn", markup=False)
        self._area = QuestionArea()
        self._area.placeholder = "what do you want to know?"

    def compose(self) -> ComposeResult:
        """The answer, what goes on, what the turn does, and what is typed."""
        self._view = TranscriptView(self._talk.document, palette=self.app.palette, symbols=self._symbols)
        yield self._title
        yield self._view
        yield self._activity
        yield self._said
        yield self._turn
        yield self._area
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show it from now on."""
        self._composed = True
        name = Content.styled("beside the conversation", "bold $text")
        self._title.update(Content.assemble(name, f"  {one_line(self._answerer)}"))
        self._talk.changed = self._changed
        self._changed()
        self.show_meanwhile(self.meanwhile)

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._talk.changed = lambda: None

    def tell_question(self, asks: str) -> None:
        """It is told above the keys."""

    @property
    def typed(self) -> str:
        """The question, as the command that asks it."""
        return f"{COMMAND} {question}" if (question := self.draft.strip()) else ""

    @property
    def draft(self) -> str:
        """A question that was not asked, or has no answer."""
        talk = self._talk
        asked = "" if self.has_class("-typing") or talk.answer is not None else talk.question
        return "\n".join(filter(None, (asked, self.behind)))

    @property
    def behind(self) -> str:
        """What was typed and is not being asked."""
        return self._area.text

    # ---- what is shown ----

    def _changed(self) -> None:
        if not self._composed:
            return
        talk = self._talk
        self._activity.show(talk.activity)
        state = (talk.going, talk.answer, talk.problem)
        if state == self._state:
            return
        self._state = state
        problem = talk.problem
        self.set_class(problem is not None, "-said")
        if problem is not None:
            self._said.update(Content(sanitize("\n".join(filter(None, (problem.message, problem.hint))))))
        typing = not talk.going and talk.answer is None
        if typing != self.has_class("-typing"):
            self.set_class(typing, "-typing")
            if typing:
                self._area.load_text("\n".join(filter(None, (sanitize(talk.question), self.behind))))
            self._area.move_cursor(self._area.document.end)
        (self._area if typing else self._view).focus()
        self.refresh_bindings()

    def show_meanwhile(self, activity: Activity) -> None:
        """What the turn does, and above all that it waits for the user."""
        self.meanwhile = activity
        if not self._composed:
            return
        waits = activity.kind == "you"
        text = one_line(activity.text)
        if waits:
            key = key_name(keys_of(_LEAVE, self.app._keymap)[0])
            said = f"{text} waits for your answer: {key} goes there"
        else:
            said = "" if activity.kind in ("idle", "quiet") else f"meanwhile: {_doing(activity, text)}"
        if (said, waits) == self._told:
            return
        self._told = said, waits
        self.set_class(bool(said), "-turn")
        self._turn.set_class(waits, "-waits")
        self._turn.update(Content(said))

    # ---- keys ----

    @on(QuestionArea.Asked)
    def _asked(self, event: QuestionArea.Asked) -> None:
        event.stop()
        if self._talk.going:
            self._area.insert(event.text)
        else:
            self._ask(event.text.strip())

    def action_close(self) -> None:
        """Back; what still comes is stopped."""
        if self._talk.going:
            self._talk.stop()
        self.dismiss(None)

    def action_leave(self) -> None:
        """Back; an answer that still comes goes on."""
        self.dismiss(None)

    @on(TranscriptView.Copied)
    def _copied(self, event: TranscriptView.Copied) -> None:
        copy(self.app, event.text, event.what)

    @on(TranscriptView.LinkOpened)
    @work(exit_on_error=False)
    async def _open_link(self, event: TranscriptView.LinkOpened) -> None:
        await open_or_copy(self.app, event.url)


def _doing(activity: Activity, text: str) -> str:
    """One state of a turn in a few words that do not change by the second."""
    match activity.kind:
        case "waiting":
            return f"waiting for {text or 'the model'}"
        case "tool":
            return f"running {text}"
        case "receiving":
            return "the turn's answer comes"
        case "retrying":
            return f"trying again ({text})"
    return text
