"""How the terminal face gets its colours and symbols: from theme data to Textual, Rich and glyphs."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rich.style import Style
from textual.theme import Theme

from tui_agent.config.themes import ThemeData
from tui_agent.text.locale import is_utf8

ROLES = (
    "background",
    "surface",
    "raised",
    "line",
    "text",
    "muted",
    "faint",
    "accent",
    "on_accent",
    "success",
    "warning",
    "error",
    "added",
    "removed",
    "added_background",
    "removed_background",
    "added_emphasis",
    "removed_emphasis",
    "selection",
)
"""The colours of a theme; in CSS each is `$tui-<role>` with `-` for `_`."""


def textual_theme(data: ThemeData) -> Theme:
    """The theme for `App.register_theme`; every variable that Textual would derive from its blue is set."""
    return Theme(
        name=data.name,
        dark=data.dark,
        primary=data.accent,
        secondary=data.muted,
        accent=data.accent,
        foreground=data.text,
        background=data.background,
        surface=data.surface,
        panel=data.raised,
        boost=data.raised,
        success=data.success,
        warning=data.warning,
        error=data.error,
        text_alpha=1.0,
        variables=_variables(data),
    )


def _variables(data: ThemeData) -> dict[str, str]:
    ours = {f"tui-{role.replace('_', '-')}": str(getattr(data, role)) for role in ROLES}
    headings = {
        f"markdown-h{level}-{part}": value
        for level in range(1, 7)
        for part, value in (
            ("color", data.text if level > 2 else data.accent),
            ("background", "transparent"),
            ("text-style", "bold"),
        )
    }
    return (
        ours
        | headings
        | {
            "text": data.text,
            "text-muted": data.muted,
            "text-disabled": data.faint,
            "foreground-muted": data.muted,
            "foreground-disabled": data.faint,
            "primary-muted": data.raised,
            "secondary-muted": data.raised,
            "accent-muted": data.raised,
            "success-muted": data.added_background,
            "warning-muted": data.raised,
            "error-muted": data.removed_background,
            "block-cursor-foreground": data.on_accent,
            "block-cursor-background": data.accent,
            "block-cursor-text-style": "none",
            "block-cursor-blurred-foreground": data.text,
            "block-cursor-blurred-background": data.raised,
            "block-cursor-blurred-text-style": "none",
            "block-hover-background": data.raised,
            "border": data.accent,
            "border-blurred": data.line,
            "surface-active": data.raised,
            "scrollbar": data.line,
            "scrollbar-hover": data.faint,
            "scrollbar-active": data.accent,
            "scrollbar-background": data.background,
            "scrollbar-background-hover": data.background,
            "scrollbar-background-active": data.background,
            "scrollbar-corner-color": data.background,
            "link-background": "initial",
            "link-background-hover": data.accent,
            "link-color": data.accent,
            "link-color-hover": data.on_accent,
            "link-style": "underline",
            "link-style-hover": "none",
            "footer-foreground": data.muted,
            "footer-background": data.background,
            "footer-key-foreground": data.accent,
            "footer-key-background": "transparent",
            "footer-description-foreground": data.muted,
            "footer-description-background": "transparent",
            "footer-item-background": "transparent",
            "input-cursor-foreground": data.background,
            "input-cursor-background": data.text,
            "input-cursor-text-style": "none",
            "input-selection-foreground": data.text,
            "input-selection-background": data.selection,
            "screen-selection-foreground": data.text,
            "screen-selection-background": data.selection,
            "button-foreground": data.text,
            "button-color-foreground": data.on_accent,
            "button-focus-text-style": "bold",
        }
    )


_SYNTAX = {
    ("Comment",): "comment",
    ("Comment", "Preproc"): "keyword",
    ("Keyword",): "keyword",
    ("Keyword", "Constant"): "number",
    ("Keyword", "Type"): "type",
    ("Literal", "Number"): "number",
    ("Literal", "String"): "string",
    ("Literal", "Date"): "number",
    ("Literal", "String", "Escape"): "number",
    ("Literal", "String", "Interpol"): "operator",
    ("Literal", "String", "Doc"): "comment",
    ("Name", "Attribute"): "function",
    ("Name", "Builtin"): "builtin",
    ("Name", "Class"): "type",
    ("Name", "Constant"): "number",
    ("Name", "Decorator"): "function",
    ("Name", "Entity"): "number",
    ("Name", "Exception"): "type",
    ("Name", "Function"): "function",
    ("Name", "Label"): "function",
    ("Name", "Namespace"): "type",
    ("Name", "Tag"): "keyword",
    ("Operator",): "operator",
    ("Operator", "Word"): "keyword",
    ("Punctuation",): "operator",
}
"""Token types of Pygments, as the tuples they are, and the syntax colour each has; children follow their parent."""


class Palette:
    """Rich styles by role for widgets that draw line by line. `…_background` styles carry a background only."""

    def __init__(self, data: ThemeData) -> None:
        self.data = data
        self.text = Style(color=data.text)
        self.muted = Style(color=data.muted)
        self.faint = Style(color=data.faint)
        self.line = Style(color=data.line)
        self.accent = Style(color=data.accent)
        self.on_accent = Style(color=data.on_accent, bgcolor=data.accent)
        self.success = Style(color=data.success)
        self.warning = Style(color=data.warning)
        self.error = Style(color=data.error)
        self.added = Style(color=data.added)
        self.removed = Style(color=data.removed)
        self.background = Style(bgcolor=data.background)
        self.surface = Style(bgcolor=data.surface)
        self.raised = Style(bgcolor=data.raised)
        self.added_background = Style(bgcolor=data.added_background)
        self.removed_background = Style(bgcolor=data.removed_background)
        self.added_emphasis = Style(bgcolor=data.added_emphasis)
        self.removed_emphasis = Style(bgcolor=data.removed_emphasis)
        self.selection = Style(bgcolor=data.selection)
        self.strong = Style(color=data.text, bold=True)
        self.emphasis = Style(color=data.text, italic=True)
        self.heading = Style(color=data.accent, bold=True)
        self.code = Style(color=data.syntax.string)
        self.link = Style(color=data.accent, underline=True)
        self._syntax: dict[tuple[str, ...], Style] = {(): self.text}

    def syntax(self, token: tuple[str, ...]) -> Style:
        """The style of a Pygments token type; a type without one of its own has its parent's."""
        style = self._syntax.get(token)
        if style is None:
            role = _SYNTAX.get(tuple(token))
            style = Style(color=getattr(self.data.syntax, role)) if role else self.syntax(tuple(token[:-1]))
            self._syntax[token] = style
        return style


class Symbols(NamedTuple):
    """The signs that are drawn; each is one cell wide, but for the texts of `ellipsis` and `times` in ASCII."""

    folded: str
    unfolded: str
    branch: str
    bullet: str
    check: str
    cross: str
    arrow: str
    gauge_full: str
    gauge_empty: str
    gutter: str
    rule: str
    prompt: str
    ellipsis: str
    separator: str
    plus: str
    minus: str
    up: str
    down: str
    enter: str
    pending: str
    pencil: str


UNICODE = Symbols(
    folded="▸",
    unfolded="▾",
    branch="⎇",
    bullet="•",
    check="✓",
    cross="✗",
    arrow="→",
    gauge_full="▰",
    gauge_empty="▱",
    gutter="▎",
    rule="─",
    prompt="›",
    ellipsis="…",
    separator="·",
    plus="+",
    minus="−",
    up="↑",
    down="↓",
    enter="↵",
    pending="○",
    pencil="✎",
)

ASCII = Symbols(
    folded=">",
    unfolded="v",
    branch="@",
    bullet="*",
    check="+",
    cross="x",
    arrow=">",
    gauge_full="#",
    gauge_empty="-",
    gutter="|",
    rule="-",
    prompt=">",
    ellipsis="...",
    separator="-",
    plus="+",
    minus="-",
    up="^",
    down="v",
    enter="<",
    pending="o",
    pencil="~",
)


def symbols(setting: Literal["auto", "unicode", "ascii"], environ: Mapping[str, str], encoding: str) -> Symbols:
    """The signs to draw with.

    `auto` needs an output encoding of UTF-8, a locale that was not named C, and a terminal that is neither `dumb` nor
    the Linux console, whose font has 512 glyphs at most.
    """
    if setting == "auto":
        able = is_utf8(encoding, environ) and environ.get("TERM", "") not in ("dumb", "linux")
        setting = "unicode" if able else "ascii"
    return UNICODE if setting == "unicode" else ASCII
