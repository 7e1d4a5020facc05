"""The line at the bottom: the keys that work right now, nearest to the focus first."""

from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.text.sanitize import one_line
from tui_agent.tui.actions import ACTIONS
from tui_agent.tui.bindings import key_name

_HELP = "app.help"  # the way to all other keys: the last one to go
_WAYS_OUT = frozenset(action.id for action in ACTIONS if "escape" in action.keys.split(","))
_NARROW = 60
_ROOMY = 70
"""Columns from which the name of what asks has room beside the keys."""


class Key(NamedTuple):
    """One entry: the key for people, what it does, and the action that a click runs."""

    id: str
    key: str
    label: str
    action: str
    node: DOMNode | None = None

    @property
    def width(self) -> int:
        """Columns it takes."""
        return Content(f"{self.key} {self.label}").cell_length


def gap(width: int) -> int:
    """Columns between two entries."""
    return 2 if width < _NARROW else 3


def fitting(keys: tuple[Key, ...], width: int, between: int) -> tuple[list[Key], list[Key]]:
    """The entries at the left, and at the right, that fit into `width` columns with some `between` them.

    The first ones go in first, but before all of them the way out of where one is.
    """
    right = [key for key in keys if key.id == _HELP and key.width <= width]
    room = width - sum(key.width + between for key in right)
    out = next((key for key in keys if key.id in _WAYS_OUT and key.width <= room), None)
    kept = [] if out is None else [out]
    for key in keys:
        if key.id == _HELP or key is out:
            continue
        if sum(one.width + between for one in kept) + key.width > room:
            break
        kept.append(key)
    return [key for key in keys if key in kept], right


class KeyFooter(Widget):
    """One line of keys. It is painted again only when other keys work, not on every change of focus or state."""

    DEFAULT_CSS = """
    KeyFooter {
        dock: bottom;
        height: 1;
        padding: 0 1 0 2;
        background: $background;
        color: $tui-faint;
        .footer--key { color: $tui-muted; text-style: bold; }
        .footer--asks { color: $warning; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"footer--key", "footer--asks"}
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[Key, ...] = ()
        self._asks = ""

    @property
    def keys(self) -> tuple[Key, ...]:
        """The entries, whether they fit or not."""
        return self._keys

    def tell(self, asks: str) -> None:
        """Say before the keys that this waits for the user below this screen; "" for nothing."""
        if asks != self._asks:
            self._asks = asks
            self.refresh()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def _bindings_updated(self, screen: Screen[object]) -> None:
        keys: dict[str, Key] = {}
        for name, (node, binding, enabled, _) in screen.active_bindings.items():
            if binding.show and enabled and binding.id:
                keys.setdefault(binding.id, Key(binding.id, key_name(name), binding.description, binding.action, node))
        entries = tuple(keys.values())
        if entries != self._keys:
            self._keys = entries
            self.refresh()

    def _said(self, width: int) -> Content:
        if not self._asks:
            return Content("")
        name = f"{one_line(self._asks)} " if width >= _ROOMY else ""
        style = self.get_visual_style("footer--asks", partial=True)
        return Content.styled(f"{name}waits for you", style).truncate(width, ellipsis=True)

    def _entries(self, width: int) -> tuple[Content, list[Key], list[Key]]:
        """What is said first, with the gap behind it, and the keys that fit beside it."""
        said = self._said(width)
        said = Content.assemble(said, " " * gap(width)) if said else said
        return said, *fitting(self._keys, width - said.cell_length, gap(width))

    def render_line(self, y: int) -> Strip:
        """The keys for the present width."""
        width = self.content_size.width
        said, left, right = self._entries(width)
        key_style = self.get_visual_style("footer--key", partial=True)
        sides = [
            Content(" " * gap(width)).join([Content.assemble((key.key, key_style), " ", key.label) for key in side])
            for side in (left, right)
        ]
        rest = max(0, width - said.cell_length - sides[0].cell_length - sides[1].cell_length)
        line = Content.assemble(said, sides[0], " " * rest, sides[1]).truncate(width, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)

    async def _on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        said, left, right = self._entries(self.content_size.width)
        column = said.cell_length
        for key in left:
            if column <= offset.x < column + key.width:
                await self.app.run_action(key.action, key.node)
                return
            column += key.width + gap(self.content_size.width)
        if right and offset.x >= self.content_size.width - right[0].width:
            await self.app.run_action(right[0].action, right[0].node)
