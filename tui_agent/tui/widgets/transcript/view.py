"""The transcript as the user works with it: move, fold, copy."""

from textual.events import Click
from textual.message import Message

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.widgets.transcript.document import (
    AgentBlock,
    Block,
    NoticeBlock,
    SwitchBlock,
    ThoughtBlock,
    ToolBlock,
    UserBlock,
)
from tui_agent.tui.widgets.transcript.selecting import SelectingPane

_NAMES: dict[type[Block], str] = {
    UserBlock: "prompt",
    AgentBlock: "answer",
    ThoughtBlock: "thought",
    ToolBlock: "tool call",
    NoticeBlock: "notice",
    SwitchBlock: "model",
}


class TranscriptView(SelectingPane):
    """A document on the screen, for mouse and keys."""

    BINDINGS = bindings_for("transcript")

    class Copied(Message):
        """The user copied something: the source, and in a word what it is (empty for a selection)."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    class FoldToggled(Message):
        """The user folded or unfolded a block."""

        def __init__(self, block_id: int, folded: bool) -> None:
            super().__init__()
            self.block_id = block_id
            self.folded = folded

    def action_fold(self) -> None:
        """Fold or unfold the block under the cursor."""
        if len(self._port):
            self._toggle(self._cursor_index())

    def action_copy(self) -> None:
        """Copy what is selected and leave it, else the source of the block under the cursor."""
        if self.copy_selection() or not len(self._port):
            return
        block = self.document.blocks[self._cursor_index()]
        if text := sanitize(block.source):
            self.post_message(self.Copied(text, _NAMES.get(type(block), "text")))

    def copy_selection(self) -> bool:
        """Copy what is selected, if something is or the caret is there to select."""
        if self._selection is None:
            return False
        if text := self._selection.text(self._port):
            self.post_message(self.Copied(text, ""))
            self._select(None)
        else:
            self.notify("nothing is selected yet", timeout=2, markup=False)
        return True

    def _toggle(self, index: int) -> None:
        block = self.document.blocks[index]
        if block.foldable and isinstance(block, ThoughtBlock | ToolBlock):
            self.document.set_folded(block, not block.folded)
            self._port.hold()
            self._sync()
            self.post_message(self.FoldToggled(block.id, block.folded))

    def on_click(self, event: Click) -> None:
        """A click puts the cursor on a block; on the first row of one that folds it also toggles it."""
        row = self._port.row(self._port.top + event.y)
        if row is not None and not self.selecting and event.button == 1:
            self._set_cursor(row.place)
            if row.row == 0:
                self._toggle(row.place)
