"""Themes are checked key by key, a bad one hurts no other, and the shipped ones can be read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.config.locations import shipped_themes
from tui_agent.config.problems import InvalidConfig
from tui_agent.config.themes import ThemeData, find_theme, load_theme, load_themes, required_keys
from tui_agent.conversation.errors import ConfigError

SHIPPED, _ERRORS = load_themes([shipped_themes()])
SLATE = (shipped_themes() / "slate.yaml").read_text()


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        load_theme(path)
    return [line.removeprefix(f"{path}:") for line in caught.value.message.splitlines()]


def test_the_shipped_themes_are_right_and_cover_dark_light_and_high_contrast() -> None:
    assert _ERRORS == []
    assert {"slate", "ember", "paper", "contrast"} <= SHIPPED.keys()
    assert len(SHIPPED) >= 6
    assert {theme.dark for theme in SHIPPED.values()} == {True, False}


@pytest.mark.promise("P35")
def test_bad_colours_and_unknown_keys_are_named_with_line_and_nearest_key(tmp_path: Path) -> None:
    text = SLATE.replace("name: slate", "name: mine")
    lines = text.splitlines()
    numbers = {line.strip().split(":")[0]: number for number, line in enumerate(lines, 1)}
    lines[numbers["accent"] - 1] = "accent: blue"
    lines[numbers["muted"] - 1] = "mutted: '#123456'"
    lines[numbers["faint"] - 1] = "faint: #123456"
    lines[numbers["keyword"] - 1] = "  keyword: '#12345g'"
    lines[numbers["dark"] - 1] = "dark: maybe"
    expected = 'expected a colour in quotes such as "#7aa2c8" or "#fff"'
    assert mistakes(write(tmp_path, "mine", "\n".join(lines))) == [
        f"{numbers['name']}: muted: this key is missing",
        f"{numbers['dark']}: dark: expected true or false, found maybe",
        f"{numbers['muted']}: mutted: unknown key; did you mean muted?",
        f"{numbers['faint']}: faint: {expected}, found nothing",
        f"{numbers['accent']}: accent: {expected}, found blue",
        f'{numbers["keyword"]}: syntax.keyword: {expected}, found "#12345g"',
    ]


def test_every_missing_key_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "mine", "name: mine\ndark: true\nsyntax:\n  keyword: '#fff'\n")
    told = mistakes(path)
    assert len(told) == len(required_keys(ThemeData)) - 3
    assert "1: accent: this key is missing" in told
    assert "1: syntax.string: this key is missing" in told


def test_an_empty_file_or_a_list_is_refused(tmp_path: Path) -> None:
    assert "1: background: this key is missing" in mistakes(write(tmp_path, "a", ""))
    assert mistakes(write(tmp_path, "b", "- x\n")) == ["1: expected keys with values, found a list"]


def test_the_name_is_the_files_name(tmp_path: Path) -> None:
    assert mistakes(write(tmp_path, "mine", SLATE)) == ["3: name: expected mine, as the file is called, found slate"]


def test_short_colours_are_written_out(tmp_path: Path) -> None:
    text = SLATE.replace("name: slate", "name: mine")
    accent = next(line for line in text.splitlines() if line.startswith("accent:"))
    assert load_theme(write(tmp_path, "mine", text.replace(accent, "accent: '#Fa0'"))).accent == "#FFaa00"


def test_a_bad_theme_never_hurts_the_others_and_yours_replace_the_shipped(tmp_path: Path) -> None:
    write(tmp_path, "slate", SLATE.replace("dark: true", "dark: false"))
    write(tmp_path, "broken", "name: [")
    write(tmp_path, "mine", SLATE.replace("name: slate", "name: mine"))
    write(tmp_path, ".hidden", "name: [")
    themes, errors = load_themes([shipped_themes(), tmp_path, tmp_path / "missing"])
    assert themes["slate"].dark is False
    assert "mine" in themes and "ember" in themes and "broken" not in themes
    assert [str(tmp_path / "broken.yaml") in error.message for error in errors] == [True]


def test_one_theme_is_found_without_reading_the_others(tmp_path: Path) -> None:
    write(tmp_path, "slate", SLATE.replace("dark: true", "dark: false"))
    write(tmp_path, "broken", "name: [")
    assert find_theme("slate", [shipped_themes(), tmp_path]).dark is False
    assert find_theme("ember", [shipped_themes(), tmp_path]).name == "ember"
    with pytest.raises(ConfigError, match=r"no theme is called slat; did you mean slate\?"):
        find_theme("slat", [shipped_themes()])


@given(junk=st.dictionaries(st.sampled_from([".".join(key) for key in required_keys(ThemeData)]), st.text(max_size=8)))
@settings(max_examples=50, deadline=None)
def test_any_values_are_a_theme_or_name_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, junk: dict[str, str]
) -> None:
    import yaml

    tree: dict[str, object] = {"name": "junk", "dark": True, "syntax": {}}
    for key in required_keys(ThemeData):
        section = tree if len(key) == 1 else tree["syntax"]
        assert isinstance(section, dict)
        section[key[-1]] = junk.get(".".join(key), section.get(key[-1], "#abc"))
    path = tmp_path_factory.getbasetemp() / "junk.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), "utf-8", "replace")
    try:
        load_theme(path)
    except InvalidConfig as error:
        assert all(problem.source == str(path) and problem.line >= 1 for problem in error.problems)
        assert {problem.key for problem in error.problems} <= junk.keys() | {""}


# ---- contrast: WCAG 2.2, success criteria 1.4.3 and 1.4.6 ----


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_of_contrast_knows_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", SHIPPED.values(), ids=SHIPPED.keys())
def test_every_text_can_be_read_on_everything_it_stands_on(theme: ThemeData) -> None:
    high = theme.name == "contrast"
    wanted: list[tuple[str, str, str, float]] = []
    for place in ("background", "surface", "raised"):
        under = getattr(theme, place)
        wanted.append((f"text on {place}", theme.text, under, 7))
        wanted.append((f"faint on {place}", theme.faint, under, 7 if high else 3))
        wanted += [
            (f"{role} on {place}", getattr(theme, role), under, 7 if high else 4.5)
            for role in ("muted", "accent", "success", "warning", "error")
        ]
    for sign in ("added", "removed"):
        for part in ("background", "emphasis"):
            under = getattr(theme, f"{sign}_{part}")
            wanted.append((f"{sign} on its {part}", getattr(theme, sign), under, 4.5))
            wanted.append((f"text on {sign} {part}", theme.text, under, 7))
    wanted.append(("text on accent", theme.on_accent, theme.accent, 7 if high else 4.5))
    wanted.append(("selected text", theme.text, theme.selection, 7))
    for role in theme.syntax.__struct_fields__:
        least = 3 if role == "comment" else 4.5
        colour = getattr(theme.syntax, role)
        wanted.append((f"{role} on surface", colour, theme.surface, 7 if high else least))
        wanted.append((f"{role} on an added line", colour, theme.added_background, least))
        wanted.append((f"{role} on a removed line", colour, theme.removed_background, least))
    too_low = [
        f"{label} {contrast(colour, under):.2f} < {least}"
        for label, colour, under, least in wanted
        if contrast(colour, under) < least
    ]
    assert too_low == []


@pytest.mark.parametrize("theme", SHIPPED.values(), ids=SHIPPED.keys())
def test_greys_are_calm_and_ordered(theme: ThemeData) -> None:
    ladder = [contrast(colour, theme.background) for colour in (theme.faint, theme.muted, theme.text)]
    assert ladder == sorted(ladder)
    assert theme.dark == (luminance(theme.background) < 0.5)
