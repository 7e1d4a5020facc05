"""The line above the prompt: what is going on (model, tool, or you are waited for)."""

import time
from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui_agent.text.sanitize import one_line
from tui_agent.tui.theming import UNICODE, Symbols
from tui_agent.tui.widgets.status_bar import short_count

ActivityKind = Literal["idle", "quiet", "preparing", "waiting", "receiving", "tool", "you", "retrying"]

_UNTIMED = ("idle", "quiet", "you")
_GONE_WHEN_SHORT = ("idle", "quiet")

_LEAST_STATE = 20  # columns that the state keeps when its numbers are long


class Activity(Struct, frozen=True):
    """What is going on; times are those of `time.monotonic`.

    `text` is what a provider does before it can answer (`preparing`; `quiet` when nobody waits for it), the model that
    is waited for, the tool that runs, what is asked of the user, or why it is tried again.
    `details` are said of what is prepared: how far it is and, in place of the seconds that passed, those left. `tokens`
    are those of the prompt while waiting and those received while receiving. `until` is when the next try begins.
    """

    kind: ActivityKind = "idle"
    text: str = ""
    since: float = 0.0
    details: tuple[str, ...] = ()
    tokens: int | None = None
    until: float = 0.0


def preparing(status: str, since: float) -> Activity:
    """What a provider says that it does; what follows a colon is how far it is: "loading: 45 %"."""
    head, _, rest = status.partition(": ")
    return Activity("preparing", head, since=since, details=tuple(rest.split(", ")) if rest else ())


def activity_words(activity: Activity, now: float) -> list[str]:
    """What the line says, in pieces: first the state, then its numbers."""
    text = one_line(activity.text)
    seconds = max(0, int(now - activity.since))
    match activity.kind:
        case "quiet":
            return [text, *activity.details] if text else []
        case "preparing":
            ends = any(detail.endswith(" left") for detail in activity.details)
            passed = [] if ends else [duration(seconds)]
            return [text or "getting the model ready", *activity.details, *passed]
        case "waiting":
            sent = [f"{short_count(activity.tokens)} tokens sent"] if activity.tokens is not None else []
            return [f"waiting for {text or 'the model'}", duration(seconds), *sent]
        case "receiving":
            words = ["receiving", duration(seconds)]
            if activity.tokens is not None:
                words.append(f"{short_count(activity.tokens)} tokens")
                if seconds > 0:
                    words.append(f"{activity.tokens / seconds:.0f}/s")
            return words
        case "tool":
            return [f"running {text}", duration(seconds)]
        case "you":
            return ["waiting for you", *([text] if text else [])]
        case "retrying":
            left = max(0, int(activity.until - now + 0.999))
            return [f"trying again in {duration(left)}", *([text] if text else [])]
        case _:
            return []


def duration(seconds: int) -> str:
    """Seconds for people: `8 s`, `2 min 5 s`."""
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60} s"


class ActivityLine(Widget):
    """One line, blank when idle (gone on a short screen); it wakes up twice a second, only while time counts.

    What happens in the background is told faintly and does not blink.
    """

    DEFAULT_CSS = """
    ActivityLine {
        height: auto;
        padding: 0 1 0 0;
        background: $background;
        color: $tui-muted;
        .activity--busy { color: $accent; }
        .activity--rest { color: $tui-line; }
        .activity--you { color: $warning; text-style: bold; }
        .activity--state { color: $text; }
        .activity--quiet { color: $tui-faint; }
    }
    """
    COMPONENT_CLASSES = {f"activity--{name}" for name in ("busy", "rest", "you", "state", "quiet")}
    ALLOW_SELECT = False

    def __init__(
        self, *, symbols: Symbols = UNICODE, clock: Callable[[], float] = time.monotonic, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._activity = Activity()
        self._symbols = symbols
        self._clock = clock
        self._beat: Timer | None = None
        self._lit = True

    @property
    def activity(self) -> Activity:
        """What is shown."""
        return self._activity

    @property
    def ticking(self) -> bool:
        """Whether a timer runs."""
        return self._beat is not None

    def show(self, activity: Activity) -> None:
        """Show what is going on from now on."""
        if activity == self._activity:
            return
        visible = (activity.kind in _GONE_WHEN_SHORT) != (self._activity.kind in _GONE_WHEN_SHORT)
        self._activity = activity
        counts = activity.kind not in _UNTIMED
        if counts and self._beat is None and self.is_mounted:
            self._lit = True
            self._beat = self.set_interval(0.5, self._tick)
        elif not counts and self._beat is not None:
            self._beat.stop()
            self._beat = None
        self.refresh(layout=visible)

    def on_mount(self) -> None:
        if self._activity.kind not in _UNTIMED and self._beat is None:
            self._beat = self.set_interval(0.5, self._tick)

    def _tick(self) -> None:
        self._lit = not self._lit
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line; on a screen of less than 16 lines none while nobody waits for anything."""
        return 0 if self._activity.kind in _GONE_WHEN_SHORT and viewport.height < 16 else 1

    def render_line(self, y: int) -> Strip:
        """The line for the present moment."""
        width = self.content_size.width
        words = activity_words(self._activity, self._clock())
        if not words:
            return Strip.blank(width, self.rich_style)
        yours = self._activity.kind in ("you", "retrying")
        if self._activity.kind == "quiet":
            mark = state = "activity--quiet"
        else:
            mark = "activity--you" if yours else "activity--busy" if self._lit else "activity--rest"
            state = "activity--you" if yours else "activity--state"
        numbers = Content("".join(f"  {word}" for word in words[1:]))
        room = max(_LEAST_STATE, width - 2 - numbers.cell_length)
        line = Content.assemble(
            Content.styled(self._symbols.bullet, self.get_visual_style(mark, partial=True)),
            " ",
            Content.styled(words[0], self.get_visual_style(state, partial=True)).truncate(room, ellipsis=True),
            numbers,
        ).truncate(width, ellipsis=True, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)
