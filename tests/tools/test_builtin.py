"""What each built-in tool tells the model."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tui_agent.conversation.messages import ToolCall
from tui_agent.tools.builtin import command, files
from tui_agent.tools.executor import ToolExecutor, ToolOutcome


@pytest.fixture
def executor(tmp_path: Path) -> ToolExecutor:
    return ToolExecutor(tmp_path, approve_all=True)


async def call(executor: ToolExecutor, name: str, **arguments: Any) -> ToolOutcome:
    return await executor.run(ToolCall("c", name, json.dumps(arguments)))


async def told(executor: ToolExecutor, name: str, **arguments: Any) -> str:
    return (await call(executor, name, **arguments)).result.content


def test_the_tools_together_cost_at_most_three_kilobytes_of_each_request(executor: ToolExecutor) -> None:
    specs = [{"type": "function", "function": msgspec.to_builtins(spec)} for spec in executor.specs()]
    assert len(specs) == 8
    assert len(json.dumps(specs, separators=(",", ":"))) <= 3_072


async def test_lines_come_with_numbers_and_an_empty_file_says_so(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a\r\n\tb\n\nlast")
    (tmp_path / "empty").touch()
    assert await told(executor, "read_file", file_path="f") == "1\ta\n2\t\tb\n3\t\n4\tlast"
    assert await told(executor, "read_file", file_path="empty") == "[the file is empty]"


async def test_a_part_of_a_file_says_what_part_and_how_to_go_on(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("".join(f"line {n}\n" for n in range(1, 5_001)))
    assert await told(executor, "read_file", file_path="f", offset=3, limit=2) == (
        "3\tline 3\n4\tline 4\n[lines 3 to 4 of 5,000; read on with offset 5]"
    )
    whole = (await told(executor, "read_file", file_path="f")).split("\n")
    assert whole[-2:] == ["2000\tline 2000", "[lines 1 to 2000 of 5,000; read on with offset 2001]"]
    assert (
        await told(executor, "read_file", file_path="f", offset=5_000)
        == "5000\tline 5000\n[lines 5000 to 5000 of 5,000]"
    )
    assert "only 5000 lines" in await told(executor, "read_file", file_path="f", offset=5_001)


async def test_what_is_read_is_bounded_in_bytes_too(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x" * 1_000_000 + "\n" + ("y" * 1_000 + "\n") * 500)
    content = await told(executor, "read_file", file_path="f")
    assert len(content) < files.READ_BYTES + 200
    assert f"1\t{'x' * 2_000}[… 998,000 characters cut]\n" in content
    assert content.endswith("; read on with offset 59]")


async def test_reading_a_directory_or_listing_a_file_names_the_right_tool(
    executor: ToolExecutor, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    assert await told(executor, "read_file", file_path="d") == "d is a directory: use list_directory"
    assert await told(executor, "list_directory", path="f") == "f is a file, not a directory: use read_file"


async def test_a_directory_is_listed_in_order_with_kinds(executor: ToolExecutor, tmp_path: Path) -> None:
    import os

    (tmp_path / "d").mkdir()
    (tmp_path / ".h").touch()
    (tmp_path / "b\nc").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    assert await told(executor, "list_directory") == "'b\\nc'\n.h\nd/\nlink [link]\npipe [pipe]"


async def test_a_long_listing_is_cut_and_says_so(executor: ToolExecutor, tmp_path: Path) -> None:
    for number in range(510):
        (tmp_path / f"{number:04}").touch()
    rows = (await told(executor, "list_directory", path=".")).split("\n")
    assert rows[:-1] == [f"{number:04}" for number in range(500)]
    assert rows[-1] == "[10 more of 510 entries: use glob_files with a pattern]"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nb\r\n", b"a\r\nc\r\nd\r\n"),
        (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nc\nd\n"),
        ("\ufeffa\r\nb".encode("utf-16-le"), "\ufeffa\r\nc\r\nd".encode("utf-16-le")),
        (b"\xe9\nb", b"\xe9\nc\nd"),
        (b"x\r\nb\ny\r\n", b"x\r\nc\r\nd\r\ny\r\n"),
    ],
)
async def test_an_edit_keeps_encoding_line_ends_and_final_newline(
    executor: ToolExecutor, tmp_path: Path, before: bytes, after: bytes
) -> None:
    (tmp_path / "f").write_bytes(before)
    await call(executor, "read_file", file_path="f")
    outcome = await call(executor, "edit_file", file_path="f", old_string="b", new_string="c\nd")
    assert outcome.status == "ok", outcome
    assert (tmp_path / "f").read_bytes() == after


async def test_an_overwrite_keeps_them_too(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    await call(executor, "read_file", file_path="f")
    outcome = await call(executor, "write_file", file_path="f", content="c\nd")
    assert (tmp_path / "f").read_bytes() == b"\xef\xbb\xbfc\r\nd\r\n"
    assert outcome.result.content == "replaced all of f: it holds 2 lines now"
    assert "already holds exactly this" in await told(executor, "write_file", file_path="f", content="c\nd\n")


async def test_an_edit_says_how_it_found_its_place_and_what_is_there_now(
    executor: ToolExecutor, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("if x:\n        y()\n")
    await call(executor, "read_file", file_path="f")
    content = await told(executor, "edit_file", file_path="f", old_string="    y()", new_string="    z()")
    assert content == "edited f: 1 replacement. It now reads:\n2\t        z()"
    content = await told(
        executor, "edit_file", file_path="f", old_string="if x:  \n    z()", new_string="if x:  \n    w()"
    )
    assert "not found" in content
    outcome = await call(executor, "edit_file", file_path="f", old_string="if x:  \n", new_string="if z:\n")
    assert outcome.result.content == "edited f: 1 replacement (whitespace differences ignored). It now reads:\n1\tif z:"
    assert outcome.repairs == ("whitespace differences ignored",)
    assert (tmp_path / "f").read_text() == "if z:\n        z()\n"
    content = await told(executor, "edit_file", file_path="f", old_string="        z()\n", new_string="")
    assert content == "edited f: 1 replacement. It now reads:\n[1 line taken out after line 1]"


async def test_what_an_edit_changed_is_told_within_bounds(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x\ny\n" * 500)
    await call(executor, "read_file", file_path="f")
    content = await told(executor, "edit_file", file_path="f", old_string="x", new_string="z", replace_all=True)
    assert content.startswith("edited f: 500 replacements. It now reads:\n1\tz\n3\tz\n")
    assert content.endswith("\n23\tz\n[… there are more changed lines]")
    content = await told(executor, "edit_file", file_path="f", old_string="z\ny\n" * 500, new_string="w" * 9_000)
    assert len(content) < 1_500


async def test_a_small_file_that_was_not_read_is_shown_with_what_to_do_and_counts_as_read(
    executor: ToolExecutor, tmp_path: Path
) -> None:
    edit = {"old_string": "a", "new_string": "b"}
    (tmp_path / "f").write_text("a\n")
    outcome = await call(executor, "edit_file", file_path="f", **edit)
    assert outcome.result.content == (
        "f was not read in this session, so nothing was changed yet. It holds:\n1\ta\n"
        "The edit fits: make the same call again."
    )
    assert (outcome.status, outcome.understood, (tmp_path / "f").read_text()) == ("failed", True, "a\n")
    assert (await call(executor, "edit_file", file_path="f", **edit)).status == "ok"
    (tmp_path / "f").write_text("c\n")
    content = await told(executor, "edit_file", file_path="f", old_string="b", new_string="d")
    assert content.startswith(
        "f has changed since it was read, so nothing was changed yet. It holds:\n1\tc\nold_string"
    )
    assert (await call(executor, "edit_file", file_path="f", old_string="c", new_string="d")).status == "ok"
    (tmp_path / "g").write_text("a\n")
    content = await told(executor, "write_file", file_path="g", content="b\n")
    assert content.endswith("It holds:\n1\ta\nTo replace all of it, make the same call again.")
    assert (tmp_path / "g").read_text() == "a\n"
    assert await told(executor, "write_file", file_path="g", content="b\n") == "replaced all of g: it holds 1 line now"


@pytest.mark.parametrize("content", ["x" * 3_000 + "\n", "x\n" * 2_001], ids=["a long line", "long"])
async def test_a_larger_file_that_was_not_read_has_to_be_read_first(
    executor: ToolExecutor, tmp_path: Path, content: str
) -> None:
    (tmp_path / "f").write_text(content)
    for _ in range(2):
        told_first = await told(executor, "edit_file", file_path="f", old_string="x\nx", new_string="b")
        assert told_first == (
            "f was not read in this session, so nothing was changed. "
            'Call read_file with {"file_path": "f"}, then edit_file again'
        )


async def test_a_secret_file_is_not_shown_without_asking(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    executor = ToolExecutor(tmp_path)
    outcome = await call(executor, "edit_file", file_path=".env", old_string="KEY=2", new_string="KEY=3")
    assert outcome.status == "denied"
    assert "KEY" not in outcome.result.content
    outcome = await call(executor, "write_file", file_path=".env", content="")
    assert (outcome.status, (tmp_path / ".env").read_text()) == ("denied", "KEY=1\n")


async def test_an_edit_without_old_text_makes_a_new_file_and_no_place_in_an_old_one(
    executor: ToolExecutor, tmp_path: Path
) -> None:
    outcome = await call(executor, "edit_file", path="hello.py", old_text="", new_text="print('Hello')\n")
    assert outcome.result.content == "created hello.py: 1 line"
    assert outcome.repairs == (
        "path → file_path",
        "old_text → old_string",
        "new_text → new_string",
        "empty old_string → new file",
    )
    assert (tmp_path / "hello.py").read_text() == "print('Hello')\n"
    content = await told(executor, "edit_file", path="hello.py", old_text="", new_text="# TODO\n")
    assert content.startswith("old_string is empty")
    assert content.endswith("It holds:\n1\tprint('Hello')")
    (tmp_path / "empty").touch()
    await call(executor, "read_file", file_path="empty")
    assert (
        await told(executor, "edit_file", path="empty", old_text="", new_text="x")
        == "empty is empty: write_file gives it its content"
    )


async def test_what_is_not_there_is_answered_with_what_is_like_it(executor: ToolExecutor, tmp_path: Path) -> None:
    for name in ("src/app.py", "src/util.py", "docs/guide.md", "README.md", ".config/app.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for path, near in [
        ("app.py", "src/app.py"),
        ("src/ap.py", "src/app.py"),
        ("readme.md", "README.md"),
        ("docs/app.py", "src/app.py"),
    ]:
        assert await told(executor, "read_file", file_path=path) == f"no such file: {path}. Did you mean {near}?"
    assert await told(executor, "list_directory", path="doc") == "no such directory: doc. Did you mean docs?"
    assert "Did you mean docs?" in await told(executor, "grep_search", path="doc", pattern="x")
    assert "Did you mean src/util.py?" in await told(executor, "grep_search", path="util.py", pattern="x")
    assert await told(executor, "read_file", file_path="zzzz") == (
        "no such file: zzzz. list_directory shows what is there."
    )
    edit = await told(executor, "edit_file", file_path="app.py", old_string="a", new_string="b")
    assert edit == "no such file: app.py. Did you mean src/app.py? To create it, use write_file."


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("tests\\x.py", "tests/x.py"),
        (".\\tests\\x.py", "tests/x.py"),
        ("`tests/x.py`", "tests/x.py"),
        ('"tests/x.py"', "tests/x.py"),
        (" tests/x.py\n", "tests/x.py"),
        ("tests/x.py/", "tests/x.py"),
        ("/tests/x.py", "tests/x.py"),
        ("/top.py", "top.py"),
        ("/home/nobody-here/work/tests/x.py", "tests/x.py"),
    ],
)
async def test_a_path_that_is_nearly_right_is_repaired_and_named(tmp_path: Path, given: str, name: str) -> None:
    work = tmp_path / "work"
    (work / "tests").mkdir(parents=True)
    (work / "tests/x.py").write_text("x\n")
    (work / "top.py").write_text("x\n")
    executor = ToolExecutor(work, approve_all=True)
    executor.simplify(True)
    for tool, more in (("read_file", {}), ("edit_file", {"old_string": "x", "new_string": "y"})):
        outcome = await call(executor, tool, file_path=given, **more)
        assert (outcome.status, outcome.title) == ("ok", name), outcome
        assert outcome.repairs == (f"{given if given.isprintable() else ascii(given)} → {name}",)
    assert (work / name).read_text() == "y\n"
    if not given.rstrip('`"').endswith("/"):
        assert (await call(executor, "grep_search", path=given, pattern="y")).result.content == f"{name}:1:y"


async def test_models_that_are_not_small_are_told_what_they_may_have_meant(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/x.py").write_text("x\n")
    executor = ToolExecutor(tmp_path, approve_all=True)
    for given in ("tests\\x.py", "`tests/x.py`", " tests/x.py", "/tests/x.py"):
        for tool in ("read_file", "edit_file"):
            more = {"old_string": "x", "new_string": "y"} if tool == "edit_file" else {}
            outcome = await call(executor, tool, file_path=given, **more)
            assert (outcome.status, outcome.repairs) in (("failed", ()), ("denied", ())), given
    assert "Did you mean tests/x.py?" in await told(executor, "read_file", file_path="`tests/x.py`")
    assert (tmp_path / "tests/x.py").read_text() == "x\n"


@pytest.mark.parametrize("given", ["./tests/x.py", "tests/../tests/x.py", "tests//x.py"])
async def test_a_path_that_is_right_is_no_repair(tmp_path: Path, given: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/x.py").write_text("x\n")
    outcome = await call(ToolExecutor(tmp_path), "read_file", file_path=given)
    assert (outcome.status, outcome.title, outcome.repairs) == ("ok", "tests/x.py", ())


async def test_a_directory_is_found_in_spite_of_quotes_and_backslashes(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/f.py").touch()
    executor = ToolExecutor(tmp_path)
    executor.simplify(True)
    for given in ("a\\b", "/a/b/", "'a/b'", "a/b/"):
        assert await told(executor, "list_directory", path=given) == "f.py"
        assert await told(executor, "glob_files", path=given, pattern="*.py") == "a/b/f.py"
    assert await told(executor, "list_directory", path='."') == "a/"


async def test_a_path_with_two_readings_or_one_outside_is_not_repaired(tmp_path: Path) -> None:
    work = tmp_path / "work"
    for name in ("etc/passwd", "work/x", "x", "a/b"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("INSIDE\n")
    (tmp_path / "secret").write_text("OUTSIDE\n")
    (work / "out").symlink_to("../secret")
    executor = ToolExecutor(work, approve_all=True)
    executor.simplify(True)
    for given in ("/etc/passwd", "/etc/nothing-like-this", "`../secret`", "..\\secret", "'/etc/passwd'", '"out"'):
        outcome = await call(executor, "read_file", file_path=given)
        assert not outcome.result.ok, given
        assert not outcome.repairs
    # `work/x` in the working directory, or `x` in it?
    for given in ("/nowhere/work/work/x", "/work/x"):
        assert "is outside the working directory" in await told(executor, "read_file", file_path=given)


async def test_a_new_file_gets_its_name_without_what_is_around_it(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    executor = ToolExecutor(tmp_path, approve_all=True)
    executor.simplify(True)
    for given, name in (("`a.py`", "a.py"), (" b.py", "b.py"), ("src\\c.py", "src/c.py"), ("/src/d.py", "src/d.py")):
        outcome = await call(executor, "write_file", file_path=given, content="x\n")
        assert outcome.result.content == f"created {name}: 1 line"
        assert outcome.repairs == (f"{given} → {name}",)
    for given in ("/tmp/e.py", "/f.py", "../g.py", "src/h/", "/src/i/"):
        assert not (await call(executor, "write_file", file_path=given, content="x\n")).result.ok, given
    # An ordinary character of a name, where no directory says otherwise.
    assert (await call(executor, "write_file", file_path="no\\j.py", content="x\n")).result.ok
    assert (tmp_path / "no\\j.py").exists()


async def test_binary_and_huge_files_are_refused_by_every_file_tool(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "bin").write_bytes(b"\x7fELF\0\0")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(20_000_000)
    for name in ("bin", "huge"):
        for tool, more in (
            ("read_file", {}),
            ("write_file", {"content": "x"}),
            ("edit_file", {"old_string": "a", "new_string": "b"}),
        ):
            content = await told(executor, tool, file_path=name, **more)
            assert content.startswith(f"{name} is "), content
    assert (tmp_path / "bin").read_bytes() == b"\x7fELF\0\0"


async def test_writing_into_a_directory_or_below_a_file_is_an_error(executor: ToolExecutor, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").touch()
    assert "d is a directory" in await told(executor, "write_file", file_path="d", content="")
    assert "names a directory" in await told(executor, "write_file", file_path="new/", content="")
    assert "is not a directory" in await told(executor, "write_file", file_path="f/x", content="")
    assert "lone surrogate" in await told(executor, "write_file", file_path="s", content="\ud800")
    assert await told(executor, "list_directory") == "d/\nf"


async def test_a_command_comes_back_with_output_and_exit_code(executor: ToolExecutor) -> None:
    outcome = await call(executor, "run_command", command="echo out; echo err >&2; exit 3")
    assert (outcome.status, outcome.result.exit_code) == ("failed", 3)
    assert outcome.result.content == "exit code 3\nout\nerr"
    assert await told(executor, "run_command", command="echo out") == "out\n[exit code 0]"
    assert await told(executor, "run_command", command="true") == "(no output), exit code 0"
    assert await told(executor, "run_command", command="false") == "exit code 1\n(no output)"
    assert await told(executor, "run_command", command="kill -9 $$") == "killed by signal SIGKILL\n(no output)"


async def test_a_time_out_is_told_with_the_output_so_far(executor: ToolExecutor) -> None:
    content = await told(executor, "run_command", command="echo begun; sleep 60", timeout=1)
    assert content == "stopped: it ran longer than 1 s\nbegun"


async def test_output_is_passed_on_while_a_command_runs(executor: ToolExecutor) -> None:
    pieces: list[str] = []
    await executor.run(ToolCall("c", "bash", '{"command": "echo x"}'), on_output=pieces.append)
    assert "".join(pieces) == "x\n"


async def test_a_huge_output_reaches_the_model_bounded(executor: ToolExecutor) -> None:
    content = await told(executor, "run_command", command="seq 1 1000000")
    assert content.startswith("1\n2\n3\n")
    assert "bytes cut" in content
    how = "[to read what was cut, run it again with its output sent to a file, and read that]"
    assert content.endswith(f"999999\n1000000\n{how}\n[exit code 0]")
    assert len(content) < 32_000


@pytest.mark.parametrize("text", ["", "  \n", "a\0b", "echo \ud800", "x" * (command.MAX_COMMAND_BYTES + 1)])
async def test_text_that_is_no_command_is_not_asked_about(executor: ToolExecutor, text: str) -> None:
    outcome = await call(executor, "run_command", command=text)
    assert (outcome.status, outcome.decision) == ("failed", None)
    assert "command" in outcome.result.content


async def test_a_background_command_can_be_followed_in_its_log_and_dies_with_the_session(
    executor: ToolExecutor, tmp_path: Path
) -> None:
    import psutil

    content = await told(executor, "run_command", command="echo up; exec sleep 600", background=True)
    log = content.rpartition(" ")[2]
    pid = int(content.split("process ")[1].split(";")[0])
    assert await told(executor, "read_file", file_path=log) == "1\tup"
    assert "outside" in await told(executor, "write_file", file_path=log, content="x")
    assert psutil.pid_exists(pid)
    await executor.aclose()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_background_command_that_ends_at_once_says_how(executor: ToolExecutor) -> None:
    outcome = await call(executor, "run_command", command="echo no; exit 7", background=True)
    assert (outcome.status, outcome.result.exit_code) == ("failed", 7)
    assert outcome.result.content == "it did not keep running\nno\n\n[ended with exit code 7]"
    await executor.aclose()


async def test_a_plan_is_repeated_with_its_marks(executor: ToolExecutor) -> None:
    outcome = await call(
        executor,
        "update_plan",
        items=[{"step": "a", "status": "completed"}, {"step": "b", "status": "in_progress"}, "c"],
    )
    assert outcome.result.content == "[x] a\n[>] b\n[ ] c"
    assert outcome.title == "1 of 3 done"
    assert "at most 50" in await told(executor, "update_plan", items=["x"] * 51)
