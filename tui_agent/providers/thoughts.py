"""Tell thinking from answer when a server sends both as content: `<think>…</think>` at the very start."""

from typing import Literal

Kind = Literal["reasoning", "text"]

OPENING = "<think>"
CLOSING = "</think>"


class ThoughtSplitter:
    """Splits a stream of content; any cutting of it gives the same text and the same reasoning.

    Only a tag that opens the reply counts (white space may stand before it), once. White space around the thought is
    dropped. A tag that is never closed makes everything reasoning.
    """

    def __init__(self) -> None:
        self._state: Literal["start", "thinking", "thought", "answer"] = "start"
        self._held = ""

    def feed(self, piece: str) -> list[tuple[Kind, str]]:
        """The parts that are certain now, in order."""
        if self._state == "answer":
            return [("text", piece)] if piece else []
        held, parts = self._held + piece, list[tuple[Kind, str]]()
        self._held = ""
        if self._state == "start":
            begun = held.lstrip()
            if begun.startswith(OPENING):
                self._state, held = "thinking", begun[len(OPENING) :]
            elif OPENING.startswith(begun):
                self._held = held
                return parts
            else:
                self._state = "answer"
        if self._state == "thinking":
            thought, closed, held = held.partition(CLOSING)
            if closed:
                self._state = "thought"
            else:
                keep = _beginning_of_tag(thought)
                thought, self._held = thought[: len(thought) - keep], thought[len(thought) - keep :]
            if thought:
                parts.append(("reasoning", thought))
        if self._state == "thought":
            held = held.lstrip()
            self._state = "answer" if held else "thought"
        if self._state == "answer" and held:
            parts.append(("text", held))
        return parts

    def finish(self) -> list[tuple[Kind, str]]:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return [("reasoning" if self._state == "thinking" else "text", held)] if held else []


def _beginning_of_tag(text: str) -> int:
    """How many of the last characters could be the beginning of the closing tag."""
    for length in range(min(len(CLOSING) - 1, len(text)), 0, -1):
        if CLOSING.startswith(text[-length:]):
            return length
    return 0
