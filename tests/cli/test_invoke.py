"""`tui-agent invoke`, as a script runs it."""

import json
import os
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, Reply, reply_calls, reply_error, reply_text
from tests.project import Machine

WRITE = reply_calls([("write_file", {"file_path": "hello.py", "content": "print('hi')\n"})], answer="I will write.")


@pytest.fixture
def server() -> ChatServer:
    return ChatServer([reply_text("It is a **shop**.")])


def machine(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine.under(tmp_path, {"fake": server.url})


def scripted(tmp_path: Path, *script: Reply, words: tuple[str, ...]) -> tuple[Machine, ChatServer, object]:
    with ChatServer(list(script)) as server:
        made = machine(tmp_path, server)
        return made, server, made.run("invoke", *words)


def test_text_output_is_the_answer_and_nothing_else(tmp_path: Path, server: ChatServer) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "what is this?")
    assert (done.stdout, done.stderr, done.returncode) == ("It is a **shop**.\n", "", 0)
    assert server.bodies[0]["messages"][-1] == {"role": "user", "content": "what is this?"}


def test_a_dash_reads_the_prompt_from_stdin(tmp_path: Path, server: ChatServer) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "-", stdin="line one\nline two\n")
    assert done.returncode == 0
    assert server.bodies[0]["messages"][-1]["content"] == "line one\nline two\n"


def test_an_empty_prompt_is_a_usage_error(tmp_path: Path, server: ChatServer) -> None:
    done = machine(tmp_path, server).run("invoke", "-m", "-", stdin="  \n")
    assert done.returncode == 2
    assert "the prompt is empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_approval_nothing_is_written_and_the_model_is_told(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("I could not.")]) as server:
        made = machine(tmp_path, server)
        done = made.run("invoke", "-m", "write it")
    assert not (made.project / "hello.py").exists()
    assert (done.stdout, done.returncode) == ("I could not.\n", 3)
    assert "refused: write_file\n  nobody can be asked in this run (--approve rules)" in done.stderr
    result = server.bodies[1]["messages"][-1]
    assert result["role"] == "tool"
    assert result["content"].startswith("refused: nobody can be asked in this run (--approve rules)")


def test_with_approve_all_the_file_is_written(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Done.")]) as server:
        made = machine(tmp_path, server)
        done = made.run("invoke", "-m", "write it", "--approve", "all")
    assert (done.stdout, done.returncode) == ("Done.\n", 0)
    assert (made.project / "hello.py").read_text() == "print('hi')\n"


def test_read_only_offers_the_model_no_tool_that_changes_things(tmp_path: Path, server: ChatServer) -> None:
    with server:
        machine(tmp_path, server).run("invoke", "-m", "look", "--approve", "read-only")
    offered = {tool["function"]["name"] for tool in server.bodies[0]["tools"]}
    assert offered == {"read_file", "list_directory", "glob_files", "grep_search", "update_plan"}


def test_tools_can_be_chosen_or_left_out(tmp_path: Path, server: ChatServer) -> None:
    with server:
        made = machine(tmp_path, server)
        made.run("invoke", "-m", "x", "--tools", "read_file,grep_search")
        made.run("invoke", "-m", "x", "--no-tools")
    assert [tool["function"]["name"] for tool in server.bodies[0]["tools"]] == ["read_file", "grep_search"]
    assert "tools" not in server.bodies[1]


def test_an_unknown_tool_name_is_a_usage_error_that_lists_the_known_ones(tmp_path: Path, server: ChatServer) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", "--tools", "read_fil")
    assert done.returncode == 2
    assert "read_fil" in done.stderr and "read_file" in done.stderr


def test_json_output_is_the_end_object(tmp_path: Path, server: ChatServer) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", "--output-format", "json")
    end = json.loads(done.stdout)
    assert (end["type"], end["reason"], end["text"], end["exit_code"]) == ("end", "done", "It is a **shop**.", 0)
    assert end["usage"]["prompt_tokens"] > 0


def test_stream_json_tells_everything_in_order(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("Done.", thought="hm")]) as server:
        done = machine(tmp_path, server).run(
            "invoke", "-m", "write", "--approve", "all", "--output-format", "stream-json"
        )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["session"] for row in rows}) == 1
    kinds = [row["type"] for row in rows]
    first = [kinds.index(kind) for kind in ("session", "text_delta", "tool_call", "approval", "tool_result", "end")]
    assert first == sorted(first)
    assert kinds[-1] == "end" and kinds.count("usage") == 2 and "reasoning_delta" in kinds
    call = next(row for row in rows if row["type"] == "tool_call")
    assert (call["name"], json.loads(call["arguments"])["file_path"]) == ("write_file", "hello.py")
    result = next(row for row in rows if row["type"] == "tool_result")
    assert result["files"] == [{"path": "hello.py", "added": 1, "removed": 0, "created": True}]
    assert result["repairs"] == []
    text = "".join(row["text"] for row in rows if row["type"] == "text_delta")
    assert text.endswith("Done.")


def test_stream_json_tells_what_was_repaired_in_a_call(tmp_path: Path) -> None:
    call = reply_calls([("read_file", {"path": "none.txt"})])
    with ChatServer([call, reply_text("There is none.")]) as server:
        done = machine(tmp_path, server).run("invoke", "-m", "read", "--output-format", "stream-json")
    (result,) = (row for line in done.stdout.splitlines() if (row := json.loads(line))["type"] == "tool_result")
    assert (result["status"], result["repairs"]) == ("failed", ["path → file_path"])


def test_a_server_that_is_down_is_named_with_the_command_that_starts_it(tmp_path: Path) -> None:
    made = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"})
    done = made.run("invoke", "-m", "x")
    assert done.returncode == 4
    assert "Connection refused to localhost:9" in done.stderr
    assert "start-fake --now" in done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr


def test_a_wrong_key_and_an_unknown_model_fail_with_the_remedy(tmp_path: Path) -> None:
    with ChatServer([reply_error(401, "bad key")]) as server:
        done = machine(tmp_path, server).run("invoke", "-m", "x")
    assert done.returncode == 1 and "FAKE_API_KEY" in done.stderr


def test_the_session_is_kept_and_resumed(tmp_path: Path, server: ChatServer) -> None:
    with server:
        made = machine(tmp_path, server)
        end = json.loads(made.run("invoke", "-m", "first", "--json").stdout)
        again = made.run("invoke", "-m", "second", "--resume", end["session"][:-2])
        listed = made.run("sessions", "list").stdout
        shown = made.run("sessions", "show", end["session"]).stdout
    assert again.returncode == 0
    contents = [message["content"] for message in server.bodies[1]["messages"][1:]]
    assert contents == ["first", "It is a **shop**.", "second"]
    assert end["session"] in listed and "2 turns" in listed and "first" in listed
    assert "you: first" in shown and "agent: It is a **shop**." in shown


def test_an_unknown_session_is_named(tmp_path: Path, server: ChatServer) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", "--resume", "nope")
    assert done.returncode == 1 and "no session 'nope'" in done.stderr


def test_no_save_keeps_nothing(tmp_path: Path, server: ChatServer) -> None:
    with server:
        made = machine(tmp_path, server)
        assert made.run("invoke", "-m", "x", "--no-save").returncode == 0
        assert "no sessions yet" in made.run("sessions", "list").stderr


@pytest.mark.promise("P25")
def test_max_iterations_ends_a_loop(tmp_path: Path) -> None:
    calls = [reply_calls([("list_directory", {"path": f"./{n * './'}"})], first=n + 1) for n in range(9)]
    with ChatServer(calls) as server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", "--max-iterations", "3")
    assert len(server.requests) == 3
    assert done.returncode == 1
    assert "stopped after 3 requests" in done.stderr


def test_the_first_request_is_lean(tmp_path: Path, server: ChatServer) -> None:
    with server:
        machine(tmp_path, server).run("invoke", "-m", "hi")
    assert server.requests[0].size <= 6 * 1024
    assert len(server.bodies[0]["tools"]) == 8


def test_without_tools_a_call_that_comes_anyway_is_not_run(tmp_path: Path) -> None:
    with ChatServer([WRITE, reply_text("No.")]) as server:
        made = machine(tmp_path, server)
        made.run("invoke", "-m", "write it", "--no-tools", "--approve", "all")
    assert not (made.project / "hello.py").exists()
    assert "unknown tool" in server.bodies[1]["messages"][-1]["content"]


def test_read_only_knows_the_tools_by_all_their_names(tmp_path: Path, server: ChatServer) -> None:
    with server:
        made = machine(tmp_path, server)
        made.run("invoke", "-m", "x", "--approve", "read-only", "--tools", "file_read,file_write")
        wrong = made.run("invoke", "-m", "x", "--approve", "read-only", "--tools", "read_fil")
    assert [tool["function"]["name"] for tool in server.bodies[0]["tools"]] == ["read_file"]
    assert (wrong.returncode, len(server.bodies)) == (2, 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--tools", ""], 2, "no tool is called ''"),
        (["--resume", ""], 1, "no session is named"),
        (["--allowed-dirs", "/no/such/folder"], 2, "cannot use the directory /no/such/folder"),
        (["--max-iterations", "many"], 2, "must be a whole number of at least 1, not 'many'"),
    ],
)
def test_an_option_that_says_nothing_usable_is_never_taken_for_none(
    tmp_path: Path, server: ChatServer, words: list[str], code: int, said: str
) -> None:
    with server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", *words)
    assert (done.returncode, done.stdout, server.bodies) == (code, "", [])
    assert said in done.stderr


def test_a_deny_rule_of_the_settings_is_in_force_even_when_all_is_approved(tmp_path: Path) -> None:
    call = reply_calls([("run_command", {"command": "touch made && echo hi"})])
    with ChatServer([call, reply_text("It was refused.")]) as server:
        made = Machine.under(tmp_path, {"fake": server.url}, permissions={"deny": ["touch made"]})
        done = made.run("invoke", "-m", "x", "--approve", "all")
        listed = made.run("tools", "call", "run_command", "--args", '{"command": "touch made"}', "--yes")
    assert not (made.project / "made").exists()
    assert done.returncode == listed.returncode == 3
    assert "deny: touch made" in server.bodies[1]["messages"][-1]["content"]


def test_with_json_output_the_reason_of_a_failure_is_told_beside_it(tmp_path: Path) -> None:
    with ChatServer([reply_error(500, "out of memory")]) as server:
        done = machine(tmp_path, server).run("invoke", "-m", "x", "--json")
    assert (json.loads(done.stdout)["reason"], done.returncode) == ("error", 1)
    assert done.stderr.startswith("error: fake answered 500: out of memory\n")


def test_a_folder_whose_name_is_not_utf8_is_worked_in_and_its_sessions_are_found(
    tmp_path: Path, server: ChatServer
) -> None:
    with server:
        made = machine(tmp_path, server)
        (made.project / os.fsdecode(b"caf\xe9")).mkdir()
        there = ("-w", str(made.project / os.fsdecode(b"caf\xe9")))
        done = made.run("invoke", "-m", "first", *there)
        listed = made.run("sessions", "list", *there)
    assert (done.returncode, done.stderr) == (0, "")
    assert listed.stdout.strip().endswith("first") and "caf\\udce9" not in made.run("sessions", "list").stdout
