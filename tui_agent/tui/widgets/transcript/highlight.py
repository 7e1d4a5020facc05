"""Colour code line by line, each line once, carrying the lexer's state from one line to the next."""

import re
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tui_agent.tui.widgets.transcript.lines import Span, Spans, text_of

if TYPE_CHECKING:
    from pygments.lexer import Lexer

# Names people write on fences that are not worth a search through every lexer.
_PLAIN = frozenset({"", "text", "txt", "plain", "plaintext", "output", "none"})

_WORD = re.compile("[:;,={]")
_COMMENT = "syntax.Comment.Multiline"
_OPERATOR = "syntax.Operator"

# The diff lexer speaks of what the theme has its own colours for.
_GENERIC = {
    "Inserted": "added",
    "Deleted": "removed",
    "Heading": "muted",
    "Subheading": "muted",
    "Output": "muted",
    "Prompt": "faint",
}


class LineHighlighter:
    """Lexes one line after another.

    A lexer with a table of states is driven from here, because Pygments keeps the state of a finished text to itself.
    Constructs that a lexer sees as states (Python's triple quotes, template literals, here-documents) go on over lines
    that way, block comments by a flag; a construct that one pattern matches across lines is coloured line by line. So
    the cost is linear in the lines whatever is open, and a line that was coloured never changes.
    """

    def __init__(self, language: str) -> None:
        self._lexer = lexer_for(language)
        self._stack: list[str] = ["root"]
        self._in_comment = False
        # Lexers match a whole `/* … */` with one pattern, which a line alone cannot.
        self._block_comments = self._lexer is not None and _has_block_comments(self._lexer)

    def line(self, text: str) -> Spans:
        """The spans of a line (without its newline), in roles `code` and `syntax.…`; their text is `text`."""
        lexer = self._lexer
        if lexer is None or not text:
            return ((text, "code"),) if text else ()
        spans: list[Span] = []
        if self._in_comment:
            end = text.find("*/")
            if end < 0:
                return ((text, _COMMENT),)
            self._in_comment = False
            spans.append((text[: end + 2], _COMMENT))
            text = text[end + 2 :]
        try:
            tokens = self._run(lexer, text + "\n")
        except Exception:
            # Some hundred lexers by as many authors: one that fails costs the colours, not the program.
            self._lexer = None
            tokens = [((), text)]
        rest = 0
        for token, value in tokens:
            piece = value.rstrip("\n") if rest + len(value) >= len(text) else value
            rest += len(value)
            if not piece:
                continue
            role = _role(token)
            if spans and spans[-1][1] == role:
                spans[-1] = (spans[-1][0] + piece, role)
            else:
                spans.append((piece, role))
        return self._open_comment(spans) if self._block_comments and "/*" in text else tuple(spans)

    def fork(self) -> "LineHighlighter":
        """A copy in the same state."""
        other = copy(self)
        other._stack = list(self._stack)
        return other

    def _run(self, lexer: "Lexer", text: str) -> list[tuple[Any, str]]:
        from pygments.lexer import ExtendedRegexLexer, RegexLexer

        if not isinstance(lexer, RegexLexer) or isinstance(lexer, ExtendedRegexLexer):
            return [(token, value) for _, token, value in lexer.get_tokens_unprocessed(text)]
        return _drive(lexer, text, self._stack)

    def _open_comment(self, spans: list[Span]) -> Spans:
        """Turn what follows a `/*` that this line does not close into a comment, and remember that one is open."""
        before: list[Span] = []
        for index, (part, role) in enumerate(spans):
            at = part.find("/*") if role in (_OPERATOR, "code") else -1
            comment = part[at:] + text_of(spans[index + 1 :])
            if at >= 0 and "*/" not in comment:
                self._in_comment = True
                del self._stack[1:]
                return (*before, *(((part[:at], role),) if at else ()), (comment, _COMMENT))
            before.append((part, role))
        return tuple(spans)


def _drive(lexer: Any, text: str, stack: list[str]) -> list[tuple[Any, str]]:
    """Run a lexer's state table over a line, beginning with `stack` and leaving the state at its end in it.

    `lexer` is a Pygments RegexLexer; its processed table (`_tokens`) has rows of (match, action, new state).
    """
    from pygments.token import Error, Whitespace, _TokenType

    table = lexer._tokens
    rules = table[stack[-1]]
    found: list[tuple[Any, str]] = []
    position = 0
    idle = 0  # matches of nothing in a row: a table may loop on them
    while position < len(text):
        for match_at, action, new_state in rules:
            match = match_at(text, position)
            if match is None:
                continue
            if action is not None:
                if type(action) is _TokenType:
                    found.append((action, match.group()))
                else:
                    found.extend((token, value) for _, token, value in action(lexer, match))
            idle = idle + 1 if match.end() == position else 0
            position = match.end()
            if new_state is not None:
                _change(stack, new_state)
                rules = table[stack[-1]]
            break
        else:
            idle = 100
        if idle >= 100:
            idle = 0
            if text[position] == "\n":
                stack[:] = ["root"]
                found.append((Whitespace, "\n"))
            else:
                found.append((Error, text[position]))
            rules = table[stack[-1]]
            position += 1
    return found


def _change(stack: list[str], new_state: Any) -> None:
    """Apply a transition as Pygments does: a name to push, a number to pop, `#pop`, `#push`, or several."""
    if isinstance(new_state, int):
        del stack[max(1, len(stack) + new_state) :]
        return
    for state in new_state if isinstance(new_state, tuple) else (new_state,):
        if state == "#pop":
            if len(stack) > 1:
                stack.pop()
        else:
            stack.append(stack[-1] if state == "#push" else state)
    # A file of unbalanced brackets must not grow the stack without end.
    if len(stack) > 500:
        del stack[1:-250]


@lru_cache(64)
def lexer_for(language: str) -> "Lexer | None":
    """The lexer of a language as written on a fence, or None.

    Besides names these are file names' endings, paths, and names with something behind a colon or comma, or in braces.
    """
    name = language.strip("{}. ").lower()
    if name in _PLAIN:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    for candidate in dict.fromkeys((name, name.rpartition(".")[2], _WORD.split(name)[0])):
        try:
            return get_lexer_by_name(candidate, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
    return None


@lru_cache(64)
def _has_block_comments(lexer: "Lexer") -> bool:
    return any(
        value.startswith("/*") and _role(token).startswith("syntax.Comment")
        for token, value in lexer.get_tokens("/* a */")
    )


@lru_cache(512)
def _role(token: Any) -> str:
    """`syntax.` and the token type's path; text and names without a kind are just `code`."""
    if not token or token[0] in ("Text", "Error", "Escape", "Other") or tuple(token) == ("Name",):
        return "code"
    if token[0] == "Generic":
        return _GENERIC.get(token[1], "code") if len(token) > 1 else "code"
    return "syntax." + ".".join(token)
