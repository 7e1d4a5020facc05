"""The answer as it is shown, and the calls in it that wait for what follows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tui_agent.conversation.events import TextDelta
from tui_agent.providers.text_calls import intent
from tui_agent.providers.text_calls.holds import Place


class FoundCall(NamedTuple):
    """A call: the name of the tool, its arguments as JSON, and where in the text it stood."""

    name: str
    arguments: str
    start: int
    end: int


@dataclass(slots=True)
class _Part:
    """A part of a reply from its first call on: prose, or what was held and the calls in it."""

    text: str
    held: bool = False
    calls: tuple[FoundCall, ...] = ()


class Answer:
    """Prose is shown at once until the first call; from there on everything waits for `finish` or `release`."""

    def __init__(self) -> None:
        self.prose = ""  # the last of it
        self.spoken = False
        self.waiting = 0  # calls that wait
        self._parts: list[_Part] = []
        self._must_be_last: _Part | None = None
        self._must_end_line: _Part | None = None
        self._shown: list[str] = []
        self._blank: list[str] = []  # white space, shown with what follows it

    @property
    def empty(self) -> bool:
        """Nothing was said and nothing waits."""
        return not self.spoken and not self._parts

    def say(self, text: str, *, prose: bool = True) -> None:
        """Text that is no call; `prose` is false for code."""
        if not text:
            return
        if prose:
            self.prose = (self.prose + text)[-intent.REMEMBERED :]
        if not self._parts:
            self._show(text)
            return
        self._parts.append(_Part(text))
        if self._must_end_line is not None:
            line, line_break, _ = text.partition("\n")
            self._demote(self._must_end_line if line.strip() else None)
            if line.strip() or line_break:
                self._must_end_line = None
        if not text.isspace():
            self._demote(self._must_be_last)
            self._must_be_last = None
            if not self.waiting:
                self.release()

    def hold(self, text: str, calls: tuple[FoundCall, ...], place: Place = "anywhere", after: str = "") -> None:
        """Text that is calls, or (without calls) an echo that goes when a call follows.

        `after` is what stands before it on its line: in the middle of a sentence that goes on it is only mentioned.
        """
        part = _Part(text, held=True, calls=calls)
        self._parts.append(part)
        if place in ("last", "alone") or (place == "edge" and (self.spoken or self.waiting)):
            self._must_be_last = part
        if after.strip() and after.rstrip()[-1] not in ":.!?":
            self._must_end_line = part
        self.waiting += len(calls)

    def release(self) -> None:
        """Show all that waits as the text it is."""
        parts, self._parts, self.waiting = self._parts, [], 0
        self._must_be_last = self._must_end_line = None
        self._show("".join(part.text for part in parts))

    def finish(self) -> tuple[FoundCall, ...]:
        """The calls that are meant; what is left to show are the prose around them, or without calls everything."""
        calls = tuple(call for part in self._parts for call in part.calls)
        if not calls or any(intent.is_taken_back(prose) for prose in self._runs()):
            self.release()
            self._shown += self._blank
            self._blank = []
            return ()
        self._blank = []
        for prose in filter(None, map(str.strip, self._runs())):
            self._show(f"\n\n{prose}" if self.spoken else prose)
        return calls

    def since_call(self) -> str:
        """The end of the prose behind the last call."""
        run: list[str] = []
        length = 0
        for part in reversed(self._parts):
            if part.held or length > intent.REMEMBERED:
                break
            run.append(part.text)
            length += len(part.text)
        return "".join(reversed(run))

    def take_shown(self) -> list[TextDelta]:
        """What can be shown since the last time."""
        shown, self._shown = "".join(self._shown), []
        return [TextDelta(shown)] if shown else []

    def _show(self, text: str) -> None:
        body = text.rstrip()
        if not body:
            self._blank.append(text)
            return
        self._shown += (*self._blank, body)
        self._blank = [text[len(body) :]]
        self.spoken = True

    def _demote(self, part: _Part | None) -> None:
        """What was taken for a call is text."""
        if part is not None and part.held:
            self.waiting -= len(part.calls)
            part.calls, part.held = (), False

    def _runs(self) -> Iterator[str]:
        """The prose behind each held part."""
        run: list[str] = []
        for part in self._parts[1:]:
            if part.held:
                yield "".join(run)
                run = []
            else:
                run.append(part.text)
        yield "".join(run)
