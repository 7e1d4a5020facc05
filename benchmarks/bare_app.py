"""The smallest Textual program with a prompt: what start-up and memory are compared with."""

from textual.app import App, ComposeResult
from textual.widgets import Footer, TextArea


class BareApp(App[None]):
    """A text area and a footer."""

    def compose(self) -> ComposeResult:
        """The two widgets."""
        yield TextArea()
        yield Footer()


if __name__ == "__main__":
    BareApp().run()
