"""Where the links in a text are, and which of them may be opened."""

import re

from tui_agent.tui.widgets.transcript.lines import Item, text_of

Link = tuple[int, int, str]
"""First character, the one after the last, and the target."""

_URL = re.compile(r"(?<![\w+.-])(?:https?://|mailto:)[^\s<>\"`{}|\\^\x00-\x1f]+", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_OPENED = ("http://", "https://", "mailto:")
_AFTER = ".,;:!?'*_~…"
_PAIRS = {")": "(", "]": "["}


def links_in(item: Item) -> list[Link]:
    """The links of an item that may be opened, in order, as ranges of its unwrapped text (`text_of(item.spans)`).

    Those written as links (the range is that of their words and of the target behind them) and whatever looks like a
    URL, in code too.
    """
    known: tuple[Link, ...] = getattr(item, "links", ())
    text = text_of(item.spans)
    bare = [link for link in urls_in(text) if not any(start < link[1] and link[0] < end for start, end, _ in known)]
    return sorted([link for link in known if may_open(link[2])] + bare)


def link_at(item: Item, offset: int) -> str | None:
    """The target of the link at a character of an item's text that may be opened."""
    return next((target for start, end, target in links_in(item) if start <= offset < end), None)


def urls_in(text: str) -> list[Link]:
    """What looks like a URL in a text, without the punctuation that follows it."""
    if "://" not in text and "mailto:" not in text.lower():
        return []
    found = []
    for match in _URL.finditer(text):
        url = _trimmed(match[0])
        if may_open(url) and url.partition(":")[2].strip("/"):
            found.append((match.start(), match.start() + len(url), url))
    return found


def may_open(target: str) -> bool:
    """True for http, https and mailto, and for paths relative to where the assistant works; all else is only shown."""
    if not target.isprintable() or not target.strip():
        return False
    if _SCHEME.match(target):
        return target.lower().startswith(_OPENED)
    return target[0] not in "/\\#?~"


def _trimmed(url: str) -> str:
    """Up to where a reader would say that the URL ends."""
    for at, character in enumerate(url):
        if not character.isprintable():
            url = url[:at]
            break
    while url:
        last = url[-1]
        if last in _AFTER or (last in _PAIRS and url.count(last) > url.count(_PAIRS[last])):
            url = url[:-1]
        else:
            break
    return url
