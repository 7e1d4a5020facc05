"""The next prompt for two models side by side: which two, what came of it, and with which one it goes on."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.conversation.errors import ConfigError, TuiAgentError
from tui_agent.text.sanitize import one_line
from tui_agent.tui.engine import Engine
from tui_agent.tui.host import Host
from tui_agent.tui.models import Models
from tui_agent.tui.standby import Standby
from tui_agent.tui.theming import Symbols

if TYPE_CHECKING:
    from tui_agent.tui.face import Face

USAGE = "/compare takes one or two of provider or provider/model; without them it asks"


class Way(NamedTuple):
    """Who is asked; without a model the one of the provider's settings."""

    provider: str
    model: str

    @property
    def title(self) -> str:
        """It for people."""
        return one_line(" · ".join(filter(None, self)))


def named_ways(words: str, present: Way, providers: Mapping[str, ProviderSettings]) -> tuple[Way, Way]:
    """The two that an argument names; of one only, the other is the present one.

    Raises:
        ConfigError: it does not name two that can be asked at once; the message says why.
    """
    named = [Way(*word.partition("/")[::2]) for word in words.split()]
    if not 1 <= len(named) <= 2:
        raise ConfigError(f"{len(named)} models are named", USAGE)
    for way in named:
        if way.provider not in providers:
            raise ConfigError(f"no provider is called {one_line(way.provider)}", f"there are {', '.join(providers)}")
    whole = [way if way.model else Way(way.provider, providers[way.provider].default_model) for way in named]
    first, second = whole if len(whole) == 2 else (present, whole[0])
    return checked_ways(first, second, providers)


def checked_ways(first: Way, second: Way, providers: Mapping[str, ProviderSettings]) -> tuple[Way, Way]:
    """The two, if they can be asked at once.

    Raises:
        ConfigError: they are one and the same, or have one engine for both.
    """
    if first == second:
        raise ConfigError(f"{first.title} cannot be compared with itself", "name another model")
    settings = providers.get(first.provider)
    if first.provider == second.provider and settings is not None and settings.api == "embedded":
        raise ConfigError(
            f"{one_line(first.provider)} runs one model at a time on this machine",
            "compare it with a model of another provider",
        )
    return first, second


class Comparing:
    """While `ways` has two, the next prompt goes to both."""

    def __init__(
        self,
        face: "Face",
        engine: Engine,
        models: Models,
        standby: Standby,
        settings: Callable[[], Settings],
        changed: Callable[[], None],
        *,
        symbols: Symbols,
    ) -> None:
        """`changed` is called when `ways` is another."""
        self._face = face
        self._engine = engine
        self._models = models
        self._standby = standby
        self._settings = settings
        self._changed = changed
        self._symbols = symbols
        self.ways: tuple[Way, Way] | None = None

    async def choose(self, words: str = "") -> None:
        """Take the two that are named, or let the user choose one beside the present; when two are waiting, drop them.

        Nothing is asked before the next prompt.
        """
        host = await self._engine.ready()
        if host is None:
            return
        if host.trouble is not None:
            self._models.still_nobody()
            return
        if not words.strip() and self.ways is not None:
            self._take(None)
            self._face.say("info", "the next prompt goes to one model again")
            return
        providers = self._settings().providers
        present = Way(host.session.provider.name, host.session.model)
        try:
            if words.strip():
                ways = named_ways(words, present, providers)
            elif (picked := await self._models.picked(host, "compare with")) is not None:
                ways = checked_ways(present, Way(*picked), providers)
            else:
                return
            for way in ways:
                self._check_here(host, way)
        except ConfigError as error:
            self._face.say("warning", error.message, error.hint)
            return
        self._take(ways)
        names = " and ".join(way.title for way in ways)
        self._face.say("info", f"the next prompt goes to {names} side by side", "both only read; /compare calls it off")

    def _check_here(self, host: Host, way: Way) -> None:
        offer = self._models.offer(host, *way)
        if offer is not None and not offer.installed:
            raise ConfigError(f"{way.title} is not on this machine yet", f"/model {'/'.join(way)} downloads it")

    def _take(self, ways: tuple[Way, Way] | None) -> None:
        self.ways = ways
        self._changed()

    def send(self, prompt: str) -> bool:
        """Ask both, if that is what the next prompt is for; False when it is not."""
        if self.ways is None:
            return False
        self._face.aside(partial(self._send, self.ways, prompt), "compare", instead=False)
        return True

    async def _send(self, ways: tuple[Way, Way], prompt: str) -> None:
        host = await self._engine.ready()
        if host is None or host.session.busy or self._standby.going:
            self._face.give_back(prompt)
            self._face.say("info", "two models are compared when nothing else runs", "wait for its end, or stop it")
            return
        self._take(None)
        try:
            comparison = host.compare(ways)
        except TuiAgentError as error:
            self._face.give_back(prompt)
            self._face.say("error", error.message, error.hint)
            return
        from tui_agent.tui.screens.compare import CompareScreen

        present = (host.session.provider, host.session.model)
        try:
            screen = CompareScreen(comparison, prompt, self._settings().currency, symbols=self._symbols)
            place = await self._face.choose(screen)
            with self._engine.opening():  # what is sent meanwhile comes after it
                for event in await (comparison.drop() if place is None else comparison.take(place)):
                    self._face.show(event)
        except TuiAgentError as error:
            self._face.say("error", error.message, error.hint)
            place = None
        finally:
            await comparison.aclose()
        if place is None:
            self._face.give_back(prompt)
        if (host.session.provider, host.session.model) != present:
            self._face.answerer_changed()
        self._face.changed()
