"""What every screen over the chat is: something that is closed once."""

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class ClosingScreen(Screen[ScreenResultType]):
    """A held key closes a screen several times before it is gone; Textual would close what is below it, too."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """As Textual's, but nothing where the screen is not the topmost one (any more)."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()
