"""What fills the window, drawn: the whole as a gauge, its parts, its largest items, and where the numbers are from."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.content import Content

from tui_agent.text.money import money
from tui_agent.text.sanitize import one_line
from tui_agent.tui.theming import Symbols
from tui_agent.tui.widgets.choices import columns

if TYPE_CHECKING:
    from tui_agent.agent.spending import Spent
    from tui_agent.agent.window import ContextUse, Largest, Part

_WIDEST = 100
_NAME = 14
_TOKENS = 9
_SHARE = 6
_NOTE = 26
_ROOMY = 70
"""Columns from which there is room for remarks beside the numbers."""

_SOURCES: Mapping[str, str] = {
    "settings": "by your settings",
    "server": "as the server says",
    "learned from an error": "learned from an error of the server",
    "learned from a cut": "learned from the server, which reads no more than that without a word",
}
_COUNTED: Mapping[str, str] = {
    "tools": "tool",
    "files": "file that was read",
    "results": "result of a tool",
    "conversation": "message",
}
_PLURALS: Mapping[str, str] = {"files": "files that were read", "results": "results of tools"}


class ContextFacts(Struct, frozen=True):
    """What is shown. `limit` are tokens of the window, None while nobody knows.

    `threshold` is from how many tokens on room is made by itself, None when it is not. `prompts` has the prompt that
    each of the largest items belongs to, by their record; `replaced` is how many messages the summary stands for.
    """

    use: "ContextUse"
    provider: str
    limit: int | None
    threshold: int | None
    prompts: Mapping[int, str]
    turn: "Spent"
    session: "Spent"
    currency: str
    replaced: int = 0


def context_lines(facts: ContextFacts, width: int, symbols: Symbols) -> Iterator[Content]:
    """The lines for a width, from the whole to its details."""
    width = min(width, _WIDEST)
    use = facts.use
    yield _whole(facts)
    if facts.limit:
        yield from _gauge(facts, facts.limit, width, symbols)
    yield Content("")
    parts = [part for part in use.parts if part.tokens]
    most = max((part.tokens for part in parts), default=1)
    for part in parts:
        yield _part(facts, part, part.tokens / most, width, symbols)
    if use.largest:
        yield Content("")
        yield Content.styled("largest", "bold $accent")
        for item in use.largest:
            yield _largest(item, facts.prompts.get(item.seq, ""), width)
    yield Content("")
    for name, text in _sources(facts):
        yield from _told(name, text, width)


def _whole(facts: ContextFacts) -> Content:
    total = Content.styled(f"about {facts.use.total:,}", "bold $text")
    if not facts.limit:
        return Content.assemble(total, " tokens")
    share = Content.styled(f"  {facts.use.total / facts.limit:.0%}", _colour(facts))
    return Content.assemble(total, f" of {facts.limit:,} tokens", share)


def _colour(facts: ContextFacts) -> str:
    total, use = facts.use.total, facts.use
    if use.room is not None and total >= use.room:
        return "bold $error"
    return "$warning" if facts.threshold is not None and total >= facts.threshold else "$accent"


def _gauge(facts: ContextFacts, limit: int, width: int, symbols: Symbols) -> Iterator[Content]:
    """The window, below it where room is made and where the part for the reply begins, and what these marks say."""
    cells = max(1, width - 2)

    def cell(tokens: int) -> int:
        return min(cells, round(tokens / limit * cells))

    used = max(cell(facts.use.total), 1 if facts.use.total else 0)
    yield Content.assemble(
        Content.styled(symbols.gauge_full * used, _colour(facts)),
        Content.styled(symbols.gauge_empty * (cells - used), "$tui-line"),
    )
    marks = []
    threshold, room = facts.threshold, facts.use.room
    if threshold is not None:
        rest = "; the rest is for the reply" if threshold == room else ""
        marks.append((cell(threshold), symbols.up, "$warning", f"from {threshold:,} on room is made{rest}"))
    if room is not None and room < limit and room != threshold:
        marks.append((cell(room), symbols.gutter, "$tui-muted", f"{room:,} the most; the rest is for the reply"))
    if not marks:
        return
    line, at = Content(""), 0
    for place, sign, style, _ in marks:
        line = Content.assemble(line, " " * max(0, place - at), Content.styled(sign, style))
        at = max(at, place) + 1
    yield line
    legend = [Content.assemble(Content.styled(sign, style), f" {said}") for _, sign, style, said in marks]
    beside = Content("   ").join(legend)
    for row in [beside] if beside.cell_length <= width else legend:
        yield row.stylize_before("$tui-muted")


def _part(facts: ContextFacts, part: "Part", full: float, width: int, symbols: Symbols) -> Content:
    note = _NOTE if width >= _ROOMY else 0
    room = max(1, width - _NAME - _TOKENS - _SHARE - 2 - note)
    share = part.tokens / max(1, facts.use.total)
    return columns(
        width,
        (Content.styled(part.name, "$text"), _NAME),
        (Content.styled(f"{part.tokens:,}", "$text"), -_TOKENS),
        (Content.styled(f"{share:.0%}", "$tui-muted"), -_SHARE),
        (Content("  "), 2),
        (Content.styled(symbols.gauge_full * max(1, round(full * room)), "$accent"), room),
        (Content.styled(f"  {_remark(facts, part)}" if note else "", "$tui-faint"), note),
    )


def _remark(facts: ContextFacts, part: "Part") -> str:
    if part.name == "summary":
        return f"stands for {facts.replaced:,} message{'' if facts.replaced == 1 else 's'}" if facts.replaced else ""
    if (one := _COUNTED.get(part.name)) is None:
        return ""
    return f"{part.count:,} {one if part.count == 1 else _PLURALS.get(part.name, f'{one}s')}"


def _largest(item: "Largest", prompt: str, width: int) -> Content:
    size = Content.styled(f"{item.tokens:,}", "$text")
    title = Content.styled(one_line(item.title), "$text")
    if width < _ROOMY or not prompt:
        return columns(width, (size, -_TOKENS), (Content("  "), 2), (title, max(1, width - _TOKENS - 2)))
    half = (width - _TOKENS - 4) // 2
    asked = Content.styled(f"in “{one_line(prompt)}”", "$tui-faint")
    return columns(width, (size, -_TOKENS), (Content("  "), 2), (title, half), (Content("  "), 2), (asked, half))


def _sources(facts: ContextFacts) -> Iterator[tuple[str, str]]:
    """What the numbers rest on, and what was spent: a name and a sentence."""
    use = facts.use
    if use.replies:
        replies = f"{use.replies:,} repl{'y' if use.replies == 1 else 'ies'}"
        yield "counted", f"our estimate × {use.factor:.2f}, from {replies}"
    else:
        yield "counted", "our estimate; no reply has told yet how far it is off"
    if facts.limit:
        yield "window", f"{facts.limit:,} tokens, {_SOURCES.get(use.source, 'as the server says')}"
    else:
        most = f" about {use.room:,} tokens are sent at most since it refused more;" if use.room is not None else ""
        place = f"under providers: {one_line(facts.provider)}:"
        yield "window", f"the server does not say;{most} set context_length: {place}"
    if use.prompt is not None:
        cached = f"{use.cached:,} of {use.prompt:,} from the cache" if use.cached else f"{use.prompt:,}, none cached"
        yield "last request", f"{cached}, as the server counted"
    for name, used in (("last turn", facts.turn), ("session", facts.session)):
        if used.requests:
            requests = f"{used.requests:,} request{'' if used.requests == 1 else 's'}"
            yield name, f"{exactly(used, facts.currency)} · {requests}"


def exactly(used: "Spent", currency: str) -> str:
    """All that requests used: `6,050 tokens in, 5,120 cached · 412 out · $0.02`."""
    about = "about " if used.estimated else ""
    cached = f", {used.cached_tokens:,} cached" if used.cached_tokens else ""
    words = [f"{about}{used.prompt_tokens:,} tokens in{cached}", f"{used.completion_tokens:,} out"]
    if used.cost is not None:
        least = f" for all but {used.unpriced:,}, which have no price" if used.unpriced else ""
        words.append(f"{about}{money(used.cost, currency)}{least}")
    return " · ".join(words)


def _told(name: str, text: str, width: int) -> Iterator[Content]:
    """A name, and what is told wrapped beside it."""
    label: Content | str = Content.styled(f"{name:<{_NAME}}", "$tui-muted")
    for line in Content(text).wrap(max(10, width - _NAME)):
        yield Content.assemble(label, line)
        label = " " * _NAME
