"""Which files are secret (asked about before a model sees them) and which control what programs do."""

import os
import re
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePath
from typing import Final

from tui_agent.config.locations import APP, CONFIG_VARIABLE, DATA_VARIABLE, locations

_SECRET_NAME: Final = re.compile(
    r"""
    \.env(rc)?(\..+)? (?<!\.example) (?<!\.sample) (?<!\.template) (?<!\.dist)
    | .+\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)
    | id_[^.]+
    | \.netrc | _netrc | \.pgpass | \.pypirc | \.npmrc | \.git-credentials | \.htpasswd | \.dockercfg
    | credentials(\.json)? | \.?secrets?(\.(json|ya?ml|toml|env))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_FOLDERS: Final = frozenset({".ssh", ".gnupg", ".aws", ".kube"})

# fmt: off
_CONTROL_NAMES: Final = frozenset(
    {
        ".envrc", ".mcp.json", ".gitmodules", ".gitconfig", ".git", ".tui-agent", ".bashrc", ".bash_profile",
        ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv", ".zprofile",
        ".zlogin", ".kshrc", ".inputrc", ".vimrc", ".exrc", ".nvimrc", ".lvimrc", ".tmux.conf", ".xinitrc",
        ".xprofile", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".netrc", ".curlrc", ".wgetrc",
        ".pre-commit-config.yaml",
    }
)
# fmt: on
_CONTROL_FOLDERS: Final = frozenset({".git", ".husky", ".githooks", ".vscode", ".idea", ".devcontainer", ".tui-agent"})


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
        _SECRET_NAME.fullmatch(parts[-1]) is not None or not _SECRET_FOLDERS.isdisjoint(parts) or _is_ours(path, parts)
    )


def is_control(path: str) -> bool:
    """True for files that other programs obey: Git's own, hooks, shell start-up, editor settings, ours.

    Case is ignored, because a disk may ignore it.
    """
    parts = PurePath(path.casefold()).parts
    return bool(parts) and (
        parts[-1] in _CONTROL_NAMES or not _CONTROL_FOLDERS.isdisjoint(parts[:-1]) or _is_ours(path, parts)
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
