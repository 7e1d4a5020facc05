"""A scratch tree with an inside and an outside, and what another program could do to it at a bad moment."""

import ctypes
import itertools
import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tui_agent.workspace.files import MAX_FILE_BYTES

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
OLD: Final = "sub/deep/f.txt"
NEW: Final = "sub/deep/new.txt"
SECRET: Final = "sub/deep/.env"
SECONDS: Final = 5.0
"""Whoever takes longer waits for something that does not come."""


class Tree:
    """`work` is worked in, `shared` is allowed besides, `outside` is neither; every text says where it belongs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.shared = root / "shared"
        self.outside = root / "outside"
        for top, folders in (
            (self.work, ("", "sub", "sub/deep", "twin", "twin/deep")),
            (self.shared, ("",)),
            (self.outside, ("", "sub", "sub/deep", "deep")),
        ):
            for folder in folders:
                (top / folder).mkdir(parents=True, exist_ok=True)
                (top / folder / "f.txt").write_text("OUTSIDE text\n" if top is self.outside else "INSIDE text\n")
                if top is self.outside:
                    (top / folder / "only-outside.txt").write_text("OUTSIDE text\n")
        (self.work / ".env").write_text("KEY=INSIDE\n")
        (self.work / SECRET).write_text("KEY=INSIDE\n")
        (self.outside / "sub/deep/.env").write_text("KEY=OUTSIDE\n")
        (self.outside / "deep/.env").write_text("KEY=OUTSIDE\n")
        (self.work / ".git").mkdir()
        (self.work / ".git/f.txt").write_text("INSIDE git\n")
        self._outside = self._look(self.outside)

    def outside_is_untouched(self) -> bool:
        """No byte, name or mode of the outside has changed."""
        return self._look(self.outside) == self._outside

    def left_behind(self) -> list[Path]:
        """Temporary files of ours, anywhere."""
        return [path for path in _walk(self.root) if path.name.endswith(".tmp")]

    def contents(self) -> dict[Path, bytes]:
        """What all plain files hold."""
        return {path: path.read_bytes() for path in _walk(self.root) if _plain(path)}

    def holding(self, data: bytes) -> list[Path]:
        """Those that hold exactly this."""
        return [path for path, held in self.contents().items() if held == data]

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Fail when it takes too long; who waits at a pipe is let go, so that the test can end."""
        late, over = threading.Event(), threading.Event()

        def let_go() -> None:
            wait = SECONDS
            while not over.wait(wait):
                late.set()
                wait = 0.05
                for path in _walk(self.root):
                    if path.is_fifo():
                        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))

        watching = threading.Thread(target=let_go)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()
        assert not late.is_set(), "it waited for something"

    def _look(self, folder: Path) -> dict[str, object]:
        return {
            str(path): (path.lstat().st_mode, path.read_bytes() if _plain(path) else None) for path in _walk(folder)
        }


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        yield from (Path(here, name) for name in (*folders, *files))


def _plain(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size < MAX_FILE_BYTES


Swap = Callable[[Tree, Path], None]
"""Does something to a path of `work` (or to what it lies in)."""


def _away(path: Path) -> None:
    if os.path.lexists(path):
        path.rename(path.with_name(f"{path.name}-away"))


def _changed(tree: Tree, path: Path) -> None:
    """Same size, same time."""
    if not path.exists():
        path.write_text("INSIDE news\n")
        return
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"text", b"news").replace(b"KEY", b"YEK"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _same_again(tree: Tree, path: Path) -> None:
    content = path.read_bytes() if path.exists() else b"INSIDE text\n"
    _away(path)
    path.write_bytes(content)


def _file(tree: Tree, path: Path) -> None:
    _away(path)
    path.write_text("INSIDE text\n")


def _link(target: str) -> Swap:
    def swap(tree: Tree, path: Path) -> None:
        _away(path)
        path.symlink_to(target.format(outside=tree.outside, work=tree.work, name=path.name))

    return swap


def _hard_link(tree: Tree, path: Path) -> None:
    _away(path)
    os.link(tree.outside / "f.txt", path)


def _pipe(tree: Tree, path: Path) -> None:
    _away(path)
    os.mkfifo(path)


def _socket(tree: Tree, path: Path) -> None:
    _away(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{directory}/{path.name}")  # the address must be short
    finally:
        os.close(directory)


def _device(tree: Tree, path: Path) -> None:
    _away(path)
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def _folder(tree: Tree, path: Path) -> None:
    _away(path)
    path.mkdir()


def _removed(tree: Tree, path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read_only(tree: Tree, path: Path) -> None:
    if not path.exists():
        path.write_text("INSIDE text\n")
    path.chmod(0o444)


def _grown(tree: Tree, path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(MAX_FILE_BYTES + 1)


def _moved_in(name: str) -> Swap:
    def swap(tree: Tree, path: Path) -> None:
        _away(path)
        (tree.work / name).rename(path)

    return swap


OF_FILE: Final[dict[str, Swap]] = {
    "changed": _changed,
    "the same again": _same_again,
    "link to outside": _link("{outside}/f.txt"),
    "link to a device": _link("/dev/zero"),
    "link to inside": _link("{work}/f.txt"),
    "link to a secret": _link("{work}/.env"),
    "link to nothing outside": _link("{outside}/not-there.txt"),
    "link to itself": _link("{name}"),
    "hard link to outside": _hard_link,
    "pipe": _pipe,
    "socket": _socket,
    "device": _device,
    "directory": _folder,
    "removed": _removed,
    "read-only": _read_only,
    "grown": _grown,
    "control file moved in": _moved_in(".git/f.txt"),
}
OF_FOLDER: Final[dict[str, Swap]] = {
    "link to outside": _link("{outside}/{name}"),
    "link to inside": _link("{work}/twin"),
    "link to itself": _link("{name}"),
    "other directory": _moved_in("twin"),
    "control folder moved in": _moved_in(".git"),
    "pipe": _pipe,
    "file": _file,
    "away": lambda tree, path: _away(path),
    "removed": _removed,
}
OF_ROOT: Final[dict[str, Swap]] = {
    "link to outside": _link("{outside}"),
    "other directory": lambda tree, path: (_away(path), shutil.copytree(tree.outside, path))[0],
    "away": lambda tree, path: _away(path),
    "removed": _removed,
}


def swaps() -> Iterator[tuple[str, Swap]]:
    """All of them, by names: of a file, of the two directories above it, of the directory that is worked in."""

    def above(swap: Swap, levels: int) -> Swap:
        return lambda tree, path: swap(tree, path.parents[levels - 1])

    yield from ((f"file: {name}", swap) for name, swap in OF_FILE.items())
    for levels, where in ((1, "parent"), (2, "grandparent")):
        yield from ((f"{where}: {name}", above(swap, levels)) for name, swap in OF_FOLDER.items())
    yield from ((f"root: {name}", above(swap, 3)) for name, swap in OF_ROOT.items())


def exchange(one: Path, other: Path) -> None:
    """Both names change places at once: renameat2(2) with RENAME_EXCHANGE."""
    if _LIBC.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def again_and_again(step: Callable[[], None]) -> Iterator[None]:
    """Do it in a thread until the end, with pauses of all lengths up to a millisecond."""
    over = threading.Event()
    failed: list[OSError] = []

    def loop() -> None:
        pauses = itertools.cycle((0.0, 0.000_05, 0.0, 0.000_2, 0.001))
        try:
            while not over.is_set():
                step()
                time.sleep(next(pauses))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not failed, failed
