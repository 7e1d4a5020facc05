"""How long a large diff takes to appear and to page through, beside a small one: `python benchmarks/diff.py`."""

import asyncio
import gc
import random
import statistics
import sys
import time
from pathlib import Path

from textual.app import App, ComposeResult

from tui_agent.config.themes import load_themes
from tui_agent.tui.theming import Palette, textual_theme
from tui_agent.tui.widgets.diff_view import DiffView
from tui_agent.workspace.changes import FileChange
from tui_agent.workspace.diff import diff_change

THEME = load_themes((Path(__file__).parents[1] / "themes",))[0]["slate"]
PAGES = 60


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


def change(lines: int, edits: int) -> FileChange:
    """A file of code with scattered edits, insertions and removals."""
    chance = random.Random(7)
    before = [
        f"    value_{number} = compute(row[{number % 97}], scale={number})\n" if number % 12 else "\n"
        for number in range(lines)
    ]
    after = list(before)
    for place in sorted(chance.sample(range(lines), edits), reverse=True):
        kind = chance.randrange(3)
        if kind == 0:
            after[place] = after[place].rstrip("\n") + "  # edited\n"
        elif kind == 1:
            after.insert(place, f"    inserted_{place} = None\n")
        else:
            del after[place]
    old, new = "".join(before).encode(), "".join(after).encode()
    return FileChange("/project/big.py", "big.py", old, new, None)


async def measure(lines: int, edits: int, layout: str) -> dict[str, float]:
    """Seconds for: the comparison, comparison to first paint, a page down (median and p95)."""
    prepared = change(lines, edits)
    app = DiffApp(layout)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        start = time.perf_counter()
        diff = diff_change(prepared)
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


async def main() -> int:
    """Print both sizes and their ratios; 1 when a budget is missed."""
    missed = 0
    await measure(1_000, 25, "unified")  # imports and caches
    gc.freeze()  # as the program does after its first paint
    for layout in ("unified", "split"):
        small, large = await measure(1_000, 25, layout), await measure(20_000, 500, layout)
        print(f"{layout:<10}{'1,000 lines':>14}{'20,000 lines':>14}{'ratio':>8}")
        for name in small:
            ratio = large[name] / small[name]
            print(f"  {name:<18}{small[name] * 1e3:>4.1f} ms{large[name] * 1e3:>11.1f} ms{ratio:>8.1f}")
        missed += large["first paint"] > 0.3
        missed += large["page down, p95"] > 0.02
    print("within the budget" if not missed else "budget missed: first paint 0.3 s, page down 20 ms")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
