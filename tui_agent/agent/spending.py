"""What a session has used of tokens and money, counted from its log, and what a run of the program may use."""

from collections.abc import Iterable, Iterator, Sequence

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
from tui_agent.conversation.messages import ToolCall, Usage
from tui_agent.text.money import money
from tui_agent.text.tokens import estimate as tokens_of

MILLION = 1_000_000


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
    """About how many tokens a model wrote: its answer, its reasoning, its calls."""
    return sum(map(tokens_of, texts))


def spent(records: Iterable[Record]) -> Spent:
    """What the requests in these records used; those of turns that were rewound count, they were paid."""
    total = Spent()
    for record in records:
        if (one := spent_on(record.event)) is not None:
            total += one
    return total


def spent_in_turn(records: Sequence[Record]) -> Spent:
    """What the last turn used, up to now if it still runs; without what was asked beside it."""
    marks = [place for place, record in enumerate(records) if isinstance(record.event, TurnEnded | PromptSubmitted)]
    ended = bool(marks) and isinstance(records[marks[-1]].event, TurnEnded)
    end = marks.pop() + 1 if ended else len(records)
    start = end
    while marks and isinstance(records[marks[-1]].event, PromptSubmitted):
        start = marks.pop()
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
    """What the request used that an event tells of; None when it tells of none."""
    steps = 0
    match event:
        case AssistantReplied():
            steps = 1
            prompt, reply = event.estimate, (event.text, event.reasoning, *_written(event.tool_calls))
        case Compacted() if event.model and event.trigger != "edit":
            prompt, reply = event.before, (event.summary,)
        case AsideAnswered():
            prompt, reply = tokens_of(event.question), (event.answer,)
        case _:
            return None
    reported = event.usage.prompt_tokens is not None and event.usage.completion_tokens is not None
    sent, written, cached = _counts(event.usage, prompt, 0 if reported else tokens_written(*reply))
    return Spent(1, sent, written, cached, event.cost, not reported, int(event.cost is None), steps)


def _written(calls: Iterable[ToolCall]) -> Iterator[str]:
    for call in calls:
        yield call.name
        yield call.arguments


def _counts(usage: Usage, prompt: int, reply: int) -> tuple[int, int, int]:
    """Tokens of the request, of the reply, and of the request those that the server had in its cache."""
    sent = prompt if usage.prompt_tokens is None else usage.prompt_tokens
    written = reply if usage.completion_tokens is None else usage.completion_tokens
    return sent, written, min(usage.cached_tokens or 0, sent)
