"""What a session has used of tokens and money, counted from its log, and what a run of the program may use."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from tui_agent.config.model import Price
from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    Event,
    Noticed,
    PromptSubmitted,
    Record,
    TurnEnded,
)
from tui_agent.conversation.messages import Usage
from tui_agent.text.money import money
from tui_agent.text.tokens import estimate as tokens_of

MILLION = 1_000_000
SAMPLE = 20_000
"""Characters of a text that are looked at to count its tokens; it takes 2 ms."""


class Limits(Struct, frozen=True):
    """What one run of the program may use; None means as much as it takes.

    `currency` is that of `max_cost`. `flags` names those that the command line gave, which only a new start changes.
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    max_turns: int | None = None
    currency: str = "$"
    flags: frozenset[str] = frozenset()


class Spent(Struct, frozen=True):
    """What requests used. The cached tokens are a part of the prompt's. `steps` are those requests that a turn is made
    of; summaries and questions beside are none.

    `cost` is None when no price was known for any of them; with a price for some it is the sum of those, and `unpriced`
    counts the others. `estimated`: some of the counts, and so of the cost, are our own, for want of the server's.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    estimated: bool = False
    unpriced: int = 0
    steps: int = 0

    @property
    def tokens(self) -> int:
        """Of requests and replies together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Spent") -> "Spent":
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Spent(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            sum(costs) if costs else None,
            self.estimated or other.estimated,
            self.unpriced + other.unpriced,
            self.steps + other.steps,
        )


def cost_of(usage: Usage, price: Price | None, *, prompt: int, reply: int) -> float | None:
    """What a request cost; None without a price.

    `prompt` and `reply` are our own counts of tokens, for what the server did not report.
    """
    if price is None:
        return None
    sent, written, cached = _counts(usage, prompt, reply)
    reused = price.input if price.cached is None else price.cached
    return ((sent - cached) * price.input + cached * reused + written * price.output) / MILLION


def tokens_written(*texts: str) -> int:
    """About how many tokens a model wrote: its answer, reasoning and calls. Of a long text its beginning counts."""
    return sum(tokens_of(text[:SAMPLE]) * max(len(text), SAMPLE) // SAMPLE for text in texts)


def spent(records: Iterable[Record]) -> Spent:
    """What the requests in these records used; those of turns that were rewound count, they were paid."""
    total = Spent()
    for record in records:
        if (one := spent_on(record.event)) is not None:
            total += one
    return total


class Meter:
    """Adds up what the requests of a log that grows used; each record is looked at once."""

    def __init__(self, begin: Spent = Spent()) -> None:  # noqa: B008 - it is frozen
        self._sum = begin
        self._place = 0

    def skip(self, records: Sequence[Record]) -> None:
        """Leave these out, with which the log begins."""
        self._place = len(records)

    def upto(self, records: Sequence[Record]) -> Spent:
        """The sum up to now; these are all records of the log."""
        self._sum += spent(records[self._place :])
        self._place = len(records)
        return self._sum


def spent_in_turn(records: Sequence[Record]) -> Spent:
    """What the last turn used, up to now if it still runs; without what was asked beside it."""
    start = end = len(records)
    for place in range(len(records) - 1, -1, -1):
        event = records[place].event
        if isinstance(event, PromptSubmitted):
            start = place
        elif isinstance(event, TurnEnded):
            if start < end:
                break
            start = end = place + 1
    return spent(record for record in records[start:end] if not isinstance(record.event, AsideAnswered))


def limit_reached(limits: Limits, used: Spent) -> Noticed | None:
    """What to say when no further request may be sent; None when one may."""
    if limits.max_turns is not None and used.steps >= limits.max_turns:
        steps = f"{used.steps:,} step{'' if used.steps == 1 else 's'}"
        return _stopped(limits, "max_turns", steps, f"{limits.max_turns:,}")
    if limits.max_tokens is not None and used.tokens >= limits.max_tokens:
        about = "about " if used.estimated else ""
        return _stopped(limits, "max_tokens", f"{about}{used.tokens:,} tokens", f"{limits.max_tokens:,}")
    if limits.max_cost is not None and used.cost is not None and used.cost >= limits.max_cost:
        cost = money(used.cost, limits.currency, estimated=used.estimated)
        return _stopped(limits, "max_cost", cost, money(limits.max_cost, limits.currency))
    return None


def uncounted(limits: Limits, provider: str, model: str, price: Price | None) -> Noticed | None:
    """What to say when `max_cost` cannot stop the requests to a model, because nobody knows what they cost."""
    if limits.max_cost is None or price is not None:
        return None
    return Noticed(
        "warning",
        f"no price is known for {provider} · {model}: max_cost does not count it",
        f"add `prices:` under `providers: {provider}:` in config.yaml, with 0 for a model that costs nothing",
    )


def _stopped(limits: Limits, name: str, used: str, limit: str) -> Noticed:
    flag = f"--{name.replace('_', '-')}"
    if name in limits.flags:
        hint = f"start again with a larger {flag} to go on; the session is kept"
    else:
        hint = f"raise `{name}` in config.yaml, or start again with {flag}, and send a prompt to go on"
    return Noticed("warning", f"stopped by {name}: this run has used {used}, the limit is {limit}", hint)


def spent_on(event: Event) -> Spent | None:
    """What the requests used that an event tells of; None when it tells of none."""
    requests = 1
    match event:
        case AssistantReplied():
            prompt, reply = event.estimate, event.written
        case Compacted() if (event.model or event.requests) and event.trigger != "edit":
            prompt, reply = event.before, tokens_written(event.summary)
            requests = event.requests or 1
        case AsideAnswered():
            prompt, reply = tokens_written(event.question), tokens_written(event.answer)
        case _:
            return None
    usage, written = event.usage, event.usage.completion_tokens
    estimated = not usage.prompt_tokens or written is None or (written == 0 and reply > 0)
    steps = int(isinstance(event, AssistantReplied))
    return Spent(
        requests, *_counts(usage, prompt, reply), event.cost, estimated, requests * int(event.cost is None), steps
    )


def _counts(usage: Usage, prompt: int, reply: int) -> tuple[int, int, int]:
    """Tokens of the request, of the reply, and of the request those that the server had in its cache."""
    sent = usage.prompt_tokens or prompt  # nothing is no count: a request has always some
    written = usage.completion_tokens or reply
    return sent, written, min(usage.cached_tokens or 0, sent)
