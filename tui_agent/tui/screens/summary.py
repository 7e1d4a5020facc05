"""The summary that stands for earlier messages, to be edited: the model goes by what is kept here."""

from collections.abc import Callable
from pathlib import Path

from textual import events, on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static, TextArea

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.shell import Shell
from tui_agent.tui.widgets.document_area import DocumentArea
from tui_agent.tui.widgets.key_footer import KeyFooter

_SURE = "esc once more leaves it as it was; the up key in the prompt has what you typed"


class SummaryScreen(ClosingScreen[str | None]):
    """Dismisses with the summary as the user left it; None when it stays as it is."""

    BINDINGS = bindings_for("summary")
    AUTO_FOCUS = "DocumentArea"

    app: Shell

    DEFAULT_CSS = """
    SummaryScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
        #said { height: auto; max-height: 3; padding: 0 1 0 2; color: $warning; display: none; }
        &.-said #said { display: block; }
    }
    """

    def __init__(self, summary: str, origin: str, *, directory: Path, busy: Callable[[], bool]) -> None:
        """`origin` says who wrote it; `busy` whether a turn runs. No editor is looked for in `directory`."""
        super().__init__()
        self._summary = sanitize(summary)
        self._origin = one_line(origin)
        self._directory = directory
        self._busy = busy
        self._sure = False
        self._title = Static(id="title", markup=False)
        self._area = DocumentArea(self._summary)
        self._said = Static(id="said", markup=False)

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._area
        yield self._said
        yield KeyFooter()

    def on_mount(self) -> None:
        """Say what it is."""
        self._draw()

    @property
    def text(self) -> str:
        """The summary as it stands in the editor."""
        return sanitize(self._area.text)

    @property
    def typed(self) -> str:
        """The summary, where it is another one."""
        return self.text if self._edited else ""

    @property
    def _edited(self) -> bool:
        return self.text != self._summary

    def _draw(self) -> None:
        about = Content.styled("  edited by you", "$warning") if self._edited else Content(f"  {self._origin}")
        self._title.update(Content.assemble(Content.styled("the summary", "bold $text"), about.stylize("$tui-muted")))

    def say(self, text: str) -> None:
        """Tell why something was not done, until something else is done."""
        self._sure = False
        self.set_class(bool(text), "-said")
        self._said.update(Content(one_line(text)))

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self.say("")
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Whoever goes on with something else did not mean to leave."""
        if self._sure and event.key != "escape":
            self.say("")

    # ---- keys ----

    def action_keep(self) -> None:
        """Send this from now on."""
        if not self._edited:
            self.dismiss(None)
        elif not self.text.strip():
            self.say("an empty summary says nothing of what was before: write one, or go back")
        elif self._busy():
            self.say("a turn runs: keep it when that has ended, or stop it in the chat")
        else:
            self.dismiss(self.text)

    @work(exclusive=True, exit_on_error=False)
    async def action_editor(self) -> None:
        """Edit it in the user's own editor."""
        from tui_agent.tui.editor import edited_text

        self.say("")
        try:
            self._area.load_text(sanitize(await edited_text(self.app, self.text, "summary.md", self._directory)))
        except TuiAgentError as error:
            self.say(f"{error.message}: {error.hint}" if error.hint else error.message)

    def action_discard(self) -> None:
        """Back, the summary as it was; not at the first press where something was typed."""
        if self._edited and not self._sure:
            self.say(_SURE)
            self._sure = True
        else:
            self.dismiss(None)
