"""What a pattern lets leave out before it is tried: never anything that it matches."""

import re
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.text.globs import compile_glob, fixed_start, name_globs, parse_gitignore
from tui_agent.tools.builtin.python_search import required_text

PIECES = st.sampled_from(
    ["a", "b", ".h", "é", "-", "*", "?", "**", "[ab]", "[!a]", "[", "]", "{a,b}", "{", "}", ",", "\\", "/"]
)
PATTERNS = st.lists(PIECES, min_size=1, max_size=7).map("".join)
PATHS = st.lists(st.text("ab.h-é[]{},", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


@given(pattern=PATTERNS, path=PATHS)
def test_what_a_glob_matches_passes_all_that_narrows_it(pattern: str, path: str) -> None:
    try:
        matches = compile_glob(pattern)(path)
    except ValueError:
        return
    if not matches:
        return
    *directories, name = path.split("/")
    fixed = fixed_start(pattern)
    assert tuple(directories[: len(fixed)]) == fixed
    if names := name_globs(pattern):
        assert any(re.fullmatch(re.escape(each).replace(r"\*", ".*"), name) for each in names)
        assert all(re.fullmatch(r"[\w.*-]+", each) for each in names)


@pytest.mark.parametrize(
    ("pattern", "names", "directories"),
    [
        ("*.py", ("*.py",), ()),
        ("src/**/*.{ts,tsx}", ("*.ts", "*.tsx"), ("src",)),
        ("./a-b/c.d/?x", ("*x",), ("a-b", "c.d")),
        ("a/*/b/test_[ab].py", ("test_*",), ("a",)),
        ("{a,b}/c", ("c",), ()),
        ("**", (), ()),
        ("a/**", (), ("a",)),
        ("{*.py,*}", (), ()),
    ],
)
def test_names_and_directories_narrow_a_walk(
    pattern: str, names: tuple[str, ...], directories: tuple[str, ...]
) -> None:
    assert name_globs(pattern) == names
    assert fixed_start(pattern) == directories


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 400 + "b", "a" * 255),
        ("**/" * 300 + "?x", "/".join(["src"] * 600)),
        ("**/a/" * 150 + "b", "a/" * 1_000 + "c"),
        ("**/*a*a*a*/" * 80 + "b", "aaaaaaaaaaaaaaaaa/" * 200 + "c"),
    ],
)
def test_no_pattern_takes_long_on_any_path(pattern: str, path: str) -> None:
    started = time.process_time()
    assert not compile_glob(pattern)(path)
    (rule,) = parse_gitignore(pattern)
    assert not rule.expression.fullmatch(path)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*a*b*", "xaxxbx", True),
        ("*ab", "aab", True),
        ("*a?", "aaa", True),
        ("a*a", "a", False),
        ("**/b/**/b", "b/b", True),
        ("**/b/**/b", "b", False),
        ("**/a/b/**/c", "a/a/b/x/c", True),
        ("**/*a/b", "xa/xa/b", True),
        ("**/**/x", "x", True),
        ("a/**/**", "a/x/y", True),
        ("a/**", "a", False),
        ("src/./*.py", "src/a.py", True),
        ("././src//a.py", "src/a.py", True),
        ("[a-]x", "-x", True),
        ("[!-]x", "-x", False),
        ("[z-a]x", "zx", False),
    ],
)
def test_what_a_glob_matches(pattern: str, path: str, matches: bool) -> None:
    assert bool(compile_glob(pattern)(path)) is matches


@pytest.mark.parametrize("pattern", ["[b--x]", "[a&&b]", "[a||b]", "[a~~b]", "[[a]", "[a[:x]"])
def test_no_set_has_a_meaning_that_is_warned_of(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_glob(pattern)


@pytest.mark.parametrize("pattern", ["{,}" * 333, "{" * 500 + "}" * 500, "../a", "a/./../b", "/a", "//a", "{a,..}/b"])
def test_a_pattern_that_cannot_be_used_is_said_to_be_so(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        compile_glob(pattern)


SIGNS = st.sampled_from(
    [
        "a",
        "b",
        "é",
        ".",
        "\\.",
        "\\\\",
        "\\w",
        "\\b",
        "*",
        "+",
        "?",
        "*?",
        "+?",
        "^",
        "$",
        "|",
        "(",
        ")",
        "[ab]",
        "{2}",
        "\\x61",
    ]
)


@given(pattern=st.lists(SIGNS, max_size=7).map("".join), line=st.text("abé.\\", max_size=8))
def test_the_required_text_stands_in_every_line_that_matches(pattern: str, line: str) -> None:
    try:
        compiled = re.compile(pattern)
    except re.error:
        return
    if compiled.search(line):
        assert required_text(pattern) in line


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("def main", "def main"),
        (r"foo\.bar\(x", "foo.bar(x"),
        (r"\bcolou?r\b", "colo"),
        (r"a+bc*d", "a"),
        ("one|two", ""),
        ("(?i)one", ""),
        ("", ""),
    ],
)
def test_a_plain_text_is_found_in_an_expression(pattern: str, text: str) -> None:
    assert required_text(pattern) == text
