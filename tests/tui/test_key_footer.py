"""The footer: only keys that work now, nearest first, and no painting for nothing."""

from hypothesis import given
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import Static

from tests.tui.stage import Stage
from tui_agent.tui.bindings import bindings_for, key_name, keymap
from tui_agent.tui.widgets.key_footer import Key, KeyFooter, fitting, gap


class Question(Widget, can_focus=True):
    BINDINGS = bindings_for("approval")
    may_review = True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("allow_network", "allow_reading"):
            return False
        return action != "review" or self.may_review

    def action_deny(self) -> None:
        self.app.exit("denied")


class Plain(Widget, can_focus=True):
    pass


class Desk(Stage):
    BINDINGS = [*bindings_for("app"), Binding("f11", "nothing", "no id")]

    def compose(self) -> ComposeResult:
        yield Plain()
        yield Question()
        yield Static("x")
        yield KeyFooter()

    @property
    def footer(self) -> KeyFooter:
        return self.query_one(KeyFooter)

    @property
    def ids(self) -> list[str]:
        return [key.id for key in self.footer.keys]


async def test_it_shows_the_keys_of_the_focus_and_then_those_of_the_app() -> None:
    app = Desk()
    async with app.run_test(size=(120, 24)) as pilot:
        app.query_one(Plain).focus()
        await pilot.pause()
        assert app.ids == ["app.palette", "app.help"]
        app.query_one(Question).focus()
        await pilot.pause()
        assert app.ids[:3] == ["approval.allow", "approval.session", "approval.rule"]
        assert app.ids[-2:] == ["app.palette", "app.help"]
        assert app.footer.render_line(0).text.startswith("y allow once   s for this session   r ")


async def test_a_key_that_does_not_work_now_is_not_shown() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        question = app.query_one(Question)
        question.focus()
        await pilot.pause()
        assert "approval.review" in app.ids
        question.may_review = False
        question.refresh_bindings()
        await pilot.pause()
        assert "approval.review" not in app.ids


async def test_rebound_keys_are_shown_as_they_are_now() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.query_one(Question).focus()
        app.set_keymap(keymap({"approval.deny": "x"}))
        await pilot.pause()
        assert next(key.key for key in app.footer.keys if key.id == "approval.deny") == "x"


async def test_it_paints_only_when_other_keys_work() -> None:
    app = Desk()
    async with app.run_test() as pilot:
        app.query_one(Question).focus()
        await pilot.pause()
        painted: list[object] = []
        app.footer.refresh = lambda *a, **k: painted.append(a)  # type: ignore[method-assign,assignment,return-value]
        for _ in range(3):
            app.screen.refresh_bindings()
            await pilot.pause()
        assert painted == []
        app.query_one(Plain).focus()
        await pilot.pause()
        assert len(painted) == 1


async def test_a_click_runs_the_action() -> None:
    app = Desk()
    async with app.run_test(size=(120, 24)) as pilot:
        app.query_one(Question).focus()
        await pilot.pause()
        column = app.footer.render_line(0).text.index("n deny") + 2
        await pilot.click(KeyFooter, offset=(column + 1, 0))
        await pilot.pause()
        assert app.return_value == "denied"


keys = st.lists(
    st.builds(
        Key,
        id=st.sampled_from(["app.help", "chat.mode", "queued.close", "find.close", "x.y"]),
        key=st.sampled_from(["esc", "ctrl+p", "↑"]),
        label=st.text("abc ", max_size=12),
        action=st.just(""),
        node=st.none(),
    ),
    max_size=10,
    unique_by=lambda key: key.id,
).map(tuple)


@given(keys, st.integers(0, 80))
def test_what_is_shown_fits(entries: tuple[Key, ...], width: int) -> None:
    left, right = fitting(entries, width, gap(width))
    used = sum(key.width for key in [*left, *right]) + gap(width) * max(0, len(left) + len(right) - 1)
    assert used <= width or not left
    assert [key for key in entries if key in left] == left
    room = width - sum(key.width + gap(width) for key in right)
    out = next((key for key in entries if key.id.endswith("close") and key.width <= room), None)
    assert out is None or out in left


def test_help_stays_when_there_is_little_room() -> None:
    many = tuple(Key(f"chat.{n}", f"f{n}", "something", "") for n in range(9))
    left, right = fitting((*many, Key("app.help", "f1", "help", "")), 40, 3)
    assert [key.id for key in right] == ["app.help"]
    assert len(left) == 2


def test_keys_have_names_for_people() -> None:
    shown = [
        key_name(key) for key in ("escape", "left_square_bracket", "up", "ctrl+up", "G", "shift+tab", "question_mark")
    ]
    assert shown == ["esc", "[", "↑", "ctrl+↑", "G", "shift+tab", "?"]


def test_the_way_out_stays_when_there_is_little_room() -> None:
    many = tuple(Key(f"queued.{name}", name[0], name, "") for name in ("edit", "when", "earlier", "close", "later"))
    left, _ = fitting((*many, Key("app.help", "f1", "help", "")), 37, 2)
    assert [key.id for key in left] == ["queued.edit", "queued.when", "queued.close"]
    assert [key.id for key in fitting(many, 8, 2)[0]] == ["queued.close"]
