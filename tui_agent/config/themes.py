"""Themes as data: colours by role, validated key by key."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tui_agent.config.decode import KeyPath, decode, field_types, is_struct
from tui_agent.config.documents import parse, read_bytes
from tui_agent.config.model import Name
from tui_agent.config.problems import InvalidConfig, Problem, nearest, shown
from tui_agent.conversation.errors import ConfigError

SUFFIX = ".yaml"

Color = Annotated[
    str,
    Meta(
        pattern=r"^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$(?!\n)",
        description='a colour in quotes such as "#7aa2c8" or "#fff"',
    ),
]


class SyntaxColors(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Colours of highlighted code, each `#rrggbb`."""

    keyword: Color
    string: Color
    number: Color
    comment: Color
    function: Color
    type: Color
    operator: Color
    builtin: Color


class ThemeData(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One theme; every colour is `#rrggbb`.

    One accent, calm greys: `background` (screen), `surface` (panels, code), `raised` (selected row, prompt focus),
    `line` (rules), `text`, `muted` (secondary text), `faint` (line numbers, hints).
    """

    name: Name
    dark: bool
    background: Color
    surface: Color
    raised: Color
    line: Color
    text: Color
    muted: Color
    faint: Color
    accent: Color
    on_accent: Color
    success: Color
    warning: Color
    error: Color
    added: Color
    removed: Color
    added_background: Color
    removed_background: Color
    added_emphasis: Color
    removed_emphasis: Color
    selection: Color
    syntax: SyntaxColors


def load_theme(path: Path) -> ThemeData:
    """Read one theme; its name is the file's name, and short colours are written out.

    Raises:
        InvalidConfig: with every mistake of the file.
    """
    source = str(path)
    if (data := read_bytes(path)) is None:
        raise InvalidConfig([Problem(source, 0, "", "no such file")])
    root = parse(source, data)
    decoded = decode(root, ThemeData, source)
    problems = decoded.problems
    reported = {problem.key for problem in problems}
    start = root.line if root else 1
    for key in required_keys(ThemeData):
        dotted = ".".join(key)
        if key not in decoded.entries and dotted not in reported and "" not in reported:
            problems.append(Problem(source, start, dotted, "this key is missing"))
    name = decoded.entries.get(("name",))
    if name and name.value != path.stem:
        text = f"expected {shown(path.stem)}, as the file is called, found {shown(name.value)}"
        problems.append(Problem(source, name.line, "name", text))
    if problems:
        problems.sort(key=lambda problem: problem.line)
        raise InvalidConfig(problems, "a shipped theme is a good start: see `tui-agent config path`")
    values = {key: _written_out(entry.value) for key, entry in decoded.entries.items()}
    syntax = {key[1]: value for key, value in values.items() if key[0] == "syntax"}
    plain = {key[0]: value for key, value in values.items() if len(key) == 1}
    return msgspec.convert(plain | {"syntax": syntax}, ThemeData)


def load_themes(folders: Iterable[Path]) -> tuple[dict[str, ThemeData], list[ConfigError]]:
    """All themes of these folders by name; a later folder replaces earlier ones. A bad file never hurts the others."""
    themes: dict[str, ThemeData] = {}
    errors: list[ConfigError] = []
    for folder in folders:
        for path in theme_files(folder):
            try:
                theme = load_theme(path)
            except ConfigError as error:
                errors.append(error)
            else:
                themes[theme.name] = theme
    return themes, errors


def find_theme(name: str, folders: Iterable[Path]) -> ThemeData:
    """Read only the theme that is wanted; a later folder comes first.

    Raises:
        ConfigError: it is invalid, or there is none of this name.
    """
    folders = tuple(folders)
    for folder in reversed(folders):
        for path in theme_files(folder):
            if path.stem == name:
                return load_theme(path)
    known = sorted({path.stem for folder in folders for path in theme_files(folder)})
    raise ConfigError(f"no theme is called {shown(name)}{nearest(name, known)}", f"valid are {', '.join(known)}")


def theme_files(folder: Path) -> list[Path]:
    """The theme files of a folder by name; none when the folder cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith("."))
    except OSError:
        return []


def required_keys(struct: type[Struct]) -> list[KeyPath]:
    """The path of every value, in the order of the definition."""
    paths: list[KeyPath] = []
    for name, kind in field_types(struct).items():
        paths += [(name, *rest) for rest in required_keys(kind)] if is_struct(kind) else [(name,)]
    return paths


def _written_out(value: object) -> object:
    if isinstance(value, str) and len(value) == 4 and value.startswith("#"):
        return "#" + "".join(digit * 2 for digit in value[1:])
    return value
