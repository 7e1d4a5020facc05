"""Find the calls in the text of a reply, piece by piece as it streams or all at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tui_agent.conversation.events import CallGrowing, TextDelta
from tui_agent.conversation.messages import ToolSpec
from tui_agent.providers.text_calls import intent
from tui_agent.providers.text_calls.answer import Answer, FoundCall
from tui_agent.providers.text_calls.heads import LONGEST
from tui_agent.providers.text_calls.holds import (
    FENCES,
    SHELLS,
    TAGS,
    BareHold,
    FenceHold,
    Hold,
    TagHold,
    Verdict,
    closing_fence,
)
from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.providers.text_calls.shapes import MAX_CALLS

CLOSING_LINE: Final = 150
"""Characters of the longest line that closes a code block."""

_EVENT = re.compile(r"\n+|[<\[]")
_SIGN = re.compile("|".join(map(re.escape, sorted(TAGS, key=len, reverse=True))))
_LONGEST_SIGN = max(map(len, TAGS))
_SIGNS_BEGUN = frozenset(tag[:length] for tag in TAGS for length in range(1, len(tag)))
_MARGIN = re.compile(r"[ \t]{0,40}(?:(?:[-*+]|\d{1,3}[.)])[ \t]{1,10})?")
_MARGIN_BEGUN = re.compile(r"[ \t]{0,40}(?:[-*+]|\d{1,3}[.)]?)?[ \t]{0,10}")
_FENCE = re.compile(r"(?P<fence>`{3,60}|~{3,60})(?P<info>[^\n`]{0,60})\n")
_FENCE_BEGUN = re.compile(r"`{1,2}|~{1,2}|(?:`{3,60}|~{3,60})[^\n`]{0,60}")
_FENCE_END_BEGUN = re.compile(r"[ \t]{0,40}[`~]{0,60}[ \t]{0,40}\r?")
_LONGEST_BEGINNING = 200  # characters by which the beginning of a line is understood
_SPOKEN = re.compile(r"Action:|to=|functions\.")
_SPOKEN_BEGUN = frozenset(sign[:length] for sign in ("Action:", "to=", "functions.") for length in range(1, len(sign)))


class Found(NamedTuple):
    """The calls of a reply and the prose around them; without calls the prose is the text as it was."""

    calls: tuple[FoundCall, ...]
    prose: str


def find_calls(
    text: str, tools: Sequence[ToolSpec], known: Mapping[str, str] | None = None, *, prompt: str = ""
) -> Found:
    """The calls of `tools` that a whole reply means.

    `known` are other names of the tools (alias → name); `prompt` is what the user asked, which may have been for an
    example. Never raises, and takes time in proportion to the text.
    """
    stream = TextCallStream(Toolbox(tools, known), prompt)
    shown = [*stream.feed(text), *stream.finish()]
    return Found(stream.calls, "".join(event.text for event in shown if isinstance(event, TextDelta)))


@dataclass(slots=True)
class _Held:
    """Text that is held, from `start` on; `name` is the tool, once it is known."""

    hold: Hold
    start: int
    opening: str
    closing: re.Pattern[str] | None = None
    name: str = ""
    after: str = ""  # what stands before it on its line
    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)  # the last line, as far as it came
    characters: int = 0


class TextCallStream:
    """Feed it the text of one reply in pieces; it gives back what can be shown.

    Prose comes at once. What may become a call is held until that is decided, and from the first call on everything
    is: what follows can still say that it was an example. `calls` is there after `finish`. However the text is cut,
    the same is shown in all and the same calls are found.
    """

    def __init__(self, box: Toolbox, prompt: str = "") -> None:
        self.calls: tuple[FoundCall, ...] = ()
        self._box = box
        self._wanted = bool(box) and not intent.asks_for_a_form(prompt)
        self._wants_commands = not intent.asks_for_a_command(prompt)
        self._text = ""  # what is being read: what was not understood before, and the new piece
        self._at = 0
        self._base = 0  # where in the reply `_text` begins
        self._rest = ""
        self._whole = False  # nothing comes after this
        self._line_begins = True
        self._fence: re.Pattern[str] | None = None  # what closes the code block that the text is in
        self._held: _Held | None = None
        self._judged = 0  # calls that were looked at: a model that runs wild means none of them
        self._answer = Answer()

    def feed(self, piece: str) -> list[TextDelta | CallGrowing]:
        """What the piece lets be shown."""
        self._read(piece)
        events: list[TextDelta | CallGrowing] = [*self._answer.take_shown()]
        if self._held is not None and self._held.name:
            events.append(CallGrowing(self._answer.waiting, self._held.name, self._held.characters))
        return events

    def finish(self) -> list[TextDelta]:
        """The rest of what is to be shown; the calls are known now."""
        self._whole = True
        self._read("")
        while (held := self._held) is not None:
            line = "".join(held.line)
            verdict = held.hold.line(line) if line else None
            self._read(self._settle(held, verdict or held.hold.end()._replace(taken=len(line)), line))
        self.calls = self._answer.finish()
        return self._answer.take_shown()

    def release(self) -> list[TextDelta]:
        """Everything that is held, as text: nothing is a call any more, nor will be."""
        self._wanted = False
        if self._held is not None:
            self._answer.say("".join((self._held.opening, *self._held.lines, *self._held.line)))
            self._held = None
        self._answer.say(self._rest)
        self._rest = ""
        self._answer.release()
        self._answer.finish()
        return self._answer.take_shown()

    # ---- reading ----

    def _read(self, piece: str) -> None:
        self._base += len(self._text) - len(self._rest)
        self._text, self._at, self._rest = self._rest + piece, 0, ""
        while self._at < len(self._text):
            self._step()

    def _step(self) -> None:
        """Understand a little more of the text, or put it off."""
        if not self._wanted:
            self._answer.say(self._text[self._at :])
            self._at = len(self._text)
        elif self._held is not None:
            self._read_held(self._held)
        elif self._fence is not None:
            self._read_block(self._fence)
        else:
            self._read_prose()

    def _wait(self, start: int) -> None:
        """More has to come before the text from `start` on is understood."""
        self._rest = self._text[start:]
        self._at = len(self._text)

    def _read_block(self, closing: re.Pattern[str]) -> None:
        """One line of a code block that holds no call."""
        text, start = self._text, self._at
        end = text.find("\n", start) + 1
        if self._line_begins and end and closing.match(text[start : min(end, start + CLOSING_LINE)]):
            self._fence = None
        elif self._line_begins and not end and not self._whole and _FENCE_END_BEGUN.fullmatch(text, start):
            self._wait(start)
            return
        self._at = end or len(text)
        self._line_begins = bool(end)
        self._answer.say(text[start : self._at], prose=False)

    def _read_prose(self) -> None:
        """Prose up to the end of the line, or to something that may be a call."""
        text, start = self._text, self._at
        if self._line_begins and self._read_margin():
            return
        self._line_begins = False
        search = start
        while (event := _EVENT.search(text, search)) is not None:
            place = event.start()
            if event[0][0] == "\n":
                self._line_begins = True
                self._at = event.end()
                self._answer.say(text[start : self._at])
                return
            if (sign := _SIGN.match(text, place)) is not None:
                self._answer.say(text[start:place])
                before = self._answer.prose.rpartition("\n")[2]
                if not before.lstrip().startswith(">") and before.count("`") % 2 == 0:
                    closing = TAGS[sign[0]]

                    def make(opening: str = sign[0], closing: str = closing) -> Hold:
                        return TagHold(opening, closing, self._box) if closing else BareHold(opening, self._box)

                    if self._open(place, sign.end(), make, after=before):
                        return
                start = place
            elif not self._whole and len(text) - place < _LONGEST_SIGN and text[place:] in _SIGNS_BEGUN:
                self._answer.say(text[start:place])
                self._wait(place)
                return
            search = place + 1
        self._answer.say(text[start:])
        self._at = len(text)

    def _read_margin(self) -> bool:
        """The beginning of a line; true when it was dealt with, false when it is prose."""
        text, start = self._text, self._at
        margin = _MARGIN.match(text, start)
        place = margin.end() if margin is not None else start
        more = not self._whole and len(text) - start < _LONGEST_BEGINNING
        if more and _MARGIN_BEGUN.fullmatch(text, start):
            self._wait(start)
            return True
        sign = text[place : place + 1]
        if sign in ("`", "~"):
            if (fence := _FENCE.match(text, place)) is not None:
                self._read_fence(fence)
                return True
            if more and _FENCE_BEGUN.fullmatch(text, place):
                self._wait(start)
                return True
            return False
        if more and (text[place:] in _SIGNS_BEGUN or text[place:] in _SPOKEN_BEGUN):
            self._wait(start)
            return True
        begins = sign in ("{", "[") and not _SIGN.match(text, place)
        if not begins and sign.isalpha():
            begins = self._answer.empty or _SPOKEN.match(text, place) is not None
        return begins and self._begins_paragraph() and self._open(start, place, lambda: BareHold("", self._box))

    def _read_fence(self, fence: re.Match[str]) -> None:
        """The opening line of a code block."""
        closing = closing_fence(fence["fence"])
        info = (fence["info"].split() or [""])[0].lower()
        possible = info in FENCES and (info not in SHELLS or self._answer.empty)
        if possible and self._open(
            self._at, fence.end(), lambda: FenceHold(fence["fence"], info, self._box), closing=closing
        ):
            return
        self._fence = closing
        self._answer.say(self._text[self._at : fence.end()], prose=False)
        self._at = fence.end()

    def _begins_paragraph(self) -> bool:
        """The line is the first of a paragraph, or follows the end of a sentence."""
        before = self._answer.prose[-100:].rstrip(" \t\r")
        return not before.strip() or before.endswith("\n\n") or before.rstrip()[-1] in ":.!?"

    def _open(
        self,
        start: int,
        body: int,
        make: Callable[[], Hold],
        *,
        closing: re.Pattern[str] | None = None,
        after: str = "",
    ) -> bool:
        """Hold the text from `start` on if it may become a call; false when it cannot."""
        text = self._text
        hold = make()
        head = hold.judge(text[body : body + LONGEST])
        if head.possible is False:
            return False
        if head.possible is None and not self._whole and len(text) - body < LONGEST and not _ends(make(), text[body:]):
            self._wait(start)
            return True
        self._held = _Held(hold, self._base + start, text[start:body], closing, head.name, after)
        self._at = body
        return True

    def _read_held(self, held: _Held) -> None:
        """One line of the text that is held."""
        text, start = self._text, self._at
        end = text.find(held.hold.delimiter, start) + 1
        self._at = end or len(text)
        held.line.append(text[start : self._at])
        held.characters += self._at - start
        if not end:
            return
        line = "".join(held.line)
        verdict = held.hold.line(line)
        if verdict is None:
            held.lines.append(line)
            held.line = []
            return
        left = self._settle(held, verdict, line)
        if len(left) <= self._at:
            self._at -= len(left)
        else:
            # The line began in an earlier piece: at most once for each piece.
            self._base += self._at - len(left)
            self._text, self._at = left + text[self._at :], 0

    # ---- judging ----

    def _settle(self, held: _Held, verdict: Verdict, line: str) -> str:
        """What was held is a call, or is not. Returns what does not belong to it of its last line."""
        self._held = None
        raw = "".join((held.opening, *held.lines, line[: verdict.taken]))
        left = line[verdict.taken :]
        self._line_begins = verdict.taken in (0, len(line))
        if verdict.echo:
            self._answer.hold(raw, ())
        elif verdict.calls and self._is_meant(held, verdict):
            end = held.start + len(raw)
            calls = tuple(FoundCall(call.name, call.text(), held.start, end) for call in verdict.calls)
            self._answer.hold(raw, calls, verdict.place, held.after)
        else:
            self._answer.say(raw, prose=False)
            self._fence = held.closing if verdict.inside else None
        return left

    def _is_meant(self, held: _Held, verdict: Verdict) -> bool:
        """What stands before the calls lets them be meant."""
        self._judged += len(verdict.calls)
        if self._judged > MAX_CALLS:
            self._wanted = False
            self._answer.release()
            return False
        if verdict.place == "alone" and (self._answer.spoken or self._answer.waiting):
            return False
        if verdict.place == "alone" and held.closing is not None and not self._wants_commands:
            return False
        if self._answer.waiting and intent.is_alternative(self._answer.since_call()):
            self._answer.release()
            return False
        return not intent.is_quoted(self._answer.prose)


def _ends(hold: Hold, text: str) -> bool:
    """The text that is there decides already what it is."""
    *lines, _ = text.split(hold.delimiter)
    return any(hold.line(line + hold.delimiter) is not None for line in lines)
