"""The inline tokens of a Markdown text as spans, and where their links are."""

from typing import TYPE_CHECKING

from tui_agent.text.sanitize import sanitize
from tui_agent.tui.widgets.transcript.lines import Span, Spans, text_of
from tui_agent.tui.widgets.transcript.links import Link, urls_in

if TYPE_CHECKING:
    from markdown_it.token import Token

_FLAGS = {"strong_open": "b", "em_open": "i", "s_open": "s"}


def inline_spans(tokens: "list[Token]", base: str) -> tuple[Spans, list[Link]]:
    """The spans of inline tokens, line breaks being newlines in their text, and the links in that text.

    A link is shown as its words and, unless they say it, its target.
    """
    spans: list[Span] = []
    found: list[Link] = []
    role, _, letters = base.partition("+")
    flags = list(letters)
    links: list[tuple[str, int, int]] = []  # target, where it begins: span and character
    at = 0
    for token in tokens:
        kind = token.type
        if kind in _FLAGS:
            flags.append(_FLAGS[kind])
        elif kind in ("strong_close", "em_close", "s_close"):
            flags.pop()
        elif kind == "link_open":
            links.append((sanitize(str(token.attrGet("href") or "")), len(spans), at))
        elif kind == "link_close":
            target, first, start = links.pop()
            shown = text_of(spans[first:])
            if target and target.removeprefix("mailto:") != shown:
                spans.append((f" ({target})" if shown else target, "faint"))
                at += len(spans[-1][0])
            if target:
                found.append((start, at, target))
        elif text := _text_of(token):
            if kind == "text" and not links and "://" in text:
                spans += _with_urls(text, role, flags)
            else:
                name = "code_inline" if kind == "code_inline" else "link" if links else role
                spans.append((text, _with_flags(name, flags)))
            if kind == "image" and not links and (source := sanitize(str(token.attrGet("src") or ""))):
                found.append((at, at + len(text), source))
            at += len(text)
    return tuple(spans), found


def split_lines(spans: Spans, links: list[Link]) -> list[tuple[Spans, tuple[Link, ...]]]:
    """The lines that newlines in the spans divide them into, each with its share of the links."""
    lines: list[list[Span]] = [[]]
    for text, role in spans:
        for index, piece in enumerate(text.split("\n")):
            if index:
                lines.append([])
            if piece:
                lines[-1].append((piece, role))
    if not links:
        return [(tuple(line), ()) for line in lines]
    parts = []
    begin = 0
    for line in lines:
        end = begin + sum(len(text) for text, _ in line)
        inside = [(max(start, begin) - begin, min(stop, end) - begin, target) for start, stop, target in links]
        parts.append((tuple(line), tuple(link for link in inside if link[0] < link[1])))
        begin = end + 1
    return parts


def _with_urls(text: str, role: str, flags: list[str]) -> tuple[Span, ...]:
    """Text with the URLs in it in the role of links."""
    pieces: list[Span] = []
    at = 0
    for start, end, url in urls_in(text):
        pieces += ((text[at:start], _with_flags(role, flags)), (url, _with_flags("link", flags)))
        at = end
    pieces.append((text[at:], _with_flags(role, flags)))
    return tuple(piece for piece in pieces if piece[0])


def _text_of(token: "Token") -> str:
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    text = token.content
    if token.type == "image":
        text = "".join(child.content for child in token.children or ())
        text = f"[{text or 'image'}] ({token.attrGet('src') or ''})"
    # Character references can spell what the sanitised source did not hold.
    return sanitize(text).replace("\n", " ").expandtabs(4)


def _with_flags(role: str, flags: list[str]) -> str:
    return f"{role}+{''.join(sorted(set(flags)))}" if flags else role
