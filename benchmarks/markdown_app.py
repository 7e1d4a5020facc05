"""What streaming costs with Textual's own Markdown widget: `python -m benchmarks.markdown_app URL` shows one answer."""

import asyncio
import json
import sys
from urllib.parse import urlsplit

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Markdown, TextArea


class MarkdownApp(App[None]):
    """A transcript of one answer above a prompt, written through the widget's stream."""

    CSS = "VerticalScroll { height: 1fr; } TextArea { height: 4; }"

    def __init__(self, url: str) -> None:
        super().__init__()
        self._address = urlsplit(url)
        self._answer = Markdown()

    def compose(self) -> ComposeResult:
        """The widgets."""
        with VerticalScroll() as scroll:
            scroll.anchor()
            yield self._answer
        yield TextArea()
        yield Footer()

    def on_mount(self) -> None:
        """Ask once everything is there."""
        self.set_timer(0.5, lambda: self.run_worker(self._stream()))

    async def _stream(self) -> None:
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        path = f"{self._address.path}chat/completions"
        writer.write(f"POST {path} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        stream = Markdown.get_stream(self._answer)
        async for line in reader:
            if line.startswith(b"data: {"):
                await stream.write(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
        await stream.stop()
        writer.close()


if __name__ == "__main__":
    MarkdownApp(sys.argv[1]).run()
