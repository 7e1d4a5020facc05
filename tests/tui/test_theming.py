"""Themes reach Textual whole, code is coloured by token, and symbols fit the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import BashLexer, PythonLexer
from pygments.token import Token
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Footer, Input, OptionList, Static, TextArea

from tui_agent.config.locations import shipped_themes
from tui_agent.config.themes import ThemeData, load_themes
from tui_agent.tui.theming import ASCII, ROLES, UNICODE, Palette, symbols, textual_theme

THEMES = load_themes([shipped_themes()])[0]
SLATE = THEMES["slate"]


class Themed(App[None]):
    """Uses every role of ours in CSS."""

    CSS = "\n".join(f"#r{index} {{ color: $tui-{role.replace('_', '-')}; }}" for index, role in enumerate(ROLES))
    BINDINGS = [("f1", "help", "help")]

    def __init__(self) -> None:
        super().__init__()
        # Before the style sheet is parsed, which already needs our variables.
        for theme in THEMES.values():
            self.register_theme(textual_theme(theme))
        self.theme = "slate"

    def compose(self) -> ComposeResult:
        for index, role in enumerate(ROLES):
            yield Static(role, id=f"r{index}")
        yield TextArea("text")
        yield Input("text")
        yield OptionList("one", "two")
        yield Footer()


async def test_every_role_is_a_variable_in_css_in_every_theme() -> None:
    app = Themed()
    async with app.run_test() as pilot:
        for name, data in THEMES.items():
            app.theme = name
            await pilot.pause()
            for index, role in enumerate(ROLES):
                assert app.query_one(f"#r{index}").styles.color == Color.parse(getattr(data, role)), (name, role)
            assert app.screen.styles.background == Color.parse(data.background)


async def test_cursor_and_selection_of_the_prompt_are_ours() -> None:
    app = Themed()
    async with app.run_test() as pilot:
        await pilot.pause()
        area = app.query_one(TextArea)
        cursor = area.get_component_styles("text-area--cursor")
        assert cursor.background == Color.parse(SLATE.text)
        assert area.get_component_styles("text-area--selection").background == Color.parse(SLATE.selection)
        field = app.query_one(Input)
        assert field.get_component_styles("input--cursor").background == Color.parse(SLATE.text)
        assert field.get_component_styles("input--selection").background == Color.parse(SLATE.selection)


@pytest.mark.parametrize("data", THEMES.values(), ids=THEMES.keys())
def test_nothing_falls_back_to_the_colours_of_textual(data: ThemeData) -> None:
    """Whatever Textual derives must change completely when all of our colours change."""
    inverted = {
        role: Color.parse(getattr(data, role)).inverse.hex6 if role != "on_accent" else "#7f7f7f" for role in ROLES
    }
    from msgspec.structs import replace

    first = textual_theme(data).to_color_system().generate()
    second = textual_theme(replace(data, **inverted)).to_color_system().generate()
    not_colours = ("-style", "-background", "link-", "ansi-", "boost", "lighten", "darken", "screen-selection")
    same = [name for name in first if first[name] == second[name] and not any(part in name for part in not_colours)]
    assert same == []
    assert "auto" not in {first["text"], first["text-muted"], first["text-disabled"]}
    for name in ("scrollbar-background", "footer-background", "input-selection-background", "block-hover-background"):
        assert first[name] != second[name]


def test_a_palette_has_a_style_for_every_role() -> None:
    palette = Palette(SLATE)
    for role in ROLES:
        style = getattr(palette, role)
        colour = (
            style.bgcolor if role in ("background", "surface", "raised", "selection") or "_" in role else style.color
        )
        if role == "on_accent":
            colour = style.color
        assert colour.name == getattr(SLATE, role), role


def test_code_is_coloured_by_token_and_children_follow_their_parents() -> None:
    palette = Palette(SLATE)
    syntax = SLATE.syntax
    expected = {
        Token.Keyword: syntax.keyword,
        Token.Keyword.Namespace: syntax.keyword,
        Token.Keyword.Type: syntax.type,
        Token.Literal.String.Double: syntax.string,
        Token.Literal.Number.Integer.Long: syntax.number,
        Token.Comment.Single: syntax.comment,
        Token.Name.Function.Magic: syntax.function,
        Token.Name.Class: syntax.type,
        Token.Name.Builtin.Pseudo: syntax.builtin,
        Token.Operator: syntax.operator,
        Token.Operator.Word: syntax.keyword,
        Token.Name: SLATE.text,
        Token.Text: SLATE.text,
        Token: SLATE.text,
    }
    for token, colour in expected.items():
        style = palette.syntax(token)
        assert style.color is not None and style.color.name == colour, token
        assert palette.syntax(token) is style


@given(text=st.text(max_size=80))
def test_any_code_has_a_colour_for_each_token(text: str) -> None:
    palette = Palette(SLATE)
    for lexer in (PythonLexer(), BashLexer()):
        assert all(palette.syntax(token).color is not None for token, _ in lexer.get_tokens(text))


@pytest.mark.parametrize(
    ("setting", "environ", "encoding", "expected"),
    [
        ("auto", {"TERM": "xterm-256color"}, "utf-8", UNICODE),
        ("auto", {}, "UTF-8", UNICODE),
        ("auto", {"TERM": "xterm"}, "utf8", UNICODE),
        ("auto", {"TERM": "xterm"}, "ascii", ASCII),
        ("auto", {"TERM": "xterm"}, "ISO-8859-1", ASCII),
        ("auto", {"TERM": "xterm"}, "", ASCII),
        ("auto", {"TERM": "dumb"}, "utf-8", ASCII),
        ("auto", {"TERM": "linux"}, "utf-8", ASCII),
        ("auto", {"LC_ALL": "C"}, "utf-8", ASCII),
        ("auto", {"LANG": "POSIX", "LC_CTYPE": "C.UTF-8"}, "utf-8", ASCII),
        ("auto", {"LC_CTYPE": "C.UTF-8"}, "utf-8", UNICODE),
        ("auto", {"LC_ALL": "", "LANG": "C.UTF-8"}, "utf-8", UNICODE),
        ("auto", {"LC_CTYPE": "de_DE.UTF-8", "LANG": "C"}, "utf-8", UNICODE),
        ("unicode", {"TERM": "dumb"}, "ascii", UNICODE),
        ("ascii", {"TERM": "xterm"}, "utf-8", ASCII),
    ],
)
def test_symbols_fit_the_terminal(setting: str, environ: dict[str, str], encoding: str, expected: object) -> None:
    assert symbols(setting, environ, encoding) is expected  # type: ignore[arg-type]  # the literals above


def test_every_symbol_takes_one_cell_and_has_a_plain_form() -> None:
    from rich.cells import cell_len

    for name, sign in UNICODE._asdict().items():
        assert all(cell_len(frame) == 1 for frame in sign), name
    for name, sign in ASCII._asdict().items():
        assert "".join(sign).isascii(), name
        if name != "ellipsis":
            assert all(len(frame) == 1 for frame in sign), name
