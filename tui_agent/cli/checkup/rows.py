"""What a check finds, as data."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

State = Literal["ok", "info", "warning", "failed"]
"""`failed` is what keeps tui-agent from working, `warning` what makes it work worse, `info` what is neither."""


class Row(Struct, frozen=True):
    """One finding; `fix` says what the user can do, on one or more lines."""

    name: str
    state: State
    text: str
    fix: str = ""


class Section(Struct, frozen=True):
    """Findings about one thing."""

    title: str
    rows: tuple[Row, ...]


class Report(Struct, frozen=True):
    """Everything that was found; `made` is the local time, in ISO 8601."""

    version: str
    made: str
    sections: tuple[Section, ...]

    def count(self, state: State) -> int:
        """How many rows are in this state."""
        return sum(row.state == state for section in self.sections for row in section.rows)

    def map(self, change: Callable[[str], str]) -> "Report":
        """The same report with every foreign text changed."""

        def changed(row: Row) -> Row:
            return Row(change(row.name), row.state, change(row.text), change(row.fix))

        sections = tuple(Section(section.title, tuple(map(changed, section.rows))) for section in self.sections)
        return Report(self.version, self.made, sections)


def size(count: float) -> str:
    """A number of bytes for people: `1.1 GB`, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
