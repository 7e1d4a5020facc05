"""Themes as data: colours by role, validated key by key."""

from msgspec import Struct


class SyntaxColors(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Colours of highlighted code, each `#rrggbb`."""

    keyword: str
    string: str
    number: str
    comment: str
    function: str
    type: str
    operator: str
    builtin: str


class ThemeData(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One theme; every colour is `#rrggbb`.

    One accent, calm greys: `background` (screen), `surface` (panels, code), `raised` (selected row, prompt focus),
    `line` (rules), `text`, `muted` (secondary text), `faint` (line numbers, hints).
    """

    name: str
    dark: bool
    background: str
    surface: str
    raised: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    success: str
    warning: str
    error: str
    added: str
    removed: str
    added_background: str
    removed_background: str
    added_emphasis: str
    removed_emphasis: str
    selection: str
    syntax: SyntaxColors
