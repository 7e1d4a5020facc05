"""A running engine as one client uses it: prompts read ahead and kept, replies streamed, its end explained."""

import asyncio
import hashlib
import itertools
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tui_agent.config.model import ProviderSettings
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import ProviderStatus, Retrying
from tui_agent.conversation.messages import Message
from tui_agent.providers.embedded.api import EngineApi, EngineFault, Reading
from tui_agent.providers.embedded.child import BATCH_TOKENS
from tui_agent.providers.embedded.endings import explain_end
from tui_agent.providers.embedded.engine import EngineSpec, Lease
from tui_agent.providers.embedded.shared import Shared
from tui_agent.providers.embedded.slots import SlotStore
from tui_agent.providers.openai_chat import OpenAIChatProvider
from tui_agent.providers.protocol import ChatRequest, Finished, ProviderEvent
from tui_agent.providers.wire import to_wire

SILENCE_SECONDS = 86_400.0
"""An engine that lives is working, however slow the machine is; its end breaks the connection."""
END_SECONDS = 2.0
"""Between a broken connection and the supervisor's word for it."""
AHEAD_CHARACTERS = 800
"""More unread text than this is worth a progress report, which costs 0.05 s."""
KEPT_TOKENS = 64
"""A shorter beginning is read sooner than its file."""
WAITING = "waiting for the engine, which is busy"

log = logging.getLogger(__name__)


class RunningEngine:
    """One client's share in a loaded engine. `slots` is None where prompts cannot be kept."""

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        spec: EngineSpec,
        lease: Lease,
        slots: SlotStore | None,
        log_path: Path,
    ) -> None:
        report = lease.report
        self.spec = spec
        self.lease = lease
        self._slots = slots
        self._log_path = log_path
        self._api = EngineApi(report.url, report.key)
        alive = replace(settings, base_url=f"{report.url}/v1/", timeout=SILENCE_SECONDS, max_retries=1)
        self._chat = OpenAIChatProvider(name, alive, alive.base_url, report.key)
        self._ready: list[ChatRequest] = []
        self._priming: tuple[ChatRequest, Shared[None]] | None = None
        self._known = ""

    async def window(self) -> int:
        """The context length that the engine really has, in tokens; the model may allow less than was asked for."""
        try:
            return (await self._api.slot()).window
        except EngineFault:
            return self.spec.job.context_length

    async def answers(self) -> bool:
        """False when the engine is over, which its supervisor may not have had the time to say."""
        try:
            await self._api.slot()
        except EngineFault:
            return not await self.lease.has_ended(END_SECONDS)
        return True

    async def close(self) -> None:
        """Give the share back."""
        await self._stop_priming()
        try:
            await self._chat.aclose()
            await self._api.close()
        finally:
            await self.lease.close()

    def beginning(self, request: ChatRequest) -> ChatRequest:
        """What of a request is worth keeping: what it was primed for, else what it says is the same in all."""
        known = self._ready if self._priming is None else [*self._ready, self._priming[0]]
        fitting = [each for each in known if _begins(request, each)]
        if fitting:
            return max(fitting, key=lambda each: len(each.messages))
        if request.fixed:
            return ChatRequest(request.model, request.messages[: request.fixed], request.tools)
        leading = itertools.takewhile(lambda message: message.role == "system", request.messages)
        return ChatRequest(request.model, tuple(leading), request.tools)

    async def prime(self, beginning: ChatRequest) -> AsyncGenerator[str]:
        """Read what requests will begin with, unless that was done, and tell how it goes.

        Raises:
            ProviderError: the engine has ended.
        """
        beginning = ChatRequest(beginning.model, beginning.messages, beginning.tools)
        if beginning in self._ready or not (beginning.messages or beginning.tools):
            return
        if self._priming is None or self._priming[0] != beginning:
            await self._stop_priming()
            self._priming = beginning, Shared(lambda tell: self._prime(beginning, tell))
        work = self._priming[1]
        async with aclosing(work.watch()) as texts:
            async for text in texts:
                yield text
        if not work.task.cancelled() and beginning not in self._ready:
            self._ready.append(beginning)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ProviderEvent]:
        """The reply, and before it how far the prompt is read when there is much of it.

        Raises:
            ProviderError: the engine refuses, or has ended.
        """
        cached = None
        async with aclosing(self._read_ahead(request)) as readings:
            async for reading in readings:
                if reading is None:
                    yield ProviderStatus(WAITING)
                    continue
                cached = reading.cached
                if status := _progress(reading):
                    yield ProviderStatus(status)
        try:
            async with aclosing(self._chat.stream(request)) as events:
                async for event in events:
                    if isinstance(event, Retrying) and await self.lease.has_ended(END_SECONDS):
                        raise self.stopped()
                    yield await self._corrected(event, cached) if isinstance(event, Finished) else event
        except ProviderError as error:
            if await self.lease.has_ended(END_SECONDS if error.kind in ("unreachable", "protocol") else 0):
                raise self.stopped() from None
            raise

    def stopped(self, *, loading: bool = False) -> ProviderError:
        """Why the engine is no more, as an error."""
        return explain_end(self.spec, self.lease.report, self._log_path, loading=loading)

    async def _stop_priming(self) -> None:
        if self._priming is not None:
            await self._priming[1].stop()

    async def _corrected(self, finished: Finished, cached: int | None) -> Finished:
        """With the engine's own reason when it has ended; with what was cached before we read ahead."""
        if finished.error and await self.lease.has_ended(END_SECONDS):
            return replace(finished, error=self.stopped().message)
        if cached is not None and finished.usage.cached_tokens is not None:
            usage = replace(finished.usage, cached_tokens=min(cached, finished.usage.cached_tokens))
            return replace(finished, usage=usage)
        return finished

    async def _read_ahead(self, request: ChatRequest) -> AsyncGenerator[Reading | None]:
        """Read the prompt if much of it is new; yields None when it has to wait for that."""
        try:
            busy = (await self._api.slot()).busy
            prompt = await self._api.render(_body(request))
            unread = len(prompt) - len(_common(prompt, self._known))
            if busy:
                yield None
            if busy or unread > AHEAD_CHARACTERS:
                async with aclosing(self._api.read(prompt)) as readings:
                    async for reading in readings:
                        yield reading
            self._known = prompt
        except EngineFault as fault:
            # The request itself will meet the same trouble, and say what it is.
            log.debug("not read ahead: %s", fault)

    async def _prime(self, beginning: ChatRequest, tell: Callable[[str], None]) -> None:
        path = None
        try:
            slot = await self._api.slot()
            if slot.busy:
                return
            prompt = await self._prefix(beginning)
            key = hashlib.sha256(f"{self.spec.id}\0{prompt}".encode("utf-8", "replace")).hexdigest()[:32]
            path = await asyncio.to_thread(self._slots.find, key) if self._slots is not None else None
            if path is not None:
                # Another window's conversation may be in the slot, and this is most likely its beginning too.
                if slot.untouched or self.lease.alone:
                    await self._api.restore(path.name)
                    self._known = prompt
                return
            tokens = 0
            async with aclosing(self._api.read(prompt)) as readings:
                async for reading in readings:
                    tokens = reading.total
                    if status := _progress(reading):
                        tell(status)
            self._known = prompt
            if tokens >= KEPT_TOKENS:
                await self._save(key, tokens)
        except EngineFault as fault:
            if path is not None:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            if await self.lease.has_ended(END_SECONDS):
                raise self.stopped() from None
            log.warning("the prompt was not read ahead: %s", fault)

    async def _prefix(self, beginning: ChatRequest) -> str:
        """The text that every conversation with this beginning starts with: what two of them have in common."""
        one, other = [
            await self._api.render(_body(replace(beginning, messages=(*beginning.messages, Message("user", word)))))
            for word in ("A", "z")
        ]
        return _common(one, other)

    async def _save(self, key: str, tokens: int) -> None:
        """Keep what was read, but only that: another window may have asked something in the meantime."""
        if self._slots is None:
            return
        path = self._slots.unfinished()
        try:
            saved, size = await self._api.save(path.name)
            if saved == tokens:
                await asyncio.to_thread(self._slots.keep, path, key, size)
        finally:
            path.unlink(missing_ok=True)


def _common(one: str, other: str) -> str:
    """What both begin with."""
    same = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return min(one, other, key=len) if same is None else one[:same]


def _begins(request: ChatRequest, beginning: ChatRequest) -> bool:
    """Whether a request starts with the messages of another and offers the same tools."""
    return request.tools == beginning.tools and request.messages[: len(beginning.messages)] == beginning.messages


def _body(request: ChatRequest) -> dict[str, Any]:
    """What the prompt of a request depends on."""
    wire = to_wire(request)
    return {name: wire[name] for name in ("messages", "tools", "tool_choice") if name in wire}


def _progress(reading: Reading) -> str:
    """How far a prompt is read, as long as there is something to wait for."""
    new = reading.total - reading.cached
    if new <= BATCH_TOKENS or reading.done >= reading.total:
        return ""
    return f"reading the prompt: {100 * (reading.done - reading.cached) // new} %"
