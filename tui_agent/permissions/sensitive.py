"""Which files are secret (asked about before a model sees them) and which control what programs do."""

import re
from pathlib import PurePath
from typing import Final

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


def is_secret(path: str) -> bool:
    """True for names that usually hold keys and passwords (`.env`, `*.pem`, `id_rsa`, anything in `.ssh`)."""
    parts = PurePath(path.casefold()).parts
    return bool(parts) and (_SECRET_NAME.fullmatch(parts[-1]) is not None or not _SECRET_FOLDERS.isdisjoint(parts))


def is_control(path: str) -> bool:
    """True for files that other programs obey: Git's own, hooks, shell start-up, editor settings, ours.

    Case is ignored, because a disk may ignore it.
    """
    parts = PurePath(path.casefold()).parts
    return bool(parts) and (parts[-1] in _CONTROL_NAMES or not _CONTROL_FOLDERS.isdisjoint(parts[:-1]))
