"""Choose provider and model among what really answers, with the state of every server as it comes in."""

from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from textual.content import Content
from textual.worker import Worker

from tui_agent.config.model import ProviderSettings, Settings
from tui_agent.config.providers import base_url, is_loopback, key_variable
from tui_agent.providers.protocol import ModelInfo, ProbeResult
from tui_agent.text.sanitize import one_line, sanitize
from tui_agent.tui.bindings import bindings_for
from tui_agent.tui.host import Offer
from tui_agent.tui.screens.filtered import FilteredScreen, matches
from tui_agent.tui.start import size
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.choices import Row, columns
from tui_agent.tui.widgets.status_bar import short_count

Probe = Callable[[Collection[str]], AsyncIterator[ProbeResult]]
"""Ask the servers of these names; results come in the order of the answers."""

WATCH = 8.0
"""Seconds between two looks at the servers of this machine, while the list is open."""

_NOTHING = 0.05  # seconds by which the time to an answer may change without a word
_FOLDED = 10  # models of one provider that are shown before anything is typed
_ROOMY = 20  # screen lines from which groups have a line between them
_WIDEST = 96  # columns of a row: what belongs together stays close on a wide screen


class ProviderRow(Struct, frozen=True):
    """A configured provider, known before any server has answered.

    `key_variable` is the environment variable of its key; `key_present` is None when it needs none. `start` is the
    command that starts the server, when one is known.
    """

    name: str
    base_url: str
    local: bool = False
    key_variable: str = ""
    key_present: bool | None = None
    start: str = ""


def provider_rows(settings: Settings, environ: Mapping[str, str]) -> list[ProviderRow]:
    """The configured providers, in the order of the settings."""
    return [_provider_row(name, provider, environ) for name, provider in settings.providers.items()]


def _provider_row(name: str, provider: ProviderSettings, environ: Mapping[str, str]) -> ProviderRow:
    variable = key_variable(name, provider)
    url = base_url(provider, environ)
    present = bool(environ.get(variable) or provider.api_key_command)
    return ProviderRow(
        name,
        url,
        local=provider.api == "embedded" or is_loopback(url),
        key_variable=variable if environ.get(variable) or not present else "",
        key_present=present if provider.requires_api_key else None,
        start=provider.start_hint,
    )


class Choice(NamedTuple):
    """A model of a provider; `model` is empty for a provider that has none to offer."""

    provider: str
    model: str


class PickerScreen(FilteredScreen[tuple[str, str] | None]):
    """Dismisses with (provider, model), or None when nothing was chosen."""

    BINDINGS = bindings_for("picker")
    HEADING = "provider and model"
    PLACEHOLDER = "filter by provider or model"

    def __init__(
        self,
        providers: Sequence[ProviderRow],
        probe: Probe,
        offers: Callable[[], Sequence[Offer]] = tuple,
        *,
        provider: str = "",
        model: str = "",
        symbols: Symbols = UNICODE,
    ) -> None:
        """`offers` tells what runs on this machine, as it is now; `provider` and `model` are the ones in use."""
        super().__init__(symbols)
        self._providers = tuple(providers)
        self._probe = probe
        self._find_offers = offers
        self._offers: dict[str, list[Offer]] = {}
        self._current = Choice(provider, model)
        self._results: dict[str, ProbeResult] = {}
        self._asked: set[str] = set()
        self._probing: Worker[None] | None = None

    def on_mount(self) -> None:
        """Ask the servers, and go on looking at those of this machine."""
        self.action_refresh_all()
        self.set_interval(WATCH, self._watch)

    def action_refresh_all(self) -> None:
        """Ask every server again."""
        self._asked = {row.name for row in self._providers}
        self._look_at_offers()
        self.rebuild()
        self._probing = self.run_worker(self._ask(self._asked.copy()), group="probe", exclusive=True)

    def _watch(self) -> None:
        """Look again without a word. A server elsewhere is not bothered: its state does not change by the second."""
        if self.is_current and self._look_at_offers():
            self.rebuild()
        local = {row.name for row in self._providers if row.local}
        if local and self.is_current and self._probing is not None and self._probing.is_finished:
            self._probing = self.run_worker(self._ask(local), group="probe", exclusive=True)

    async def _ask(self, names: Collection[str]) -> None:
        problem = ""
        try:
            async for result in self._probe(names):
                asked = result.provider in self._asked
                self._asked.discard(result.provider)
                if self._learn(result) or asked:
                    self.rebuild(None if self.touched else self._current)
        except Exception as error:  # whatever goes wrong while asking, what has answered can be chosen
            problem = f"the servers could not all be asked: {one_line(str(error)) or type(error).__name__}"
        if self._asked:
            self._asked.clear()
            self.rebuild()
        if problem:
            self.warn(problem)

    def _look_at_offers(self) -> bool:
        """Find out what is here of the models that need no server; False when nothing changed."""
        offers: dict[str, list[Offer]] = {}
        for offer in self._find_offers():
            offers.setdefault(offer.provider, []).append(offer)
        changed, self._offers = offers != self._offers, offers
        return changed

    def _learn(self, result: ProbeResult) -> bool:
        """Keep a result; False when it says nothing new, such as a time to answer that is always a little different."""
        known = self._results.get(result.provider)
        if known is not None and replace(known, latency=None) == replace(result, latency=None):
            was, now = known.latency or 0, result.latency or 0
            if was / 2 <= now <= was * 2 or abs(now - was) < _NOTHING:
                return False
        self._results[result.provider] = result
        return True

    def standing(self, rows: Sequence[Row], key: Hashable) -> Hashable:
        """A server that came up or went down keeps the cursor: it never moves to another one by itself."""
        keys = [row.key for row in rows if isinstance(row.key, Choice)]
        if key in keys or not isinstance(key, Choice):
            return key
        return next((near for near in keys if near.provider == key.provider), key)

    # ---- rows ----

    def rows(self, words: str) -> Sequence[Row]:
        """Providers that answered with their models, then those still asked, then those that cannot be used."""
        up: list[list[Row]] = []
        asked: list[Row] = []
        rest: list[Row] = []
        for row in self._providers:
            result = self._results.get(row.name)
            if row.name in self._offers:
                up.append(self._here(row, result, words))
            elif result is not None and result.state == "up" and result.models:
                up.append(self._offered(row, result, words))
            elif not matches(f"{row.name} {row.base_url}", words):
                continue
            elif row.name in self._asked:
                asked.append(Row(Choice(row.name, ""), partial(self._draw_unusable, row, "asking")))
            else:
                state = result.state if result is not None else "no answer"
                rest.append(Row(Choice(row.name, ""), partial(self._draw_unusable, row, state)))
        groups = [*up, asked, [_remark("not available"), *rest] if rest else []]
        between = [_remark("")] if self.size.height >= _ROOMY else []
        rows: list[Row] = []
        for group in filter(None, groups):
            rows += [*between, *group] if rows else group
        return rows or [_remark("nothing fits the filter" if words.strip() else "no provider is configured")]

    def _offered(self, row: ProviderRow, result: ProbeResult, words: str) -> list[Row]:
        fitting = [model for model in result.models if matches(f"{row.name} {model.id}", words)]
        if not fitting:
            return []
        shown = fitting
        if not words.strip() and len(fitting) > _FOLDED + 2:
            shown = fitting[:_FOLDED] + [
                model for model in fitting[_FOLDED:] if Choice(row.name, model.id) == self._current
            ]
        rows = [Row(None, partial(self._draw_provider, row, result))]
        rows += [Row(Choice(row.name, model.id), partial(self._draw_model, row.name, model)) for model in shown]
        if len(shown) < len(fitting):
            rows.append(_remark(f"  {len(fitting) - len(shown):,} more: type to filter"))
        return rows

    def _here(self, row: ProviderRow, result: ProbeResult | None, words: str) -> list[Row]:
        """The models that need no server, whether they are downloaded or not."""
        known = {model.id: model for model in result.models} if result is not None else {}
        rows = [
            Row(
                Choice(row.name, offer.model),
                partial(self._draw_model, row.name, known.get(offer.model, ModelInfo(offer.model)))
                if offer.installed and not offer.problem
                else partial(self._draw_offer, offer),
            )
            for offer in self._offers[row.name]
            if matches(f"{row.name} {offer.model}", words)
        ]
        return [Row(None, partial(self._draw_heading_here, row)), *rows] if rows else []

    def _draw_heading_here(self, row: ProviderRow, width: int) -> Content:
        return columns(
            min(width, _WIDEST),
            (Content.styled(one_line(row.name), "bold $text"), _name_width(width)),
            (Content.styled("local, without a server", "$tui-faint"), 40),
        )

    def _draw_offer(self, offer: Offer, width: int) -> Content:
        width = min(width, _WIDEST)
        room = 20 if width >= 56 else 8
        if offer.problem:
            state = "cannot run yet" if room > 8 else "no"
        elif offer.here:
            share = f"{offer.here * 100 // offer.size} %"
            state = f"{share} of {size(offer.size)} here" if room > 8 else share
        else:
            state = f"{size(offer.size)} to download" if room > 8 else size(offer.size)
        name = Content.styled(f"  {one_line(offer.model)}", "$tui-muted")
        return columns(width, (name, max(0, width - room)), (Content.styled(state, "$tui-faint"), -room))

    def _draw_provider(self, row: ProviderRow, result: ProbeResult, width: int) -> Content:
        width = min(width, _WIDEST)
        latency = "" if result.latency is None else f"  {_latency(result.latency)}"
        state = Content.assemble(
            (self._symbols.bullet, "$tui-faint" if row.name in self._asked else "$success"), (latency, "$tui-muted")
        )
        key = f"  {row.key_variable} set" if row.key_present and row.key_variable else ""
        place = "local" if row.local else "remote"
        return columns(
            width,
            (Content.styled(one_line(row.name), "bold $text"), _name_width(width)),
            (state, 10),
            (
                Content.styled(f"{_address(row.base_url)}  {place}{key}", "$tui-faint"),
                max(0, width - _name_width(width) - 10),
            ),
        )

    def _draw_model(self, provider: str, model: ModelInfo, width: int) -> Content:
        width = min(width, _WIDEST)
        current = Choice(provider, model.id) == self._current
        name = Content.assemble(
            "  ",
            (one_line(model.id), "bold $accent" if current else "$text"),
            ("  in use" if current else "", "$accent"),
        )
        if width < 56:
            return columns(width, (name, width - 6), (_context(model, "?"), -6))
        tools = {True: ("tools", "$tui-muted"), False: ("no tools", "$warning"), None: ("tools unknown", "$tui-faint")}
        return columns(
            width,
            (name, width - 32),
            (Content.styled(*tools[model.tools]), 15),
            (_context(model, "context unknown"), -17),
        )

    def _draw_unusable(self, row: ProviderRow, state: str, width: int) -> Content:
        result = self._results.get(row.name)
        # The state says already that nothing listens; the whole advice stands in the note below the list.
        hint = one_line(row.start) if state == "down" and row.start else _advice(result)
        hint = "" if state == "asking" else hint.replace("…", self._symbols.ellipsis)
        style = {"no key": "$warning", "error": "$error"}.get(state, "$tui-muted")
        return columns(
            width,
            (Content.styled(one_line(row.name), "$tui-muted"), _name_width(width)),
            (Content.assemble((self._symbols.pending, "$tui-faint"), "  ", (state, style)), 14),
            (Content.styled(hint, "$tui-faint"), max(0, width - _name_width(width) - 14)),
        )

    # ---- around the list ----

    def heading(self) -> tuple[Content, Content]:
        """How many servers answer, and how many are still asked."""
        up = sum(1 for result in self._results.values() if result.state == "up")
        told = f"asking {len(self._asked)}" if self._asked else f"{up} of {len(self._providers)} up"
        return super().heading()[0], Content.styled(told, "$tui-muted")

    def note(self, key: Hashable) -> Content:
        """Address and advice for the highlighted row."""
        row = self._row(key)
        if row is None:
            return Content("")
        if (offer := self._offer(key)) is not None:
            return Content("\n".join(offer_note(offer)))
        result = self._results.get(row.name)
        if result is None or result.state == "up":
            return Content(_address(row.base_url))
        return Content("  ".join(filter(None, (_address(row.base_url), _advice(result)))))

    def action_choose(self) -> None:
        """Use the highlighted model, or say why it cannot be used."""
        self.choose_selected()

    def choose(self, key: Hashable) -> None:
        """Dismiss with a model; a provider that cannot be used says why instead."""
        row = self._row(key)
        if row is None or not isinstance(key, Choice):
            return
        result = self._results.get(row.name)
        if (offer := self._offer(key)) is not None and offer.problem:
            self.warn(f"{offer.problem}\n{offer.remedy}")
        elif key.model:
            self.dismiss((key.provider, key.model))
        elif row.name in self._asked:
            self.warn(f"{one_line(row.name)} has not answered yet")
        else:
            self.warn(_why_not(row, result))

    def _offer(self, key: Hashable) -> Offer | None:
        if not isinstance(key, Choice):
            return None
        return next((offer for offer in self._offers.get(key.provider, ()) if offer.model == key.model), None)

    def _row(self, key: Hashable) -> ProviderRow | None:
        if not isinstance(key, Choice):
            return None
        return next((row for row in self._providers if row.name == key.provider), None)


def offer_note(offer: Offer) -> list[str]:
    """What a model that needs no server is, and what choosing it does."""
    about = [f"{offer.title} · {offer.licence} · needs {offer.memory}", offer.good_for]
    if offer.problem:
        return [f"{offer.problem}; {offer.remedy}", *about]
    if offer.installed:
        return about
    rest = f"; {size(offer.here)} of it are here" if offer.here else ""
    return [f"choosing it downloads {size(offer.size)}{rest}", *about]


def _why_not(row: ProviderRow, result: ProbeResult | None) -> str:
    name, address = one_line(row.name), _address(row.base_url)
    if result is None:
        return f"{name} did not answer at {address}"
    if result.state == "up":
        reason = f"{name} answers at {address}, but serves no model"
    else:
        reason = one_line(result.detail) or f"it is {result.state}"
        reason = reason if name in reason else f"{name}: {reason}"
    return f"{reason}\n{sanitize(result.hint)}".strip()


def _advice(result: ProbeResult | None) -> str:
    """The first line of what can be done."""
    if result is None:
        return ""
    lines = sanitize(result.hint or result.detail).strip().splitlines()
    return one_line(lines[0]) if lines else ""


def _remark(text: str) -> Row:
    return Row(None, lambda width: Content.styled(text, "$tui-faint"))


def _context(model: ModelInfo, unknown: str) -> Content:
    if model.context_length is None:
        return Content.styled(unknown, "$tui-faint")
    length = model.context_length
    shown = f"{length // 1024}k" if length % 1024 == 0 and length < 1024 * 1024 else short_count(length)
    return Content.styled(shown, "$tui-muted")


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _address(url: str) -> str:
    return one_line(url).partition("://")[2].partition("/")[0] or one_line(url)


def _name_width(width: int) -> int:
    return 14 if width < 56 else 24
