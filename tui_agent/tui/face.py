"""What the parts of the chat ask of its screen."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Protocol, TypeVar

from textual.screen import Screen

from tui_agent.conversation.events import Level

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event

ResultT = TypeVar("ResultT")


class Face(Protocol):
    """The screen as its parts see it: it shows, passes on, and runs what takes long."""

    def say(self, level: Level, text: str, hint: str = "") -> None:
        """Put a notice into the transcript."""
        ...

    def tell(self, text: str, seconds: float = 2.0) -> None:
        """Say something that nobody needs to read again."""
        ...

    def show(self, event: "Event") -> None:
        """Show what happened."""
        ...

    def send(self, prompt: str) -> None:
        """Begin a turn."""
        ...

    def give_back(self, prompt: str) -> None:
        """Put a prompt that was not sent back where it was typed."""
        ...

    def changed(self) -> None:
        """Something else goes on than what is shown."""
        ...

    def answerer_changed(self) -> None:
        """Another model answers, or the same is given more or less."""
        ...

    def call_back(self) -> None:
        """Tell a user who looks elsewhere that something long is done."""
        ...

    def aside(self, work: Callable[[], Coroutine[None, None, None]], group: str, *, instead: bool = True) -> None:
        """Do something meanwhile, `instead` of what the group does or beside it; a fault in it is said."""
        ...

    def drop(self, group: str) -> None:
        """End what the group does."""
        ...

    async def choose(self, screen: Screen[ResultT]) -> ResultT:
        """Open a screen and wait for what is chosen there."""
        ...
