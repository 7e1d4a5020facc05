"""What the terminal face is given: settings before the first paint, and the engine after it."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from tui_agent.config.load import LoadedSettings
from tui_agent.conversation.events import Mode, Record

if TYPE_CHECKING:  # the engine is imported after the first paint
    from tui_agent.agent.comparing import Comparison
    from tui_agent.agent.session import Session
    from tui_agent.permissions.approval import ApprovalRequest, Approver, Verdict
    from tui_agent.permissions.permitted import Permit
    from tui_agent.providers.discovery import NothingToStart, StartChoice
    from tui_agent.providers.embedded.download import PullProgress
    from tui_agent.providers.protocol import LLMProvider, ProbeResult
    from tui_agent.store.log import Found, SessionSummary


Form = Literal["markdown", "html", "json"]
"""What a session can be written as."""


class Copy(Protocol):
    """A copied session, and the prompt that it ends before."""

    @property
    def session(self) -> str:
        """Its id."""
        ...

    @property
    def prompt(self) -> str:
        """What was asked there; empty for a copy of all."""
        ...


class Offer(Struct, frozen=True):
    """A model that runs on this machine without a server, as far as it is there.

    `size` is the download's in bytes, of which `here` are on the disk already; `installed` says that the whole is.
    `problem` is why nothing can run it here, empty when something can, and `remedy` what can be done about that. The
    texts are for people.
    """

    provider: str
    model: str
    title: str
    size: int
    licence: str
    memory: str
    good_for: str
    installed: bool
    here: int = 0
    problem: str = ""
    remedy: str = ""


class Archive(Protocol):
    """All sessions; its methods raise a `StoreError` that says what is wrong."""

    async def sessions(self, *, everywhere: bool) -> "list[SessionSummary]":
        """Those of this folder or of all, latest first."""
        ...

    async def search(self, words: str, *, everywhere: bool) -> "Found":
        """Those with these words in their text; ask again while events are unread."""
        ...

    async def read(self, session: str) -> Sequence[Record]:
        """All of one that can be read, whoever has it open."""
        ...

    async def rename(self, session: str, title: str) -> None:
        """Call it so; with an empty title by its first prompt."""
        ...

    async def delete(self, session: str) -> None:
        """Take it away for good."""
        ...

    async def fork(self, session: str, before: int = 0) -> "Copy":
        """A copy that ends before the event of that number; 0: a copy of all."""
        ...

    async def export(self, session: str, form: Form) -> Path:
        """Write it without keys to a new file in the folder; where it is."""
        ...

    @property
    def unguarded(self) -> str:
        """Why other windows are not told what is open here; empty when they are."""
        ...


class Servers(Protocol):
    """The configured providers."""

    def client(self, name: str) -> "LLMProvider":
        """The client of one; raises a `ConfigError` when it cannot be used."""
        ...

    def probe(self, names: Collection[str]) -> "AsyncIterator[ProbeResult]":
        """The live state of these, as the answers come in."""
        ...

    def offers(self) -> Sequence[Offer]:
        """The models that can be fetched and run on this machine, the best one first."""
        ...

    def fetch(self, model: str) -> "AsyncGenerator[PullProgress]":
        """Download such a model, or the rest of it; close the generator when leaving it early."""
        ...


class Host(Protocol):
    """The engine behind the face: one session at a time, and what can be asked about the others."""

    session: "Session"
    start: "StartChoice | None"
    """How the provider was chosen, when nobody named one."""
    trouble: "NothingToStart | None"
    """What was looked for, while there is no provider that answers."""
    rules_file: Path
    """Where rules are saved."""

    @property
    def servers(self) -> Servers:
        """The configured providers."""
        ...

    async def look_again(self) -> "StartChoice | None":
        """Look for a provider once more; None when there is still none: `trouble` says what was tried."""
        ...

    def reconfigure(self, loaded: LoadedSettings) -> None:
        """Take over changed settings."""
        ...

    def compare(self, models: "Sequence[tuple[str, str]]") -> "Comparison":
        """The session's next prompt for two models (provider and model) at once."""
        ...

    def judge(self, request: "ApprovalRequest", command: str) -> "Verdict":
        """What would be decided now about a question's call with another command; it may block for a while."""
        ...

    async def save_rules(self, rules: Sequence[str]) -> None:
        """Save rules that allow in the user's settings; the next call is decided by them."""
        ...

    async def fresh_session(self) -> "Session":
        """Start a new session."""
        ...

    async def resume(self, beginning: str) -> Sequence[Record]:
        """Continue an earlier session; raises a `SessionHeldError` when another window has it open."""
        ...

    async def end_of(self, beginning: str) -> Sequence[Record]:
        """The last turns of an earlier session."""
        ...

    async def check_log(self) -> str:
        """What is wrong with the log of the session; empty when it is whole."""
        ...

    async def sessions(self, limit: int = 10_000) -> "list[SessionSummary]":
        """The sessions of this folder, latest first."""
        ...

    @property
    def archive(self) -> Archive:
        """All sessions; raises a `StoreError` where none are saved."""
        ...

    async def context_length(self) -> int | None:
        """Tokens that the session's model can read; None when nobody says."""
        ...

    def mode_problem(self, mode: Mode) -> str:
        """Why a mode cannot be chosen; empty when it can."""
        ...

    def permits(self, mode: Mode) -> "tuple[Permit, ...]":
        """What happens unasked, asks and is refused in a mode, as things are now."""
        ...

    async def project_files(self, typed: str) -> list[str]:
        """Paths of the project that contain what was typed, shortest first."""
        ...

    async def aclose(self) -> None:
        """Stop everything."""
        ...


class Launch(Struct, frozen=True):
    """How the UI was started.

    `read_end` reads the last turns of the session to continue; None begins a new one. `open_host` imports and builds
    the engine; it runs after the first paint. `warm_up` imports the model client, which takes half a second of a thread
    and 25 MB, and so waits until the user begins to type. `reload` reads the settings again.
    """

    loaded: LoadedSettings
    directory: Path
    version: str
    history: Path
    themes: tuple[Path, ...]
    open_host: "Callable[[Approver], Awaitable[Host]]"
    warm_up: Callable[[], None]
    reload: Callable[[], LoadedSettings]
    read_end: Callable[[], Awaitable[Sequence[Record]]] | None = None
