"""The progress of a download: one line rewritten on a terminal, a line now and then elsewhere."""

import os
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from tui_agent.text.sanitize import one_line

if TYPE_CHECKING:
    from tui_agent.providers.embedded.download import PullProgress

REDRAW_SECONDS = 0.1
LINE_SECONDS = 10.0
"""Between lines where nothing can be rewritten."""
WINDOW_SECONDS = 15.0
"""How much of the past the speed is taken from; wheels come in bursts."""
BAR_WIDTHS = (8, 30)


class Speed:
    """Bytes a second over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def take(self, now: float, done: int) -> float:
        """Note how many bytes are done `now`; returns the speed. Fewer than before begins anew."""
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        samples.append((now, done))
        while len(samples) > 2 and samples[1][0] <= now - WINDOW_SECONDS:
            samples.popleft()
        seconds = now - samples[0][0]
        return (done - samples[0][1]) / seconds if seconds > 0 else 0.0


class Bar:
    """Writes to a terminal or to a file; nothing of it stays on a terminal after `clear`."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self._live = out.isatty() and environ.get("TERM", "dumb") != "dumb"
        self._full, self._empty = "█░" if (out.encoding or "").lower().replace("-", "") == "utf8" else "#."
        self._speed = Speed()
        self._stage = ""
        self._failures = 0
        self._due = 0.0
        self._drawn = False

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._out.write(one_line(text) + "\n")
        self._out.flush()

    def show(self, progress: "PullProgress") -> None:
        """Draw, unless it was done a moment ago."""
        now = time.monotonic()
        loading = progress.stage == "downloading"
        speed = self._speed.take(now, progress.done) if loading else 0.0
        for failure in progress.failed[self._failures :]:
            self.say(failure)
        self._failures = len(progress.failed)
        stage = f"from {progress.source}" if loading else "checking SHA-256"
        if stage != self._stage:
            self._stage = stage
            if loading or not self._live:
                self.say(stage)
            self._due = now if self._live else now + LINE_SECONDS
        if now < self._due:
            return
        if not self._live:
            self._due = now + LINE_SECONDS
            self.say(" ".join(pieces(progress, speed)))
            return
        self._due = now + REDRAW_SECONDS
        columns = self._columns()
        self._out.write(f"\r{bar_line(progress, speed, columns, self._full, self._empty)}\x1b[K")
        self._out.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._drawn = False

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or 80
        except OSError:
            return 80


def pieces(progress: "PullProgress", speed: float) -> list[str]:
    """What there is to say, most important first; `speed` in bytes a second, below 1 for unknown."""
    done, total = progress.done, progress.total
    said = [f"{done * 100 // total:3} %"]
    if progress.stage == "checking":
        return [*said, "checking SHA-256"]
    said.append(f"{done / 1e6:,.0f}/{total / 1e6:,.0f} MB")
    if speed >= 1:
        said += [f"{speed / 1e6:.1f} MB/s", f"{duration((total - done) / speed)} left"]
    return said


def bar_line(progress: "PullProgress", speed: float, columns: int, full: str, empty: str) -> str:
    """One line narrower than the terminal: what there is to say, and a bar if there is room for it."""
    said = pieces(progress, speed)
    while len(said) > 1 and len("  ".join(said)) >= columns:
        said.pop()
    text = "  ".join(said)
    least, most = BAR_WIDTHS
    width = min(most, columns - 1 - len(text) - 2)
    if width >= least:
        filled = progress.done * width // progress.total
        text = f"{full * filled}{empty * (width - filled)}  {text}"
    return text[: max(0, columns - 1)]


def duration(seconds: float) -> str:
    """Roughly how long, for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
