"""A folder and all in it as plain data, and hypothesis's ways of changing one."""

import os
import shutil
import stat
from pathlib import Path

from hypothesis import strategies as st

Dump = dict[str, tuple[object, ...]]

NAMES = ("a", "b", "c", "é", "new\nline", "bad\udcff")


def dump(root: Path) -> Dump:
    """Kind, mode, time and content of all that is below a folder; of folders only the mode, of links the target."""
    found: Dump = {}
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            status = os.lstat(path)
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[key] = ("folder", stat.S_IMODE(status.st_mode))
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    found[key] = ("file", stat.S_IMODE(status.st_mode), status.st_mtime_ns, file.read())
            else:
                found[key] = ("other",)
    return found


def plain(state: tuple[object, ...] | None) -> tuple[object, ...] | None:
    """Without the time of a file."""
    return (*state[:2], state[3]) if state is not None and state[0] == "file" else state


def without_times(state: Dump) -> Dump:
    """The same without times."""
    return {path: plain(value) or () for path, value in state.items()}


def paths() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


def changes() -> st.SearchStrategy[tuple[object, ...]]:
    """One change of a tree, as `change` carries it out."""
    return st.one_of(
        st.tuples(st.just("write"), paths(), st.binary(max_size=6)),
        st.tuples(st.just("append"), paths(), st.binary(min_size=1, max_size=3)),
        st.tuples(st.just("remove"), paths()),
        st.tuples(st.just("rename"), paths(), paths()),
        st.tuples(st.just("link"), paths(), st.sampled_from(("a", "../b", "/nowhere", "."))),
        st.tuples(st.just("folder"), paths()),
        st.tuples(st.just("mode"), paths(), st.sampled_from((0o600, 0o644, 0o755, 0o700))),
        st.tuples(st.just("pipe"), paths()),
    )


def change(root: Path, what: tuple[object, ...]) -> None:
    """Do it as far as it can be done, as commands do."""
    kind, path = what[0], str(root / str(what[1]))
    try:
        if _through_link(root, path):
            return
        if kind in ("write", "append"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.islink(path):
                os.unlink(path)
            assert isinstance(what[2], bytes)
            if not os.path.lexists(path) or stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "wb" if kind == "write" else "ab") as file:
                    file.write(what[2])
        elif kind == "remove":
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        elif kind == "rename":
            target = str(root / str(what[2]))
            if not _through_link(root, target):
                os.rename(path, target)
        elif kind == "link":
            os.symlink(str(what[2]), path)
        elif kind == "folder":
            os.makedirs(path)
        elif kind == "mode":
            if not os.path.islink(path):
                assert isinstance(what[2], int)
                os.chmod(path, what[2] | (0o700 if os.path.isdir(path) else 0))
        elif kind == "pipe":
            os.mkfifo(path)
    except OSError:
        pass


def _through_link(root: Path, path: str) -> bool:
    parents = Path(path).parents
    return any(parent.is_symlink() for parent in parents if parent.is_relative_to(root))
