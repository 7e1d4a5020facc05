"""Finding files and text: the same answer with `rg` and without, bounded, never outside."""

import json
import os
import re
import shutil
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.builtin import finder, first, search
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tools.protocol import ToolResult

needs_rg = pytest.mark.skipif(shutil.which("rg") is None, reason="ripgrep is not installed here")


async def run(root: Path, name: str, arguments: dict[str, Any]) -> ToolResult:
    return (await ToolExecutor(root).run(ToolCall("c", name, json.dumps(arguments)))).result


def plant(root: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> None:
    for name, target in (links or {}).items():
        path = root / name
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        if not path.is_symlink():
            path.symlink_to(target)
    for name, content in files.items():
        path = root / name
        if any(parent.is_file() or parent.is_symlink() for parent in path.parents) or path.is_dir():
            continue
        if path.is_symlink():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def both(root: Path, name: str, arguments: dict[str, Any]) -> tuple[ToolResult, ToolResult]:
    with pytest.MonkeyPatch.context() as patch:
        with_rg = await run(root, name, arguments)
        patch.setattr(finder, "find_rg", lambda workspace: "")
        without = await run(root, name, arguments)
    return with_rg, without


NAMES = st.sampled_from(["a", "b", "a.py", "b.txt", ".h", "A.py", "c d", "ü.py", "x-y", "build", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
LINES = st.sampled_from(
    [b"foo", b"foo bar", b"FOO", b"", b"bar\r", b"\xff foo", "föö".encode(), b"x" * 700 + b"foo", b"tail "]
)
CONTENTS = st.one_of(
    st.lists(LINES, max_size=8).map(b"\n".join),
    st.lists(LINES, max_size=8).map(lambda lines: b"".join(line + b"\n" for line in lines)),
    st.just(b"foo\n\x00binary\nfoo\n"),
    st.just("\ufefffoo\nbar\n".encode()),
    st.just("\ufefffoo\nföö\n".encode("utf-16-le")),
)
IGNORES = st.lists(
    st.sampled_from(
        [
            "*.py",
            "!a.py",
            "build/",
            "/a",
            "a/b",
            "**/b",
            "a/**",
            "b*",
            "[ab].py",
            "!b.txt",
            "# c",
            "",
            "c d",
            "x-?",
            ".h",
        ]
    ),
    max_size=4,
).map(lambda lines: "\n".join(lines).encode())
LINKS = st.dictionaries(
    st.sampled_from(["a/b", "b.txt", "build", "x-y"]), st.sampled_from(["a.py", "a", "..", "../b.txt", "."]), max_size=2
)
TREES = st.dictionaries(PATHS, CONTENTS, min_size=1, max_size=10)
IGNORE_FILES = st.dictionaries(st.sampled_from([".gitignore", "a/.gitignore", "build/.gitignore"]), IGNORES, max_size=2)


@needs_rg
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=TREES,
    links=LINKS,
    ignores=IGNORE_FILES,
    pattern=st.sampled_from(
        ["foo", "fo+$", "^$", "FOO|bar", r"\w+ö", r"\d", "(foo", "(?=x)", "tail ", r"fo\w", "x*f.o", r"\x66oo", "o b?"]
    ),
    start=st.sampled_from([".", "a", "build"]),
    glob=st.sampled_from(
        ["", "*.py", "a/*", "**/b*", "*.{py,txt}", ".h", "?.py", "a/**/*.py", "build/[ab]*", "./a/b/*"]
    ),
    case=st.booleans(),
    context=st.integers(0, 2),
    limit=st.sampled_from([1, 3, 200]),
    repository=st.sampled_from(["", ".git/config", "a/.git/config", "build/.git/config"]),
)
async def test_grep_says_the_same_with_and_without_rg(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, bytes],
    links: dict[str, str],
    ignores: dict[str, bytes],
    pattern: str,
    start: str,
    glob: str,
    case: bool,
    context: int,
    limit: int,
    repository: str,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    plant(root, {**tree, **ignores, **({repository: b"foo\n"} if repository else {})}, links)
    arguments = {"pattern": pattern, "path": start, "case_sensitive": case, "context": context}
    if glob:
        arguments["glob"] = glob
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "GREP_MATCHES", limit)
        patch.setattr(first, "AHEAD", 1)
        with_rg, without = await both(root, "grep_search", arguments)
    if pattern in ("(foo", "(?=x)"):
        assert with_rg.ok is without.ok
    else:
        assert with_rg == without


@needs_rg
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tree=TREES,
    links=LINKS,
    ignores=IGNORE_FILES,
    pattern=st.sampled_from(
        re.findall(
            r"\S+",
            r"""* **/* *.py a/** ?/b* [!a]* .* **/.h {a,b}/* c?d */ü.py ?.py a/b/* .h/* build/*.{py,txt} ./x-y/** a.py/é
            \a/* {.h,a}/**/*""",
        )
    ),
    start=st.sampled_from([".", "a", "build"]),
    limit=st.sampled_from([1, 3, 500]),
    repository=st.sampled_from(["", ".git/config", "a/.git/config", "build/.git/config"]),
)
async def test_glob_says_the_same_with_and_without_rg(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, bytes],
    links: dict[str, str],
    ignores: dict[str, bytes],
    pattern: str,
    start: str,
    limit: int,
    repository: str,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    plant(root, {**tree, **ignores, **({repository: b"foo\n"} if repository else {})}, links)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "GLOB_FILES", limit)
        patch.setattr(first, "AHEAD", 1)
        with_rg, without = await both(root, "glob_files", {"pattern": pattern, "path": start})
    assert with_rg == without


ENGINES = [pytest.param("rg", marks=needs_rg), "python"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to search."""
    if request.param == "python":
        monkeypatch.setattr(finder, "find_rg", lambda workspace: "")
    return str(request.param)


@pytest.mark.parametrize(
    ("files", "start", "expected"),
    [
        pytest.param({".gitignore": "*.log\n", "a.log": "", "b.txt": ""}, ".", "b.txt", id="ignored"),
        pytest.param({".gitignore": "*.log\n!a.log\n", "a.log": "", "b.log": ""}, ".", "a.log", id="taken back"),
        pytest.param({".gitignore": "/top\n", "top": "", "d/top": ""}, ".", "d/top", id="anchored"),
        pytest.param({".gitignore": "out/\n", "out/a": "", "d/out": ""}, ".", "d/out", id="directories only"),
        pytest.param({".gitignore": "a/**/z\n", "a/z": "", "a/b/c/z": "", "z": ""}, ".", "z", id="stars between"),
        pytest.param(
            {".gitignore": "*.x\n", "d/.gitignore": "!*.x\n", "d/a.x": "", "a.x": ""}, ".", "d/a.x", id="nested"
        ),
        pytest.param({".gitignore": "d/a\n", "d/a": "", "d/b": ""}, "d", "d/b", id="from above the start"),
        pytest.param({".gitignore": "d/\n", "d/a": ""}, "d", "d/a", id="an ignored start is searched"),
        pytest.param({".gitignore": "*.x\n", "r/.git/config": "", "r/a.x": ""}, ".", "r/a.x", id="another repository"),
        pytest.param(
            {".gitignore": "*.x\n", "r/.git/config": "", "r/a.x": ""}, "r", "r/a.x", id="only that repository"
        ),
        pytest.param({".hidden": "", ".d/a": "", "a": ""}, ".", "a", id="hidden"),
        pytest.param({".gitignore": "!.d\n", ".d/a": "", "a": ""}, ".", "a", id="hidden though not ignored"),
    ],
)
async def test_what_git_ignores_is_left_out(
    engine: str, tmp_path: Path, files: dict[str, str], start: str, expected: str
) -> None:
    plant(tmp_path, {name: content.encode() for name, content in files.items()})
    result = await run(tmp_path, "glob_files", {"pattern": "*", "path": start})
    assert result.content == expected


async def test_a_pattern_that_names_a_hidden_folder_looks_into_it_but_never_into_git(
    engine: str, tmp_path: Path
) -> None:
    plant(tmp_path, {".github/workflows/ci.yml": b"", ".git/config": b"", "a.yml": b""})
    assert (await run(tmp_path, "glob_files", {"pattern": ".github/**"})).content == ".github/workflows/ci.yml"
    assert "no files match" in (await run(tmp_path, "glob_files", {"pattern": ".git/*"})).content


async def test_a_pattern_without_a_slash_is_looked_for_everywhere_in_order_of_path(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"b.py": b"", "a/z.py": b"", "a.py": b"", "a/b/c.py": b""})
    assert (await run(tmp_path, "glob_files", {"pattern": "*.py"})).content == "a/b/c.py\na/z.py\na.py\nb.py"
    assert (await run(tmp_path, "glob_files", {"pattern": "a/*.py"})).content == "a/z.py"


async def test_matches_come_with_path_line_and_context(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"d/f.txt": b"one\ntwo\r\nthree\nfour\nfive\ntwo\n"})
    result = await run(tmp_path, "grep_search", {"pattern": "two$", "context": 1})
    assert result.content == ("d/f.txt-1-one\nd/f.txt:2:two\nd/f.txt-3-three\n--\nd/f.txt-5-five\nd/f.txt:6:two")


async def test_nothing_found_is_an_answer_and_not_a_failure(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"f": b"x\n", "d/g.py": b"x\n", ".gitignore": b"h\n", "h": b"y\n", "a.pem": b"y\n"})
    for arguments, answer in (
        ({"pattern": "y"}, "no match for y in .: 2 files searched"),
        ({"pattern": "y", "path": "d"}, "no match for y in d: 1 file searched"),
        ({"pattern": "y", "glob": "*.py"}, "no match for y in . (files like *.py): 1 file searched"),
        ({"pattern": "y", "path": "f"}, "no match for y in f: 1 file searched"),
    ):
        assert await run(tmp_path, "grep_search", arguments) == ToolResult(True, answer)
    assert await run(tmp_path, "glob_files", {"pattern": "*.y"}) == ToolResult(True, "no files match *.y in .")


async def test_secret_files_are_not_searched_unless_named(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"server.pem": b"key\n", "a.txt": b"key\n"})
    assert (await run(tmp_path, "grep_search", {"pattern": "key"})).content == "a.txt:1:key"
    named = await run(tmp_path, "grep_search", {"pattern": "key", "path": "server.pem"})
    assert "needs approval" in named.content


async def test_a_wrong_expression_is_named(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"f": b"x\n"})
    result = await run(tmp_path, "grep_search", {"pattern": "(x"})
    assert not result.ok
    assert result.content.startswith("cannot use the pattern '(x': ")
    assert "\n" not in result.content


async def test_results_are_bounded_and_say_so(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "GREP_MATCHES", 3)
    monkeypatch.setattr(search, "GLOB_FILES", 3)
    plant(tmp_path, {f"{letter}.txt": b"x\nx\n" for letter in string.ascii_lowercase[:5]})
    found = (await run(tmp_path, "grep_search", {"pattern": "x"})).content
    assert (
        found
        == "a.txt:1:x\na.txt:2:x\nb.txt:1:x\n[the first 3 matches; there are more: narrow the pattern, glob or path]"
    )
    listed = (await run(tmp_path, "glob_files", {"pattern": "*"})).content
    assert listed.splitlines()[:3] == ["a.txt", "b.txt", "c.txt"]
    assert "there are more" in listed.splitlines()[3]


async def test_a_long_line_is_cut_with_a_note(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"f": b"x" * 5_000 + b"\n"})
    result = await run(tmp_path, "grep_search", {"pattern": "x"})
    assert result.content == f"f:1:{'x' * 500}[… 4,500 characters cut]"


async def test_names_that_could_be_taken_for_options_are_names(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"-f": b"-x\n", "--files": b"-x\n"})
    result = await run(tmp_path, "grep_search", {"pattern": "-x", "path": "-f"})
    assert result.content == "-f:1:-x"


async def test_a_file_name_with_a_line_end_stays_on_one_line(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {"a\nb": b"x\n"})
    assert (await run(tmp_path, "glob_files", {"pattern": "*"})).content == r"'a\nb'"


async def test_a_name_that_is_not_utf8_is_shown_escaped(engine: str, tmp_path: Path) -> None:
    plant(tmp_path, {os.fsdecode(b"n\xff"): b"x\n"})
    assert (await run(tmp_path, "glob_files", {"pattern": "*"})).content == r"'n\udcff'"
    assert (await run(tmp_path, "grep_search", {"pattern": "x"})).content == r"'n\udcff':1:x"


async def test_an_rg_in_the_workspace_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "rg"
    planted.write_text("#!/bin/sh\ntouch ran\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    await run(tmp_path, "glob_files", {"pattern": "*"})
    assert not (tmp_path / "ran").exists()


async def test_a_module_in_the_workspace_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "find_rg", lambda workspace: "")
    plant(tmp_path, {"json.py": b"open('ran', 'w')\n", "tui_agent/__init__.py": b"open('ran', 'w')\n"})
    assert (await run(tmp_path, "glob_files", {"pattern": "json.py"})).content == "json.py"
    assert not (tmp_path / "ran").exists()


async def test_links_are_neither_listed_nor_searched(
    engine: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    plant(outside, {"secret.txt": b"word\n"})
    plant(tmp_path, {"a.txt": b"word\n"})
    for name, target in (("file.txt", outside / "secret.txt"), ("folder", outside), ("same.txt", Path("a.txt"))):
        (tmp_path / name).symlink_to(target)
    assert (await run(tmp_path, "glob_files", {"pattern": "**/*"})).content == "a.txt"
    assert (await run(tmp_path, "grep_search", {"pattern": "word"})).content == "a.txt:1:word"
