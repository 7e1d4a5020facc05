"""The diff review: every changed line of a plan at full height, and, while a question is open, deciding by hunk."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import cast

from textual import events, on, work
from textual.app import ComposeResult

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.tui.bindings import bindings_for, passed_on
from tui_agent.tui.file_review import FileReview
from tui_agent.tui.review_list import Answers, ReviewList, plan_of
from tui_agent.tui.review_opening import opened
from tui_agent.tui.screens.diffs import DiffsScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.answer_bar import AnswerBar
from tui_agent.tui.widgets.approval_panel import SCROLL
from tui_agent.tui.widgets.diff_cells import Item, Mark, Marks, Note
from tui_agent.tui.widgets.diff_items import Laid, counts_text
from tui_agent.tui.widgets.diff_outline import Outline, is_small, outlines
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.diff_view import DiffView, Layout
from tui_agent.tui.widgets.hunk_editor import CommentLine, HunkEditor, HunkText
from tui_agent.tui.widgets.review_bar import ReviewBar
from tui_agent.tui.widgets.review_head import decided_sign, lost_items
from tui_agent.workspace.changes import ChangePlan

DECIDING = frozenset(
    {"toggle_hunk", "edit_hunk", "editor", "comment", "comment_all", "accept_file", "reject_file"}
    | {"accept_all", "reject_all"}
)
"""Actions for when a question is open. None of them answers it: that is left to the gate of the key line."""


class ReviewScreen(DiffsScreen):
    """Shows changes; ends with the answers when `request` was given and answered here, else with None.

    With a question open its keys come before those of the review: `n` denies, `j` goes to the next hunk. `changes` are
    then those of the question itself; what follows it is compared here. `earlier` are reviews that are gone on with.
    With `editing` the first hunk is opened for editing at once. No editor is taken from `directory`, the project.
    """

    DEFAULT_CSS = """
    ReviewScreen {
        &.-writing ReviewBar { display: none; }
        &.-low.-editing Horizontal { display: none; }
        &.-low HunkEditor { height: 1fr; }
        AnswerBar {
            dock: bottom;
            margin: 0 0 1 0;
            padding: 0 1;
            background: $surface;
            border-left: outer $tui-line;
            &.-armed { border-left: outer $accent; }
        }
        &.-ascii AnswerBar { border-left: ascii $tui-line; }
        &.-ascii AnswerBar.-armed { border-left: ascii $accent; }
    }
    """
    BINDINGS = bindings_for("review")

    def __init__(
        self,
        changes: ChangePlan | Sequence[Outline],
        title: str = "",
        *,
        request: ApprovalRequest | None = None,
        earlier: Sequence[ReviewList] = (),
        editing: bool = False,
        directory: Path | None = None,
        layout: Layout = "auto",
        clock: Callable[[], float] = time.monotonic,
        symbols: Symbols = UNICODE,
    ) -> None:
        super().__init__(title, layout=layout, symbols=symbols)
        self._given = changes
        self._request = request
        self._earlier = earlier
        self._begin_editing = editing
        self._directory = directory
        self._said = ""  # what came of the last thing that was tried
        self._busy = False  # something is compared, an editor runs, or it is answered
        self._withdrawn = False
        self._unsaid: dict[tuple[int, int], str] = {}  # comments that were left by escape, by file and hunk
        self._ending: tuple[Answers | None] | None = None  # what to close with
        self.review: ReviewList | None = None
        """What was decided here, once it is known what there is to decide."""
        self._editor = HunkEditor()
        self._comment = CommentLine()
        self._bar = ReviewBar(self._take_key, clock) if request is not None else None

    def compose(self) -> ComposeResult:
        """As for diffs; with what is written, and the keys of the question."""
        yield from super().compose()
        if self._bar is not None:
            yield self._editor
            yield self._comment
            yield self._bar

    def on_mount(self) -> None:
        """Show the first file, and ask; a large plan is compared in a thread first."""
        given, request = self._given, self._request
        plan = plan_of(request) if request is not None else given if isinstance(given, ChangePlan) else None
        compared = not isinstance(given, ChangePlan) and plan is not None and len(given) == len(plan.changes)
        if plan is None or is_small(plan) or (compared and not self._earlier):
            self._begin(*self._compared())
        else:
            self._view.show(lambda width: Laid([[Note(f"comparing{self._symbols.ellipsis}")]]))
            self.run_worker(self._compare(), exit_on_error=False)

    async def _compare(self) -> None:
        stopped = Event()
        try:
            changes, review = await asyncio.to_thread(self._compared, stopped)
        except Exception as error:
            note = Note(f"this cannot be shown: {error}", "error")
            self._view.show(lambda width: Laid([[note]]))
            return
        finally:
            stopped.set()
        self._begin(changes, review)

    def _compared(self, stopped: Event | None = None) -> tuple[list[Outline], ReviewList | None]:
        """What is shown, and for a question what is decided, with what was decided about it earlier."""
        given, request = self._given, self._request
        if request is None:
            return list(outlines(given, stopped) if isinstance(given, ChangePlan) else given), None
        return opened(request, () if isinstance(given, ChangePlan) else given, self._earlier, stopped)

    def _begin(self, changes: list[Outline], review: ReviewList | None) -> None:
        self.review = review
        self._present(changes)
        self._ask()
        if self._begin_editing:
            self.call_after_refresh(self.action_edit_hunk)

    def _ask(self) -> None:
        """Let the keys answer, when what is shown now has been painted and the gate says so."""
        if self._bar is not None and self._request is not None and self.review is not None:
            self._bar.review = self.review
            self._bar.ask_about(self._request)

    async def on_key(self, event: events.Key) -> None:
        """Scroll from everywhere; before its time a key of the question does nothing, whatever else it means here."""
        bar, line = self._bar, self.focused
        if isinstance(line, HunkText | CommentLine):
            if event is not line.last_key:  # it was typed behind the key that opened the line
                passed_on(event, self)
        elif bar is not None and not bar.has_focus_within and event.key in bar.keys:
            event.stop()
            bar.prompt_key()
        elif event.key in SCROLL and line is not self._view:
            event.stop()
            getattr(self._view, f"action_{SCROLL[event.key]}")()
        elif await self._take_key(event):
            event.stop()

    async def _take_key(self, event: events.Key) -> bool:
        """Do what a key of the review does, before the next one is read; whether it is one."""
        active = self.active_bindings.get(event.key)
        if active is None or active.node is not self or not active.enabled:
            return False
        # False for ctrl+c with nothing selected, which is for those above.
        return await self.app.run_action(active.binding.action, self)

    # ---- what is shown ----

    @property
    def _file(self) -> FileReview | None:
        return self.review.files[self._index] if self.review is not None else None

    def _show(self, index: int, *, stay: bool = False) -> None:
        if self.review is not None:
            self.review.seen.add(index)
        super()._show(index, stay=stay)
        self._tell_decided()

    def _marks(self, index: int) -> Marks | None:
        if self.review is None:
            return None
        file = self.review.files[index]
        return lambda hunk: Mark(file.state(hunk), file.comment(hunk), hunk == self._view.hunk)

    def _tail(self, index: int) -> Sequence[Item]:
        """Texts that the user gave hunks which are no more."""
        return lost_items(self.review.lost.get(index, ())) if self.review is not None else ()

    def _counts(self, index: int) -> str:
        """With a question: what is accepted."""
        if self.review is None:
            return super()._counts(index)
        file = self.review.files[index]
        counts = counts_text(self._changes[index].diff, self._symbols, file.lines())
        return f"{counts}  {file.accepted:,} of {file.count:,} hunk{'' if file.count == 1 else 's'}"

    def _row(self, index: int) -> tuple[str, str]:
        if self.review is None:
            return super()._row(index)
        diff, file, signs = self._changes[index].diff, self.review.files[index], self._symbols
        sign = decided_sign(file, signs, seen=index in self.review.seen)
        return one_line(diff.name), f"{counts_text(diff, signs, file.lines())} {sign}"

    def _redecided(self) -> None:
        """Something else was decided about what is shown."""
        self._view.repaint()
        self._files.list_files([self._row(index) for index in range(len(self._changes))])
        self._tell()
        self._tell_decided()

    def _tell_decided(self) -> None:
        if self.review is None or self._bar is None:
            return
        comment = f'for the model: "{one_line(self.review.comment)}"' if self.review.comment else ""
        self._tell_news(self._said, self.review.news.get(self._index, ""), comment)
        if self._bar.review is not None and not self._writing:
            self._bar.relabel()

    # ---- answers ----

    @on(AnswerBar.Answered)
    async def _answered(self, event: AnswerBar.Answered) -> None:
        event.stop()
        assert self.review is not None
        self._busy = True
        answers = await asyncio.to_thread(self.review.answers, event.decision)
        if not self._withdrawn:
            self._end(answers)

    def tell_question(self, asks: str) -> None:
        """Where this is the question, it is seen."""
        if self._request is None:
            super().tell_question(asks)

    def withdraw(self, request: ApprovalRequest) -> None:
        """Nobody waits for an answer to this question any more."""
        if request is self._request:
            self._withdrawn = True
            self._end(None)

    def _end(self, answers: Answers | None) -> None:
        """Close, or as soon as no other screen covers this one: what Textual takes away is the topmost."""
        if self.app.screen is self:
            self._ending = None
            self.dismiss(answers)
        else:
            self._ending = (answers,)

    def on_screen_resume(self) -> None:
        """What covered it is gone."""
        if self._ending is not None:
            self._end(*self._ending)

    # ---- deciding ----

    @on(DiffView.Clicked)
    def _hunk_clicked(self) -> None:
        if not self._busy and not self._writing:
            self.action_toggle_hunk()

    def action_toggle_hunk(self) -> None:
        """Accept the present hunk, or reject it."""
        if (file := self._file) is not None:
            self._said = ""
            file.toggle(self._view.hunk)
            self._redecided()

    def action_accept_file(self) -> None:
        """Accept all hunks of the file."""
        self._decide(True)

    def action_reject_file(self) -> None:
        """Reject all hunks of the file."""
        self._decide(False)

    def action_accept_all(self) -> None:
        """Accept all files."""
        self._decide(True, every=True)

    def action_reject_all(self) -> None:
        """Reject all files."""
        self._decide(False, every=True)

    def _decide(self, accepted: bool, *, every: bool = False) -> None:
        if self.review is not None:
            self.review.decide(accepted, None if every else self._index)
            self._redecided()

    # ---- writing ----

    @property
    def _writing(self) -> bool:
        return self.has_class("-writing")

    def _open(self) -> None:
        """No key answers while something is written."""
        assert self._bar is not None
        self._said = ""
        self._bar.clear()
        self.add_class("-writing")
        self.refresh_bindings()

    def _close(self) -> None:
        self.remove_class("-writing", "-editing")
        self.set_focus(self._view)
        self._redecided()
        self._ask()
        self.refresh_bindings()

    def action_edit_hunk(self) -> None:
        """Edit the new text of the hunk below the diff."""
        if (file := self._file) is None:
            return
        hunk = self._view.hunk
        try:
            text, like = file.text(hunk), file.old_text(hunk)
        except TuiAgentError as error:
            self._said = error.message
            self._tell_decided()
            return
        self._open()
        self.add_class("-editing")
        self._editor.edit(hunk, text, like, f"hunk {hunk + 1} of {len(file.shown.hunks)}")

    @on(HunkEditor.Done)
    async def _edited(self, event: HunkEditor.Done) -> None:
        file, text = self._file, event.text
        if file is not None and text is not None:
            try:
                await self._rework(lambda: file.edit(event.hunk, text))
            except TuiAgentError as error:
                self._editor.tell(error.message)
                return
        self._editor.close()
        self._close()

    def action_comment(self) -> None:
        """Say something about the hunk to the model."""
        if (file := self._file) is not None:
            self._open()
            hunk = self._view.hunk
            self._comment.write(hunk, self._unsaid.pop((self._index, hunk), file.comment(hunk)))

    def action_comment_all(self) -> None:
        """Say something about the whole to the model."""
        if self.review is not None:
            self._open()
            self._comment.write(-1, self._unsaid.pop((-1, -1), self.review.comment))

    @on(CommentLine.Done)
    def _commented(self, event: CommentLine.Done) -> None:
        if event.text is None:
            self._unsaid[-1 if event.hunk < 0 else self._index, event.hunk] = self._comment.value
        elif self.review is not None and (file := self._file) is not None:
            if event.hunk < 0:
                self.review.comment = event.text
            else:
                file.say(event.hunk, event.text)
        self._comment.close()
        self._close()

    @work(exit_on_error=False)
    async def action_editor(self) -> None:
        """Edit the whole proposed file in the user's own editor."""
        from tui_agent.tui.editor import Lender, edited, editor_command

        if (file := self._file) is None:
            return
        self._open()
        try:
            command, data = editor_command(os.environ, self._directory), file.for_editor()
            made = await edited(cast("Lender", self.app), command, data, file.change.name)
            if made == data:
                self._said = "nothing was changed in the editor"
            else:
                await self._rework(lambda: file.replace(made))
        except TuiAgentError as error:
            self._said = f"{error.message}; {error.hint}" if error.hint else error.message
        finally:
            self._close()

    async def _rework(self, change: Callable[[], None]) -> None:
        """Change a file under review and show it anew; a large one is compared in a thread, and no key works then."""
        file = self._file
        assert file is not None

        def remade() -> Outline:
            change()
            return Outline.of(file.shown)

        if is_small(ChangePlan((file.change,))):
            outline = remade()
        else:
            self._busy = True
            try:
                outline = await asyncio.to_thread(remade)
            finally:
                self._busy = False
        self._changes[self._index] = outline
        self._show(self._index, stay=True)

    # ---- actions ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None while something is written, and of those that decide only what there is to decide."""
        if action in DECIDING and self.review is None:
            return False
        if (self._writing or self._busy) and f"action_{action}" in _OWN:
            return False
        if action in ("accept_all", "reject_all"):
            return len(self._changes) > 1
        return super().check_action(action, parameters)


_OWN = frozenset({*ReviewScreen.__dict__, *DiffsScreen.__dict__})
