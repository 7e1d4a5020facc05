"""The question above the prompt: what a call wants to do, shown exactly, and the keys that answer it."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Size
from textual.widget import Widget
from textual.worker import Worker

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.permissions.approval import (
    Allow,
    AllowOnce,
    ApprovalRequest,
    CommandAccess,
    Denied,
    ForeignAccess,
    ReadAccess,
    Refuse,
    WriteAccess,
)
from tui_agent.permissions.proposals import Proposal, proposals
from tui_agent.permissions.shell.script import LONGEST
from tui_agent.tui.arming import ArmingGuard
from tui_agent.tui.counsel import Counsel, with_command
from tui_agent.tui.fatigue import TIRING, similar
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.command_editor import CommandEditor
from tui_agent.tui.widgets.command_items import command_items
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_items import Laid, counts_text, json_items, text_items
from tui_agent.tui.widgets.diff_outline import Outline, is_small, outlines, outlines_in_thread
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.tui.widgets.question_head import QuestionHead
from tui_agent.tui.widgets.rule_entry import RuleEntry, RuleWork, rule_items
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
        self._trouble = ""
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
        self._leave_lines()
        self._stop_comparing()
        self._request = self._shown = request
        self._command = self._draft = ""
        self._work = None
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
        self._leave_lines()
        self._stop_comparing()
        self._request = self._shown = self._work = None
        self._command = self._draft = ""
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
        access = request.access
        facts = self._facts(request, [change.diff for change in changes])
        if changes:
            self._body.show_diff(changes[0], tail=facts)
            return

        def build(width: int) -> Laid:
            tail = facts if self._bar.hints.fits(width) else [*facts, *_grant(request, self._always())]
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
            if self._command and self._request is not None and isinstance(self._request.access, CommandAccess):
                facts.insert(0, Note("edited by you; this runs in place of what was proposed", "warning"))
                facts.append(Note(f"proposed was: {one_line(self._request.access.command)}", "faint"))
            elif self._draft:
                facts.append(Note(f"what you edited is kept: {self._bar.key_of('edit')} goes on with it", "muted"))
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
        facts += self._about_rules(request)
        return facts

    def _about_rules(self, request: ApprovalRequest) -> list[Item]:
        """That the like of it was asked often, or why no rule can cover it; or that one was begun."""
        if self._counsel is None:
            return []
        if self._work is not None and self._work.unsaved:
            return [Note(f"your rule is kept: {self._bar.key_of('allow_rule')} goes on with it", "muted")]
        key = self._bar.key_of("allow_rule")
        saving = similar(request, self._earlier()) if key else None
        if saving is not None and saving.asked >= TIRING:
            said = f"asked {saving.asked} times; {key} {one_line(saving.rule)} would have saved {saving.saved}"
            return [Note(said, "muted")]
        impossible = next((offer.reason for offer in self._offers if not offer.possible), "")
        told = any(impossible in reason for reason in request.reasons)
        return [Note(f"no rule can cover it: {impossible}", "faint")] if impossible and not told else []

    def _earlier(self) -> list[ApprovalRequest]:
        """The other questions of this session."""
        assert self._counsel is not None
        return [asked.request for asked in self._counsel.questions if asked.request is not self._request]

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
        if self._command and isinstance(event.decision, Denied) and event.decision.stop:
            self.post_message(self.Typed(self._command))  # esc loses nothing that was written
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

    def _leave_lines(self) -> None:
        """Close what is open; what was written there and is no answer goes to the prompt."""
        if self.has_class("-editing"):
            self._keep_edit()
        elif self.has_class("-ruling"):
            self._keep_rule()
        left = self._draft or (self._work.unsaved if self._work is not None else "")
        if self.has_class("-editing") or self.has_class("-ruling"):
            self._close_lines()
            if left:
                self.post_message(self.Typed(left))

    def _close_lines(self) -> None:
        self.remove_class("-editing", "-ruling")
        self._editor.close()
        self._rule.close()
        self._bar.come_back()
        self.refresh(layout=True)

    # ---- the line for a rule ----

    def _open_rule(self) -> None:
        assert self._shown is not None
        if self._work is None or self._work.request is not self._shown:
            self._work = RuleWork(self._shown, self._offers)
        self._work.start_over()
        self._trouble = ""
        self.add_class("-ruling")
        self._write_rule()
        self._bar.lend_focus(self._rule.input)

    def _write_rule(self) -> None:
        """Begin with the rule for the next part."""
        work = self._work
        assert work is not None
        self._rule.open(work.draft, "save and allow")
        self._tell_rule()
        self.refresh(layout=True)

    def _tell_rule(self) -> None:
        work, counsel = self._work, self._counsel
        assert work is not None and counsel is not None
        items = rule_items(work, self._rule.text, self._earlier(), counsel.where, self._trouble)
        self._body.show(lambda width: Laid([items]))
        self._tell_head()
        self.refresh(layout=True)

    @on(RuleEntry.Changed)
    def _rule_changed(self, event: RuleEntry.Changed) -> None:
        event.stop()
        self._trouble = ""
        if self._work is not None:
            self._tell_rule()

    @on(RuleEntry.Entered)
    def _rule_entered(self, event: RuleEntry.Entered) -> None:
        """Save the rule, or go on to the next; one that does not cover what is asked about answers nothing."""
        event.stop()
        work, text = self._work, event.text
        if work is None or not self.has_class("-ruling") or not self._bar.admits(event.event) or work.problem(text):
            return
        if work.take(text):
            self._write_rule()
        else:
            self.run_worker(self._save(work), exit_on_error=False, group="save", exclusive=True)

    async def _save(self, work: RuleWork) -> None:
        assert self._counsel is not None
        try:
            await self._counsel.save(tuple(dict.fromkeys(work.rules)))
        except TuiAgentError as error:
            if work is self._work and self.has_class("-ruling"):
                work.start_over()
                self._trouble = f"{error.message}\n{error.hint}".strip()
                self._tell_rule()
            return
        if work is not self._work or self._shown is not work.request:
            return  # it was withdrawn meanwhile
        access = work.request.access
        covered = isinstance(access, CommandAccess) and access.network_offered and work.network
        network = covered and all(part.network for part in work.request.parts if part.covered_by)
        decision = AllowOnce(work.request.digest, network=network, command=self._command, rule="; ".join(work.rules))
        self._close_lines()
        self._bar.answer(decision)

    @on(RuleEntry.Left)
    def _rule_left(self, event: RuleEntry.Left) -> None:
        event.stop()
        self._keep_rule()
        self._close_lines()
        self._show_again()

    def _keep_rule(self) -> None:
        if self._work is not None:
            self._work.keep(self._rule.text)

    # ---- the editor on the command ----

    def _open_editor(self) -> None:
        assert self._shown is not None and isinstance(self._shown.access, CommandAccess)
        self.add_class("-editing")
        self._editor.open(self._draft or self._shown.access.command)
        self._wants = ("edit the command", "", "")
        self._tell_head()
        self._bar.lend_focus(self._editor.area)
        self.refresh(layout=True)

    @on(CommandEditor.Left)
    def _editor_left(self, event: CommandEditor.Left) -> None:
        event.stop()
        self._keep_edit()
        self._close_lines()
        self._show_again()

    def _keep_edit(self) -> None:
        command = self._editor.command
        shown = self._shown
        assert shown is not None and isinstance(shown.access, CommandAccess)
        self._draft = "" if command == shown.access.command else command

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
        self._draft = ""
        if command == request.access.command:
            self._command, self._shown = "", request
            self._present(request, ())
            self._tell_head()
            return
        self._bar.clear()
        self._body.show(lambda width: Laid([[Note(f"looking at it{self._symbols.ellipsis}")]]))
        self._comparing = self.run_worker(self._judge(request, command), exit_on_error=False)

    async def _judge(self, request: ApprovalRequest, command: str) -> None:
        assert self._counsel is not None
        verdict = await self._counsel.judged(request, command)
        if self._request is not request:
            return
        self._command, self._shown = command, with_command(request, command, verdict)
        self._work = None
        self._offers = () if isinstance(verdict, Allow | Refuse) else proposals(self._shown)
        self._wants = _wants(self._shown, (), self._symbols)
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
        self._wants = _wants(self._shown, [change.diff for change in self._changes], self._symbols)
        self._show(self._shown, self._changes)
        self._tell_head()


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


def _grant(request: ApprovalRequest, always: str | None) -> list[Item]:
    """What the keys for the session and for rules cover, for when the key line has no room to say it."""
    said = [f"for this session: {request.session_grant}"] if request.session_grant else []
    return [Note(text, "faint") for text in (*said, *([f"always: {one_line(always)}"] if always else []))]
