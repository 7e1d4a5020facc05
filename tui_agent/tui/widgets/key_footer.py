"""The line at the bottom: the keys that work right now, nearest to the focus first."""

from typing import NamedTuple

from textual import events
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from tui_agent.tui.bindings import key_name

_GAP = 3
_HELP = "app.help"  # the way to all other keys: the last one to go


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


def fitting(keys: tuple[Key, ...], width: int) -> tuple[list[Key], list[Key]]:
    """The entries at the left, and at the right, that fit into `width` columns; the first ones go in first."""
    right = [key for key in keys if key.id == _HELP and key.width <= width]
    room = width - sum(key.width + _GAP for key in right)
    left: list[Key] = []
    for key in keys:
        if key.id == _HELP:
            continue
        if key.width > room:
            break
        left.append(key)
        room -= key.width + _GAP
    return left, right


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
    }
    """
    COMPONENT_CLASSES = {"footer--key"}
    ALLOW_SELECT = False

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[Key, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """The entries, whether they fit or not."""
        return self._keys

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

    def render_line(self, y: int) -> Strip:
        """The keys for the present width."""
        width = self.content_size.width
        left, right = fitting(self._keys, width)
        key_style = self.get_visual_style("footer--key", partial=True)
        sides = [
            Content(" " * _GAP).join([Content.assemble((key.key, key_style), " ", key.label) for key in side])
            for side in (left, right)
        ]
        gap = max(0, width - sides[0].cell_length - sides[1].cell_length)
        line = Content.assemble(sides[0], " " * gap, sides[1]).truncate(width, pad=True)
        return Strip(line.render_segments(self.visual_style), line.cell_length)

    async def _on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        left, right = fitting(self._keys, self.content_size.width)
        column = 0
        for key in left:
            if column <= offset.x < column + key.width:
                await self.app.run_action(key.action, key.node)
                return
            column += key.width + _GAP
        if right and offset.x >= self.content_size.width - right[0].width:
            await self.app.run_action(right[0].action, right[0].node)
