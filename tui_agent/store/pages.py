"""A session as a page for people: Markdown, or HTML that needs nothing else and runs nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Literal

from msgspec import Struct

from tui_agent.conversation.events import (
    AsideAnswered,
    AssistantReplied,
    Compacted,
    DecisionMade,
    FilesRestored,
    ModelSwitched,
    Noticed,
    Nudged,
    PromptSubmitted,
    Record,
    ResultsTrimmed,
    Rewound,
    SessionStarted,
    ToolFinished,
    TurnEnded,
)
from tui_agent.store.log import moment
from tui_agent.text.bounds import bound
from tui_agent.text.sanitize import one_line, sanitize

MOST_LINES = 400
MOST_CHARACTERS = 20_000
"""Of one tool result or diff on a page; the JSON export has all of it."""

Kind = Literal["head", "prompt", "thought", "answer", "summary", "aside", "tool", "notice"]


class Part(Struct, frozen=True):
    """One thing on a page: a line about it, and its text; `diff` when that is one."""

    kind: Kind
    line: str
    text: str = ""
    diff: bool = False


def parts(records: Sequence[Record], redact: Callable[[str], str]) -> Iterator[Part]:
    """What is on the page, in order; every text is redacted and cannot steer a terminal."""

    def safe(text: str) -> str:
        # Once more behind: what was taken out may have parted a key in two.
        return redact(sanitize(redact(text)))

    def line(text: str) -> str:
        return redact(one_line(redact(text)))

    number = 0
    for record in records:
        match record.event:
            case SessionStarted() as event:
                yield Part("head", f"{line(event.working_directory)} · {line(event.provider)} · {line(event.model)}")
            case PromptSubmitted() as event:
                number += 1
                yield Part("prompt", f"{number}. you, {moment(record.time)}", safe(event.text))
            case AssistantReplied() as event:
                if event.reasoning.strip():
                    yield Part("thought", "thought", safe(event.reasoning))
                if event.text.strip():
                    cut = ", cut off" if event.finish in ("incomplete", "length") else ""
                    yield Part("answer", line(event.model) + cut, safe(event.text))
            case DecisionMade(outcome="denied") as event:
                why = "; ".join(filter(None, (event.comment, *event.reasons)))
                yield Part("notice", f"{line(event.tool)} was denied" + (f": {line(why)}" if why else ""))
            case ToolFinished() as event:
                yield from _tool(event, safe, line)
            case ModelSwitched() as event:
                yield Part("notice", f"now {line(event.provider)} · {line(event.model)}")
            case Compacted() as event:
                yield Part("summary", f"{event.headline} · {line(event.origin)}", safe(event.summary))
            case AsideAnswered() as event:
                cut = ", cut off" if event.finish in ("incomplete", "length") else ""
                text = f"{event.question.strip()}\n\n{event.answer.strip()}"
                yield Part("aside", f"beside the conversation · {line(event.model)}{cut}", safe(text))
            case (Nudged() | ResultsTrimmed()) as event:
                yield Part("notice", line(event.notice.text))
            case Noticed() as event:
                yield Part("notice", f"{event.level}: {line(event.text)}")
            case FilesRestored() as event:
                yield Part("notice", f"{event.kind}: {event.count:,} put back, {len(event.left):,} left alone")
            case Rewound() as event:
                yield Part("notice", f"went back to before: {line(event.prompt)}")
            case TurnEnded(reason="interrupted" | "denied"):
                yield Part("notice", "turn stopped")
            case _:
                pass


def _tool(event: ToolFinished, safe: Callable[[str], str], line: Callable[[str], str]) -> Iterator[Part]:
    def cut(text: str) -> str:
        return bound(safe(text), max_lines=MOST_LINES, max_characters=MOST_CHARACTERS)

    said = f"{line(event.tool)} {line(event.title)}".strip()
    code = "" if event.exit_code in (None, 0) else f", exit {event.exit_code}"
    yield Part("tool", f"{said} ({event.status}{code})", cut(event.content))
    for file in event.files:
        if file.diff:
            yield Part("tool", f"{line(file.path)} +{file.added} −{file.removed}", cut(file.diff), diff=True)


# ---- Markdown ----

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_SPAN = re.compile(r"(?<![\\`])(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|!\[")


def markdown(title: str, records: Sequence[Record], redact: Callable[[str], str]) -> str:
    """The page as Markdown.

    Answers stand as they were written, but with markup and pictures, which a viewer would run or fetch, shown as text,
    and an open fence in one is closed; what tools said is fenced so that nothing in it ends the fence.
    """
    lines = [f"# {_plain(redact(one_line(title))) or 'A session'}", ""]
    for part in parts(records, redact):
        match part.kind:
            case "head":
                lines += [_plain(part.line), ""]
            case "prompt":
                lines += [f"## {part.line}", "", *_tame(part.text, "> "), ""]
            case "answer":
                lines += [f"### {_plain(part.line)}", "", *_tame(part.text), ""]
            case "thought" | "summary" | "aside":
                lines += [f"*{_plain(part.line)}*", "", *_tame(part.text, "> "), ""]
            case "tool":
                lines += [f"- {_plain(part.line)}", ""]
                if part.text.strip():
                    lines += [*_fenced(part.text, "diff" if part.diff else ""), ""]
            case "notice":
                lines += [f"*{_plain(part.line)}*", ""]
    return "\n".join(lines).rstrip() + "\n"


def _plain(text: str) -> str:
    """A line in which nothing is Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", text)


def _fenced(text: str, language: str) -> list[str]:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *text.rstrip("\n").split("\n"), fence]


def _tame(text: str, quote: str = "") -> list[str]:
    """The lines of a text in Markdown, `quote` before each: with its markup shown and its last fence closed.

    Where that does not help, as with a fence that a list ends before its time, all of it goes into a fence.
    """
    lines = [(quote + row).rstrip() for row in _escaped(text)]
    if _is_tame("\n".join(lines)):
        return lines
    return [(quote + row).rstrip() for row in _fenced(text, "markdown")]


def _is_tame(text: str) -> bool:
    from markdown_it import MarkdownIt

    end = "the end"
    tokens = MarkdownIt("commonmark").parse(f"{text}\n\n{end}")
    found = {child.type for token in tokens for child in token.children or ()} | {token.type for token in tokens}
    ended = tokens[-1].type == "paragraph_close" and tokens[-2].content == end and tokens[-1].level == 0
    return ended and not found & {"html_block", "html_inline", "image"}


def _escaped(text: str) -> list[str]:
    lines: list[str] = []
    fence = ""
    for row in text.strip("\n").split("\n"):
        found = _FENCE.fullmatch(row)
        if fence:
            if found and found["fence"].startswith(fence) and not found["info"].strip():
                fence = ""
        elif found and not (found["fence"][0] == "`" and "`" in found["info"]):
            fence = found["fence"]
        else:
            row = _shown(row)
        lines.append(row)
    return [*lines, fence] if fence else lines


def _shown(row: str) -> str:
    """With `<` and pictures shown as they are written, outside of `code`."""
    shown, at = [], 0
    for span in _SPAN.finditer(row):
        shown += [_MARKUP.sub(r"\\\g<0>", row[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*shown, _MARKUP.sub(r"\\\g<0>", row[at:])])


# ---- HTML ----

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
pre, .text {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }}
pre {{ font: 13px/1.4 ui-monospace, monospace; border-left: 3px solid #8888; padding-left: .8rem; }}
.prompt {{ border-left: 3px solid #48f; padding-left: .8rem; margin-top: 2rem; }}
.line, .notice, summary {{ color: #777; font-size: 14px; }}
.add {{ color: #080; }}
.cut {{ color: #c00; }}
</style>
</head>
<body>
<h1>{title}</h1>
"""


def html(title: str, records: Sequence[Record], redact: Callable[[str], str]) -> str:
    """The page as one HTML file: no script, nothing fetched, every text escaped."""
    name = escape(redact(one_line(title))) or "A session"
    rows = [_HEAD.format(title=name)]
    for part in parts(records, redact):
        line, text = escape(part.line), escape(part.text)
        match part.kind:
            case "head":
                rows.append(f'<p class="line">{line}</p>\n')
            case "prompt" | "answer":
                rows.append(
                    f'<div class="{part.kind}"><p class="line">{line}</p><div class="text">{text}</div></div>\n'
                )
            case "notice":
                rows.append(f'<p class="notice">{line}</p>\n')
            case _ if part.text.strip():
                body = "\n".join(map(_coloured, text.split("\n"))) if part.diff else text
                rows.append(f"<details><summary>{line}</summary><pre>{body}</pre></details>\n")
            case _:
                rows.append(f'<p class="line">{line}</p>\n')
    return "".join([*rows, "</body>\n</html>\n"])


def _coloured(line: str) -> str:
    kind = {"+": "add", "-": "cut"}.get(line[:1])
    return f'<span class="{kind}">{line}</span>' if kind else line
