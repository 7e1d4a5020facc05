"""What a turn may use, and what it needs of its session."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tui_agent.agent.fallback import Substitute
from tui_agent.agent.learning import Teachings
from tui_agent.agent.profile import Profile
from tui_agent.agent.reading import Conversation
from tui_agent.agent.spending import Limits
from tui_agent.config.model import Price
from tui_agent.conversation.events import Compacted, LoggedEvent, Mode, Noticed, Record
from tui_agent.providers.protocol import LLMProvider, ModelInfo
from tui_agent.tools.executor import ToolExecutor


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """What a turn may use and how long it may go on."""

    max_iterations: int = 50
    tools: bool = True
    directory: str = "."
    system: str = "Linux"
    system_addition: str = ""
    limits: Limits = field(default_factory=Limits)
    fallback: tuple[str, ...] = ()
    """Who answers when the provider is down: `PROVIDER` or `PROVIDER/MODEL`, first to last."""
    compact: Literal["auto", "manual"] = "auto"
    """Whether room is made unasked when the window is nearly full."""
    compact_at: float = 0.8
    """How full it may be before that, as a share of the window."""


class Journal(Protocol):
    """What a turn needs of its session."""

    mode: Mode
    executor: ToolExecutor
    provider: LLMProvider
    model: str
    profile: Profile
    model_info: ModelInfo | None
    teachings: Teachings
    conversation: Conversation

    @property
    def configured_window(self) -> int | None:
        """Tokens of the model's window by the settings."""
        ...

    async def describe(self) -> list[LoggedEvent]:
        """Learn what the model is."""
        ...

    @property
    def wants_look(self) -> bool:
        """Whether the server may still say what the model is."""
        ...

    async def look_up(self) -> None:
        """Learn what the model is, beside what else is done."""
        ...

    @property
    def summary(self) -> Compacted | None:
        """The summary that is sent in place of the beginning of the conversation."""
        ...

    @property
    def records(self) -> Sequence[Record]:
        """Everything logged so far."""
        ...

    async def record(self, event: LoggedEvent) -> list[LoggedEvent]:
        """Log an event and say what was logged."""
        ...

    def take_unsaid(self) -> list[LoggedEvent]:
        """Events that have to be logged before the next prompt."""
        ...

    async def changed(self, snapshots: Sequence[str]) -> tuple[int, int, int]:
        """How many files calls left other than they were, and lines added and removed in them."""
        ...

    async def switch(self, provider: LLMProvider, model: str) -> list[LoggedEvent]:
        """Let another provider and model answer from the next request on."""
        ...

    async def substitute(self, entry: str) -> Substitute:
        """The provider and model of an entry of `fallback`."""
        ...

    @property
    def price(self) -> Price | None:
        """What the present model costs."""
        ...

    def limit_reached(self) -> Noticed | None:
        """What to say when no further request may be sent."""
        ...

    def uncounted(self) -> Noticed | None:
        """What to say, once, when the cost of the present model cannot be counted but has a limit."""
        ...

    @property
    def steered(self) -> bool:
        """True when prompts wait to be sent with the next request."""
        ...

    def next_steering(self) -> str | None:
        """The next prompt that was given meanwhile; it is taken out."""
        ...
