"""The text of a hunk while it is edited: everything in it can be seen, and what comes back is exact."""

from typing import Final

from tui_agent.text.sanitize import read_back, spell_out


class HunkDraft:
    """`shown` is what an editor starts with.

    Characters that nobody would see are spelled out (`<U+202E>`); the line ending that all lines share, and that of the
    last line, are left out and come back. `like` is a text whose endings are taken where there are none.
    """

    def __init__(self, text: str, like: str = "") -> None:
        self._text: Final = text
        sample = text or like
        self._crlf: Final = "\n" in sample and sample.count("\n") == sample.count("\r\n")
        self._ended: Final = text.endswith("\n") or not text
        if self._crlf:
            text = text.replace("\r\n", "\n")
        self.shown: Final = spelled(text.removesuffix("\n"))

    def read(self, typed: str) -> str:
        """The text that was made of it."""
        if typed == self.shown:
            return self._text
        text = read_back(typed)
        if self._ended and text:
            text += "\n"
        return text.replace("\n", "\r\n") if self._crlf else text


def spelled(text: str) -> str:
    """Spelled out, but for tabs, which can be seen in an editor."""
    return "\t".join(map(spell_out, text.split("\t")))
