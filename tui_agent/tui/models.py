"""Who answers: found at the start or looked for again, fetched, got ready, switched to, given more or less."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from tui_agent.config.model import ProfileName, Settings
from tui_agent.conversation.errors import ConfigError, TuiAgentError
from tui_agent.conversation.events import Level
from tui_agent.tui.host import Host, Offer
from tui_agent.tui.standby import Standby
from tui_agent.tui.welcome import shortest

if TYPE_CHECKING:
    from tui_agent.conversation.events import Event

_PROFILES: tuple[ProfileName, ...] = ("auto", "small", "full")


class Face(Protocol):
    """What the screen does for this."""

    def say(self, level: Level, text: str, hint: str = "") -> None:
        """Put a notice into the transcript."""
        ...

    def give_back(self, prompt: str) -> None:
        """Put a prompt that was not sent back where it was typed."""
        ...

    def send(self, prompt: str) -> None:
        """Begin a turn."""
        ...

    def show(self, event: "Event") -> None:
        """Show what happened."""
        ...

    def answerer_changed(self) -> None:
        """Another model answers, or the same is given more or less."""
        ...

    def call_back(self) -> None:
        """Tell a user who looks elsewhere that something long is done."""
        ...


class Models:
    """The part of a screen that deals with providers; `settings` and `keys` give those in force."""

    def __init__(
        self,
        face: Face,
        standby: Standby,
        settings: Callable[[], Settings],
        keys: Callable[[], Mapping[str, str]],
    ) -> None:
        self._face = face
        self._standby = standby
        self._settings = settings
        self._keys = keys
        self._profile: ProfileName = "auto"
        self.offered: Offer | None = None
        """The model that a key fetches: while nobody answers, and after a download was stopped."""

    # ---- which model ----

    def offer(self, host: Host, provider: str = "", model: str = "") -> Offer | None:
        """The facts of a model that runs on this machine, by default of the one that answers; None for any other."""
        if not provider:
            provider, model = host.session.provider.name, host.session.model
        configured = self._settings().providers.get(provider)
        if configured is None or configured.api != "embedded":  # to look for offers imports much
            return None
        offers = [offer for offer in host.offers() if offer.provider == provider]
        return next((offer for offer in offers if model in (offer.model, "")), None)

    def fetchable(self, host: Host) -> Offer | None:
        """What the key fetches, as far as it is there by now: what is offered, else the best there is."""
        wanted = self.offered
        offers = host.offers()
        return next(
            (offer for offer in offers if wanted and (offer.provider, offer.model) == (wanted.provider, wanted.model)),
            next(iter(offers), None),
        )

    def look_at_offers(self, host: Host) -> None:
        """Offer what can be fetched while nobody answers."""
        self.offered = self.fetchable(host) if host.trouble is not None else None

    async def use(self, host: Host, provider: str, model: str) -> bool:
        """Let a model answer from now on; False when it cannot, which was said."""
        try:
            await self._use(host, provider, model)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)
            return False
        return True

    async def _use(self, host: Host, provider: str, model: str) -> None:
        client = await asyncio.to_thread(host.provider, provider)
        model = model or self._settings().providers[provider].default_model
        host.trouble = self.offered = None
        for event in await host.session.switch(client, model):
            self._face.show(event)
        self._face.answerer_changed()

    async def look(self, host: Host) -> bool:
        """Look for a provider once more and use it; False when there is still none."""
        start = await host.look_again()
        if start is not None:
            return await self.use(host, start.name, start.model)
        self.look_at_offers(host)
        return False

    def still_nobody(self) -> None:
        """Say what to do about it."""
        ways = [f"{shortest(self._keys(), 'chat.look')} looks again when a server is up"]
        if self.offered is not None and not self.offered.problem:
            ways.insert(0, f"{shortest(self._keys(), 'chat.fetch')} downloads {self.offered.model}")
        self._face.say("warning", "no model answers yet", ", ".join(ways))

    # ---- getting it ready ----

    def missing(self, host: Host) -> Offer | None:
        """The model that has to be fetched before the session's provider can answer, if that is so and was asked for.

        Nothing is ever fetched because a session of old used it or because it was found.
        """
        offer = self.offer(host)
        named = offer is not None and self._settings().provider == offer.provider
        return offer if offer is not None and named and not offer.installed else None

    async def get_ready(self, host: Host, fetch: Offer | None = None) -> None:
        """Let the model read what every request begins with; with `fetch`, download that one first and use it.

        Prompts that were sent meanwhile are sent at the end, or given back when it fails.
        """
        try:
            await self._get_ready(host, fetch)
        except TuiAgentError as error:
            self._give_back()
            self._face.say("error", error.message, error.hint)
        if held := self._standby.release():
            self._face.send("\n\n".join(held))

    async def _get_ready(self, host: Host, fetch: Offer | None) -> None:
        if fetch is not None:
            if fetch.problem:
                raise ConfigError(fetch.problem, fetch.remedy)
            self.offered = fetch
            try:
                await self._standby.fetch(fetch, host.fetch(fetch.model))
            finally:
                self.offered = self.fetchable(host)  # with what is here by now
                self._standby.changed()
            await self._use(host, fetch.provider, fetch.model)
        here = self.offer(host)
        if not host.session.busy and (here is None or here.installed):
            await self._standby.prime(host.session)
        if fetch is not None:
            self._face.say("info", f"{fetch.model} is ready", fetch.good_for if host.session.records else "")
            self._face.call_back()

    def stopped(self) -> bool:
        """The user wants to wait no longer: prompts come back. True when there is a download to end; what came of it is
        kept. A model that only loads goes on doing so."""
        self._give_back()
        if self._standby.fetching is None:
            return False
        again = f"{shortest(self._keys(), 'chat.fetch')} goes on from there"
        self._face.say("info", f"download stopped at {self._standby.share * 100:.0f} %", again)
        return True

    def _give_back(self) -> None:
        if held := self._standby.release():
            self._face.give_back("\n\n".join(held))

    # ---- how much it is given ----

    def next_profile(self, host: Host) -> ProfileName:
        """The other one than is in force; from one that was chosen, back to what fits the model."""
        if self._profile != "auto":
            return "auto"
        return "full" if host.session.profile.name == "small" else "small"

    def set_profile(self, host: Host, name: str) -> bool:
        """Give the model more or less from the next request on; False when no profile is called so, which was said."""
        known = next((profile for profile in _PROFILES if profile == name), None)
        if known is None:
            self._face.say("warning", f"no profile is called {name}", f"profiles are {', '.join(_PROFILES)}")
            return False
        self._profile = known
        host.session.set_profile(known)
        self._face.answerer_changed()
        return True
