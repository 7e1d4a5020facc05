"""The prompt: a text area that sends, walks its history, completes commands and files, and never loses text."""

import re
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import TextArea

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.bindings import LEFT_TO_SCREEN, bindings_for, passed_on, run_in_order
from tui_agent.tui.history import PromptHistory
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.completion import (
    Candidate,
    Command,
    CompletionList,
    command_candidates,
    file_candidates,
    word_before,
)

FileCandidates = Callable[[str], Awaitable[list[str]]]
"""Paths in the project that match what follows the `@`."""

LARGEST_PASTE = 500_000
"""Characters of one paste that are kept."""

_GUTTER = 2
_MOST_LINES = 8
_LOCK_KEYS = frozenset(
    {"caps_lock", "scroll_lock", "num_lock", "iso_level3_shift", "iso_level5_shift"}
    | {f"{side}_{key}" for side in ("left", "right") for key in ("shift", "control", "alt", "super", "hyper", "meta")}
)
# The VS Code terminal sends this for a mouse move it cannot place; Textual hands it on key by key (xtermjs noise).
_MOUSE_NOISE = re.compile(r"\^?\[<\d+;NaN;NaN[Mm]\Z")


class PromptArea(TextArea, inherit_bindings=False):
    """The multi-line prompt; one to eight lines, fewer on a short screen.

    Enter posts `Submitted` and empties the area, Tab posts `Queued` while `queueing`. Whatever goes wrong afterwards,
    `restore` puts text back without dropping what was typed since.
    """

    BINDINGS = [
        *(
            binding
            for binding in TextArea.BINDINGS
            if not isinstance(binding, tuple) and binding.key not in LEFT_TO_SCREEN
        ),
        *bindings_for("prompt"),
    ]

    DEFAULT_CSS = """
    PromptArea {
        height: auto;
        border: none;
        padding: 0 1 0 0;
        background: $surface;
        color: $text;
        scrollbar-size-vertical: 1;
        scrollbar-color: $tui-line;
        scrollbar-background: $surface;
        .text-area--placeholder { color: $tui-faint; }
        .prompt--marker { color: $tui-faint; }
        &:focus {
            border: none;
            .prompt--marker { color: $accent; text-style: bold; }
        }
    }
    """
    COMPONENT_CLASSES = {"prompt--marker"}

    class Submitted(Message):
        """The user sent `text`."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Queued(Message):
        """The user queued `text`, to be sent after the turn that runs."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class WantsBack(Message):
        """The user wants what was queued last here again."""

    class SentNothing(Message):
        """Enter, and nothing was typed."""

    class KeyPressed(Message):
        """A key or a paste reached the prompt; keeps a question from being answered by someone who is typing."""

    class PasteCut(Message):
        """A paste was longer than can be taken; `kept` of its `length` characters went in."""

        def __init__(self, length: int, kept: int) -> None:
            super().__init__()
            self.length = length
            self.kept = kept

    def __init__(
        self,
        *,
        commands: Sequence[Command] = (),
        files: FileCandidates | None = None,
        history: PromptHistory | None = None,
        placeholder: str = "",
        symbols: Symbols = UNICODE,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, highlight_cursor_line=False, show_line_numbers=False, placeholder=placeholder)
        _teach_alt_enter()
        self.cursor_blink = False
        self.commands = tuple(commands)
        self.past = history or PromptHistory()
        self.queueing = False
        """Whether a turn runs, after which what is queued can be sent."""
        self._files = files
        self._tab_queues = False  # as the footer shows it
        self._marker = symbols.prompt
        self._completions: CompletionList | None = None
        self._offered_for: str | None = None  # the line before the cursor that the list belongs to
        self._closed_at: str | None = None  # the one for which the user closed it

    # ---- text ----

    @property
    def draft(self) -> str:
        """Everything that stands in the prompt."""
        return self.text

    def restore(self, text: str) -> None:
        """Put text back before what stands in the prompt, and the cursor behind it all."""
        self._show("\n".join(part for part in (text, self.text) if part))

    def _show(self, text: str) -> None:
        self.text = clean_paste(text)
        self.move_cursor(self.document.end)

    # ---- look ----

    @property
    def gutter_width(self) -> int:
        """Columns before the text."""
        return _GUTTER

    def render_line(self, y: int) -> Strip:
        """A line of text behind the gutter, which has the marker on the first line."""
        from rich.segment import Segment

        first = y == 0 and self.scroll_offset.y == 0
        style = self.get_component_rich_style("prompt--marker")
        gutter = Strip([Segment(self._marker.ljust(_GUTTER) if first else " " * _GUTTER, style)], _GUTTER)
        width = self.size.width
        if self.content_size.width < 1:  # a placeholder cannot be wrapped to no columns
            return gutter.adjust_cell_length(width, self.rich_style)
        text = super().render_line(y)
        return Strip.join([gutter, text]).adjust_cell_length(width, self.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines of text, up to eight and to a quarter of the screen."""
        most = max(1, min(_MOST_LINES, viewport.height // 4))
        return min(most, max(1, super().get_content_height(container, viewport, width)))

    # ---- keys ----

    async def _on_key(self, event: events.Key) -> None:
        if event.key in _LOCK_KEYS or _is_private(event.character):
            event.stop()
            event.prevent_default()
            return
        if passed_on(event, self):
            return
        self.post_message(self.KeyPressed())
        if event.key == "shift+\r":  # shift+enter as xterm and tmux send it: CSI 27;2;13~
            event.stop()
            event.prevent_default()
            self._insert("\n")
        elif event.key == "escape" and self._open_list is not None:
            event.stop()
            event.prevent_default()
            self._closed_at = self._line_before_cursor()
            self._offer([])
        elif await run_in_order(event, self, self):
            return
        elif event.key.startswith("alt+") and event.key in self.screen.active_bindings:
            event.prevent_default()  # a key of the screen, and no letter
        elif event.character in ("M", "m") and (
            noise := _MOUSE_NOISE.search(self._line_before_cursor() + event.character)
        ):
            event.stop()
            event.prevent_default()
            row, column = self.cursor_location
            self.delete((row, column + 1 - len(noise[0])), (row, column))

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(self.KeyPressed())
        text = clean_paste(event.text[:LARGEST_PASTE])
        if len(event.text) > LARGEST_PASTE:
            self.post_message(self.PasteCut(len(event.text), LARGEST_PASTE))
        self._insert(text)

    def action_send(self) -> None:
        """Send; or take the selected completion; or, after a backslash at the end of a line, start a new one."""
        self._look_up()
        if self._open_list is not None and self._open_list.selected is not None:
            self._take(self._open_list.selected)
            return
        row, column = self.cursor_location
        line = self.document.get_line(row)
        if column == len(line) and line.endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column), maintain_selection_offset=False)
            return
        if text := self._leave():
            self.queueing = True  # what is typed right behind it can wait for it; the screen soon knows better
            self.post_message(self.Submitted(text))
        else:
            self.post_message(self.SentNothing())

    def action_queue(self) -> None:
        """Let it be sent after the turn that runs."""
        if text := self._leave():
            self.post_message(self.Queued(text))

    def _leave(self) -> str:
        """Empty the area for what stands in it, and remember that; empty when it is blank."""
        text = self.text
        if not text.strip():
            return ""
        self.remember(text)
        self.text = ""
        return text

    def remember(self, text: str) -> None:
        """Put a text into the history."""
        if self.past.add(text):
            self.run_worker(self.past.save, thread=True, exit_on_error=False, group="history")

    def action_take_back(self) -> None:
        """Take back what was queued last, when all that was typed before has been queued."""
        self.post_message(self.WantsBack())

    def action_newline(self) -> None:
        """Start a new line."""
        self._insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Up a candidate, a line, or, on the first line, to the prompt before this one."""
        if self._open_list is not None:
            self._open_list.move(-1)
        elif not select and self.cursor_at_first_line:
            self._walk(self.past.earlier(self.text))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Down a candidate, a line, or, on the last line, to the prompt after this one."""
        if self._open_list is not None:
            self._open_list.move(1)
        elif not select and self.cursor_at_last_line:
            self._walk(self.past.later(self.text))
        else:
            super().action_cursor_down(select)

    def _walk(self, text: str | None) -> None:
        if text is not None:
            self._show(text)
            self._closed_at = self._line_before_cursor()

    def _insert(self, text: str) -> None:
        self.replace(text, *self.selection, maintain_selection_offset=False)
        self.scroll_cursor_visible()

    def _line_before_cursor(self) -> str:
        row, column = self.cursor_location
        return self.document.get_line(row)[:column]

    # ---- completion ----

    @property
    def _open_list(self) -> CompletionList | None:
        """The list, while it is open and for what stands before the cursor now."""
        completions = self._completions
        if completions is None or completions.selected is None or self._offered_for != self._line_before_cursor():
            return None
        return completions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tab queues where there is nothing to complete."""
        if action in ("complete", "queue"):
            return (action == "queue") == self._queues
        return super().check_action(action, parameters)

    @property
    def _queues(self) -> bool:
        return self.queueing and word_before(self._line_before_cursor(), self.cursor_location[0] == 0) is None

    def _on_text_area_selection_changed(self) -> None:
        if self.queueing and self._queues != self._tab_queues:
            self._tab_queues = not self._tab_queues
            self.refresh_bindings()

    def action_complete(self) -> None:
        """Take the selected completion, or open the list for the word before the cursor."""
        if self._open_list is not None and self._open_list.selected is not None:
            self._take(self._open_list.selected)
        else:
            self._closed_at = None
            self._look_up()

    def _on_text_area_changed(self) -> None:
        self._look_up()

    def _look_up(self) -> None:
        """Offer what fits the word before the cursor; files are looked for beside the typing, the latest word wins."""
        line = self._line_before_cursor()
        word = word_before(line, self.cursor_location[0] == 0)
        if word is None or line == self._closed_at or not self.has_focus:
            self.workers.cancel_group(self, "completion")
            self._offer([])
        elif word.kind == "command":
            self._closed_at = None
            self._offer(command_candidates(self.commands, word.text))
        elif self._files is not None:
            self._closed_at = None
            self.run_worker(
                self._offer_files(self._files, word.text, line), group="completion", exclusive=True, exit_on_error=False
            )

    async def _offer_files(self, files: FileCandidates, typed: str, line: str) -> None:
        try:
            paths = await files(typed)
        except (OSError, TuiAgentError):
            paths = []
        if line == self._line_before_cursor():
            self._offer([candidate for candidate in file_candidates(paths) if candidate.insert != f"@{typed}"])

    def _offer(self, candidates: Sequence[Candidate]) -> None:
        self._offered_for = self._line_before_cursor()
        if self._completions is None:
            if not candidates or not isinstance(self.parent, Widget):
                return
            self._completions = CompletionList(self._take)
            self.parent.mount(self._completions, before=self)
        self._completions.show(candidates)

    def _take(self, candidate: Candidate) -> None:
        row, column = self.cursor_location
        word = word_before(self._line_before_cursor(), row == 0)
        self._offer([])
        if word is not None:
            self.replace(candidate.insert, (row, word.start), (row, column), maintain_selection_offset=False)

    def _on_blur(self, event: events.Blur) -> None:
        self._offer([])


def clean_paste(text: str) -> str:
    """Text from a paste or a file without control characters; a terminal pastes a line end as a carriage return."""
    return sanitize(text.replace("\r\n", "\n").replace("\r", "\n"))


def _is_private(character: str | None) -> bool:
    """Whether it comes from the range in which the kitty protocol numbers keys that are no text."""
    return character is not None and "\ue000" <= character <= "\uf8ff"


def _teach_alt_enter() -> None:
    """Many terminals send alt+enter as ESC CR, which Textual reads as enter (textual #6378); add it to its table."""
    if isinstance(ANSI_SEQUENCES_KEYS, dict):
        ANSI_SEQUENCES_KEYS.setdefault("\x1b\r", (SimpleNamespace(value="alt+enter"),))
