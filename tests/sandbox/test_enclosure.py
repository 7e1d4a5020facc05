"""The argument lists that start a command in a sandbox, word for word."""

import csv
import io
import os
import subprocess
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.sandbox.bounds import Bounds
from tui_agent.sandbox.enclosure import SHELL, Enclosure, Sandbox, launch
from tui_agent.sandbox.environment import QUIET
from tui_agent.sandbox.tree import MARK

BWRAP = Sandbox("bwrap", "/usr/bin/bwrap")
DOCKER = Sandbox("docker", "/usr/bin/docker", "debian:stable", ("API_URL", "NOT_SET"))
ENVIRON = {
    "PATH": "/bin",
    "HOME": "/home/u",
    "XDG_RUNTIME_DIR": "/run/user/1",
    "TMPDIR": "/mnt/tmp",
    "OPENAI_API_KEY": "k",
    "API_URL": "http://x",
    "DOCKER_HOST": "unix:///d",
}
BOUNDS = Bounds(
    writable=("/home/u/p", "/tmp/more"),
    readable=("/tmp/log",),
    pinned=("/home/u/p/.git",),
    protected=("/home/u/p/.git/hooks",),
    hidden_folders=("/tmp", "/home/u/.ssh", "/home/u/p/.aws"),
    hidden_files=("/home/u/.netrc", "/home/u/p/.npmrc"),
)
ALWAYS = [
    "--new-session",
    "--die-with-parent",
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--cap-drop",
    "ALL",
]


def mounts(words: list[str]) -> str:
    return " ".join(words[len(ALWAYS) + 2 : words.index("--chdir")])


def test_without_a_sandbox_it_is_bash_and_the_line() -> None:
    started = launch(Enclosure(), "-x; ls", "/w", ENVIRON, "m")
    assert started.arguments == ["bash", "--noprofile", "--norc", "-c", "--", "-x; ls"]
    assert started.environment == {
        "PATH": "/bin",
        "HOME": "/home/u",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "TMPDIR": "/mnt/tmp",
        **QUIET,
        MARK: "m",
    }
    assert started.container == ""


def test_bubblewrap_word_for_word() -> None:
    started = launch(Enclosure(BWRAP, BOUNDS), "ls", "/home/u/p", ENVIRON, "m")
    assert started.arguments[: len(ALWAYS) + 2] == ["/usr/bin/bwrap", *ALWAYS, "--unshare-net"]
    assert mounts(started.arguments) == (
        "--ro-bind / / --dev /dev --proc /proc --tmpfs /tmp"
        " --ro-bind /tmp/log /tmp/log --bind /tmp/more /tmp/more"
        " --dev-bind /dev/null /home/u/.netrc --tmpfs /home/u/.ssh --bind /proc/self/cwd /home/u/p"
        " --tmpfs /home/u/p/.aws --bind /home/u/p/.git /home/u/p/.git --dev-bind /dev/null /home/u/p/.npmrc"
        " --ro-bind /home/u/p/.git/hooks /home/u/p/.git/hooks"
    )
    assert started.arguments[-9:] == ["--chdir", "/home/u/p", "--", *SHELL, "ls"]
    assert started.environment["TMPDIR"] == "/tmp"
    assert started.environment[MARK] == "m"
    assert not {"XDG_RUNTIME_DIR", "OPENAI_API_KEY", "API_URL", "DOCKER_HOST"} & started.environment.keys()


def test_with_network_and_without_writing() -> None:
    reading = Bounds(writable=("/w",), pinned=("/w/.git",), protected=("/w/.envrc",), network=True, read_only=True)
    words = launch(Enclosure(BWRAP, reading), "ls", "/w", ENVIRON, "m").arguments
    assert "--unshare-net" not in words
    assert words[len(ALWAYS) + 1 : -9] == [
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--ro-bind",
        "/proc/self/cwd",
        "/w",
    ]


def test_docker_word_for_word() -> None:
    started = launch(Enclosure(DOCKER, BOUNDS), "ls", "/home/u/p", ENVIRON, "m")
    assert started.container == "tui-agent-m"
    assert started.arguments == [
        *[
            "/usr/bin/docker",
            "run",
            "--rm",
            "-i",
            "--init",
            *("--pull", "never", "--log-driver", "none"),
            "--name",
            "tui-agent-m",
            "--network",
            "none",
            "--cap-drop",
            "ALL",
        ],
        *["--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "4g"],
        *["-u", f"{os.getuid()}:{os.getgid()}"],
        *["--mount", "type=bind,source=/tmp/log,target=/tmp/log,readonly"],
        *["--mount", "type=bind,source=/tmp/more,target=/tmp/more"],
        *["--mount", "type=bind,source=/home/u/p,target=/home/u/p"],
        *["--mount", "type=tmpfs,target=/home/u/p/.aws"],
        *["--mount", "type=bind,source=/home/u/p/.git,target=/home/u/p/.git"],
        *["--mount", "type=bind,source=/dev/null,target=/home/u/p/.npmrc,readonly"],
        *["--mount", "type=bind,source=/home/u/p/.git/hooks,target=/home/u/p/.git/hooks,readonly"],
        *(word for name, value in QUIET.items() for word in ("-e", f"{name}={value}")),
        *["-e", "TINI_KILL_PROCESS_GROUP=1", "-e", "HOME=/tmp", "-e", f"{MARK}=m", "-e", "API_URL", "-e", "NOT_SET"],
        *["-w", "/home/u/p", "--entrypoint", "bash", "debian:stable"],
        *[*SHELL[1:], 'exec "$0" "$@" 2>&1', *SHELL, "ls"],
    ]
    assert started.asking() == ["/usr/bin/docker", "kill", "--signal", "TERM", "tui-agent-m"]
    assert started.ending() == ["/usr/bin/docker", "rm", "--force", "--volumes", "tui-agent-m"]
    # The client reads the values of what it passes on from its own environment, where nobody else sees them.
    assert started.environment["API_URL"] == "http://x"
    assert started.environment["DOCKER_HOST"] == "unix:///d"
    assert "OPENAI_API_KEY" not in started.environment


def test_what_a_status_bar_says() -> None:
    assert [box.describe() for box in (Sandbox(reason="x"), BWRAP, DOCKER)] == ["off", "bwrap", "docker debian:stable"]
    assert [box.on for box in (Sandbox(), BWRAP, DOCKER)] == [False, True, True]


NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)) | st.sampled_from("- \n\"',:=\t$é漢"),
    min_size=1,
).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
FOLDERS = st.lists(PATHS, max_size=4, unique=True).map(tuple)
COMMANDS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)
ALL_BOUNDS = st.builds(
    Bounds,
    writable=FOLDERS,
    readable=FOLDERS,
    pinned=FOLDERS,
    protected=FOLDERS,
    hidden_folders=FOLDERS,
    hidden_files=FOLDERS,
    network=st.booleans(),
    read_only=st.booleans(),
)
WORDS = {"--bind": 2, "--ro-bind": 2, "--dev-bind": 2, "--tmpfs": 1, "--dev": 1, "--proc": 1}


@settings(max_examples=60)
@given(ALL_BOUNDS, COMMANDS, PATHS)
def test_every_path_and_command_is_one_word_and_what_lies_deeper_comes_later(
    bounds: Bounds, command: str, directory: str
) -> None:
    words = launch(Enclosure(BWRAP, bounds), command, directory, ENVIRON, "m").arguments
    assert words[-len(SHELL) - 4 :] == ["--chdir", directory, "--", *SHELL, command]
    assert ("--unshare-net" in words[: len(ALWAYS) + 2]) != bounds.network
    rest = words[1 + len(ALWAYS) + (not bounds.network) : -len(SHELL) - 4]
    seen: list[str] = []
    how: dict[str, str] = {}
    while rest:
        count = WORDS[rest[0]]
        target = rest[count]
        assert not any(PurePosixPath(target) in PurePosixPath(path).parents for path in seen)
        seen.append(target)
        how[target] = rest[0]
        rest = rest[count + 1 :]
    assert len(seen) == len(set(seen))
    assert seen[0] == "/"
    own = {"/dev", "/proc"}
    if bounds.read_only:
        assert "--bind" not in how.values()
    else:
        shown = {path for path in bounds.protected if bounds.shows(path) and path not in own}
        assert {how[path] for path in shown} <= {"--ro-bind"}
    hidden = {*bounds.hidden_folders, *bounds.hidden_files} - {*bounds.writable, *bounds.readable}
    assert {how[path] for path in hidden - own} <= {"--tmpfs", "--dev-bind"}
    may = {*bounds.writable, *bounds.pinned}
    assert {path for path, word in how.items() if word == "--bind"} <= may


@settings(max_examples=60)
@given(ALL_BOUNDS, COMMANDS, PATHS)
def test_docker_reads_each_mount_as_it_is_meant(bounds: Bounds, command: str, directory: str) -> None:
    words = launch(Enclosure(DOCKER, bounds), command, directory, ENVIRON, "m").arguments
    assert words[-len(SHELL) - 1 :] == [*SHELL, command]
    options = words[: words.index("-w", words.index("HOME=/tmp"))]
    assert words[len(options) :][:5] == ["-w", directory, "--entrypoint", SHELL[0], DOCKER.image]
    targets = set()
    for at in (at for at, word in enumerate(options) if word == "--mount"):
        (row,) = csv.reader(io.StringIO(words[at + 1], newline=""))
        fields = dict(field.partition("=")[::2] for field in row)
        assert fields.keys() <= {"type", "source", "target", "readonly"}
        targets.add(fields["target"])
        if bounds.read_only and fields["type"] == "bind":
            assert "readonly" in fields
    assert {*bounds.writable, *bounds.readable} <= targets


def test_what_is_hidden_is_not_shown_by_being_protected() -> None:
    bounds = Bounds(
        writable=("/h", "/h/.ssh/p"), protected=("/h/.netrc", "/h/.ssh/.git", "/h/.ssh/p/.envrc"),
        hidden_folders=("/h/.ssh",), hidden_files=("/h/.netrc",),
    )  # fmt: skip
    words = mounts(launch(Enclosure(BWRAP, bounds), "ls", "/h", ENVIRON, "m").arguments)
    assert "--dev-bind /dev/null /h/.netrc" in words and "/h/.ssh/.git" not in words
    assert "--ro-bind /h/.ssh/p/.envrc /h/.ssh/p/.envrc" in words


@pytest.mark.parametrize("command", ["-x", "--version", "-c ls", "echo 'a\nb'"])
def test_bash_takes_the_line_for_a_line_whatever_it_begins_with(command: str) -> None:
    done = subprocess.run(launch(Enclosure(), command, "/", {}, "m").arguments, capture_output=True, text=True)
    assert "option" not in done.stderr
    assert (done.returncode == 127) == command.startswith("-")
