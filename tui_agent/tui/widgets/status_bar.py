"""The line at the top: which project, which model, how much it is given, which mode, how full the context is."""

from pathlib import PurePath
from typing import Literal, NamedTuple

from msgspec import Struct
from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.conversation.events import Mode
from tui_agent.text.sanitize import sanitize
from tui_agent.tui.theming import UNICODE, Symbols

_GAP = "  "
_CELLS = 5  # of the context bar


class StatusInfo(Struct, frozen=True):
    """What the bar shows; empty and None mean unknown, and unknown things are left out.

    `profile` is how much the model is given, where that is not everything. `reading` says that commands that only read
    run unasked. `background` is how many commands run there. `context_used` and `context_limit` are
    tokens. Without a limit only the tokens are shown: it is never guessed. `context_full` is the share of it from which
    on it is nearly full.
    """

    project: str = ""
    branch: str = ""
    provider: str = ""
    model: str = ""
    profile: str = ""
    mode: Mode = "ask"
    reading: bool = False
    context_used: int | None = None
    context_limit: int | None = None
    context_full: float = 0.8
    sandbox: str = ""
    background: int = 0


Kind = Literal["name", "path", "branch", "provider", "model", "profile", "mode", "sandbox", "context", "background"]


class Part(NamedTuple):
    """A piece of the bar: what it is, its text and the component class that colours it."""

    kind: Kind
    text: str
    style: str


# What goes first when the line is too narrow, one step after the other.
_STEPS = ("sandbox", "name", "folder", "bar", "branch", "provider", "path", "profile", "context", "background", "reads")


def short_count(count: int) -> str:
    """Tokens for people: 812, 3.1k, 24k, 1.2M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            value = count / size
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return str(count)


def status_parts(
    info: StatusInfo, width: int, home: str = "", symbols: Symbols = UNICODE
) -> tuple[list[Part], list[Part]]:
    """The parts at the left and at the right that fit into `width` columns; model and mode are the last to go."""
    dropped: set[str] = set()
    for step in (*_STEPS, ""):
        left, right = _parts(info, dropped, home, symbols)
        if _width(left) + _width(right) + (len(_GAP) if left and right else 0) <= width:
            return left, right
        dropped.add(step)
    room = max(1, width - _width(right) + sum(Content(part.text).cell_length for part in right if part.kind == "model"))
    cut = [
        part._replace(text=Content(part.text).truncate(room, ellipsis=True).plain) if part.kind == "model" else part
        for part in right
    ]
    return left, cut


def _parts(info: StatusInfo, dropped: set[str], home: str, symbols: Symbols) -> tuple[list[Part], list[Part]]:
    left = []
    right = []
    if "name" not in dropped:
        left.append(Part("name", "tui-agent", "name"))
    if info.project and "path" not in dropped:
        path = _short_path(info.project, home)
        left.append(Part("path", PurePath(path).name or path if "folder" in dropped else path, "path"))
    if info.branch and "branch" not in dropped:
        left.append(Part("branch", f"{symbols.branch} {_line(info.branch)}", "branch"))
    if info.provider and "provider" not in dropped:
        right.append(Part("provider", f"{_line(info.provider)} {symbols.separator} ", "provider"))
    right.append(Part("model", _line(info.model) or "no model", "model"))
    if info.profile and "profile" not in dropped:
        right.append(Part("profile", info.profile, "profile"))
    right.append(
        Part("mode", f"{info.mode} +reads" if info.reading and "reads" not in dropped else info.mode, info.mode)
    )
    if info.sandbox and "sandbox" not in dropped:
        right.append(Part("sandbox", f"sandbox {_line(info.sandbox)}", "sandbox"))
    if info.background and "background" not in dropped:
        right.append(Part("background", f"{info.background} running", "background"))
    if info.context_used is not None and "context" not in dropped:
        right.append(_context(info.context_used, info, "bar" not in dropped, symbols))
    return left, right


def _context(used: int, info: StatusInfo, bar: bool, symbols: Symbols) -> Part:
    if not info.context_limit:
        return Part("context", f"ctx {short_count(used)}", "context")
    share = used / info.context_limit
    style = "full" if share >= 0.95 else "nearly-full" if share >= info.context_full else "context"
    percent = f"{share:.0%}"
    if not bar:
        return Part("context", f"ctx {percent}", style)
    filled = min(_CELLS, max(int(share * _CELLS + 0.5), 1 if used else 0))
    gauge = symbols.gauge_full * filled + symbols.gauge_empty * (_CELLS - filled)
    return Part("context", f"ctx {gauge} {percent}", style)


def _width(parts: list[Part]) -> int:
    return sum(Content(part.text).cell_length + _gap_after(part) for part in parts) - (len(_GAP) if parts else 0)


def _gap_after(part: Part) -> int:
    return 0 if part.kind == "provider" else len(_GAP)


def _short_path(path: str, home: str) -> str:
    path = _line(path)
    if home and (path == home or path.startswith(f"{home}/")):
        return f"~{path[len(home) :]}"
    return path


def _line(text: str) -> str:
    return sanitize(text.replace("\r", " ")).replace("\n", " ").replace("\t", " ")


class StatusBar(Widget):
    """One line; a click on the model or the mode is posted, everything else is only told."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1;
        padding: 0 1 0 2;
        background: $surface;
        color: $tui-muted;
        .status--name { color: $accent; text-style: bold; }
        .status--path { color: $text; }
        .status--branch, .status--provider, .status--profile, .status--sandbox, .status--context { color: $tui-muted; }
        .status--model { color: $text; }
        .status--background { color: $accent; }
        .status--plan { color: $success; }
        .status--ask { color: $text; }
        .status--accept-edits { color: $warning; text-style: bold; }
        .status--auto { color: $error; text-style: bold; }
        .status--nearly-full { color: $warning; }
        .status--full { color: $error; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {
        f"status--{name}"
        for name in (
            *("name", "path", "branch", "provider", "model", "profile", "sandbox", "context", "background"),
            *("plan", "ask", "accept-edits", "auto", "nearly-full", "full"),
        )
    }
    ALLOW_SELECT = False

    class ModelClicked(Message):
        """The provider or the model was clicked."""

    class ProfileClicked(Message):
        """The profile was clicked."""

    class ModeClicked(Message):
        """The mode was clicked."""

    class ContextClicked(Message):
        """How full the context is was clicked."""

    class BackgroundClicked(Message):
        """The number of commands in the background was clicked."""

    def __init__(
        self, info: StatusInfo | None = None, *, home: str = "", symbols: Symbols = UNICODE, id: str | None = None
    ):
        super().__init__(id=id)
        self._info = info or StatusInfo()
        self._home = home
        self._symbols = symbols

    @property
    def info(self) -> StatusInfo:
        """What is shown."""
        return self._info

    def update_status(self, info: StatusInfo) -> None:
        """Show other facts; nothing is painted when they are the same."""
        if info != self._info:
            self._info = info
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The bar for the present width."""
        width = self.content_size.width
        style = self.visual_style
        left, right = self._fitting()
        gap = max(0, width - _width(left) - _width(right))
        line = Content.assemble(self._drawn(left), " " * gap, self._drawn(right)).truncate(width, pad=True)
        return Strip(line.render_segments(style), line.cell_length)

    def _fitting(self) -> tuple[list[Part], list[Part]]:
        return status_parts(self._info, self.content_size.width, self._home, self._symbols)

    def _drawn(self, parts: list[Part]) -> Content:
        pieces: list[Content | str] = []
        for index, part in enumerate(parts):
            pieces.append(Content.styled(part.text, self.get_visual_style(f"status--{part.style}", partial=True)))
            if index < len(parts) - 1:
                pieces.append(" " * _gap_after(part))
        return Content.assemble(*pieces)

    async def _on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        _, right = self._fitting()
        column = self.content_size.width - _width(right)
        for part in right:
            end = column + Content(part.text).cell_length
            if column <= offset.x < end:
                if part.kind in ("provider", "model"):
                    self.post_message(self.ModelClicked())
                elif part.kind == "profile":
                    self.post_message(self.ProfileClicked())
                elif part.kind == "mode":
                    self.post_message(self.ModeClicked())
                elif part.kind == "context":
                    self.post_message(self.ContextClicked())
                elif part.kind == "background":
                    self.post_message(self.BackgroundClicked())
                return
            column = end + _gap_after(part)
