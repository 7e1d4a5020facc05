"""Which environment variables a command gets: an allow-list, so that no key reaches it by accident."""

import os
import re
from collections.abc import Mapping
from typing import Final

_PASSED: Final = re.compile(
    r"""
    PATH | HOME | USER | LOGNAME | SHELL | LANG | LANGUAGE | LC_[A-Z]+ | TZ | TMPDIR
    | XDG_(RUNTIME_DIR|CACHE_HOME|CONFIG_HOME|DATA_HOME|STATE_HOME)
    | VIRTUAL_ENV | CONDA_PREFIX | CONDA_DEFAULT_ENV | UV_CACHE_DIR
    | NVM_DIR | NVM_BIN | PNPM_HOME | BUN_INSTALL | VOLTA_HOME
    | GOPATH | GOROOT | GOBIN | GOCACHE | CARGO_HOME | RUSTUP_HOME | RBENV_ROOT | GEM_HOME
    | JAVA_HOME | ANDROID_HOME | GRADLE_USER_HOME | DOTNET_ROOT
    | SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | NODE_EXTRA_CA_CERTS
    | no_proxy | NO_PROXY | (https?|all)_proxy | (HTTPS?|ALL)_PROXY
    """,
    re.VERBOSE,
)

QUIET: Final = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "diff.autoRefreshIndex",
    "GIT_CONFIG_VALUE_0": "false",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
}
"""Nobody sits at a command's terminal: no colours, no pager, no editor, no question. And what only looks writes
nothing: Git refreshes its index as it reads, which would also run a hook (git-config(1), githooks(5))."""


def command_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a command may see of `environ`; a proxy address that holds a password is left out, and of the search path
    what is not absolute: a project would lend its programs."""
    passed = {
        name: value
        for name, value in environ.items()
        if _PASSED.fullmatch(name) and not (name.lower().endswith("_proxy") and "@" in value)
    }
    places = [place for place in passed.get("PATH", "").split(os.pathsep) if place.startswith("/")]
    return {**passed, "PATH": os.pathsep.join(places) or "/usr/local/bin:/usr/bin:/bin", **QUIET}
