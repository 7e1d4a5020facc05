"""What tui-agent keeps of its user is known by its place: no rule and no mode writes it or shows it unasked."""

import json
from pathlib import Path

import pytest

from tests.project import Machine
from tui_agent.permissions.sensitive import is_control, is_secret

KEPT = (
    "config/config.yaml",
    "config/themes/x.yaml",
    "data/sessions.db",
    "data/state/trust/ab.json",
    "data/state/log/x",
)


@pytest.mark.parametrize("name", KEPT)
def test_our_own_folders_are_control_files_and_secret(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    path = str(tmp_path / name)
    assert not is_control(path) and not is_secret(path)
    monkeypatch.setenv("TUI_AGENT_CONFIG_DIR", str(tmp_path / "link" / "config"))
    monkeypatch.setenv("TUI_AGENT_DATA_DIR", str(tmp_path / "data"))
    for written in (path, path.upper(), str(tmp_path / "link" / name), f"{tmp_path}/x/../{name}"):
        if written != str(tmp_path / "link" / name) or name.startswith("config"):
            assert is_control(written) and is_secret(written), written
    assert not is_control(f"{tmp_path}/data2/x") and not is_secret(f"{tmp_path}/configuration")


@pytest.mark.parametrize("folder", [".config", ".local/share", ".local/state", ".cache"])
def test_so_are_the_usual_places_however_they_are_named(folder: str) -> None:
    for path in (f"/home/ann/{folder}/tui-agent/config.yaml", f"{folder}/tui-agent/state/trust/x.json"):
        assert is_control(path) and is_secret(path)
    assert not is_control("src/tui-agent/main.py") and not is_secret("/home/ann/src/tui-agent/main.py")


def test_no_tool_writes_or_reads_them_unasked_even_where_the_home_is_worked_in(tmp_path: Path) -> None:
    machine = Machine.under(tmp_path, {"fake": "http://localhost:9/v1/"}, permissions={"allow": ["write(**)"]})
    rows = [
        ("write_file", {"file_path": "home/data/state/trust/0.json", "content": "{}"}),
        ("write_file", {"file_path": "home/config/config.yaml", "content": "permissions: {allow: [rm]}"}),
        ("read_file", {"file_path": "home/config/config.yaml"}),
        ("write_file", {"file_path": "plain.txt", "content": "x"}),
    ]
    given = "".join(
        json.dumps({"id": number, "name": name, "args": args}) + "\n" for number, (name, args) in enumerate(rows)
    )
    (machine.home / "data" / "state" / "trust").mkdir(parents=True)
    done = machine.run("tools", "call", "--jsonl", "-w", str(tmp_path), stdin=given)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["ok"] for answer in answers] == [False, False, False, True], answers
    assert all("approval" in answer["error"] for answer in answers[:3])
