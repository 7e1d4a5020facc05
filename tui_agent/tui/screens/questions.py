"""The questions of the session with their answers, and for each the rule that would have saved it."""

from collections.abc import Callable, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.permissions.proposals import proposals
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.counsel import Counsel
from tui_agent.tui.fatigue import Asked, answer_text, best_rule, title_of
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.diff_cells import Item, Note
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.rule_entry import RuleEntry, RuleWork, rule_items

_ANSWER = 16


class QuestionsScreen(Screen[None]):
    """Newest first. Nothing is saved but what enter saves in the line of a rule."""

    BINDINGS = bindings_for("questions")
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    QuestionsScreen {
        background: $background;
        #title { height: 1; padding: 0 1 0 2; background: $surface; }
        ChoiceList { height: 1fr; }
        #about { height: auto; max-height: 50%; padding: 0 0 0 2; background: $surface; }
        RuleEntry { padding: 0 1 0 2; background: $surface; }
    }
    """

    def __init__(self, counsel: Counsel, *, symbols: Symbols = UNICODE) -> None:
        super().__init__()
        self._counsel = counsel
        self._asked: Sequence[Asked] = tuple(reversed(counsel.questions))
        self._best = best_rule([asked.request for asked in counsel.questions])
        self._work: RuleWork | None = None
        self._trouble = ""
        self._title = Static(id="title", markup=False)
        self._list = ChoiceList(marker=symbols.prompt)
        self._about = LineView(symbols=symbols, id="about")
        self._about.can_focus = False
        self._rule = RuleEntry()

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self._title
        yield self._list
        yield self._about
        yield self._rule
        yield KeyFooter()

    def on_mount(self) -> None:
        """Show the newest one."""
        said = [f"  {len(self._asked)} asked"]
        if self._best is not None:
            said.append(f"; the rule {one_line(self._best.rule)} would have saved {self._best.saved} of them")
        self._title.update(
            Content.assemble(Content.styled("questions", "bold $text"), Content.styled("".join(said), "$tui-muted"))
        )
        self._list.show([Row(number, _line(asked)) for number, asked in enumerate(self._asked)])
        self._tell()

    @property
    def _selected(self) -> Asked:
        number = self._list.selected
        return self._asked[number if isinstance(number, int) else 0]

    def _tell(self) -> None:
        """About the rule in the line, else about the one that is highlighted."""
        asked = self._selected
        if self._work is not None:
            earlier = [other.request for other in self._asked if other is not asked]
            items = rule_items(self._work, self._rule.text, earlier, self._counsel.where, self._trouble)
        else:
            items = self._proposed(asked)
        self._about.show(lambda width: Laid([items]))

    def _proposed(self, asked: Asked) -> list[Item]:
        about = one_line(title_of(asked.request))
        rules = (f"rule: {one.rule}" if one.rule else f"no rule: {one.reason}" for one in proposals(asked.request))
        said = [self._trouble] if self._trouble else []
        return [Note(about, "text"), *(Note(one_line(text)) for text in (*rules, *said))]

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A rule can be saved where one can cover the question; in its line the keys are the line's."""
        if self._work is not None:
            return False
        return action != "rule" or all(one.possible for one in proposals(self._selected.request))

    def action_rule(self) -> None:
        """Open the line with the rule for the highlighted question."""
        asked = self._selected
        if offered := proposals(asked.request):
            self._work, self._trouble = RuleWork(asked.request, offered), ""
            self._rule.open(self._work.draft, "save")
            self.set_focus(self._rule.input)
            self._tell()
            self.refresh_bindings()

    def action_up(self) -> None:
        """A question up."""
        self._list.move(-1)

    def action_down(self) -> None:
        """A question down."""
        self._list.move(1)

    def action_page_up(self) -> None:
        """A page of questions up."""
        self._list.page(-1)

    def action_page_down(self) -> None:
        """A page of questions down."""
        self._list.page(1)

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(None)

    def on_choice_list_highlighted(self) -> None:
        """Another one is highlighted."""
        if self._work is None:
            self._trouble = ""
            self._tell()
            self.refresh_bindings()

    @on(RuleEntry.Changed)
    def _changed(self, event: RuleEntry.Changed) -> None:
        event.stop()
        if self._work is not None:
            self._trouble = ""
            self._tell()

    @on(RuleEntry.Left)
    def _left(self, event: RuleEntry.Left) -> None:
        event.stop()
        self._leave("")

    @on(RuleEntry.Entered)
    @work(exit_on_error=False, exclusive=True)
    async def _entered(self, event: RuleEntry.Entered) -> None:
        """Save the rule, or go on to the next one of the question."""
        event.stop()
        rule_work, text = self._work, event.text
        if rule_work is None or rule_work.problem(text):
            return
        if rule_work.take(text):
            self._rule.open(rule_work.draft, "save")
            self._tell()
            return
        try:
            await self._counsel.save(tuple(dict.fromkeys(rule_work.rules)))
        except TuiAgentError as error:
            rule_work.start_over()
            self._trouble = f"{error.message}\n{error.hint}".strip()
            self._tell()
            return
        self._leave(f"saved in {self._counsel.where}: {'; '.join(map(one_line, rule_work.rules))}")

    def _leave(self, said: str) -> None:
        self._work, self._trouble = None, said
        self._rule.close()
        self.set_focus(None)
        self._tell()
        self.refresh_bindings()


def _line(asked: Asked) -> Callable[[int], Content]:
    def draw(width: int) -> Content:
        name = Content.styled(one_line(title_of(asked.request)), "$text")
        answer = Content.styled(answer_text(asked), "$tui-muted")
        return columns(width, (name, width - _ANSWER - 1), (Content(" "), 1), (answer, -_ANSWER))

    return draw
