"""Rows of roles become Textual strips in the colours of a theme."""

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_agent.tui.theming import UNICODE, Palette, Symbols
from tui_agent.tui.widgets.transcript.layout import WIDEST, Gutter
from tui_agent.tui.widgets.transcript.lines import Line

_BANDS = {"user": "surface", "code": "surface", "added": "added_background", "removed": "removed_background"}
_MARKED = {"added": "added_emphasis", "removed": "removed_emphasis"}
_HEADINGS = {"heading1": "heading", "heading2": "strong"}
_FLAGS = {
    "b": Style(bold=True),
    "m": Style(),  # marked on its band
    "i": Style(italic=True),
    "s": Style(strike=True),
    "u": Style(underline=True),
}
# Our own signs without a namesake among the symbols, and what ASCII terminals get for all of them.
_ASCII = str.maketrans("▸▾•☐☑✓✗→▎▏─›…·−–", ">v*ox+x>||->~.--")
# Roles that only our own signs have when they are one or two characters of text.
_SIGN_ROLES = frozenset({"accent", "faint", "line", "success", "error", "warning", "muted", "removed"})


class Painter:
    """Paints rows for one theme, one set of symbols and one width."""

    def __init__(self, palette: Palette, symbols: Symbols = UNICODE) -> None:
        self._palette = palette
        self._ascii = symbols.folded.isascii()
        self._base = palette.background + palette.text
        self._blank = Strip([], 0)
        self._styles: dict[tuple[str, str], Style] = {}
        self.cursor = self.style("accent")
        self.bar = symbols.gutter
        self.selection = palette.selection
        # Underlined too: many terminals have no such background, or no colours at all.
        self.mark = palette.selection + Style(underline=True)
        self.present = Style(reverse=True)

    def style(self, role: str, band: str = "") -> Style:
        """The whole style of a role on a band."""
        style = self._styles.get((role, band))
        if style is None:
            name, _, flags = role.partition("+")
            style = self._base + self._named(name)
            for flag in flags:
                style += _FLAGS[flag]
            if band:
                style += getattr(self._palette, (_MARKED if "m" in flags else _BANDS)[band])
            self._styles[role, band] = style
        return style

    def _named(self, name: str) -> Style:
        palette = self._palette
        if name.startswith("syntax."):
            return palette.syntax(tuple(name.split(".")[1:]))
        if name == "code":
            return palette.text
        if name == "code_inline":
            return palette.code
        style = getattr(palette, _HEADINGS.get(name, name), palette.text)
        return style if isinstance(style, Style) else palette.text

    def blank(self, width: int) -> Strip:
        """An empty row, always the same."""
        if self._blank.cell_length != width:
            self._blank = Strip([Segment(" " * width, self._base)], width)
        return self._blank

    def strip(self, line: Line, mark: tuple[str, str, str] | None, gutter: Gutter, width: int, cursor: bool) -> Strip:
        """A row of `width` cells; `mark` is what the gutter of a block's first row shows, None on the others."""
        segments = self._gutter(mark, gutter, cursor)
        body = text_width(width, gutter)
        used = 0
        style = self.style
        band = line.band
        lead = ""
        # A band is drawn a cell to the left, so that text on it stands in the same column as all other text.
        if band and gutter.width >= 2:
            last = segments.pop()
            lead = last.text[-1:]
            if last.text[:-1]:
                segments.append(Segment(last.text[:-1], last.style))
            segments.append(Segment(lead, style("text", band)))
        for text, role in line.spans:
            segments.append(Segment(self._sign(text, role), style(role, band)))
            used += cell_len(text)
        end = sum(cell_len(text) for text, _ in line.end)
        free = max(0, body - used - end)
        if free:
            segments.append(Segment(" " * free, style("text", band)))
        for text, role in line.end:
            segments.append(Segment(self._sign(text, role), style(role, band)))
        total = gutter.width + used + free + end
        if total < width:
            segments.append(Segment(" " * (width - total), self._base))
        return Strip(segments, max(total, width)).adjust_cell_length(width)

    def _gutter(self, mark: tuple[str, str, str] | None, gutter: Gutter, cursor: bool) -> list[Segment]:
        if not gutter.width:
            return []
        word, sign, role = mark or ("", "", "faint")
        bar = self.bar if cursor else " "
        if gutter.labels:
            label = f" {word:<8}" if word else f"{self._sign(sign, 'faint'):>8} "
            return [Segment(bar, self.cursor), Segment(label, self.style(role))]
        sign = self._sign(sign, "faint").strip()
        if sign:
            return [Segment(sign + " ", self.cursor + Style(reverse=True) if cursor else self.style(role))]
        return [Segment(bar, self.cursor), Segment(" ", self._base)]

    def _sign(self, text: str, role: str) -> str:
        if self._ascii and role in _SIGN_ROLES and not text.isascii():
            return text.translate(_ASCII)
        return text


def text_width(width: int, gutter: Gutter) -> int:
    """Cells for text in a view: what the gutter leaves, without the last column, and never more than reads well."""
    return max(1, min(width - gutter.width - (1 if gutter.width else 0), WIDEST))
