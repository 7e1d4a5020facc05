"""The question above the prompt: what a call wants to do, shown exactly, and the keys that answer it."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import Worker

from tui_agent.permissions.approval import (
    ApprovalRequest,
    CommandAccess,
    ForeignAccess,
    ReadAccess,
    WriteAccess,
)
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.command_items import command_items
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_items import Laid, counts_text, json_items, text_items
from tui_agent.tui.widgets.diff_outline import Outline, is_small, outlines, outlines_in_thread
from tui_agent.tui.widgets.diff_text import cells, one_line, shortened
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.workspace.changes import ChangePlan
from tui_agent.workspace.diff import FileDiff

SMALLEST = 5
"""Lines the panel may always take, so that its keys and a line of its content fit into a terminal of ten."""

SCROLL = {
    "up": "scroll_up",
    "down": "scroll_down",
    "pageup": "page_up",
    "pagedown": "page_down",
    "home": "scroll_home",
    "end": "scroll_end",
}
"""Keys that move through what is asked while the key line has the focus, and the action of the view for each."""


class QuestionHead(Widget):
    """One line: who wants what, and how much is waiting or out of sight."""

    DEFAULT_CSS = """
    QuestionHead {
        height: 1;
        color: $tui-muted;
        .head--tool { color: $foreground; text-style: bold; }
        .head--below { color: $accent; }
    }
    """
    COMPONENT_CLASSES = {"head--tool", "head--below"}

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self._ellipsis = symbols.ellipsis
        self._parts = ("", "", "", "", "", "")

    def show(self, tool: str, wants: str, what: str, counts: str, below: str, place: str) -> None:
        """Set the parts: who, "wants to change", which file, "+3 −1", what is out of sight, "1 of 2"."""
        parts = (tool, wants, what, counts, below, place)
        if self._parts != parts:
            self._parts = parts
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; when it is too long, "wants to" goes first, then the beginning of the file's name."""
        width = self.size.width
        tool, wants, what, counts, below, place = self._parts
        right = Content("   ").join(
            [
                Content.styled(text, style)
                for text, style in (
                    (below, self.get_visual_style("head--below", partial=True)),
                    (place, ""),
                )
                if text
            ]
        )
        room = max(0, width - right.cell_length - 2 if right else width)
        if what and cells(f"{tool} {wants} {what}  {counts}") > room:
            wants = ""
            what = shortened(what, room - cells(f"{tool}   {counts}"), self._ellipsis)
        said = " ".join(part for part in (wants, what) if part) + (f"  {counts}" if counts else "")
        left = Content.assemble((tool, self.get_visual_style("head--tool", partial=True)), " ", said)
        line = Content.assemble(left.truncate(room, ellipsis=True, pad=True), "  " if right else "", right)
        return Strip(line.render_segments(self.visual_style), line.cell_length).adjust_cell_length(width)


class ApprovalPanel(Widget):
    """One question at a time, never modal: the prompt keeps the keys until the panel is allowed to take them.

    Sits above the prompt and takes at most half of the screen; its key line is always in view and the rest scrolls.
    """

    DEFAULT_CSS = """
    ApprovalPanel {
        display: none;
        height: auto;
        layout: vertical;
        background: $surface;
        border-left: outer $tui-line;
        padding: 0 1 0 1;
        &.-asking { display: block; }
        &.-armed { border-left: outer $accent; }
        &.-ascii { border-left: ascii $tui-line; }
        &.-ascii.-armed { border-left: ascii $accent; }
        DiffView { height: auto; background: $surface; scrollbar-background: $surface; }
        QuestionHead { dock: top; }
        AnswerBar { dock: bottom; }
        QuestionHead.-hidden { display: none; }
    }
    """

    # The bar's own messages go up through the panel.
    Answered = AnswerBar.Answered
    ReviewWanted = AnswerBar.ReviewWanted
    Typed = AnswerBar.Typed

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        symbols: Symbols = UNICODE,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._symbols = symbols
        self._request: ApprovalRequest | None = None
        self._changes: tuple[Outline, ...] = ()
        self._comparing: Worker[None] | None = None
        self._place = ""
        self._wants = ("", "", "")
        self._head = QuestionHead(symbols)
        self._body = DiffView("unified", symbols=symbols)
        self._body.can_focus = False
        self._bar = AnswerBar(ArmingGuard(), clock)
        self.set_class(symbols.gutter.isascii(), "-ascii")

    def compose(self) -> ComposeResult:
        """Head, what is asked, keys."""
        yield self._head
        yield self._body
        yield self._bar

    # ---- for the screen ----

    @property
    def request(self) -> ApprovalRequest | None:
        """What is asked now."""
        return self._request

    @property
    def changes(self) -> tuple[Outline, ...]:
        """The diffs of the change that is asked about; empty before they are known, and when it changes nothing."""
        return self._changes

    @property
    def armed(self) -> bool:
        """True when a key pressed now would answer."""
        return self._bar.armed

    @property
    def opens_at(self) -> float:
        """The moment from which a key would answer, if nothing disturbs; infinity before the question is painted."""
        return self._bar.guard.opens_at()

    def ask(self, request: ApprovalRequest, waiting: int = 1) -> None:
        """Show a request; `waiting` counts the questions in line, this one included.

        A large change is compared in a thread first; nothing can be answered before it is shown.
        """
        self._stop_comparing()
        self._request = request
        self._place = f"{request.position} of {request.total}" if request.total > 1 else ""
        if not self._place and waiting > 1:
            self._place = f"1 of {waiting}"
        access = request.access
        if not isinstance(access, WriteAccess):
            self._present(request, ())
        elif is_small(access.plan):
            self._present(request, outlines(access.plan))
        else:
            self._changes = ()
            self._bar.clear()
            self._wants = ("wants to write", one_line(request.title), "")
            self._body.show(lambda width: Laid([[Note(f"comparing{self._symbols.ellipsis}")]]))
            self._comparing = self.run_worker(partial(self._compare, request, access.plan), exit_on_error=False)
        self.add_class("-asking")
        self._tell_head()

    async def _compare(self, request: ApprovalRequest, plan: ChangePlan) -> None:
        try:
            changes = await outlines_in_thread(plan)
        except Exception as error:
            note = Note(f"this cannot be shown, and so not allowed: {error}; esc stops the turn", "error")
            self._body.show(lambda width: Laid([[note]]))
            return
        self._present(request, changes)
        self._tell_head()

    def _present(self, request: ApprovalRequest, changes: tuple[Outline, ...]) -> None:
        """Show what is asked, and the keys that answer it."""
        self._changes = changes
        self._wants = _wants(request, [change.diff for change in changes], self._symbols)
        self._bar.ask(request)
        self._show(request, changes)

    def _stop_comparing(self) -> None:
        if self._comparing is not None:
            self._comparing.cancel()
            self._comparing = None

    def clear(self) -> None:
        """Nothing waits for an answer any more."""
        self._stop_comparing()
        self._request = None
        self._changes = ()
        self._bar.clear()
        self.remove_class("-asking")
        self._body.show(lambda width: Laid(()))

    def prompt_key_pressed(self) -> None:
        """A key or paste went to the prompt: no answer counts until it has been silent."""
        self._bar.prompt_key()

    def refocused(self) -> None:
        """The terminal has the focus again: what gave it back answers nothing."""
        self._bar.refocused()

    def arm_if_due(self) -> None:
        """Open for answers if it is time; a timer does this by itself."""
        self._bar.arm_if_due()

    # ---- layout ----

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As much as the content needs, at most half of the screen, but never less than the keys."""
        keys = self._bar.hints.get_content_height(container, viewport, width)
        limit = min(max(SMALLEST, viewport.height // 2), max(keys, viewport.height - 3))
        body = self._body.lines_at(width - self._body.scrollbar_size_vertical)
        return min(limit, 1 + body + keys)

    def on_resize(self, event: events.Resize) -> None:
        """In a very low terminal the content is worth more than the head."""
        keys = self._bar.hints.get_content_height(event.container_size, event.size, self.content_size.width)
        self._head.set_class(self.content_size.height < keys + 2, "-hidden")

    # ---- content ----

    def _show(self, request: ApprovalRequest, changes: Sequence[Outline]) -> None:
        access = request.access
        facts = self._facts(request, [change.diff for change in changes])
        if changes:
            self._body.show_diff(changes[0], tail=facts)
            return

        def build(width: int) -> Laid:
            tail = facts if self._bar.hints.fits(width) else [*facts, *_grant(request)]
            if isinstance(access, CommandAccess):
                return text_items(access.command, self._symbols, width=width, tail=tail)
            if isinstance(access, ForeignAccess):
                return json_items(access.arguments, self._symbols, width=width, tail=tail)
            if isinstance(access, ReadAccess):
                return text_items("\n".join(access.paths), self._symbols, width=width, tail=tail)
            return Laid([[Note(request.title, "text"), *tail]])

        self._body.show(build)

    def _facts(self, request: ApprovalRequest, diffs: Sequence[FileDiff]) -> list[Item]:
        """What is known about it besides the content, and why it asks."""
        access = request.access
        facts: list[Item] = []
        if isinstance(access, CommandAccess):
            facts += command_items(access, request, self._symbols, self._bar.key_of("allow_reading"))
        elif isinstance(access, ForeignAccess):
            facts.append(Note("what this tool does cannot be seen from here"))
        elif isinstance(access, WriteAccess):
            for change, diff in zip(access.plan.changes, diffs, strict=True):
                counts = f"  {counts_text(diff, self._symbols)}" if len(diffs) > 1 else ""
                facts.append(Note(f"writes {change.path}{counts}"))
        if request.repairs:
            repairs = "; ".join(map(one_line, request.repairs)).replace("→", self._symbols.arrow)
            facts.append(Note(f"repaired: {repairs}", "faint"))
        if not isinstance(access, CommandAccess):
            facts += (Note(f"ask because: {reason}") for reason in request.reasons)
        return facts

    def _tell_head(self) -> None:
        if self._request is None:
            return
        below = self._body.lines - self._body.scroll_offset.y - self._body.size.height
        more = f"{self._symbols.down} {below:,} more" if below > 0 else ""
        self._head.show(one_line(self._request.tool), *self._wants, more, self._place)

    @on(DiffView.Scrolled)
    def _scrolled(self, event: DiffView.Scrolled) -> None:
        event.stop()
        self._tell_head()

    # ---- keys ----

    def on_key(self, event: events.Key) -> None:
        """Move through the content."""
        if event.key in SCROLL and not self._bar.has_class("-commenting"):
            event.stop()
            getattr(self._body, f"action_{SCROLL[event.key]}")()

    @on(AnswerBar.Armed)
    def _armed(self, event: AnswerBar.Armed) -> None:
        event.stop()
        self.set_class(event.armed, "-armed")

    @on(AnswerBar.Answered)
    def _answered(self, event: AnswerBar.Answered) -> None:
        if event.request is self._request:
            self.clear()
        else:
            event.stop()


def _wants(request: ApprovalRequest, diffs: Sequence[FileDiff], symbols: Symbols) -> tuple[str, str, str]:
    """What is wanted, of which file, and how many lines of it."""
    access = request.access
    title = one_line(request.title)
    if isinstance(access, CommandAccess):
        return "wants to run a command", "", ""
    if isinstance(access, ForeignAccess):
        return "wants to run", "", ""
    if isinstance(access, ReadAccess):
        return "wants to read", title, ""
    if len(diffs) == 1:
        verb = "create" if diffs[0].kind == "created" else "change"
        return f"wants to {verb}", one_line(diffs[0].name), counts_text(diffs[0], symbols)
    return (f"wants to write {len(diffs)} files", "", "") if diffs else ("asks for", title, "")


def _grant(request: ApprovalRequest) -> list[Item]:
    """What the session key covers, for when the key line has no room to say it."""
    return [Note(f"for this session: {request.session_grant}", "faint")] if request.session_grant else []
