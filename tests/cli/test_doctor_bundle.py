"""The bundle of `tui-agent doctor` holds no secret and no conversation, and is never written over anything."""

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.chat_server import ChatServer, reply_html, reply_text
from tests.project import Machine
from tui_agent.cli.checkup import bundle
from tui_agent.cli.checkup.bundle import Member, write_bundle
from tui_agent.conversation.errors import TuiAgentError, UsageError


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer(lambda body, number: reply_text("hello")) as running:
        yield running


@pytest.fixture
def made(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine.under(tmp_path, {"fake": server.url})


def unpacked(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


CANARIES = {
    "OPENAI_API_KEY": "CANARY-openai-51d0",
    "MY_VERY_OWN": "CANARY-named-in-settings-77aa",
    "GITHUB_TOKEN": 'CANARY-"quoted"-and-\\slashed-9f',
    "HTTPS_PROXY": "http://worker:CANARY-proxy-pass@proxy.invalid:8080",
    "DATABASE_URL": "postgres://svc:CANARY-db-pass@db.invalid/x",
    "SECRET_CERT": "-----BEGIN PRIVATE KEY-----\nCANARY-pem-line-1\nCANARY-pem-line-2\n-----END PRIVATE KEY-----",
}


def plant(made: Machine, url: str) -> str:
    """Put secrets wherever they could come from; the name of the folder to work in."""
    folder = made.project / "CANARY-openai-51d0 sk-CANARYfolder1234567"
    folder.mkdir()
    made.configure(
        {
            "provider": "own",
            "system_prompt": "CANARY-system-prompt",
            "providers": {
                "own": {"base_url": url, "api_key_env": "MY_VERY_OWN"},
                "pasted": {"base_url": url, "api_key_env": "CANARY-pasted-here-1"},
                "default": {"base_url": url, "requires_api_key": False, "default_api_key": "CANARY-default-31"},
                "command": {"base_url": url, "api_key_command": "echo CANARY-command-5"},
            },
        }
    )
    log = made.home / "data" / "state" / "log"
    log.mkdir(parents=True)
    lines = [
        "2026-11-21 09:40:00,000 ERROR 1 tui_agent.x: told Bearer CANARY-bearer and sk-CANARY0123456789 by http",
        "url https://me:CANARY-url-pass@host.invalid/ and password='CANARY-quoted-password'",
        f"a canaryuser at canaryhost in {made.home}/x and /home/canaryneighbour/y",
        "\x1b[31mCANARY-\x1b[0mopenai-51d0",
        *CANARIES.values(),
        *(repr(value) for value in CANARIES.values()),
        *(json.dumps(value) for value in CANARIES.values()),
        "CANARY-default-31 CANARY-pasted-here-1 echo CANARY-command-5",
    ]
    (log / "tui-agent.log").write_text("\n".join(lines) + "\n")
    (log / "tui-agent.log.1").write_text("CANARY-pem-tail\n-----END PRIVATE KEY-----\n" + "x" * 300_000 + "\nlast\n")
    (log / "engine-x.log").write_text("CANARY-engine-log\n")
    return str(folder)


def check_no_canary(made: Machine, path: Path) -> dict[str, str]:
    members = unpacked(path)
    whole = path.read_bytes() + "".join(members).encode() + "\n".join(members.values()).encode()
    for text in (b"CANARY", b"canary", os.fsencode(made.home), b"worker:", b"svc:"):
        assert text not in whole, whole[max(0, whole.find(text) - 200) : whole.find(text) + 60]
    return members


def bundled(made: Machine, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**CANARIES, "USER": "canaryuser", "HOSTNAME": "canaryhost.corp.invalid"}
    return made.run("doctor", "--bundle", str(path), *words, **environ)


def test_no_secret_and_no_name_is_in_the_bundle(made: Machine, tmp_path: Path) -> None:
    with ChatServer(models_reply=reply_html("CANARY-named-in-settings-77aa")) as server:
        folder = plant(made, server.url)
        done = bundled(made, tmp_path / "b.zip", "-w", folder)
    assert "Traceback" not in done.stderr
    members = check_no_canary(made, tmp_path / "b.zip")
    assert [*members] == [
        "report.txt", "report.json", "settings.json", "environment.json", "sessions.json",
        "log/tui-agent.log", "log/tui-agent.log.1",
    ]  # fmt: skip
    assert "[user] at [host] in ~/x and /home/[user]/y" in members["log/tui-agent.log"]
    assert len(members["log/tui-agent.log.1"]) < 200_000 and members["log/tui-agent.log.1"].endswith("last\n")
    states = json.loads(members["environment.json"])
    assert (states["OPENAI_API_KEY"], states["MY_VERY_OWN"], states["NO_PROXY"]) == ("set", "set", "not set")
    settings = {row["key"]: row for row in json.loads(members["settings.json"])["settings"]}
    assert settings["provider"]["value"] == "own"
    assert settings["providers.own.api_key_env"]["value"] == "MY_VERY_OWN"
    assert settings["providers.default.default_api_key"]["value"] == "(hidden)"
    assert settings["system_prompt"]["value"] == "(20 characters)"
    assert "config.yaml:" in settings["provider"]["origin"]
    # On the screen keys are hidden as well; names are not.
    assert "CANARY" not in done.stdout.replace("CANARYfolder", "")


def test_no_secret_of_a_broken_configuration_is_in_the_bundle(
    made: Machine, tmp_path: Path, server: ChatServer
) -> None:
    folder = plant(made, server.url)
    path = made.home / "config" / "config.yaml"
    path.write_text(path.read_text() + "CANARY-default-31: x\nCANARY-command-5: [CANARY-pasted-here-1\n")
    done = bundled(made, tmp_path / "b.zip", "-w", folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    members = check_no_canary(made, tmp_path / "b.zip")
    assert json.loads(members["settings.json"])["these_are"] == "the shipped settings"


def test_no_word_of_a_conversation_is_in_the_bundle(made: Machine, tmp_path: Path) -> None:
    with ChatServer([reply_text("the-private-answer")]) as server:
        made.configure({"provider": "fake", "providers": {"fake": {"base_url": server.url, "requires_api_key": False}}})
        (made.project / "private-file").write_text("x")
        assert made.run("invoke", "-m", "the-private-question", "--log-level", "DEBUG").returncode == 0
        made.run("doctor", "--bundle", str(tmp_path / "b.zip"))
    members = unpacked(tmp_path / "b.zip")
    assert "private" not in "".join(members.values())
    (session,) = json.loads(members["sessions.json"])
    assert session.keys() == {"id", "started", "updated", "turns", "events"}
    assert session["turns"] == 1
    assert "log/tui-agent.log" in members


def test_it_says_what_is_in_the_bundle_and_where(made: Machine, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    done = made.run("doctor", "--bundle", str(path))
    assert f"wrote {path}, {path.stat().st_size:,} bytes" in done.stdout
    assert "settings.json" in done.stdout and "look through it before you send it" in done.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(made.run("doctor", "--json", "--bundle", str(tmp_path / "c.zip")).stdout)
    assert told["bundle"]["path"] == str(tmp_path / "c.zip")
    assert "report.txt" in told["bundle"]["files"]
    assert sorted(tmp_path.glob(".*")) == []


def test_a_file_that_is_there_is_not_written_over(made: Machine, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_text("precious")
    done = made.run("doctor", "--bundle", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path} is there already" in done.stderr
    assert path.read_text() == "precious"
    with pytest.raises(UsageError):
        write_bundle(path, [])
    assert path.read_text() == "precious"
    link = tmp_path / "link.zip"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        write_bundle(link, [])


def test_a_folder_that_cannot_be_written_is_an_error_after_the_report(made: Machine, tmp_path: Path) -> None:
    done = made.run("doctor", "--bundle", str(tmp_path / "gone" / "b.zip"))
    assert done.returncode == 1
    assert "nothing is wrong" in done.stdout or "warning" in done.stdout
    assert f"cannot write {tmp_path / 'gone' / 'b.zip'}: no such file or directory" in done.stderr


def test_a_full_disk_is_a_message_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle.os, "fsync", full)
    with pytest.raises(TuiAgentError, match="no space left on device"):
        write_bundle(tmp_path / "b.zip", [Member("x", "", b"x")])
    assert os.listdir(tmp_path) == []


def test_a_disk_without_links_gets_its_bundle_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(bundle.os, "link", refuse)
    write_bundle(tmp_path / "b.zip", [Member("x", "", b"y")])
    assert unpacked(tmp_path / "b.zip") == {"x": "y"}
    with pytest.raises(UsageError):
        write_bundle(tmp_path / "b.zip", [])
    assert os.listdir(tmp_path) == ["b.zip"]
