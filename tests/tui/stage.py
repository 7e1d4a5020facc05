"""A bare app to try one widget or screen on, with the colours that the program's themes define."""

from textual.app import App

COLORS = {
    "tui-line": "#2a313c",
    "tui-muted": "#8b95a5",
    "tui-faint": "#5b6472",
    "tui-raised": "#222934",
}


class Stage(App[object]):
    """Subclass it and compose what is tried."""

    CSS = "Screen { background: $background; }"
    ENABLE_COMMAND_PALETTE = False

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return COLORS
