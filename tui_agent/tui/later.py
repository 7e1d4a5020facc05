"""One-shot timers that always come.

Textual's own are lost when the thread is held up for longer than their delay in the moment in which they begin, as
happens on a machine that a model keeps busy: whoever waits for one then waits for ever.
"""

import asyncio
from collections.abc import Callable

from textual.widget import Widget


def later(widget: Widget, seconds: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
    """Call back once, in the widget's turn, unless it is gone by then; the handle can cancel it."""

    def due() -> None:
        if widget.is_running:
            widget.call_next(callback)

    return asyncio.get_running_loop().call_later(max(0.0, seconds), due)
