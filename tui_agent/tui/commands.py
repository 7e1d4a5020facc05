"""Slash commands: a second way to the actions of the registry, for those who type."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import NamedTuple

from textual.actions import parse
from textual.screen import Screen

from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.widgets.completion import Command

Take = Callable[[str], Awaitable[object] | None]
"""What takes the argument of a command."""


class SlashCommand(NamedTuple):
    """`/name` runs the action; `argument` says in words what may follow it."""

    name: str
    action: str
    argument: str = ""


TRUST = "app.trust"
"""Offered only while there is something to trust."""

SLASH_COMMANDS: tuple[SlashCommand, ...] = (
    SlashCommand("/help", "app.help"),
    SlashCommand("/model", "chat.providers", "provider or provider/model"),
    SlashCommand("/mode", "chat.mode", "plan, ask, accept-edits or auto"),
    SlashCommand("/modes", "chat.modes"),
    SlashCommand("/questions", "chat.questions"),
    SlashCommand("/plan", "chat.plan"),
    SlashCommand("/profile", "chat.profile", "auto, small or full"),
    SlashCommand("/download", "chat.fetch"),
    SlashCommand("/look", "chat.look"),
    SlashCommand("/new", "chat.new"),
    SlashCommand("/sessions", "chat.sessions"),
    SlashCommand("/rename", "chat.rename", "a name"),
    SlashCommand("/fork", "chat.fork"),
    SlashCommand("/export", "chat.export", "markdown, html or json"),
    SlashCommand("/replay", "chat.replay", "times as fast"),
    SlashCommand("/review", "chat.review"),
    SlashCommand("/changes", "chat.changes"),
    SlashCommand("/undo", "chat.undo", "call, or turn"),
    SlashCommand("/redo", "chat.redo"),
    SlashCommand("/rewind", "chat.rewind"),
    SlashCommand("/retry", "chat.retry", "provider or provider/model"),
    SlashCommand("/queue", "chat.queued"),
    SlashCommand("/btw", "chat.beside", "a question"),
    SlashCommand("/compare", "chat.compare", "one or two of provider/model"),
    SlashCommand("/context", "chat.context"),
    SlashCommand("/compact", "chat.compact", "what to keep above all"),
    SlashCommand("/summary", "chat.summary"),
    SlashCommand("/background", "chat.background"),
    SlashCommand("/theme", "app.theme", "its name"),
    SlashCommand("/trust", TRUST),
    SlashCommand("/quit", "app.quit"),
)

_HELP = {action.id: action.help for action in ACTIONS}


def completions(*, trust: bool = False) -> tuple[Command, ...]:
    """What the prompt offers behind a slash; `trust`: also to look at what the project's settings ask for."""
    return tuple(
        Command(command.name, _HELP[command.action] + (f" [{command.argument}]" if command.argument else ""))
        for command in SLASH_COMMANDS
        if trust or command.action != TRUST
    )


def find(text: str) -> tuple[SlashCommand, str] | None:
    """The command that a prompt is, and what follows it; None when it is a prompt for the model.

    A path such as `/etc/hosts` is no command: only known names count.
    """
    name, _, argument = text.strip().partition(" ")
    for command in SLASH_COMMANDS:
        if command.name == name and (not argument or command.argument):
            return command, argument.strip()
    return None


async def run(
    screen: Screen[None],
    command: SlashCommand,
    argument: str,
    own: Mapping[str, Take],
) -> None:
    """Do what a command says; `own` are the names of those that are more than an action, and what they do.

    An action is done with the methods of `screen` or its app; a command that lacks its argument is its action.
    """
    if command.name in own and (argument or not command.argument):
        done = own[command.name](argument)
    else:
        method = next(action.method for action in ACTIONS if action.id == command.action)
        # Not `run_action`: it would say nothing of an action that is not offered now, and these say why.
        _, name, parameters = parse(method)
        done = getattr(screen.app if command.action.startswith("app.") else screen, f"action_{name}")(*parameters)
    if isawaitable(done):
        await done
