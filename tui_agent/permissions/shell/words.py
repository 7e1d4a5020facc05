"""The part of the shell's grammar that means what it says: words, quotes, and commands one after another.

Everything else is not read at all, so what is read here is read as `bash` reads it (bash 5.2 manual, 3.1 and 3.2).
"""

import re
from typing import Final

from tui_agent.permissions.shell.script import SimpleCommand

# Unquoted, each of these may make another word, or several, out of what is written; or begins a comment.
_WHY: Final = {
    "\\": "it escapes a character: \\",
    "{": "it may make several words of one: {…}",
    "}": "it may make several words of one: {…}",
    "*": "it picks files by a pattern: *",
    "?": "it picks files by a pattern: ?",
    "[": "it picks files by a pattern: […]",
    "]": "it picks files by a pattern: […]",
    "~": "it names a home directory: ~",
    "$": "it works out a value when it runs: $",
    "!": "it holds an unquoted !",
    "#": "it holds a comment",
    "`": "it runs a command to make up part of another: `…`",
}
# In double quotes a backslash escapes four characters and is one before others; a dollar in front of these is one too.
_QUOTED: Final = re.compile(r'"((?:[^"\\$`]|\\[^\n]|\$(?=["|) ]))*)"')
_ESCAPED: Final = re.compile(r'\\([$`"\\])')
# A word of its own, as `find` takes it; and what Git takes, in braces that hold neither a comma nor dots.
_ESCAPED_WORD: Final = re.compile(r"\\?(!)(?=[ \t])|\\([()])(?=[ \t\n;&|]|\Z)")
_REFLOG: Final = re.compile(r"@\{[0-9A-Za-z-]+\}|\^\{[a-z]*\}")
_BRACKET: Final = re.compile(r"[\[\]](?=[ \t\n;&|]|\Z)")
_ENDS_WORD: Final = frozenset(" \t\n|&;()<>")
_AFTER_INPUT: Final = frozenset({"<", ">", "(", "&"})
_ASSIGNS: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\+?=")
# fmt: off
_RESERVED: Final = frozenset(
    {
        "if", "then", "elif", "else", "fi", "for", "in", "until", "while", "do", "done", "case", "esac", "coproc",
        "select", "function", "time", "!", "{", "}", "[[", "]]",
    }
)
# fmt: on
_DISCARDING: Final = re.compile(r"(?:(?:[12]?>>?|&>>?|0?<)[ \t]*/dev/null|[12]?>&[12])(?=[ \t\n|&;]|\Z)")


class NotPlain(Exception):
    """The line is not of the plain part of the grammar."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.commands: list[SimpleCommand] = []

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def blanks(self, also: str = "") -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t" + also:
            self.at += 1

    def script(self) -> list[SimpleCommand]:
        self.blanks("\n")
        if self.at == len(self.text):
            raise NotPlain("there is nothing to run")
        after = ""
        while self.at < len(self.text):
            self.commands.append(self.command(after))
            after = self.connection()
        return self.commands

    def connection(self) -> str:
        """What stands between two commands; "" at the end."""
        if self.at == len(self.text):
            return ""
        two = self.peek(2)
        if two in ("&&", "||"):
            self.at += 2
        elif two not in (";;", ";&", "|&") and two[0] in ";|\n":
            self.at += 1
        else:
            raise NotPlain(f"`{two.strip()}` stands between commands")
        needs_more = two[0] not in ";\n"
        self.blanks("\n")
        if needs_more and self.at == len(self.text):
            raise NotPlain("its end is missing")
        return two if two in ("&&", "||") else two[0].replace("\n", ";")

    def command(self, after: str) -> SimpleCommand:
        start = self.at
        end = start
        words: list[str] = []
        inputs: list[str] = []
        discards = False
        while True:
            self.blanks()
            if found := _DISCARDING.match(self.text, self.at):
                self.at = end = found.end()
                discards = True
                continue
            if words and self.peek() == "<" and self.text[self.at + 1 : self.at + 2] not in _AFTER_INPUT:
                self.at += 1
                self.blanks()
                inputs.append(self.word(first=False))
                end = self.at
                continue
            if self.at == len(self.text) or self.peek() in _ENDS_WORD:
                break
            words.append(self.word(first=not words, closing=words[:1] == ["["]))
            end = self.at
        if not words:
            raise NotPlain("a command is missing")
        return SimpleCommand(self.text[start:end], tuple(words), discards, after, tuple(inputs))

    def word(self, first: bool, closing: bool = False) -> str:
        """The word that stands here; `closing`: a `]` may be one."""
        text = self.text
        start = self.at
        if (first or closing) and _BRACKET.match(text, start) and (text[start] == "[") is first:
            self.at += 1
            return text[start]
        if not first and (found := _ESCAPED_WORD.match(text, start)):
            self.at = found.end()
            return found[1] or found[2]
        parts: list[str] = []
        while self.at < len(text) and (character := text[self.at]) not in _ENDS_WORD:
            if character in "'\"":
                parts.append(self.quoted(character))
            elif character in "@^" and (found := _REFLOG.match(text, self.at)):
                parts.append(found[0])
                self.at = found.end()
            elif character in _WHY and not self._is_inert(character, start):
                raise NotPlain(_WHY[character])
            else:
                parts.append(character)
                self.at += 1
        written = text[start : self.at]
        if not written:
            raise NotPlain("a word is missing")
        if first and (written in _RESERVED or _ASSIGNS.match(written)):
            raise NotPlain(f"`{written}` is a word of the shell's own grammar")
        if self.peek() in ("<", ">") and written.isdigit():
            raise NotPlain("it reads or writes a file by redirection")
        return "".join(parts)

    def quoted(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise NotPlain("a quote is not closed in it")
        if quote == "'":
            start, self.at = self.at + 1, end + 1
            return self.text[start:end]
        found = _QUOTED.match(self.text, self.at)
        if not found:
            raise NotPlain("part of a text in quotes is worked out when it runs")
        self.at = found.end()
        return _ESCAPED.sub(r"\1", found[1])

    def _is_inert(self, character: str, start: int) -> bool:
        """A tilde inside a word names no home directory (`HEAD~1`); it does at the start, and behind `=` and `:`."""
        before = self.text[self.at - 1] if self.at > start else ""
        return character == "~" and (before.isalnum() or before in ("^", "~", "_", "@")) and before.isascii()


def plain_commands(text: str) -> list[SimpleCommand]:
    """The simple commands of a line; all their words are known.

    Raises:
        NotPlain: the line has anything but words, quotes, `;`, `&&`, `||`, `|`, newlines, `< FILE`, and output thrown
            away.
    """
    return _Reader(text).script()
