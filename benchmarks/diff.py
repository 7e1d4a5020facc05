"""A large diff alone, in this process and without a terminal: comparing, first paint, paging, beside a small one."""

import asyncio
import statistics
import sys
import time
from pathlib import Path

from textual.app import App, ComposeResult

from benchmarks.changes import change
from benchmarks.report import Row, alone, compared_to
from tui_agent.config.themes import load_themes
from tui_agent.tui.collecting import Collector
from tui_agent.tui.theming import Palette, textual_theme
from tui_agent.tui.widgets.diff_outline import Outline
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.workspace.diff import diff_change

THEME = load_themes((Path(__file__).parents[1] / "themes",))[0]["slate"]
PAGES = 40


class DiffApp(App[None]):
    """Only a diff."""

    CSS = "DiffView { width: 1fr; height: 1fr; }"

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.palette = Palette(THEME)
        self.register_theme(textual_theme(THEME))
        self.theme = THEME.name
        self.view = DiffView("split" if layout == "split" else "unified")

    def compose(self) -> ComposeResult:
        """The view."""
        yield self.view

    def paint(self) -> str:
        """Paint the whole screen, as a frame that changed everywhere; what it says."""
        self.screen._refresh_layout()
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


async def show(lines: int, edits: int, layout: str) -> dict[str, float]:
    """Seconds for: the comparison, comparison to first paint, a page down (median and p95)."""
    prepared = change(lines, edits)
    app = DiffApp(layout)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        start = time.perf_counter()
        diff = Outline.of(diff_change(prepared))
        compared = time.perf_counter() - start
        app.view.show_diff(diff)
        seen = {app.paint()}
        first = time.perf_counter() - start
        pages = []
        for _ in range(PAGES):
            start = time.perf_counter()
            app.view.scroll_page_down(animate=False, force=True)
            seen.add(app.paint())
            pages.append(time.perf_counter() - start)
            await asyncio.sleep(0.05)  # highlighting goes on meanwhile, as it would while somebody reads
    if lines > 10_000 and len(seen) < PAGES:
        raise AssertionError("the pages were not painted")
    return {
        "compare": compared,
        "first paint": first,
        "page down": statistics.median(pages),
        "page down, p95": statistics.quantiles(pages, n=20)[-1],
    }


def measure(quick: bool = False) -> list[Row]:
    """Both layouts, small and large."""
    asyncio.run(show(1_000, 25, "unified"))  # imports and caches
    collector = Collector()
    collector.begin()  # as the program does after its first paint
    rows: list[Row] = []
    for layout in ("unified",) if quick else ("unified", "split"):
        small, large = (
            [asyncio.run(show(*size, layout)) for _ in range(1 if quick else 3)]
            for size in ((1_000, 20), (20_000, 500))
        )
        for name, scale, unit, limit in (
            ("compare", 1, "s", None),
            ("first paint", 1, "s", 0.3),
            ("page down", 1e3, "ms", None),
            ("page down, p95", 1e3, "ms", 20.0),
        ):
            base, row = (
                Row(f"{name}, {layout}, {lines} lines", tuple(run[name] * scale for run in runs), unit, limit=limit)
                for lines, runs in (("1,000", small), ("20,000", large))
            )
            rows += [base, compared_to(base, row, to="1,000 lines")]
    collector.end()
    return rows


if __name__ == "__main__":
    sys.exit(alone(__doc__, measure))
