"""The line in which a rule is read, changed and saved."""

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.permissions.approval import ApprovalRequest
from tui_agent.text.sanitize import read_back, spell_out
from tui_agent.tui.bindings import KEEPS_KEYS, run_in_order
from tui_agent.tui.counsel import Counsel
from tui_agent.tui.widgets.diff_cells import Item
from tui_agent.tui.widgets.key_hints import Hint, KeyHints
from tui_agent.tui.widgets.rule_work import RuleWork, rule_items


class RuleInput(Input):
    """Keys do what they do in their order; what nobody sees is spelled out in what is pasted too."""

    class Entered(Message):
        """Enter was pressed, by `event`; `text` is what was written then."""

        def __init__(self, event: events.Event, text: str) -> None:
            super().__init__()
            self.event = event
            self.text = text

    class Left(Message):
        """Escape was pressed."""

    @property
    def rule(self) -> str:
        """The rule as it is written now."""
        return read_back(self.value).strip()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self.post_message(self.Entered(event, self.rule))
        elif event.key == "escape":
            self.post_message(self.Left())
        else:
            await run_in_order(event, self, self)
            return
        event.stop()
        event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(spell_out(" ".join(event.text.split("\n")).rstrip()))


class RuleEntry(Widget):
    """An input for the rules of one question, one after the other, with its two keys. It has no place for what is told
    about them: whoever mounts it shows that."""

    DEFAULT_CSS = """
    RuleEntry {
        height: auto;
        display: none;
        &.-open { display: block; }
        Input { height: 1; border: none; padding: 0; background: $tui-raised; }
    }
    """

    class Told(Message):
        """There is something else to tell."""

        def __init__(self, items: Sequence[Item]) -> None:
            super().__init__()
            self.items = items

    class Saved(Message):
        """All rules were saved; with `network` all of them let the network be used."""

        def __init__(self, request: ApprovalRequest, rules: Sequence[str], network: bool) -> None:
            super().__init__()
            self.request = request
            self.rules = rules
            self.network = network

    class Left(Message):
        """The user wants back; what was written is kept in the work."""

    def __init__(self) -> None:
        super().__init__()
        self.input = RuleInput(
            select_on_focus=False, compact=True, placeholder="a rule, such as: npm test", classes=KEEPS_KEYS
        )
        self.input.cursor_blink = False
        self.hints = KeyHints()
        self._work: RuleWork | None = None
        self._counsel: Counsel | None = None
        self._admits: Callable[[events.Event], bool] = lambda event: True
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """The line and its keys."""
        yield self.input
        yield self.hints

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

    def open(
        self,
        work: RuleWork,
        counsel: Counsel,
        enter: str,
        admits: Callable[[events.Event], bool] = lambda event: True,
    ) -> None:
        """Begin with the first rule of `work`; `enter` says what enter does, where `admits` lets the key through."""
        self._work, self._counsel, self._admits = work, counsel, admits
        work.start_over()
        self._trouble = ""
        self.hints.hints = self.hints.short = (Hint("enter", "enter", enter), Hint("leave", "esc", "back"))
        self.hints.add_class("-armed")
        self.hints.refresh(layout=True)
        self.add_class("-open")
        self._begin()

    def keep(self) -> None:
        """Keep what is written in the work."""
        if self._work is not None and self.is_open:
            self._work.keep(self.input.rule)

    def close(self) -> None:
        """Show it no more; what was written is kept in the work."""
        self.keep()
        self._work = None
        self.remove_class("-open")

    def lines_at(self, container: Size, viewport: Size, width: int) -> int:
        """How many lines it takes."""
        return 1 + self.hints.get_content_height(container, viewport, width)

    def _begin(self) -> None:
        """With the rule for the next part."""
        assert self._work is not None
        with self.prevent(Input.Changed):
            self.input.value = spell_out(self._work.draft)
        self.input.cursor_position = len(self.input.value)
        self._tell()

    def _tell(self) -> None:
        if self._work is not None and self._counsel is not None:
            earlier = [asked.request for asked in self._counsel.questions]
            self.post_message(
                self.Told(rule_items(self._work, self.input.rule, earlier, self._counsel.where, self._trouble))
            )

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._trouble = ""
        self._tell()

    @on(KeyHints.Pressed)
    def _clicked(self, event: KeyHints.Pressed) -> None:
        event.stop()
        if event.action == "enter":
            self._enter(event.event, self.input.rule)
        else:
            self.post_message(self.Left())

    @on(RuleInput.Left)
    def _left(self, event: RuleInput.Left) -> None:
        event.stop()
        self.post_message(self.Left())

    @on(RuleInput.Entered)
    def _entered(self, event: RuleInput.Entered) -> None:
        event.stop()
        self._enter(event.event, event.text)

    def _enter(self, event: events.Event, text: str) -> None:
        """Take the rule, and save when it was the last; one that does not cover what is asked about is not taken."""
        work = self._work
        if work is None or not self._admits(event) or work.problem(text):
            return
        if work.take(text):
            self._begin()
        else:
            self.run_worker(self._save(work), exit_on_error=False, exclusive=True)

    async def _save(self, work: RuleWork) -> None:
        assert self._counsel is not None
        rules = tuple(dict.fromkeys(work.rules))
        try:
            await self._counsel.save(rules)
        except TuiAgentError as error:
            if work is self._work:
                work.start_over()
                self._trouble = f"{error.message}\n{error.hint}".strip()
                self._tell()
            return
        if work is self._work:  # else it was withdrawn meanwhile
            self.post_message(self.Saved(work.request, rules, work.network))
