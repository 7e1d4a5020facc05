"""Reading files as they are, and writing them whole or not at all."""

import errno
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.conversation.errors import WorkspaceError
from tui_agent.workspace import files
from tui_agent.workspace.changes import FileIdentity
from tui_agent.workspace.files import FileText, MissingFile, encode_like, read_file, write_atomically
from tui_agent.workspace.paths import Location, Workspace


def place(tmp_path: Path, content: bytes | None = None, name: str = "f") -> Location:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    return Workspace(tmp_path).resolve(name)


@pytest.mark.parametrize(
    ("data", "text", "encoding", "newline"),
    [
        (b"", "", "utf-8", ""),
        (b"a\nb\n", "a\nb\n", "utf-8", "\n"),
        (b"a\r\nb", "a\nb", "utf-8", "\r\n"),
        (b"a\r\nb\nc", "a\nb\nc", "utf-8", "mixed"),
        (b"a\rb", "a\rb", "utf-8", ""),
        (b"\xef\xbb\xbfa\n", "a\n", "utf-8-sig", "\n"),
        ("\ufeffä\r\n".encode("utf-16-le"), "ä\n", "utf-16-le", "\r\n"),
        ("\ufeffä\n".encode("utf-16-be"), "ä\n", "utf-16-be", "\n"),
        (b"caf\xe9\n", "café\n", "latin-1", "\n"),
        (b"\x1b[1mbold\x1b[0m\n", "\x1b[1mbold\x1b[0m\n", "utf-8", "\n"),
    ],
)
def test_a_file_is_read_in_its_own_encoding(
    tmp_path: Path, data: bytes, text: str, encoding: str, newline: str
) -> None:
    file = read_file(place(tmp_path, data))
    assert (file.data, file.text, file.encoding, file.newline) == (data, text, encoding, newline)
    assert encode_like(file.text, file) == data


@pytest.mark.parametrize(
    "data", [b"a\0b", bytes(range(256)) * 4, b"\xff\xfe\x00\xd8", b"\x80\x01\x02\x03", b"\xff\xfe\0\0a\0\0\0"]
)
def test_a_binary_file_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(WorkspaceError, match=r"^f is a binary file"):
        read_file(place(tmp_path, data))


def test_a_huge_file_is_refused_by_name_and_size_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(50_000_000_000)
    with pytest.raises(WorkspaceError, match=r"^f is too large: 50,000,000,000 bytes; the limit is 10,000,000"):
        read_file(place(tmp_path))


def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    with pytest.raises(WorkspaceError, match=r"^f is a pipe"):
        read_file(place(tmp_path))
    with pytest.raises(WorkspaceError, match="device, not a file"):
        read_file(Workspace("/dev").resolve("zero"))


def test_a_missing_file_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"^no such file: f$"):
        read_file(place(tmp_path))


BODY = st.text(st.characters(codec="utf-8", exclude_characters="\r\ufeff\0"), max_size=30)
ENDS = st.lists(st.tuples(BODY.filter(lambda text: "\n" not in text), st.sampled_from(["\n", "\r\n"])), max_size=12)


@given(lines=ENDS, last=BODY.filter(lambda text: "\n" not in text), change=st.data())
def test_an_unchanged_line_keeps_its_own_bytes_whatever_ends_it(
    lines: list[tuple[str, str]], last: str, change: st.DataObject
) -> None:
    raw = "".join(map("".join, lines)) + last
    file = as_file(raw.encode())
    assert encode_like(file.text, file) == raw.encode()
    if not lines:
        return
    index = change.draw(st.integers(0, len(lines) - 1))
    changed = [text for text, _ in lines]
    changed[index] = "<changed>"
    result = encode_like("\n".join([*changed, last]), file)
    kept = [part.encode() for part in map("".join, lines)]
    assert result.startswith(b"".join(kept[:index]) + b"<changed>")
    assert result.endswith(b"".join(kept[index + 1 :]) + last.encode())


def as_file(data: bytes) -> FileText:
    raw = data.decode()
    text = raw.replace("\r\n", "\n")
    crlf, lines = raw.count("\r\n"), text.count("\n")
    style: Any = "" if not lines else "\r\n" if crlf == lines else "mixed" if crlf else "\n"
    return FileText(data, text, "utf-8", style, text.endswith("\n"), FileIdentity(0, 0, ""))


def test_a_long_file_of_mixed_endings_that_is_shuffled_comes_to_an_end() -> None:
    """Comparing every line with every other would take minutes; the alarm stops a test that hangs."""
    lines = [f"line {i}\n" for i in range(100_000)]
    file = as_file("".join(line if i % 2 else line[:-1] + "\r\n" for i, line in enumerate(lines)).encode())
    shuffled = "".join(lines[i * 13 % len(lines)] for i in range(len(lines)))
    signal.alarm(20)
    try:
        assert encode_like(shuffled, file).replace(b"\r\n", b"\n") == shuffled.encode()
    finally:
        signal.alarm(0)


def test_new_lines_of_a_crlf_file_end_in_crlf(tmp_path: Path) -> None:
    file = read_file(place(tmp_path, b"a\r\nb\r\n"))
    assert encode_like("a\nnew\nb\n", file) == b"a\r\nnew\r\nb\r\n"


def test_a_final_newline_is_never_lost(tmp_path: Path) -> None:
    assert encode_like("b", read_file(place(tmp_path, b"a\n"))) == b"b\n"
    assert encode_like("b", read_file(place(tmp_path, b"a"))) == b"b"
    assert encode_like("", read_file(place(tmp_path, b"a\n"))) == b""


def test_a_character_that_the_encoding_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"U\+2603, which latin-1 cannot hold"):
        encode_like("☃", read_file(place(tmp_path, b"caf\xe9")))
    with pytest.raises(WorkspaceError, match="lone surrogate"):
        files.encode("a\udc80")


def test_writing_keeps_mode_and_makes_missing_directories(tmp_path: Path) -> None:
    location = place(tmp_path, b"old")
    (tmp_path / "f").chmod(0o640)
    write_atomically(location, b"new")
    assert (tmp_path / "f").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    write_atomically(Workspace(tmp_path).resolve("a/b/g"), b"x")
    assert (tmp_path / "a/b/g").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "f"]


def test_a_link_inside_is_written_through_to_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("f")
    write_atomically(place(tmp_path, None, "link"), b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_bytes() == b"x"


@pytest.mark.promise("P30")
@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_full_disk_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    location = place(tmp_path, b"old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(WorkspaceError, match=r"^cannot write f: no space left on device") as caught:
        write_atomically(location, b"new")
    assert "old content is intact" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.promise("P30")
def test_a_really_full_disk_leaves_the_old_content(tmp_path: Path) -> None:
    import resource

    location = place(tmp_path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(WorkspaceError, match="file too large"):
            write_atomically(location, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    location = place(tmp_path, b"old")
    (tmp_path / "f").chmod(0o444)
    with pytest.raises(WorkspaceError, match="cannot write f: it is marked read-only"):
        write_atomically(location, b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
