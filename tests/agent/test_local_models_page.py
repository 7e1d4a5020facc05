"""`docs/local-models.md` says what the program does."""

from pathlib import Path

from tui_agent.agent.profile import LEFT_OUT, SMALL_PARAMETERS, SMALL_WINDOW, Profile, offered
from tui_agent.providers.embedded.catalogue import MODELS
from tui_agent.tools.executor import ToolExecutor
from tui_agent.tui.actions import ACTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "local-models.md").read_text()


def test_every_model_stands_in_the_table_with_its_size_and_needs() -> None:
    for model in MODELS:
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{model.name}` |")]
        assert f"{model.size / 1e6:,.0f} MB" in row
        assert model.memory.partition(" of ")[0] in row
        assert model.licence == "Apache-2.0"


def test_the_limits_of_the_small_profile_are_those_of_the_program(tmp_path: Path) -> None:
    words = " ".join(PAGE.split())
    assert f"below {SMALL_PARAMETERS // 1_000_000_000} billion parameters" in words
    assert f"at most {SMALL_WINDOW:,} tokens" in words
    specs = ToolExecutor(tmp_path).specs()
    assert (len(offered(specs, Profile("small", ""))), len(specs)) == (6, 8)
    assert "six tools in place of eight" in words
    assert len(LEFT_OUT) == 2


def test_the_keys_it_names_are_bound() -> None:
    keys = {action.id: action.keys for action in ACTIONS}
    assert "f6" in keys["chat.fetch"]
    assert "f8" in keys["chat.profile"]
