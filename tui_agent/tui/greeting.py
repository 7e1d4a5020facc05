"""The block that an empty transcript begins with: who answers, as soon as that is known, and the keys to begin with."""

import os
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic

from tui_agent.config.model import Settings
from tui_agent.tui.arming import SILENCE
from tui_agent.tui.engine import Engine
from tui_agent.tui.models import Models
from tui_agent.tui.standby import Standby
from tui_agent.tui.theming import Symbols
from tui_agent.tui.welcome import Line, welcome_lines, what_asks_now
from tui_agent.tui.widgets.transcript.document import Document, WelcomeBlock


class Greeting:
    """One block of `document`, until that is cleared; `settings` and `keys` give those in force."""

    def __init__(
        self,
        document: Document,
        engine: Engine,
        models: Models,
        standby: Standby,
        settings: Callable[[], Settings],
        keys: Callable[[], Mapping[str, str]],
        *,
        version: str,
        symbols: Symbols,
    ) -> None:
        self._document = document
        self._engine = engine
        self._models = models
        self._standby = standby
        self._settings = settings
        self._keys = keys
        self._version = version
        self._symbols = symbols
        self._block: WelcomeBlock | None = None
        self._changed_at = -inf

    @property
    def readable(self) -> bool:
        """Whether there was time to read what it says now: a key before that was meant for what it said then."""
        return monotonic() >= self._changed_at + SILENCE

    def show(self) -> None:
        """Put it at the end of the document, which is empty."""
        self._block = self._document.add(WelcomeBlock(lines=self._lines()))

    def update(self) -> None:
        """Who answers becomes known after the first paint; once something was asked the transcript says it."""
        block, host = self._block, self._engine.host
        if block is None or self._document.get(block.id) is None or (host is not None and host.session.records):
            return
        lines = self._lines()
        if lines != block.lines:
            block.lines = lines
            self._document.touch(block)
            self._changed_at = monotonic()

    def _lines(self) -> tuple[Line, ...]:
        keys, host = self._keys(), self._engine.host
        about: list[Line] = [(("no model", "muted"),)] if self._engine.failure is not None else []
        urgent: list[Line] = []
        if host is not None and self._engine.opened:
            from tui_agent.tui.start import about_lines, elsewhere_lines, nobody_lines, places

            where = places(self._settings(), os.environ)
            if host.trouble is not None:
                urgent = nobody_lines(host.trouble, self._models.offered, self._standby.fetching, where, keys)
            else:
                session = host.session
                answers = f"{session.provider.name} {self._symbols.separator} {session.model or 'no model'}"
                about = [((answers, "text"),)]
                start = host.start if host.start and host.start.name == session.provider.name else None
                about += about_lines(start, self._models.offer(host), session.profile, where, keys)
                urgent = elsewhere_lines(start, where.addresses) if start is not None else []
        asks = what_asks_now(self._settings(), host.session if host is not None else None)
        return welcome_lines(self._version, about, keys, urgent, asks)
