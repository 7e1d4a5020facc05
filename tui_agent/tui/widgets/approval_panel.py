"""The question above the prompt: what a call wants to do, shown exactly, and the keys that answer it."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.worker import Worker

from tui_agent.permissions.approval import (
    Allow,
    AllowOnce,
    ApprovalRequest,
    CommandAccess,
    Denied,
    Refuse,
    WriteAccess,
)
from tui_agent.permissions.proposals import Proposal, proposals
from tui_agent.permissions.shell.script import LONGEST
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.counsel import Counsel, with_command
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.command_editor import CommandEditor
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_outline import Outline, is_small, outlines, outlines_in_thread
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.tui.widgets.question_head import QuestionHead
from tui_agent.tui.widgets.question_items import about_rules, content, facts, grants, wants
from tui_agent.tui.widgets.rule_entry import RuleEntry
from tui_agent.tui.widgets.rule_work import RuleWork
from tui_agent.workspace.changes import ChangePlan

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
        RuleEntry { dock: bottom; }
        &.-ruling AnswerBar { height: 0; }
        &.-editing AnswerBar { height: 0; }
        &.-editing DiffView { display: none; }
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
        counsel: Counsel | None = None,
        id: str | None = None,
    ) -> None:
        """Without `counsel` nothing can be saved or edited."""
        super().__init__(id=id)
        self._symbols = symbols
        self._counsel = counsel
        self._request: ApprovalRequest | None = None
        self._shown: ApprovalRequest | None = None  # the same with the command as it was edited
        self._command = ""  # as it was edited
        self._draft = ""  # of a command, not looked at yet
        self._offers: tuple[Proposal, ...] = ()
        self._work: RuleWork | None = None
        self._changes: tuple[Outline, ...] = ()
        self._comparing: Worker[None] | None = None
        self._place = ""
        self._wants = ("", "", "")
        self._head = QuestionHead(symbols)
        self._body = DiffView("unified", symbols=symbols)
        self._body.can_focus = False
        self._bar = AnswerBar(ArmingGuard(), clock)
        self._rule = RuleEntry()
        self._editor = CommandEditor()
        self.set_class(symbols.gutter.isascii(), "-ascii")

    def compose(self) -> ComposeResult:
        """Head, what is asked, keys."""
        yield self._head
        yield self._body
        yield self._editor
        yield self._rule
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
    def bar(self) -> AnswerBar:
        """The line of keys, which has the focus while they answer."""
        return self._bar

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
        self._leave()
        self._request = self._shown = request
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
        self._wants = wants(request, [change.diff for change in changes], self._symbols)
        self._offers = proposals(request) if self._counsel is not None else ()
        self._bar.ask(request, always=self._always(), editable=self._is_editable(request))
        self._show(request, changes)

    def _always(self) -> str | None:
        """What the key for rules would save, in words; None where no rule can cover what is asked about."""
        if not self._offers or not all(offer.possible for offer in self._offers):
            return None
        return ", ".join(offer.rule for offer in self._offers) if all(offer.rule for offer in self._offers) else ""

    def _is_editable(self, request: ApprovalRequest) -> bool:
        access = request.access
        return self._counsel is not None and isinstance(access, CommandAccess) and len(access.command) <= LONGEST

    def _stop_comparing(self) -> None:
        if self._comparing is not None:
            self._comparing.cancel()
            self._comparing = None

    def clear(self) -> None:
        """Nothing waits for an answer any more."""
        self._leave()
        self._request = self._shown = None
        self._changes = ()
        self._bar.clear()
        self.remove_class("-asking")
        self._body.show(lambda width: Laid(()))

    def prompt_key_pressed(self, key: str = "", at: float | None = None) -> None:
        """A key or paste went to the prompt: no answer counts until it has been silent.

        `key` is the key's name, `at` the moment (of the panel's clock) when that was not now.
        """
        self._bar.prompt_key(key, at)

    def refocused(self) -> None:
        """The terminal has the focus again: what gave it back answers nothing."""
        self._bar.refocused()

    def arm_if_due(self) -> None:
        """Open for answers if it is time; a timer does this by itself."""
        self._bar.arm_if_due()

    # ---- layout ----

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As much as the content needs, at most half of the screen, but never less than the keys."""
        highest = max(SMALLEST, viewport.height // 2)
        if self.has_class("-editing"):
            most = max(3, min(highest, viewport.height - 3))
            return 1 + self._editor.lines_at(container, viewport, width, most - 1)
        keys = self._keys_height(container, viewport, width)
        limit = min(highest, max(keys, viewport.height - 3))
        body = self._body.lines_at(width - self._body.scrollbar_size_vertical)
        return min(limit, 1 + body + keys)

    def on_resize(self, event: events.Resize) -> None:
        """In a very low terminal the content is worth more than the head."""
        keys = self._keys_height(event.container_size, event.size, self.content_size.width)
        self._head.set_class(self.content_size.height < keys + 2, "-hidden")

    def _keys_height(self, container: Size, viewport: Size, width: int) -> int:
        if self.has_class("-ruling"):
            return self._rule.lines_at(container, viewport, width)
        return self._bar.hints.get_content_height(container, viewport, width)

    # ---- content ----

    def _show(self, request: ApprovalRequest, changes: Sequence[Outline]) -> None:
        """The question: content, facts and reasons."""
        said = facts(request, [change.diff for change in changes], self._symbols, self._bar.key_of)
        said = [*self._about_edit(said), *self._about_rules(request)]
        if changes:
            self._body.show_diff(changes[0], tail=said)
            return

        def build(width: int) -> Laid:
            tail = said if self._bar.hints.fits(width) else [*said, *grants(request, self._always())]
            return content(request, self._symbols, width, tail)

        self._body.show(build)

    def _about_edit(self, said: list[Item]) -> list[Item]:
        """The facts, with what is to be said of an edit around them."""
        if self._command and self._request is not None and isinstance(self._request.access, CommandAccess):
            first = Note("edited by you; this runs in place of what was proposed", "warning")
            return [first, *said, Note(f"proposed was: {one_line(self._request.access.command)}", "faint")]
        kept = f"what you edited is kept: {self._bar.key_of('edit')} goes on with it"
        return [*said, Note(kept, "muted")] if self._draft else said

    def _about_rules(self, request: ApprovalRequest) -> list[Item]:
        if self._counsel is None:
            return []
        key = self._bar.key_of("allow_rule")
        if self._work is not None and self._work.unsaved:
            return [Note(f"your rule is kept: {key} goes on with it", "muted")]
        earlier = [asked.request for asked in self._counsel.questions if asked.request is not self._request]
        return about_rules(request, self._offers, earlier, key)

    def _tell_head(self) -> None:
        if self._request is None:
            return
        below = self._body.lines - self._body.scroll_offset.y - self._body.size.height
        more = f"{self._symbols.down} {below:,} more" if below > 0 and not self.has_class("-editing") else ""
        if self._work is not None and self.has_class("-ruling"):
            self._head.show("always allow", "", one_line(self._work.offer.about), self._work.place, more, "")
        else:
            self._head.show(one_line(self._request.tool), *self._wants, more, self._place)

    @on(DiffView.Scrolled)
    def _scrolled(self, event: DiffView.Scrolled) -> None:
        event.stop()
        self._tell_head()

    # ---- keys ----

    def on_key(self, event: events.Key) -> None:
        """Move through the content."""
        if event.key in SCROLL and not (self._bar.has_class("-commenting") or self.has_class("-editing")):
            event.stop()
            getattr(self._body, f"action_{SCROLL[event.key]}")()

    @on(AnswerBar.Armed)
    def _armed(self, event: AnswerBar.Armed) -> None:
        event.stop()
        self.set_class(event.armed, "-armed")

    @on(AnswerBar.Answered)
    def _answered(self, event: AnswerBar.Answered) -> None:
        if self._request is None or event.request is not self._shown:
            event.stop()
            return
        event.request = self._request
        if not (isinstance(event.decision, Denied) and event.decision.stop):
            self._forget()  # they saw what was kept, and decided; esc loses nothing that was written
        self.clear()

    @on(AnswerBar.Opened)
    def _opened(self, event: AnswerBar.Opened) -> None:
        event.stop()
        if event.request is not self._shown or self._counsel is None:
            return
        if event.what == "edit":
            self._open_editor()
        else:
            self._open_rule()

    @property
    def written(self) -> str:
        """What was written for the question, in an open line or before, and is no answer to it."""
        return "\n".join(filter(None, (self._unused, self._bar.comment)))

    @property
    def _unused(self) -> str:
        command = self._editor.command if self._editor.is_open else self._draft or self._command
        if self._request is not None and isinstance(self._request.access, CommandAccess):
            command = "" if command == self._request.access.command else command
        self._rule.keep()
        rule = self._work.unsaved if self._work is not None else ""
        return "\n".join(filter(None, (command, rule)))

    def _leave(self) -> None:
        """The question goes: what was written for it and is no answer goes to the prompt, as a comment does."""
        written = self._unused
        if self._rule.is_open or self._editor.is_open:
            self._close_lines()
        self._forget()
        self._stop_comparing()
        if written:
            self.post_message(self.Typed(written))

    def _forget(self) -> None:
        self._command = self._draft = ""
        self._work = None

    def _close_lines(self) -> None:
        """Close what is open, and keep what was written."""
        if self._editor.is_open:
            command, shown = self._editor.command, self._shown
            assert shown is not None and isinstance(shown.access, CommandAccess)
            self._draft = "" if command == shown.access.command else command
        self.remove_class("-editing", "-ruling")
        self._editor.close()
        self._rule.close()
        self._bar.come_back()
        self.refresh(layout=True)

    # ---- the line for a rule ----

    def _open_rule(self) -> None:
        assert self._shown is not None and self._counsel is not None
        if self._work is None or self._work.request is not self._shown:
            self._work = RuleWork(self._shown, self._offers, self._request)
        self.add_class("-ruling")
        self._rule.open(self._work, self._counsel, "save and allow", self._bar.admits)
        self._bar.lend_focus(self._rule.input)

    @on(RuleEntry.Told)
    def _told(self, event: RuleEntry.Told) -> None:
        event.stop()
        if self._rule.is_open:
            self._body.show(lambda width: Laid([event.items]))
            self._tell_head()
            self.refresh(layout=True)

    @on(RuleEntry.Saved)
    def _saved(self, event: RuleEntry.Saved) -> None:
        event.stop()
        if event.request is not self._shown:
            return
        access, parts = event.request.access, event.request.parts
        offered = isinstance(access, CommandAccess) and access.network_offered
        network = offered and event.network and all(part.network for part in parts if part.covered_by)
        if self._command and isinstance(access, CommandAccess):
            network = network or access.network
        self._close_lines()
        self._work = None
        rule = "; ".join(event.rules)
        decision = AllowOnce(event.request.digest, network=network, command=self._command, rule=rule)
        self.post_message(self.Answered(event.request, decision))

    @on(RuleEntry.Left)
    @on(CommandEditor.Left)
    def _left(self, event: Message) -> None:
        event.stop()
        self._close_lines()
        self._show_again()

    # ---- the editor on the command ----

    def _open_editor(self) -> None:
        assert self._shown is not None and isinstance(self._shown.access, CommandAccess)
        self.add_class("-editing")
        self._editor.open(self._draft or self._shown.access.command)
        self._wants = ("edit the command", "", "")
        self._tell_head()
        self._bar.lend_focus(self._editor.area)
        self.refresh(layout=True)

    @on(CommandEditor.Done)
    async def _edited(self, event: CommandEditor.Done) -> None:
        """Take the edited command apart again and ask about it; it does not run by this key."""
        event.stop()
        request, command = self._request, event.command
        if request is None or not self.has_class("-editing"):
            return
        if not command.strip():
            self._wants = ("edit the command", "there is nothing to run; esc goes back", "")
            self._tell_head()
            return
        assert isinstance(request.access, CommandAccess)
        self._close_lines()
        if command == request.access.command:
            self._command, self._draft, self._shown = "", "", request
            self._present(request, ())
            self._tell_head()
            return
        self._draft = command  # until it is known what to say of it
        self._bar.clear()
        self._body.show(lambda width: Laid([[Note(f"looking at it{self._symbols.ellipsis}")]]))
        self._comparing = self.run_worker(self._judge(request, command), exit_on_error=False)

    async def _judge(self, request: ApprovalRequest, command: str) -> None:
        assert self._counsel is not None
        verdict = await self._counsel.judged(request, command)
        if self._request is not request:
            return
        self._command, self._draft, self._shown = command, "", with_command(request, command, verdict)
        self._work = None
        self._offers = () if isinstance(verdict, Allow | Refuse) else proposals(self._shown)
        self._wants = wants(self._shown, (), self._symbols)
        self._bar.ask(
            self._shown,
            command=command,
            always=self._always(),
            editable=self._is_editable(self._shown),
            refused=isinstance(verdict, Refuse),
        )
        self._show(self._shown, ())
        self._tell_head()

    def _show_again(self) -> None:
        assert self._shown is not None
        self._wants = wants(self._shown, [change.diff for change in self._changes], self._symbols)
        self._show(self._shown, self._changes)
        self._tell_head()
