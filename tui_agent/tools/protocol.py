"""What a tool is, and what it is given to work with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from tui_agent.conversation.events import FileDelta
from tui_agent.conversation.messages import ToolCall, ToolSpec
from tui_agent.permissions.approval import Access, Reviewed, Terms
from tui_agent.tools.repair import Fit


class ToolResult(Struct, frozen=True):
    """What came of a call; `content` is for the model (bounded), the rest for the screen.

    When `ok` is false, `content` is the error message for the model.
    """

    ok: bool
    content: str
    files: tuple[FileDelta, ...] = ()
    exit_code: int | None = None

    def __str__(self) -> str:
        """What the model is told, so that a program can print it."""
        return self.content


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that was understood but has done nothing yet.

    `title` is a short line for people (a path, a command); `access` is what the policy decides on; `perform` does it.
    `repairs` says, for people, how the call as written was understood where it was not quite right: `path → file_path`.
    `on_terms` prepares the same call on other terms; None where terms mean nothing. `on_command` prepares it with
    another command, and `on_review` with what the user made of its files; None where there is no command, or no file.
    """

    title: str
    access: Access
    perform: Callable[[], Awaitable[ToolResult]]
    repairs: tuple[str, ...] = ()
    on_terms: "Callable[[Terms], Prepared] | None" = None
    on_command: "Callable[[str], Prepared] | None" = None
    on_review: "Callable[[Sequence[Reviewed]], Prepared] | None" = None

    def under(self, terms: Terms) -> "Prepared":
        """The call on these terms."""
        return self if self.on_terms is None or terms == Terms() else self.on_terms(terms)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a provider gets with a call: where output goes while it runs."""

    call_id: str
    emit_output: Callable[[str], None] = field(default=lambda text: None)


Say = Callable[[str, str], Awaitable[None]]
"""Tells the user what happened, and what to do about it."""


class Recorder(Protocol):
    """Keeps what calls change, so that it can be undone."""

    def name_for(self, access: Access) -> str:
        """A name under which what a call changes is to be kept; empty when it changes nothing that can be."""
        ...

    async def foresee(self, access: Access) -> str:
        """Before a question: why such a call could not be undone, or not all of it; empty when it can."""
        ...

    async def record(
        self, name: str, access: Access, perform: Callable[[], Awaitable[ToolResult]], say: Say
    ) -> ToolResult:
        """Do it, and keep what it changes; when that cannot be kept, `say` so before it is done."""
        ...

    async def aclose(self) -> None:
        """Stop what goes on."""
        ...


class Tool(Protocol):
    """A built-in tool: it prepares first, and does nothing until the executor calls `perform`."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and schema for the model."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Other names it answers to."""
        ...

    @property
    def argument_aliases(self) -> Mapping[str, str]:
        """Other argument names accepted: alias → parameter; case and separators do not matter."""
        ...

    @property
    def argument_fits(self) -> Mapping[str, Fit]:
        """Readings of single arguments that are not of their type, besides those that hold for every tool."""
        ...

    async def prepare(self, arguments: Mapping[str, Any], context: ToolContext) -> Prepared:
        """Understand the call (arguments already validated against the schema).

        Raises:
            ToolError, WorkspaceError: it cannot be done; the message goes to the model.
        """
        ...


class ToolProvider(Protocol):
    """A source of tools: built-in, MCP, client-side, user-written."""

    def get_tools(self) -> Sequence[ToolSpec]:
        """The tools on offer."""
        ...

    def can_handle(self, name: str) -> bool:
        """True when a call of this name (or an alias) is for this provider."""
        ...

    async def execute(self, call: ToolCall, context: ToolContext) -> ToolResult:
        """Carry out a call that was already allowed."""
        ...


@runtime_checkable
class PreparingProvider(Protocol):
    """A provider that can say what a call would do before it does it; others are always asked for."""

    async def prepare(self, call: ToolCall, context: ToolContext) -> Prepared:
        """As `Tool.prepare`, after finding the tool and validating the arguments."""
        ...
