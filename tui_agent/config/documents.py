"""Reading one YAML file into a tree in which every key and value knows its line."""

import os
import re
import stat
from pathlib import Path

from msgspec import Struct

from tui_agent.config.problems import InvalidConfig, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 12

# Two classes: to compile one of them over all of Unicode takes 4 ms of every start.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|[\ufffe\uffff]")


class Scalar(Struct):
    """A single value as it was written; `plain` means without quotes."""

    line: int
    text: str
    plain: bool = False


class Sequence(Struct):
    """A list."""

    line: int
    items: "list[Node]" = []


class Mapping(Struct):
    """Keys and values in the order of the file, doubles included."""

    line: int
    pairs: "list[tuple[Node, Node]]" = []


Node = Scalar | Sequence | Mapping


def read_bytes(path: Path) -> bytes | None:
    """The content of a settings or theme file; None when it does not exist.

    Raises:
        InvalidConfig: it cannot be read, is too large, or is no file (a pipe would wait for ever).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        reason = "the folder it should be in is not a folder"
        raise InvalidConfig([Problem(str(path), 0, "", reason)], "move what is there away") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return _read(path, descriptor, devices=True)


def read_bytes_below(folder: Path, *names: str) -> bytes | None:
    """As `read_bytes`, for a file that came with a folder: no part of the way below that folder may be a link, and
    nothing but a regular file is read.

    Raises:
        InvalidConfig: as `read_bytes`, or something on the way is a link.
    """
    path = folder.joinpath(*names)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(folder, flags | os.O_DIRECTORY)
        for number, name in enumerate(names, 1):
            kind = os.O_DIRECTORY if number < len(names) else 0
            above = descriptor
            try:
                descriptor = os.open(name, flags | kind | os.O_NOFOLLOW, dir_fd=above)
            finally:
                os.close(above)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if any(folder.joinpath(*names[:count]).is_symlink() for count in range(1, len(names) + 1)):
            reason = "it is a link, or lies behind one; a project's settings have to be a file of the project"
            raise InvalidConfig([Problem(str(path), 0, "", reason)], "remove the link") from error
        if isinstance(error, NotADirectoryError):
            reason = "the folder it should be in is not a folder"
            raise InvalidConfig([Problem(str(path), 0, "", reason)], "move what is there away") from error
        raise _unreadable(path, error) from error
    return _read(path, descriptor, devices=False)


def _read(path: Path, descriptor: int, *, devices: bool) -> bytes:
    """What an open file holds; it is closed."""
    try:
        kind = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(kind) or (devices and stat.S_ISCHR(kind))):
            raise InvalidConfig([Problem(str(path), 0, "", "this is not a file")])
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise InvalidConfig([Problem(str(path), 0, "", f"larger than {MAX_BYTES >> 10} KB")])
    return data


def _unreadable(path: Path, error: OSError | ValueError) -> InvalidConfig:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InvalidConfig([Problem(str(path), 0, "", f"cannot be read: {reason}")], "check its permissions")


def parse(source: str, data: bytes) -> Node | None:
    """The tree of one YAML document; None when it is empty.

    It is built from the parser's events, not by recursion, because libyaml's own composer overflows the C stack on
    deep nesting. Anchors, aliases and tags are refused: settings need none, and aliases can expand without bound.

    Raises:
        InvalidConfig: bytes that are not UTF-8, characters YAML forbids, a syntax error, too deep, several documents.
    """
    text = _decode(source, data)
    import yaml

    open_nodes: list[Node] = []
    waiting_keys: list[Node | None] = []
    root: Node | None = None
    documents = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else 1
            node: Node
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _problem(source, line, "a second document starts here; one is enough")
                    continue
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    open_nodes.pop()
                    waiting_keys.pop()
                    continue
                case yaml.AliasEvent():
                    raise _problem(source, line, "aliases (*name) are not supported")
                case yaml.ScalarEvent():
                    node = Scalar(line, event.value, event.implicit[0])
                case yaml.SequenceStartEvent():
                    node = Sequence(line)
                case yaml.MappingStartEvent():
                    node = Mapping(line)
                case _:
                    continue
            if event.anchor is not None:
                raise _problem(source, line, "anchors (&name) are not supported")
            if event.tag is not None:
                raise _problem(source, line, "tags (!name) are not supported")
            if not open_nodes:
                root = node
            elif isinstance(parent := open_nodes[-1], Sequence):
                parent.items.append(node)
            elif isinstance(parent, Mapping):
                if (key := waiting_keys[-1]) is None:
                    waiting_keys[-1] = node
                else:
                    parent.pairs.append((key, node))
                    waiting_keys[-1] = None
            if not isinstance(node, Scalar):
                if len(open_nodes) == MAX_DEPTH:
                    raise _problem(source, line, f"nested more than {MAX_DEPTH} levels deep")
                open_nodes.append(node)
                waiting_keys.append(None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = "; a word that begins with * or & goes in quotes" if "alphabetic" in (error.problem or "") else ""
        raise _problem(source, line, f"not valid YAML: {error.problem or error.context}{hint}") from error
    except yaml.YAMLError as error:
        raise _problem(source, 1, "not valid YAML") from error
    if isinstance(root, Scalar) and root.plain and is_null(root):
        return None
    return root


def is_null(node: Node) -> bool:
    """True for a value that was left out, or written as `null` or `~`."""
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null", "Null", "NULL")


def _decode(source: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _problem(source, line, f"byte 0x{data[error.start]:02x} is not valid UTF-8") from error
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise _problem(source, line, f"character U+{ord(bad.group()):04X} is not allowed")
    return text


def _problem(source: str, line: int, text: str) -> InvalidConfig:
    return InvalidConfig([Problem(source, line, "", text)])
