"""The questions of the session with their answers, and for each the rule that would have saved it."""

from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui_agent.permissions.proposals import proposals
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.counsel import Counsel
from tui_agent.tui.fatigue import Asked, answer_text, best_rule, title_of
from tui_agent.tui.screens.closing import ClosingScreen
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import ChoiceList, Row, columns
from tui_agent.tui.widgets.diff_cells import Note
from tui_agent.tui.widgets.diff_items import Laid
from tui_agent.tui.widgets.diff_lines import LineView
from tui_agent.tui.widgets.diff_text import one_line
from tui_agent.tui.widgets.key_footer import KeyFooter
from tui_agent.tui.widgets.rule_entry import RuleEntry
from tui_agent.tui.widgets.rule_work import RuleWork

_ANSWER = 16


class QuestionsScreen(ClosingScreen[None]):
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
        self._saved_text = ""
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
        """About the question that is highlighted."""
        asked = self._selected
        about = one_line(title_of(asked.request))
        rules = (f"rule: {one.rule}" if one.rule else f"no rule: {one.reason}" for one in proposals(asked.request))
        saved = [self._saved_text] if self._saved_text else []
        items = [Note(about, "text"), *(Note(one_line(text)) for text in (*rules, *saved))]
        self._about.show(lambda width: Laid([items]))

    # ---- keys ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A rule can be saved where one can cover the question; in its line the keys are the line's."""
        if self._rule.is_open:
            return False
        return action != "rule" or all(one.possible for one in proposals(self._selected.request))

    def action_rule(self) -> None:
        """Open the line with the rule for the highlighted question."""
        asked = self._selected
        if offered := proposals(asked.request):
            self._saved_text = ""
            self._rule.open(RuleWork(asked.request, offered), self._counsel, "save")
            self.set_focus(self._rule.input)
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
        if not self._rule.is_open:
            self._saved_text = ""
            self._tell()
            self.refresh_bindings()

    @on(RuleEntry.Told)
    def _told(self, event: RuleEntry.Told) -> None:
        event.stop()
        if self._rule.is_open:
            self._about.show(lambda width: Laid([event.items]))

    @on(RuleEntry.Left)
    def _left(self, event: RuleEntry.Left) -> None:
        event.stop()
        self._leave("")

    @on(RuleEntry.Saved)
    def _saved(self, event: RuleEntry.Saved) -> None:
        event.stop()
        self._leave(f"saved in {self._counsel.where}: {'; '.join(event.rules)}")

    def _leave(self, said: str) -> None:
        self._saved_text = said
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
