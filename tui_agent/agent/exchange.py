"""One request to a model, and what has arrived of the reply to it."""

import logging
import time
from collections.abc import Callable
from contextlib import aclosing

from tui_agent.agent.spending import cost_of, tokens_written
from tui_agent.config.model import Price
from tui_agent.conversation.errors import ProviderError
from tui_agent.conversation.events import AssistantReplied, Event, ReasoningDelta, TextDelta
from tui_agent.conversation.messages import Usage
from tui_agent.providers.protocol import ChatRequest, Finished, LLMProvider

logger = logging.getLogger(__name__)

REPLY_LIMIT = 8_000_000
"""Characters of one reply; beyond it a model is only burning memory."""


class Exchange:
    """Runs once. `estimate` is our own count of the tokens of the request."""

    def __init__(
        self,
        provider: LLMProvider,
        request: ChatRequest,
        estimate: int,
        emit: Callable[[Event], None],
        price: Price | None = None,
    ) -> None:
        self._provider = provider
        self._request = request
        self._estimate = estimate
        self._emit = emit
        self._price = price
        self._started = time.monotonic()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_ended = 0.0
        self._length = 0

    @property
    def shown(self) -> bool:
        """Whether anything of the reply was shown."""
        return bool(self._text or self._reasoning)

    async def run(self) -> Finished:
        """Send the request and show the reply as it comes; how it ended.

        Raises:
            ProviderError: there is no reply, or it does not end.
        """
        finished = Finished("incomplete", (), Usage(), "the stream ended early")
        async with aclosing(self._provider.stream(self._request)) as stream:
            async for event in stream:
                match event:
                    case TextDelta():
                        self._grow(event.text)
                        self._text.append(event.text)
                        if self._reasoning and not self._reasoning_ended:
                            self._reasoning_ended = time.monotonic()
                        self._emit(event)
                    case ReasoningDelta():
                        self._grow(event.text)
                        self._reasoning.append(event.text)
                        self._emit(event)
                    case Finished():
                        finished = event
                    case _:
                        self._emit(event)
        whole = "cut" if finished.error else "whole"
        logger.info("reply: %s, %d calls, %s", finished.finish, len(finished.calls), whole)
        return finished

    def _grow(self, text: str) -> None:
        self._length += len(text)
        if self._length > REPLY_LIMIT:
            logger.warning("reply stopped at %d characters", self._length)
            raise ProviderError(
                "protocol",
                f"the reply is longer than {REPLY_LIMIT // 1_000_000} MB",
                "the model does not stop; the part that arrived is kept",
            )

    def as_far_as_it_came(self) -> AssistantReplied:
        """The event of a reply that was interrupted."""
        return self.logged(Finished("incomplete", (), Usage()))

    def logged(self, finished: Finished) -> AssistantReplied:
        """The event of the reply."""
        now = time.monotonic()
        thought = (self._reasoning_ended or now) - self._started if self._reasoning else 0.0
        text, reasoning, usage = "".join(self._text), "".join(self._reasoning), finished.usage
        arguments = (part for call in finished.calls for part in (call.name, call.arguments))
        written = tokens_written(text, reasoning, *arguments) if not usage.completion_tokens else 0
        return AssistantReplied(
            text=text,
            reasoning=reasoning,
            tool_calls=finished.calls,
            finish=finished.finish,
            provider=self._provider.name,
            model=self._request.model,
            usage=usage,
            seconds=round(now - self._started, 3),
            reasoning_seconds=round(thought, 3),
            estimate=self._estimate,
            cost=cost_of(usage, self._price, prompt=self._estimate, reply=written),
            written=written,
        )
