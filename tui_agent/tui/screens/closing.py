"""What every screen over the chat is: closed once, losing nothing, hiding no question."""

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType

from tui_agent.tui.widgets.key_footer import KeyFooter


class ClosingScreen(Screen[ScreenResultType]):
    """A held key closes a screen several times before it is gone; Textual would close what is below it, too."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """As Textual's, but nothing where the screen is not the topmost one (any more)."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    @property
    def typed(self) -> str:
        """What the user has typed here that is used for nothing yet, as it would stand in the prompt."""
        return ""

    def tell_question(self, asks: str) -> None:
        """Something of the turn, `asks`, waits for the user in the chat; "" for nothing."""
        for footer in self.query(KeyFooter):
            footer.tell(asks)
