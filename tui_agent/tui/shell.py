"""What the screens know of the application around them."""

from textual.app import App

from tui_agent.config.load import LoadedSettings
from tui_agent.tui.theming import Palette


class Shell(App[int]):
    """The application as its screens see it; it is one of these."""

    loaded: LoadedSettings
    palette: Palette
    lent: bool
    """To an editor, which ctrl+c is for then."""

    def choose_theme(self, name: str) -> None:
        """Show a theme as its file is now; a bad one is named and changes nothing."""
        raise NotImplementedError

    def watch_settings(self) -> object:
        """Say what is wrong with the settings, then take over what changes in them, and say what."""
        raise NotImplementedError

    async def deliver_early_keys(self) -> None:
        """Send what was typed before somebody took keys to whoever has the focus now."""
        raise NotImplementedError
