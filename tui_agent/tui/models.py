"""Who answers: found at the start or looked for again, fetched, got ready, switched to, given more or less."""

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tui_agent.config.model import ProfileName, Settings
from tui_agent.conversation.errors import ConfigError, TuiAgentError
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host, Offer
from tui_agent.tui.standby import Standby
from tui_agent.tui.theming import Symbols
from tui_agent.tui.welcome import shortest

if TYPE_CHECKING:
    from tui_agent.tui.face import Face

_PROFILES: tuple[ProfileName, ...] = ("auto", "small", "full")


_READYING = "ready"
"""What gets a model ready: one at a time."""


class Models:
    """The part of a screen that deals with providers; `settings` and `keys` give those in force."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        standby: Standby,
        settings: Callable[[], Settings],
        keys: Callable[[], Mapping[str, str]],
        *,
        symbols: Symbols,
    ) -> None:
        self._face = face
        self._engine = engine
        self._standby = standby
        self._settings = settings
        self._keys = keys
        self._symbols = symbols
        self._profile: ProfileName = "auto"
        self.offered: Offer | None = None
        """The model that a key fetches: while nobody answers, and after a download was stopped."""

    def begin(self, host: Host) -> None:
        """The engine is there: get its model ready, or offer one that can be fetched."""
        if host.trouble is not None:
            self.look_at_offers(host)
            self._face.changed()
        else:
            self.prepare(self.missing(host))

    # ---- which model ----

    def offer(self, host: Host, provider: str = "", model: str = "") -> Offer | None:
        """The facts of a model that runs on this machine, by default of the one that answers; None for any other."""
        if not provider:
            provider, model = host.session.provider.name, host.session.model
        configured = self._settings().providers.get(provider)
        if configured is None or configured.api != "embedded":  # to look for offers imports much
            return None
        offers = [offer for offer in host.servers.offers() if offer.provider == provider]
        return next((offer for offer in offers if model in (offer.model, "")), None)

    def fetchable(self, host: Host) -> Offer | None:
        """What the key fetches, as far as it is there by now: what is offered, else the best there is."""
        wanted = self.offered
        offers = host.servers.offers()
        return next(
            (offer for offer in offers if wanted and (offer.provider, offer.model) == (wanted.provider, wanted.model)),
            next(iter(offers), None),
        )

    @property
    def can_fetch(self) -> bool:
        """Whether there is something to download, and nothing is being downloaded."""
        return self.offered is not None and not self.offered.problem and self._standby.fetching is None

    @property
    def can_look(self) -> bool:
        """Whether it makes sense to look for somebody once more."""
        host = self._engine.host
        return host is not None and host.trouble is not None and self._standby.fetching is None

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
        client = await asyncio.to_thread(host.servers.client, provider)
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

    async def look_again(self) -> None:
        """Look for a model server, as the user wants; when one answers, let the user choose."""
        host = await self._engine.ready()
        if host is None:
            return
        if host.trouble is None:
            self._face.aside(self.pick, "pick", instead=False)
        elif await self.look(host):
            self.prepare()
        else:
            self._face.changed()
            self._face.tell("looked again: nobody answers")

    async def pick(self) -> None:
        """Let the user choose who answers from now on."""
        host = await self._engine.ready()
        if host is not None and (chosen := await self.picked(host)) is not None:
            await self.switch(*chosen)

    async def picked(self, host: Host, heading: str = "") -> tuple[str, str] | None:
        """The provider and model that the user chooses among what answers; None when nothing was chosen."""
        from tui_agent.tui.screens.picker import PickerScreen, provider_rows

        session = host.session
        screen = PickerScreen(
            provider_rows(self._settings(), os.environ),
            host.servers.probe,
            host.servers.offers,
            provider="" if host.trouble is not None else session.provider.name,
            model=session.model,
            symbols=self._symbols,
        )
        screen.HEADING = heading or screen.HEADING
        return await self._face.choose(screen)

    async def choose(self, name: str) -> bool:
        """As `switch`, from "provider" or "provider/model"."""
        provider, _, model = name.partition("/")
        return await self.switch(provider, model)

    async def switch(self, provider: str, model: str) -> bool:
        """Let a model answer from now on; one that is not here is fetched first: to choose it is to want it.

        False when it cannot answer, which was said.
        """
        host = await self._engine.ready()
        if host is None:
            return False
        here = self.offer(host, provider, model)
        if self._standby.fetching is not None:
            self._stop_waiting()
        if here is not None and not here.installed:
            self.prepare(here)
        elif await self.use(host, provider, model):
            self.prepare()
        else:
            return False
        return True

    async def fetch(self) -> None:
        """Download the model that is offered, or the best there is, and let it answer."""
        host = await self._engine.ready()
        if host is None or self._standby.fetching is not None:
            return
        if (offer := self.fetchable(host)) is None:
            text = "no model that runs on this machine is configured"
            self._face.say("info", text, "`api: embedded` makes a provider one")
        else:
            await self.switch(offer.provider, offer.model)

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

    def prepare(self, fetch: Offer | None = None) -> None:
        """Begin to let the model read what every request begins with; with `fetch`, download that one first and use it.

        Prompts that were sent meanwhile are sent at the end, or given back when it fails.
        """
        self._face.aside(partial(self._prepare, fetch), _READYING)

    async def _prepare(self, fetch: Offer | None) -> None:
        host = await self._engine.ready()
        if host is None:
            return
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
                await self._standby.fetch(fetch, host.servers.fetch(fetch.model))
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

    def give_up(self) -> None:
        """The user wants to wait no longer: prompts come back, and a download ends; what came of it is kept.

        A model that only loads goes on doing so.
        """
        if self._stop_waiting():
            self._face.drop(_READYING)
        self._face.changed()

    def _stop_waiting(self) -> bool:
        """True when there is a download to end."""
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

    async def cycle_profile(self) -> None:
        """Give the model the other profile than is in force; after one that was chosen, what fits the model."""
        if (host := await self._engine.ready()) is not None:
            other = "full" if host.session.profile.name == "small" else "small"
            await self.choose_profile(other if self._profile == "auto" else "auto")

    async def choose_profile(self, name: str) -> None:
        """Give the model more or less from the next request on; that no profile is called so is said."""
        host = await self._engine.ready()
        if host is None:
            return
        known = next((profile for profile in _PROFILES if profile == name), None)
        if known is None:
            self._face.say("warning", f"no profile is called {name}", f"profiles are {', '.join(_PROFILES)}")
            return
        self._profile = known
        host.session.set_profile(known)
        self._face.answerer_changed()
        profile = host.session.profile
        given = "few tools and a short prompt" if profile.name == "small" else "all tools and the whole prompt"
        self._face.tell(f"{profile.name} profile ({profile.why}): {given}", 4)
        self.prepare()
