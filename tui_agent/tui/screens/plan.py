"""A plan as a document: read, edited in place, kept in a file, sent back with a comment, or accepted."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.conversation.events import Mode
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.gate import Gate
from tui_agent.tui.plan_document import FileThere
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.transcript.document import AgentBlock, Document, GrowingText
from tui_agent.tui.widgets.transcript.pane import TranscriptPane

Save = Callable[[str, str, bool], Awaitable[str]]
"""Writes a text to a file of this name, over another one if that is said; gives the file's name for people."""

DOING = frozenset({"accept", "next_mode", "edit", "editor", "comment", "save"})
"""What a key that was meant for something else must not begin."""

_HINTS = {
    "comment": "what should be another way? the model reads this; enter sends it, esc goes back",
    "save": "the file's name; enter writes it, esc goes back",
}


class PlanAnswer(Struct, frozen=True):
    """Carry the plan out in `mode`; or, without one, make another plan, with `comment` for the model."""

    mode: Mode | None
    comment: str = ""


class PlanScreen(ClosingScreen[PlanAnswer | None]):
    """Dismisses with what is to be done, None for nothing; `text` is then the plan as the user left it."""

    BINDINGS = bindings_for("plan")
    AUTO_FOCUS = ""

    app: Shell

    DEFAULT_CSS = """
    PlanScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        TranscriptPane { height: 1fr; }
        #way { height: auto; max-height: 3; padding: 0 1 0 2; background: $surface; }
        #said { height: auto; max-height: 3; padding: 0 1 0 2; color: $warning; display: none; }
        Input, Input:focus { height: 1; border: none; padding: 0 1 0 2; background: $tui-raised; }
        DocumentArea, Input { display: none; }
        &.-editing TranscriptPane { display: none; }
        &.-editing DocumentArea { display: block; }
        &.-typing Input { display: block; }
        &.-said #said { display: block; }
    }
    """

    def __init__(
        self,
        plan: str,
        text: str,
        ways: Sequence[tuple[Mode, str]],
        *,
        directory: Path,
        save: Save,
        busy: Callable[[], bool],
        symbols: Symbols = UNICODE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`plan` is the model's, `text` what the user has made of it so far.

        `ways` are the modes in which it can be carried out, with a sentence each; `busy` says whether a turn runs.
        No editor is looked for in `directory`.
        """
        super().__init__()
        self.text = text
        self._plan = plan
        self._ways = tuple(ways)
        self._way = 0
        self._directory = directory
        self._save = save
        self._busy = busy
        self._symbols = symbols
        self._asked: Literal["comment", "save"] | None = None
        self._replace = ""
        self._gate = Gate(self, "plan", DOING, clock)
        self._title = Static(id="title", markup=False)
        self._editor = DocumentArea()
        self._said = Static(id="said", markup=False)
        self._where = Static(id="way", markup=False)
        self._input = Input(compact=True, select_on_focus=False)
        self._input.cursor_blink = False
        self._document = Document()
        self._block = self._document.add(AgentBlock(text=GrowingText(text)))

    def compose(self) -> ComposeResult:
        """The plan, how it would be carried out, and what is typed."""
        self._view = TranscriptPane(self._document, palette=self.app.palette, symbols=self._symbols)
        self._view.can_focus = False
        yield self._title
        yield self._view
        yield self._editor
        yield self._said
        yield self._where
        yield self._input
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show its beginning."""
        self._draw()
        self.call_after_refresh(self._view.scroll_home, animate=False)
        self._gate.begin()

    def _draw(self) -> None:
        edited = "  edited by you" if self.text != self._plan else ""
        doing = "editing the plan" if self.has_class("-editing") else "the plan"
        self._title.update(Content.assemble(Content.styled(doing, "bold $text"), Content.styled(edited, "$warning")))
        names = Content("  ").join(
            Content.styled(mode, "bold $accent" if place == self._way else "$tui-muted")
            for place, (mode, _) in enumerate(self._ways)
        )
        summary = Content.styled(self._ways[self._way][1], "$tui-muted")
        self._where.update(Content.assemble("carry it out in  ", names, "  ", summary))

    def say(self, text: str) -> None:
        """Tell what was done, or why not, until something else is done."""
        self.set_class(bool(text), "-said")
        self._said.update(Content(one_line(text)))

    # ---- the gate ----

    @property
    def _reading(self) -> bool:
        return not (self.has_class("-editing") or self._asked)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing begins before the gate is open, nor while something is typed."""
        if action in DOING:
            return self._reading and self._gate.armed and (action != "next_mode" or len(self._ways) > 1)
        return action == "close" or self._reading

    def on_key(self, event: events.Key) -> None:
        """Some keys come too early; others are typed into what has the focus."""
        if self._reading:
            self._gate.key(event)

    # ---- answers ----

    def action_accept(self) -> None:
        """Let it be carried out."""
        if self._idle():
            self.dismiss(PlanAnswer(self._ways[self._way][0]))

    def action_next_mode(self) -> None:
        """Another mode to carry it out in."""
        self._way = (self._way + 1) % len(self._ways)
        self._draw()
        self._gate.painted()  # what a yes would be to is another thing now

    def action_comment(self) -> None:
        """Send it back with a comment."""
        if self._idle():
            self._ask("comment")

    def action_save(self) -> None:
        """Write it to a file."""
        self._ask("save", "PLAN.md")

    def action_close(self) -> None:
        """Out of what is typed, or back to the chat; nothing is done."""
        if self.has_class("-editing"):
            self._take(self._editor.text)
        elif self._asked:
            self._ask(None)
        else:
            self.dismiss(None)

    def _idle(self) -> bool:
        if self._busy():
            self.say("a turn runs: wait for its end, or stop it in the chat")
            return False
        if not self.text.strip():
            self.say("the plan is empty: write one (e), or go back and ask for one")
            return False
        return True

    # ---- editing ----

    def action_edit(self) -> None:
        """Edit it here."""
        self.say("")
        self._editor.load_text(self.text)
        self.add_class("-editing")
        self._editor.focus()
        self._gate.hidden()
        self._draw()

    @work(exclusive=True, exit_on_error=False)
    async def action_editor(self) -> None:
        """Edit it in the user's own editor."""
        from tui_agent.tui.editor import edited_text

        self.say("")
        self._gate.hidden()
        try:
            self._take(await edited_text(self.app, self.text, "plan.md", self._directory))
        except TuiAgentError as error:
            self.say(f"{error.message}: {error.hint}" if error.hint else error.message)
        self.call_after_refresh(self._gate.painted)

    def _take(self, text: str) -> None:
        """This is the plan now; leave the editor."""
        self.text = sanitize(text)
        self._block.text.replace(self.text)
        self._document.touch(self._block)
        self.remove_class("-editing")
        self.set_focus(None)
        self._draw()
        self.call_after_refresh(self._gate.painted)

    # ---- the line that is typed into ----

    def _ask(self, what: Literal["comment", "save"] | None, text: str = "") -> None:
        self._asked, self._replace = what, ""
        self.say("")
        self.set_class(what is not None, "-typing")
        if what is None:
            self.set_focus(None)
            self.call_after_refresh(self._gate.painted)
            return
        self._gate.hidden()
        self._input.placeholder = _HINTS[what]
        self._input.value = text
        self._input.cursor_position = len(text)
        self._input.focus()

    @on(Input.Submitted)
    @work(exclusive=True, exit_on_error=False)
    async def _typed(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text:
            return
        if self._asked == "comment":
            if self._idle():
                self.dismiss(PlanAnswer(None, sanitize(text)))
        elif self._asked == "save":
            try:
                name = await self._save(text, self.text, self._replace == text)
            except FileThere as error:
                self._replace = text
                self.say(f"{error.message}: {error.hint}")
            except TuiAgentError as error:
                self.say(f"{error.message}: {error.hint}" if error.hint else error.message)
            else:
                self._ask(None)
                self.say(f"written to {name}")

    # ---- moving ----

    def action_up(self) -> None:
        """A line up."""
        self._view.scroll_up(animate=False)

    def action_down(self) -> None:
        """A line down."""
        self._view.scroll_down(animate=False)

    def action_page_up(self) -> None:
        """A page up."""
        self._view.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        """A page down."""
        self._view.scroll_page_down(animate=False)
