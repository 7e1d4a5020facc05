"""What a small model is given, told and kept from: profile, prompt, mentions, nudges, the guard against repeats."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.test_session import Face, provider_for
from tests.fakes.chat_server import ChatServer, reply_calls, reply_text
from tui_agent.agent.journal import TurnOptions
from tui_agent.agent.mentions import mentioned_files, named_paths
from tui_agent.agent.nudges import Nudges
from tui_agent.agent.profile import Profile, choose_profile, offered
from tui_agent.agent.prompt import EXAMPLE, plan_words, system_prompt
from tui_agent.agent.session import Session
from tui_agent.config.model import ProfileName
from tui_agent.conversation.events import Event, Nudged, PromptSubmitted, ToolFinished
from tui_agent.providers.protocol import ModelInfo
from tui_agent.text.tokens import estimate
from tui_agent.tools.executor import ToolExecutor
from tui_agent.workspace.paths import Workspace

SMALL = Profile("small", "")


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (ModelInfo("m", parameters=1_500_000_000), "small"),
        (ModelInfo("m", parameters=7_600_000_000), "full"),
        (ModelInfo("qwen2.5-coder:1.5b"), "small"),
        (ModelInfo("llama-3.2-3b-instruct"), "small"),
        (ModelInfo("gemma-3n-e4b"), "small"),
        (ModelInfo("qwen3-30b-a3b"), "full"),
        (ModelInfo("gpt-oss-20b"), "full"),
        (ModelInfo("gpt-4b-like", parameters=70_000_000_000), "full"),
        (ModelInfo("m", context_length=4096), "small"),
        (ModelInfo("m", context_length=32_768), "full"),
        (ModelInfo("claude-sonnet-5-5"), "full"),
        (None, "full"),
    ],
)
def test_the_profile_goes_by_size_and_window(info: ModelInfo | None, name: str) -> None:
    assert choose_profile("auto", info).name == name


@pytest.mark.parametrize("setting", ["small", "full"])
def test_a_set_profile_stands_whatever_the_model_is(setting: ProfileName) -> None:
    profile = choose_profile(setting, ModelInfo("m", parameters=1))
    assert (profile.name, profile.why) == (setting, "set by you")


def test_a_small_model_is_offered_few_tools_with_short_schemas(tmp_path: Path) -> None:
    specs = ToolExecutor(tmp_path).specs()
    short = offered(specs, SMALL)
    assert {spec.name for spec in specs} - {spec.name for spec in short} == {"glob_files", "update_plan"}
    edit = next(spec for spec in short if spec.name == "edit_file")
    assert list(edit.parameters["properties"]) == ["file_path", "old_string", "new_string", "replace_all"]
    assert all("description" not in schema for spec in short for schema in spec.parameters["properties"].values())
    assert offered(specs, Profile("full", "")) == specs


def test_the_beginning_of_every_request_to_a_small_model_is_short_and_the_same_everywhere(tmp_path: Path) -> None:
    system = system_prompt("/home/one", "Linux", small=True)
    assert system == system_prompt("/srv/two", "Darwin", small=True)
    example = "".join(m.content + "".join(c.name + c.arguments for c in m.tool_calls) for m in EXAMPLE)
    tools = "".join(f"{spec.name}: {spec.description}" for spec in offered(ToolExecutor(tmp_path).specs(), SMALL))
    assert estimate(system + example + tools) < 600


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("Summarise docs/guide.md in one sentence.", ["docs/guide.md"]),
        ("see @src/app.py, and ./b.txt.", ["src/app.py", "b.txt"]),
        ("according to the README", ["README"]),
        ("What is 2.5 + 2?", ["2.5"]),
        ("mail a@b.org or https://example.org/x.html", []),
        ("Hello there", []),
        (".gitignore please", [".gitignore"]),
    ],
)
def test_paths_are_found_in_a_prompt(text: str, paths: list[str]) -> None:
    assert list(named_paths(text)) == paths


def test_only_files_that_are_there_count_and_none_outside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "app.py").write_text("x")
    (project / "README.md").write_text("x")
    (tmp_path / "outside.txt").write_text("x")
    (project / "link.txt").symlink_to(tmp_path / "outside.txt")
    text = "In src/app.py and README and nothere.py, ../outside.txt, link.txt, src/app.py"
    assert mentioned_files(text, Workspace(project)) == ("src/app.py", "README.md")


@given(st.text(max_size=300))
def test_no_prompt_breaks_the_search_for_files(text: str) -> None:
    assert len(mentioned_files(text, Workspace("."))) <= 3


class Small:
    """A session over a small model that says what the test tells it to."""

    def __init__(self, server: ChatServer, project: Path) -> None:
        self.server = server
        self.project = project
        self.session = Session(
            log=None,
            executor=ToolExecutor(project, approver=Face()),
            provider=provider_for(server),
            model="tiny-1.5b",
            options=TurnOptions(max_iterations=8, directory=str(project)),
            working_directory=str(project),
            version="test",
        )

    async def run(self, prompt: str) -> list[Event]:
        return [event async for event in self.session.run(prompt)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "calc.py").write_text("def add(a, b):\n    return a - b\n\n\ndef half(a):\n    return a / 2\n")
    (folder / "notes.txt").write_text("one\ntwo\n")
    return folder


async def run(project: Path, prompt: str, *script: object) -> tuple[list[Event], list[dict], Small]:
    with ChatServer(list(script), models=["tiny-1.5b"]) as server:  # type: ignore[arg-type]
        small = Small(server, project)
        events = await small.run(prompt)
        await small.session.executor.aclose()
        await small.session.provider.aclose()
        return events, [seen.body for seen in server.requests], small


async def test_the_profile_is_known_before_the_first_request(project: Path) -> None:
    _, bodies, small = await run(project, "hello", reply_text("hi"))
    assert (small.session.profile.name, small.session.profile.why) == ("small", "1.5 billion parameters")
    assert bodies[0]["temperature"] == 0
    assert [m["role"] for m in bodies[0]["messages"]][:3] == ["system", "user", "assistant"]
    assert bodies[0]["messages"][-1] == {"role": "user", "content": "hello"}


async def test_the_profile_can_be_overridden_in_mid_session(project: Path) -> None:
    with ChatServer([reply_text("hi")], models=["tiny-1.5b"]) as server:
        small = Small(server, project)
        small.session.set_profile("full")
        await small.run("hello")
        small.session.set_profile("auto")
        await small.run("again")
        full, again = (len(seen.body["tools"]) for seen in server.requests)
    assert (full, again) == (8, 6)


async def test_the_beginning_stays_the_same_bytes_from_request_to_request(project: Path) -> None:
    read = reply_calls([("read_file", '{"file_path": "notes.txt"}')])
    _, bodies, _ = await run(project, "What is in notes.txt?", read, reply_text("one and two"))
    assert bodies[1]["tools"] == bodies[0]["tools"]
    assert bodies[1]["messages"][: len(bodies[0]["messages"])] == bodies[0]["messages"]
    assert bodies[0]["messages"][-1]["content"] == "What is in notes.txt? [notes.txt: not read yet]"
    assert bodies[1]["messages"][-1]["content"] == "one\ntwo"  # without line numbers


async def test_the_second_identical_call_leads_to_a_request_that_wants_words(project: Path) -> None:
    read = reply_calls([("read_file", '{"file_path": "notes.txt"}')])
    events, bodies, _ = await run(project, "What is in notes.txt?", read, read, reply_text("one and two"))
    assert [body.get("tool_choice") for body in bodies] == [None, None, "none"]
    assert bodies[2]["tools"] == bodies[0]["tools"]
    assert sum(isinstance(event, ToolFinished) for event in events) == 2


async def test_who_did_not_look_is_told_to_once(project: Path) -> None:
    guess = reply_text("It holds a poem.")
    events, bodies, _ = await run(project, "What is in notes.txt?", guess, guess)
    nudges = [event for event in events if isinstance(event, Nudged)]
    assert [nudge.reason for nudge in nudges] == ["notes.txt: not read yet"]
    assert bodies[1]["messages"][-1]["content"] == nudges[0].text
    assert len(bodies) == 2


async def test_who_explained_in_place_of_changing_is_told_to_change(project: Path) -> None:
    read = reply_calls([("read_file", '{"file_path": "calc.py"}')])
    edit = reply_calls(
        [("edit_file", '{"file_path": "calc.py", "old_string": "a - b", "new_string": "a + b"}')], first=2
    )
    script = read, reply_text("It subtracts."), edit, reply_text("Fixed.")
    events, _, _ = await run(project, "The function add in calc.py is wrong. Fix it.", *script)
    assert [event.reason for event in events if isinstance(event, Nudged)] == ["nothing was changed yet"]
    assert "a + b" in (project / "calc.py").read_text()


async def test_in_plan_mode_nobody_is_told_to_change_anything_but_still_to_look(project: Path) -> None:
    read = reply_calls([("read_file", '{"file_path": "calc.py"}')])
    write = reply_calls([("write_file", '{"file_path": "new.py", "content": "x"}')], first=2)
    with ChatServer(
        [reply_text("It is wrong."), read, write, reply_text("1. Change `calc.py`: add.")], models=["tiny-1.5b"]
    ) as server:
        small = Small(server, project)
        await small.session.set_mode("plan")
        events = await small.run("The function add in calc.py is wrong. Fix it and run it.")
        bodies = [seen.body for seen in server.requests]
    assert [event.reason for event in events if isinstance(event, Nudged)] == ["calc.py: not read yet"]
    assert "End with a plan" in bodies[0]["messages"][-1]["content"]
    assert bodies[0]["messages"][0]["content"] == system_prompt("", "", small=True)
    assert "plan mode: nothing is written or run" in bodies[3]["messages"][-1]["content"]
    assert not (project / "new.py").exists()


@pytest.mark.parametrize("small", [True, False])
def test_in_plan_mode_a_model_is_told_to_look_only_and_to_end_with_a_plan(small: bool) -> None:
    told = plan_words(small=small)
    assert "read" in told and "search" in told and "End with a plan" in told.replace("\n", " ")
    assert estimate(told) < 90


async def test_who_claims_success_after_a_failed_call_is_told_of_the_failure(project: Path) -> None:
    wrong = reply_calls([("edit_file", '{"file_path": "calc.py", "old_string": "a * b", "new_string": "a + b"}')])
    events, bodies, _ = await run(project, "Fix calc.py", wrong, reply_text("Done."), reply_text("I cannot."))
    assert "the last call failed and changed nothing" in [e.reason for e in events if isinstance(e, Nudged)]
    assert "was not read in this session" in bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize("prompt", ["Hello!", "What is 2 + 2?", "Write a haiku.", "Explain recursion"])
async def test_plain_chat_is_left_alone(project: Path, prompt: str) -> None:
    events, bodies, _ = await run(project, prompt, reply_text("fine"))
    assert len(bodies) == 1
    assert not any(isinstance(event, Nudged) for event in events)


async def test_a_large_model_is_not_told_anything(project: Path) -> None:
    with ChatServer([reply_text("a poem")], models=["big-70b"]) as server:
        small = Small(server, project)
        small.session.model = "big-70b"
        events = await small.run("What is in notes.txt?")
        assert len(server.requests) == 1
        assert "not read yet" not in server.requests[0].body["messages"][-1]["content"]
    assert next(e for e in events if isinstance(e, PromptSubmitted)).files == ("notes.txt",)


async def test_a_small_model_may_edit_what_it_quotes_exactly_but_not_secrets(project: Path) -> None:
    (project / ".env").write_text("KEY=1\n")
    edit = '{"file_path": "%s", "old_string": "%s", "new_string": "x"}'
    calls = reply_calls([("edit_file", edit % ("calc.py", "a - b")), ("edit_file", edit % (".env", "KEY=1"))])
    await run(project, "go", calls, reply_text("done"), reply_text("done"))
    assert "return x" in (project / "calc.py").read_text()
    assert (project / ".env").read_text() == "KEY=1\n"


async def test_a_small_model_does_not_lose_a_file_by_adding_to_it(project: Path) -> None:
    before = (project / "calc.py").read_text()
    read = reply_calls([("read_file", '{"file_path": "calc.py"}')])
    write = reply_calls([("write_file", '{"file_path": "calc.py", "content": "def sub(a, b): ..."}')], first=2)
    events, _, _ = await run(project, "Add sub to calc.py", read, write, reply_text("done"), reply_text("done"))
    assert (project / "calc.py").read_text() == before
    failed = [event.content for event in events if isinstance(event, ToolFinished) and event.status == "failed"]
    assert "would take most of the lines out of calc.py" in failed[0]


async def test_a_name_is_replaced_everywhere_and_left_overs_are_told(project: Path) -> None:
    (project / "a.py").write_text("def half(x): ...\nhalf(1)\n# half of it\n")
    rename = reply_calls([("edit_file", '{"file_path": "a.py", "old_string": "half(1)", "new_string": "third(1)"}')])
    events, _, _ = await run(project, "go", rename, reply_text("done"))
    done = next(event for event in events if isinstance(event, ToolFinished))
    assert done.content.endswith("`half` is still in line 1, 3.")


@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=3))
def test_no_prompt_is_answered_with_more_than_three_words(prompt: str, files: list[str]) -> None:
    nudges = Nudges()
    nudges.asked(prompt, files)
    said = [nudges.word() for _ in range(6)]
    assert said[3:] == [None, None, None]
