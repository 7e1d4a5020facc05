"""Another provider answers when the present one is down, as long as nothing of the reply was shown."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from tui_agent.agent.cancellation import uninterrupted
from tui_agent.conversation.errors import ConfigError, ProviderError, ProviderErrorKind
from tui_agent.conversation.events import AssistantReplied, Event, LoggedEvent, Noticed
from tui_agent.providers.protocol import LLMProvider

DOWN: dict[ProviderErrorKind, str] = {
    "unreachable": "cannot be reached",
    "timeout": "does not answer",
    "limited": "is overloaded",
    "server": "is in trouble",
}
"""What another provider helps against; a wrong key, an unknown model, a long conversation is the user's to mend."""


class Substitute(NamedTuple):
    """A provider that is ready to answer, and its model."""

    provider: LLMProvider
    model: str


class Switching(Protocol):
    """What a fallback needs of its session."""

    provider: LLMProvider
    model: str

    async def substitute(self, entry: str) -> Substitute:
        """The provider and model of an entry of the settings' `fallback`."""
        ...

    async def switch(self, provider: LLMProvider, model: str) -> list[LoggedEvent]:
        """Let another provider and model answer from the next request on."""
        ...


class Fallback:
    """Lives as long as a turn: what failed in it is not asked again."""

    def __init__(
        self,
        session: Switching,
        entries: Sequence[str],
        log: Callable[[LoggedEvent], Awaitable[None]],
        emit: Callable[[Event], None],
    ) -> None:
        self._session = session
        self._entries = entries
        self._log = log
        self._emit = emit
        self._tried: set[tuple[str, str]] = set()
        self._unreachable: set[str] = set()
        self.hurry = bool(entries)
        """Whether somebody else may answer, so that nobody is waited for."""

    async def answered(
        self, ask: Callable[[], Awaitable[AssistantReplied]], shown: Callable[[], bool]
    ) -> AssistantReplied:
        """The reply of the first provider that can give one: the present one, else those of the settings.

        `ask` sends the request to the provider in force, and `shown` says whether anything of its reply was. When all
        have failed, the first of those that were not waited for is asked again, and then it is waited for.

        Raises:
            ProviderError: of the first one that failed; its hint names the others.
        """
        session = self._session
        failures: dict[tuple[str, str], ProviderError] = {}
        home = Substitute(session.provider, session.model)
        hasty: Substitute | None = None
        while True:
            asked = session.provider
            try:
                return await ask()
            except ProviderError as error:
                if shown() or not (failures or (self._entries and error.kind in DOWN)):
                    raise
                failure = error
            failures[asked.name, session.model] = failure
            if failure.hasty and hasty is None:
                hasty = Substitute(asked, session.model)
            self._tried.add((asked.name, session.model))
            if failure.kind == "unreachable":
                self._unreachable.add(asked.name)
            if session.provider is not asked:  # the user chose another one meanwhile
                home = Substitute(session.provider, session.model)
                continue
            found, left_out = await self._next()
            if found is None:
                if hasty is not None and self.hurry:
                    self.hurry = False
                    if session.provider is not hasty.provider:
                        await self._switch(hasty)
                    continue
                if len(failures) > 1:
                    await self._switch(home)
                raise _of_all([(name, error) for (name, _), error in failures.items()], left_out)
            await self._switch(found)
            await self._log(_about(asked.name, failure, found, left_out))

    async def _next(self) -> tuple[Substitute | None, list[str]]:
        """Who answers next, if anybody can, and why others cannot."""
        left_out: list[str] = []
        for entry in self._entries:
            name = entry.partition("/")[0]
            if name in self._unreachable:
                continue
            try:
                found = await self._session.substitute(entry)
            except (ConfigError, ProviderError) as error:
                left_out.append(f"{entry} ({error.message})")
                continue
            if (found.provider.name, found.model) not in self._tried:
                return found, left_out
        return None, left_out

    async def _switch(self, to: Substitute) -> None:
        async def switch_and_show() -> None:
            for logged in await self._session.switch(to.provider, to.model):
                self._emit(logged)

        await uninterrupted(switch_and_show())


def _about(name: str, failure: ProviderError, found: Substitute, left_out: Sequence[str]) -> Noticed:
    state = DOWN.get(failure.kind, "cannot be used")
    hints = [failure.hint] if failure.kind == "unreachable" else []
    hints += [f"left out: {'; '.join(left_out)}"] if left_out else []
    text = f"{name} {state} ({failure.message}); {found.provider.name} · {found.model} answers from now on"
    return Noticed("warning", text, "\n".join(hints))


def _of_all(failures: Sequence[tuple[str, ProviderError]], left_out: Sequence[str]) -> ProviderError:
    """The first failure, with the others in its hint."""
    (_, first), *others = failures
    told = [f"{name} ({error.message})" for name, error in others] + list(left_out)
    hint = "\n".join(filter(None, (first.hint, f"nor can its fallback answer: {'; '.join(told)}" if told else "")))
    return ProviderError(first.kind, first.message, hint, first.status)
