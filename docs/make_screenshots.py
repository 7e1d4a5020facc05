"""The pictures of the documentation: the real program against a fake model server, scene by scene, as SVG.

    python docs/make_screenshots.py            writes docs/images/*.svg
    python docs/make_screenshots.py NAME …     only these

No clock, no path and no font of another server is in a picture: the same program gives the same bytes.
"""

import asyncio
import os
import re
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # run as a script, the folder of the script is there instead
    sys.path.insert(0, str(ROOT))

import pytest  # noqa: E402
from textual.pilot import Pilot  # noqa: E402
from textual.widgets import Input  # noqa: E402

from tests.fakes.chat_server import ChatServer, Reply, reply_calls, reply_text  # noqa: E402
from tests.project import Machine  # noqa: E402
from tests.tui.chat_stage import chat_app, screen_text, submit, until  # noqa: E402
from tui_agent.sandbox.enclosure import Sandbox  # noqa: E402
from tui_agent.tui.app import TuiAgent  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = (100, 28)
HOME = "/home/someone"
"""What stands for the folder that everything really lies in; their names are of the same length."""

CART = '''\
"""A cart of a shop."""

from shop.items import Item


class Cart:
    def __init__(self) -> None:
        self.items: list[Item] = []

    def add(self, item: Item) -> None:
        self.items.append(item)

    def total(self) -> float:
        result = 0.0
        for item in self.items:
            result += item.price
        return result

    def clear(self) -> None:
        self.items = []
'''
BETTER = CART.replace(
    """        result = 0.0
        for item in self.items:
            result += item.price
        return result
""",
    """        return round(sum(item.price * item.count for item in self.items), 2)
""",
).replace("A cart of a shop.", "A cart of a shop, with what is in it.")
CLEAR = "def clear(self) -> None:\n        self.items = []\n"
CLEARED = CLEAR.replace("= []", "").replace("items ", "items.clear()")
PLAN = """\
## Count items in the total

1. `shop/items.py`: give `Item` a field `count`, 1 by default.
2. `shop/cart.py`: multiply each price with it in `Cart.total`, and round to cents.
3. `tests/test_cart.py`: two of an item, and three thirds.

To check: `pytest -q tests/test_cart.py`.
"""


class Stage(NamedTuple):
    """A running program."""

    app: TuiAgent
    pilot: Pilot[int]

    async def shows(self, text: str) -> None:
        """Wait until this can be read."""
        await until(self.pilot, lambda: text in screen_text(self.app), text)

    async def asked(self, prompt: str) -> None:
        """Send a prompt, and wait until its first question can be answered."""
        await submit(self.pilot, prompt)
        await until(self.pilot, lambda: self.app.chat._questions.armed, "a question")


class Scene(NamedTuple):
    """A picture: what the model says, what the user does, and a text that is in it then."""

    script: Sequence[Reply]
    act: Callable[[Stage], Awaitable[None]]
    seen: str
    settings: dict[str, Any] = {}
    size: tuple[int, int] = SIZE


async def command(stage: Stage) -> None:
    """A question about a command of several parts."""
    await stage.asked("is everything all right? then push it")


async def write(stage: Stage) -> None:
    """A question about a change."""
    await stage.asked("count items in the total")


async def modes(stage: Stage) -> None:
    """What every mode permits."""
    await until(stage.pilot, lambda: stage.app.chat.engine.host is not None, "the engine")
    await stage.pilot.press("f12")
    await stage.shows("here and now")
    await stage.pilot.press("down")


async def plan(stage: Stage) -> None:
    """A plan to review."""
    await submit(stage.pilot, "count items in the total")
    await stage.shows("the plan waits for you")
    await stage.pilot.press("ctrl+n")
    await stage.shows("y carry it out")


async def review(stage: Stage) -> None:
    """A change decided hunk by hunk: the first one is refused."""
    await write(stage)
    await stage.pilot.press("d")
    await stage.shows("hunk 1 of 2")
    await stage.pilot.press("space")
    await stage.pilot.pause(0.6)


async def rule(stage: Stage) -> None:
    """The rule that would be saved."""
    await stage.asked("are the tests all right?")
    await stage.pilot.press("r")
    await stage.shows("enter save and allow")


async def turn(stage: Stage) -> None:
    """A turn that changed a file, and what can be done about it."""
    await write(stage)
    await stage.pilot.press("y")
    await stage.shows("Items count now")
    await stage.shows("1 file changed")


async def rewind(stage: Stage) -> None:
    """Going back to before an earlier prompt."""
    await turn(stage)
    await submit(stage.pilot, "and empty it in place")
    await until(stage.pilot, lambda: stage.app.chat._questions.armed, "the question")
    await stage.pilot.press("y")
    await stage.shows("Emptied in place")
    await stage.pilot.press("alt+g")
    await stage.shows("esc back")


RULES = {"allow": ["pytest", "network(npm install)"], "ask": ["git push"], "deny": ["rm -rf"]}
CHANGING = [
    reply_calls([("read_file", {"file_path": "shop/cart.py"})]),
    reply_calls([("write_file", {"file_path": "shop/cart.py", "content": BETTER})], first=2),
    reply_text("Items count now: `Cart.total` in `shop/cart.py` multiplies each price with `count`."),
]
SCENES: dict[str, Scene] = {
    "command": Scene(
        [reply_calls([("run_command", {"command": "pytest -q && git push origin main"})])],
        command,
        "allow: pytest",
        {"permissions": RULES},
    ),
    "write": Scene(CHANGING, write, "wants to change shop/cart.py"),
    "review": Scene(CHANGING, review, "hunk 1 of 2", size=(100, 34)),
    "rule": Scene([reply_calls([("run_command", {"command": "pytest -q tests"})])], rule, "enter save and allow"),
    "turn": Scene(CHANGING, turn, "/undo"),
    "rewind": Scene(
        [
            *CHANGING,
            reply_calls(
                [("edit_file", {"file_path": "shop/cart.py", "old_string": CLEAR, "new_string": CLEARED})], first=3
            ),
            reply_text("Emptied in place."),
        ],
        rewind,
        "and empty it in place",
    ),
    "modes": Scene([], modes, "accept-edits, here and now", {"permissions": RULES}, (100, 32)),
    "plan": Scene([reply_text(PLAN)], plan, "Count items in the total", {"mode": "plan"}),
}


async def picture(scene: Scene) -> str:
    """The SVG of a scene."""
    patch = pytest.MonkeyPatch()
    root = _folder()
    try:
        patch.setenv("COLORTERM", "truecolor")
        for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL"):
            patch.delenv(name, raising=False)
        patch.setattr("tui_agent.cli.wiring.find_sandbox", lambda *given: Sandbox("bwrap", "/usr/bin/bwrap"))
        patch.setattr("tui_agent.tools.attempt.time", SimpleNamespace(monotonic=lambda: 0.0))
        with ChatServer(list(scene.script)) as server:
            machine = Machine.under(root, {"local": server.url}, **scene.settings)
            (machine.project / "shop").mkdir()
            (machine.project / "shop" / "cart.py").write_text(CART)
            app = chat_app(machine, patch)
            async with app.run_test(size=scene.size) as pilot:
                stage = Stage(app, pilot)
                await until(pilot, lambda: app.chat.engine.opened, "the engine")
                await scene.act(stage)
                await until(pilot, lambda: not app._notifications, "quiet")
                await stage.shows(scene.seen)
                for line in app.screen.query(Input):
                    line.cursor_blink = False
                await pilot.pause(0.1)
                shown = app.export_screenshot(title="tui-agent")
                await app.chat.close_host()
                return plain(shown, str(root))
    finally:
        patch.undo()
        shutil.rmtree(root, ignore_errors=True)


def _folder() -> Path:
    """As long as HOME, which takes its place in the picture: what is broken into lines stays where it is."""
    folder = Path("/tmp", secrets.token_hex(4))
    assert len(str(folder)) == len(HOME)
    folder.mkdir(mode=0o700)
    return folder


def plain(svg: str, root: str) -> str:
    """A picture without paths of this machine, fonts of other servers, and names that change."""
    svg = svg.replace(root, HOME)
    assert "/tmp/" not in svg, "a path of this machine is in the picture"
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+-", "terminal-", svg)
    svg = re.sub(r"<!--.*?-->\n?", "", svg)
    svg = re.sub(r"<text [^>]*>(?:&#160;)+</text>", "", svg)
    svg = _LED.sub(_without_blanks, svg)
    svg = svg.replace("Fira Code", "monospace").replace("monospace, monospace", "monospace")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


_LED = re.compile(r'x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')
_CELL = 12.2


def _without_blanks(found: re.Match[str]) -> str:
    """A text that begins where its first letter is: some programs leave blanks at the beginning out."""
    blanks = found[5].count("&#160;") * _CELL
    x, length = float(found[1]) + blanks, float(found[3]) - blanks
    return f'x="{x:.1f}" y="{found[2]}" textLength="{length:.1f}"{found[4]}>'


def main(names: Sequence[str]) -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    for name in names or SCENES:
        path = IMAGES / f"{name}.svg"
        path.write_text(asyncio.run(picture(SCENES[name])), encoding="utf-8")
        print(os.path.relpath(path))


if __name__ == "__main__":
    main(sys.argv[1:])
