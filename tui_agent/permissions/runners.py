"""Which first words of a command say what it does: a table of programs and subcommands. Pure.

What is not in the table is not guessed: then a rule is the exact words, or there is none.
"""

import re
from collections.abc import Sequence
from typing import Final

from tui_agent.permissions.read_only.programs import judge
from tui_agent.permissions.read_only.verdict import Unproven

_ANY: Final = "*"
"""In a phrase: any plain word."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9@.][\w.:/@+-]*")
_DURATION: Final = re.compile(r"[0-9]+(\.[0-9]+)?[smh]?")
_SCRIPT: Final = re.compile(r"[\w.][\w./+-]*")
_PYTHON: Final = re.compile(r"(python|pypy)[\d.]*")

# fmt: off
_WHOLE: Final = frozenset(
    {
        "pytest", "py.test", "mypy", "pyright", "basedpyright", "black", "isort", "flake8", "pylint", "autopep8",
        "eslint", "prettier", "stylelint", "tsc", "jest", "mocha", "vitest", "ava", "standard", "biome", "oxlint",
        "phpunit", "phpstan", "psalm", "rspec", "rubocop", "gofmt", "goimports", "staticcheck", "rustfmt",
        "clang-format", "clang-tidy", "ctest", "shellcheck", "shfmt", "hadolint", "yamllint", "markdownlint",
        "actionlint", "codespell", "vulture", "lint-imports", "pydocstyle", "ktlint", "swiftlint", "swiftformat",
    }
)
"""Programs that do one thing, whatever their arguments."""

_PACKAGES: Final = ("run *", "run-script *", "test", "start", "install", "ci", "add", "audit", "outdated", "pack")
_SCRIPTS_TOO: Final = (*_PACKAGES, "build", "lint", "dev", "format", "typecheck")
_COMPOSE: Final = tuple(f"compose {word}" for word in (
    "up", "down", "build", "ps", "logs", "start", "stop", "restart", "pull", "config",
))

_SUBCOMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "npm": _PACKAGES, "pnpm": _SCRIPTS_TOO, "yarn": _SCRIPTS_TOO, "bun": ("run *", "test", "install", "add", "build"),
    "deno": ("task *", "test", "fmt", "lint", "check"), "turbo": ("run *",), "nx": ("test *", "build *", "lint *"),
    "playwright": ("test",), "next": ("build", "lint"), "vite": ("build",), "tox": ("run",),
    "git": (
        "add", "commit", "status", "diff", "log", "show", "blame", "switch", "branch", "tag", "merge", "cherry-pick",
        "revert", "mv",
    ),
    "gh": ("pr *", "issue *", "run *", "repo view"),
    "cargo": ("test", "build", "check", "clippy", "fmt", "bench", "doc", "run", "update", "nextest run", "add"),
    "go": ("test", "build", "vet", "fmt", "mod *", "run *"),
    "docker": (*_COMPOSE, "ps", "images", "logs", "build", "pull"), "docker-compose": tuple(
        phrase.removeprefix("compose ") for phrase in _COMPOSE
    ),
    "podman": (*_COMPOSE, "ps", "images", "logs", "build", "pull"),
    "kubectl": ("get", "describe", "logs"), "helm": ("lint", "list", "status"),
    "terraform": ("plan", "validate", "fmt", "init"), "tofu": ("plan", "validate", "fmt", "init"),
    "uv": ("sync", "lock", "build", "tree", "add", "pip *"), "poetry": ("install", "lock", "check", "build"),
    "pdm": ("install", "lock", "build"), "pip": ("install", "list", "show", "freeze", "check"),
    "pip3": ("install", "list", "show", "freeze", "check"), "ruff": ("check", "format"),
    "hatch": ("build", "test", "fmt"), "pre-commit": ("run",), "alembic": ("upgrade", "revision", "current"),
    "bundle": ("install", "check"), "rails": ("test", "db:migrate", "routes"), "rake": (_ANY,),
    "composer": ("install", "validate", "test", "dump-autoload"), "mix": ("test", "compile", "format", "deps.get"),
    "dotnet": ("test", "build", "restore", "format", "run"), "swift": ("test", "build"), "zig": ("test", "build"),
    "flutter": ("test", "analyze", "build *"), "dart": ("test", "analyze", "format"), "sbt": (_ANY,),
    "bazel": ("build *", "test *"), "meson": ("compile", "test", "setup"), "golangci-lint": ("run",),
    "make": (_ANY,), "gmake": (_ANY,), "just": (_ANY,), "task": (_ANY,), "ninja": (_ANY,), "mvn": (_ANY,),
    "mvnw": (_ANY,), "gradle": (_ANY,), "gradlew": (_ANY,),
}
"""Programs, and the words behind them that say what they do."""

_SEVERAL: Final = frozenset({"make", "gmake", "just", "task", "ninja", "mvn", "mvnw", "gradle", "gradlew", "rake"})
"""Programs that take several such words: all of them belong into the rule."""

_WRAPPERS: Final = (
    ("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("pipenv", "run"), ("hatch", "run"), ("bundle", "exec"),
    ("pnpm", "exec"), ("yarn", "exec"), ("npm", "exec", "--"), ("npx",), ("bunx",), ("uvx",),
)
"""Words before a program that let it run in the environment of the project."""

_MODULES: Final = frozenset(
    {
        "pytest", "unittest", "mypy", "ruff", "black", "isort", "flake8", "pylint", "build", "compileall", "pyright",
        "venv", "json.tool", "http.server", "tox", "nox", "sphinx", "pip",
    }
)
"""Modules that `python -m` may run by rule; others, such as `timeit`, run code that stands in their arguments."""

_INTERPRETERS: Final = frozenset({"node", "ruby", "perl", "php", "lua", "Rscript", "bash", "sh", "dash", "zsh"})
_MANY_THINGS: Final = frozenset({"manage.py", "artisan", "setup.py", "console", "rake", "rails"})
"""Scripts whose next word says what they do."""

_OTHERS: Final = frozenset(
    {
        # They run what stands in their arguments.
        "sudo", "doas", "su", "env", "xargs", "nice", "ionice", "nohup", "time", "command", "exec", "builtin", "eval",
        "busybox", "stdbuf", "setsid", "flock", "watch", "script", "parallel", "ssh", "scp", "rsync", "unshare",
        "chroot", "runuser", "systemd-run", "systemctl", "strace", "ltrace", "entr", "trap", "coproc", "find", "fd",
        "fdfind", "source", ".", "crontab", "at", "tmux", "screen", "fish", "ksh", "awk", "gawk", "mawk", "sed", "tar",
        "zip", "vim", "vi", "nvim", "emacs", "ed", "less", "more", "man", "gdb", "lldb", "osascript", "expect",
        "chronic", "unbuffer", "firejail", "proot", "fakeroot", "start-stop-daemon", "nsenter", "dbus-run-session",
        # They change the shell, and so what is run behind them.
        "export", "declare", "typeset", "local", "readonly", "set", "shopt", "alias", "unalias", "unset", "read",
        "mapfile", "readarray", "hash", "enable", "bind", "let", "printf",
        # They do it to any further file or address.
        "rm", "rmdir", "mv", "cp", "dd", "ln", "tee", "truncate", "shred", "chmod", "chown", "chgrp", "install",
        "curl", "wget", "nc", "ncat", "socat", "ftp", "kill", "pkill", "killall", "mount", "umount", "patch",
    }
)
# fmt: on


class NoRule(Exception):
    """No rule for the first words of this command is narrow enough; the text says why."""


def first_words(words: Sequence[str]) -> tuple[str, ...]:
    """The fewest first words of a command that say what it does: its program with its subcommand.

    Raises:
        NoRule: with more words behind them they could do anything else.
    """
    program = words[0].rpartition("/")[2]
    if program == "timeout" and len(words) > 2 and _DURATION.fullmatch(words[1]):
        return (*words[:2], *first_words(words[2:]))
    for wrapper in _WRAPPERS:
        if (program, *words[1 : len(wrapper)]) == wrapper and len(words) > len(wrapper):
            if words[len(wrapper)].startswith("-"):
                raise _unclear(" ".join(wrapper))
            return (*words[: len(wrapper)], *first_words(words[len(wrapper) :]))
    if program in _WHOLE:
        return (words[0],)
    if program in _SUBCOMMANDS:
        return _with_subcommand(program, words)
    if _PYTHON.fullmatch(program) or program in _INTERPRETERS:
        return _of_interpreter(program, words)
    if program in _OTHERS:
        raise _unclear(program)
    if _only_reads(words):
        raise NoRule(f"`{program}` only reads, but with more words behind a rule it could read any other file")
    if "/" in words[0] and _SCRIPT.fullmatch(words[0]) and not words[0].startswith("/"):
        return _of_script(words, 0)
    if len(words) == 1:
        raise _unclear(program)
    return tuple(words)


def _with_subcommand(program: str, words: Sequence[str]) -> tuple[str, ...]:
    for phrase in sorted((phrase.split() for phrase in _SUBCOMMANDS[program]), key=len, reverse=True):
        found = words[1 : 1 + len(phrase)]
        if len(found) == len(phrase) and all(map(_fits, phrase, found)):
            count = 1 + len(phrase)
            if program in _SEVERAL:
                while count < len(words) and _PLAIN.fullmatch(words[count]):
                    count += 1
            return tuple(words[:count])
    raise _unclear(" ".join([program, *(word for word in words[1:2] if _PLAIN.fullmatch(word))]))


def _fits(wanted: str, word: str) -> bool:
    return bool(_PLAIN.fullmatch(word)) if wanted == _ANY else word == wanted


def _of_interpreter(program: str, words: Sequence[str]) -> tuple[str, ...]:
    if len(words) > 1 and _SCRIPT.fullmatch(words[1]):
        return _of_script(words, 1)
    if _PYTHON.fullmatch(program) and len(words) > 2 and words[1] == "-m" and words[2] in _MODULES:
        return (*words[:2], *first_words(words[2:])) if words[2] in _SUBCOMMANDS else tuple(words[:3])
    raise NoRule(f"what `{program}` runs stands in its arguments, and a rule would cover more of them")


def _of_script(words: Sequence[str], place: int) -> tuple[str, ...]:
    """A script of the project, with the word behind it where that may say what it does."""
    behind = words[place + 1 : place + 2]
    if behind and _PLAIN.fullmatch(behind[0]):
        return tuple(words[: place + 2])
    if words[place].rpartition("/")[2] in _MANY_THINGS:
        raise _unclear(words[place])
    return tuple(words[: place + 1])


def _only_reads(words: Sequence[str]) -> bool:
    try:
        judge(words)
    except Unproven:
        return False
    return True


def _unclear(what: str) -> NoRule:
    return NoRule(f"with more words behind it `{what}` could do anything else")
