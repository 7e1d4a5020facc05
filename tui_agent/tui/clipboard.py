"""What leaves the transcript: text for the clipboard, links for the desktop."""

from typing import Any

from textual.app import App

from tui_agent.tui.widgets.transcript.copying import amount

SAFE_COPY = 100_000
LARGEST_COPY = 4_000_000
"""Bytes that most terminals take into the clipboard, and those that are not even tried."""


def copy(app: App[Any], text: str, what: str) -> None:
    """Put a text into the clipboard and say how much it is; `what` says of what it was copied."""
    size = len(text.encode())
    if size > LARGEST_COPY:
        said = f"not copied: {size:,} bytes are more than terminals take; select less"
        app.notify(said, severity="warning", timeout=4, markup=False)
        return
    app.copy_to_clipboard(text)
    said = f"copied {amount(text, what)}"
    if size > SAFE_COPY:
        app.notify(f"{said}; many terminals cut so much", severity="warning", timeout=4, markup=False)
    else:
        app.notify(said, timeout=2, markup=False)


async def open_or_copy(app: App[Any], url: str) -> None:
    """Open a link on the desktop; where there is none, put it into the clipboard."""
    from tui_agent.tui.opening import open_link

    if await open_link(url):
        app.notify(f"opened {url}", timeout=4, markup=False)
    else:
        app.copy_to_clipboard(url)
        app.notify(f"nothing here opens links; copied {url}", timeout=4, markup=False)
