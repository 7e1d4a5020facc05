"""Arguments of bubblewrap (bwrap(1)): namespaces of its own, and the disk read-only but for a few folders."""

from collections.abc import Mapping
from typing import Final

from tui_agent.sandbox.bounds import Bounds

HERE: Final = "/proc/self/cwd"
"""The working directory that bwrap itself was started in, whatever lies at its path meanwhile."""

_ALWAYS: Final = (
    *("--new-session", "--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--cap-drop", "ALL"),
)
_CACHES: Final = {"GOCACHE": "/tmp/go-build", "UV_CACHE_DIR": "/tmp/uv", "npm_config_cache": "/tmp/npm"}
"""Programs that do not run at all where their cache cannot be written."""


def bwrap_arguments(bounds: Bounds, directory: str) -> list[str]:
    """Everything between the program and the command; `directory` is where the command runs."""
    network = () if bounds.network else ("--unshare-net",)
    mounts = _mounts(bounds, directory)
    # What lies deeper is mounted later, so that the nearest entry above a path decides.
    ordered = sorted(mounts, key=lambda path: (len(path.strip("/").split("/")) if path != "/" else 0, path))
    return [*_ALWAYS, *network, *(word for path in ordered for word in mounts[path]), "--chdir", directory, "--"]


def _mounts(bounds: Bounds, directory: str) -> dict[str, tuple[str, ...]]:
    """How to mount each path; of two entries for one path the later counts."""
    write = "--ro-bind" if bounds.read_only else "--bind"
    mounts: dict[str, tuple[str, ...]] = {"/": ("--ro-bind", "/", "/")}
    mounts |= {path: ("--tmpfs", path) for path in bounds.hidden_folders}
    mounts |= {path: ("--dev-bind", "/dev/null", path) for path in bounds.hidden_files}
    mounts |= {path: ("--ro-bind", path, path) for path in bounds.readable}
    mounts |= {path: (write, HERE if path == directory else path, path) for path in bounds.writable}
    if not bounds.read_only:
        mounts |= {path: ("--bind", path, path) for path in bounds.pinned if bounds.shows(path)}
        mounts |= {path: ("--ro-bind", path, path) for path in bounds.protected if bounds.shows(path)}
    return mounts | {"/dev": ("--dev", "/dev"), "/proc": ("--proc", "/proc")}


def bwrap_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as it is right inside: temporary files go to the private /tmp, and nothing points to sockets."""
    kept = {name: value for name, value in environment.items() if name != "XDG_RUNTIME_DIR"}
    return {**kept, **_CACHES, "TMPDIR": "/tmp"}
