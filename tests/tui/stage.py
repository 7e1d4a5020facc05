"""A bare app to try one widget or screen on, with the shipped theme."""

from pathlib import Path

from textual.app import App

from tui_agent.config.themes import load_themes
from tui_agent.tui.theming import textual_theme

THEMES = load_themes((Path(__file__).parents[2] / "themes",))[0]


class Stage(App[object]):
    """Subclass it and compose what is tried; blinking is off and every shipped theme is there."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, theme: str = "slate") -> None:
        super().__init__()
        for data in THEMES.values():
            self.register_theme(textual_theme(data))
        self.theme = theme
