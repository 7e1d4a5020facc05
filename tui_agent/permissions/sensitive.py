"""Which files are secret (asked about before a model sees them) and which control what programs do."""

import os
import re
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from tui_agent.config.locations import APP, CONFIG_VARIABLE, DATA_VARIABLE, locations
from tui_agent.sandbox.private import OF_THE_HOME

_SECRET_NAME: Final = re.compile(
    r"""
    (?!.*\.(example|sample|template|dist)$) (\.env(rc)?([._-].+)? | (?!(example|sample|template|dist)\.).+\.env)
    | .+\.(pem|key|p8|p12|pfx|jks|keystore|kdbx?|ppk|ovpn|tfstate(\.backup)?|tfvars)
    | id_[^.]+
    | \.netrc | _netrc | \.pgpass | \.pypirc | \.npmrc | \.git-credentials | \.htpasswd | \.dockercfg | \.flaskenv
    | \.vault-token | \.my\.cnf | \.s3cfg | \.boto | \.terraformrc | \.\w+_history
    | (.+[-_.])?credentials(\.(json|toml|ya?ml|xml|ini|csv))? | \.?secrets?(\.(json|ya?ml|toml|env))?
    | (client[-_]?secret|service[-_]?account).*\.json
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_PLACE: Final = re.compile(
    # A project may have a `.docker` with no secret in it.
    "|".join(f"/{re.escape('.docker/config.json' if name == '.docker' else name.casefold())}/" for name in OF_THE_HOME)
)

# fmt: off
_CONTROL_NAMES: Final = frozenset(
    {
        ".envrc", ".mcp.json", ".gitmodules", ".gitconfig", ".git", ".tui-agent", ".bashrc", ".bash_profile",
        ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile",
        ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".inputrc", ".vimrc", ".gvimrc", ".exrc",
        ".nvimrc", ".nvim.lua", ".lvimrc", ".emacs", ".dir-locals.el", ".tmux.conf", ".screenrc", ".xinitrc",
        ".xprofile", ".xsession", ".xsessionrc", ".pam_environment", ".gdbinit", ".gdbearlyinit", ".lldbinit",
        ".irbrc", ".pryrc", ".rprofile", ".ghci", ".npmrc", ".pnpmfile.cjs", ".yarnrc", ".yarnrc.yml", ".bunfig.toml",
        ".bazelrc", ".pypirc", ".netrc", ".curlrc", ".wgetrc", ".hgrc", ".mise.toml", "mise.toml", ".tool-versions",
        ".pre-commit-config.yaml", ".lefthook.yml", "lefthook.yml", "lefthook-local.yml",
    }
)
# fmt: on
_CONTROL_FOLDERS: Final = frozenset(
    {
        *(".git", ".hg", ".husky", ".githooks", ".tui-agent"),
        *(".vscode", ".idea", ".fleet", ".zed", ".devcontainer", ".vim", ".emacs.d"),
        *(".claude", ".codex", ".cursor", ".gemini", ".windsurf"),
        *(".ssh", ".gnupg"),
    }
)
_CONTROL_PLACE: Final = re.compile(
    r"/\.cargo/config(\.toml)?/|/\.config/(autostart|environment\.d|fish|git|nvim|systemd)/|/\.local/bin/"
    r"|/\.(aws|kube|docker)/config(\.json)?/|/\.(gradle/init|m2/settings)[^/]*/"
)

_OWN_PLACES: Final = (".config", "share", "state", ".cache")
_HOME_VARIABLES: Final = (
    *(CONFIG_VARIABLE, DATA_VARIABLE, "HOME"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"),
)


def is_secret(path: str) -> bool:
    """True for names that usually hold keys and passwords (`.env`, `*.pem`, `id_rsa`, anything in `.ssh`), and for
    what tui-agent keeps of its user: settings, sessions, logs."""
    parts = PurePath(path.casefold()).parts
    return bool(parts) and (
        _SECRET_NAME.fullmatch(parts[-1]) is not None
        or _SECRET_PLACE.search(f"/{'/'.join(parts)}/") is not None
        or _is_ours(path, parts)
    )


def is_control(path: str) -> bool:
    """True for files that other programs obey: Git's own, hooks, shell start-up, editor settings, ours.

    Case is ignored, because a disk may ignore it.
    """
    parts = PurePath(path.casefold()).parts
    return bool(parts) and (
        parts[-1] in _CONTROL_NAMES
        or not _CONTROL_FOLDERS.isdisjoint(parts[:-1])
        or _CONTROL_PLACE.search(f"/{'/'.join(parts)}/") is not None
        or _is_ours(path, parts)
    )


def _is_ours(path: str, parts: tuple[str, ...]) -> bool:
    """Whether it lies in one of our own folders: by the path, or by where such folders usually are."""
    if any(name == APP and before in _OWN_PLACES for before, name in pairwise(parts)):
        return True
    if not path.startswith("/"):
        return False
    folders = _own_folders(tuple(map(os.environ.get, _HOME_VARIABLES)))
    return f"{os.path.normpath(path).casefold()}/".startswith(folders)


@lru_cache(8)
def _own_folders(environ: tuple[str | None, ...]) -> tuple[str, ...]:
    """Our folders as they are named and as they really are, with a slash at the end; `environ` is what they go by."""
    ours = locations()
    found = {str(folder) for folder in (ours.config, ours.data, ours.state, ours.cache)}
    found |= {os.path.realpath(folder) for folder in found}
    return tuple(f"{folder.casefold()}/" for folder in sorted(found))
