"""Adds a rule to the user's settings file: its text is put where it belongs, and not a byte of the rest is changed."""

import json
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tui_agent.config.decode import Decoded, decode
from tui_agent.config.documents import parse, read_bytes
from tui_agent.config.model import Settings
from tui_agent.config.problems import InvalidConfig
from tui_agent.conversation.errors import ConfigError

if TYPE_CHECKING:
    import yaml

_KEY: Final = ("permissions", "allow")
_PLAIN: Final = re.compile(r"[A-Za-z][\w ./()*+@=-]*(?::[\w./][\w ./()*+@=-]*)*", re.ASCII)
"""Scalars that mean the same with and without quotes; a colon only inside a word."""
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def add_rules(path: Path, rules: Sequence[str], *, never: Path | None = None) -> None:
    """Add `allow` rules to the settings file at `path`, or make it; rules that it has are passed over.

    A link is followed to the file that it names. The new content takes the place of the old at once, with its mode and
    owner. `never` is a file that is not written whatever leads there: the project's. Blocks for milliseconds.

    Raises:
        ConfigError: the file is broken, cannot be written, or has a form into which no rule can be put; nothing was
            changed, and the hint says what to add by hand.
    """
    by_hand = f"add it by hand, under `permissions: allow:` in {path}: {'; '.join(rules)}"
    try:
        target = Path(os.path.realpath(path))
        if never is not None and target == Path(os.path.realpath(never)):
            raise ConfigError(f"{path} is the project's file, and rules are yours", by_hand)
        before = read_bytes(target)
        after = before or b""
        for rule in rules:
            after = with_rule(after, rule, str(path))
        if after != before:
            _replace(target, before, after)
    except InvalidConfig as error:
        raise ConfigError(f"the rule was not saved: {error.message}", f"mend the file, or {by_hand}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"the rule was not saved: {path} cannot be written: {reason}", by_hand) from error
    except ConfigError as error:
        raise ConfigError(error.message, error.hint or by_hand) from error


def with_rule(data: bytes, rule: str, source: str) -> bytes:
    """The content of a settings file with one more `allow` rule; as it is when it has that rule.

    Raises:
        InvalidConfig: the content is broken.
        ConfigError: there is no place in it for a rule that leaves everything else as it is.
    """
    before = _decoded(data, source)
    known = before.entries.get(_KEY)
    allowed = known.value if known is not None and isinstance(known.value, tuple) else ()
    if rule in allowed:
        return data
    text = data.decode("utf-8")
    at, added = _insertion(text, rule)
    after = f"{text[:at]}{added}{text[at:]}".encode()
    wanted = {key: entry.value for key, entry in before.entries.items()} | {_KEY: (*allowed, rule)}
    try:
        found = {key: entry.value for key, entry in _decoded(after, source).entries.items()}
    except InvalidConfig:
        found = {}
    if found != wanted:
        raise ConfigError(f"the rule was not saved: {source} is written in a way that it cannot be put into")
    return after


def _decoded(data: bytes, source: str) -> Decoded:
    decoded = decode(parse(source, data), Settings, source)
    if decoded.problems:
        raise InvalidConfig(decoded.problems, "")
    return decoded


def _insertion(text: str, rule: str) -> tuple[int, str]:
    """Where to put what; whether it was right is checked by whoever asked."""
    import yaml

    # Of a text that was parsed before: it nests no deeper than that allows.
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    end = "\r\n" if "\r\n" in text else "\n"
    item = rule if _PLAIN.fullmatch(rule) and rule.lower() not in _WORDS else json.dumps(rule, ensure_ascii=False)
    path: list[str] = ["permissions", "allow"]
    node, key = root, None
    while path and isinstance(node, yaml.MappingNode):
        found = next((pair for pair in node.value if pair[0].value == path[0]), None)
        if found is None:
            break
        key, node = found
        path.pop(0)
    if isinstance(node, yaml.CollectionNode) and node.flow_style:
        return _into_flow(node, _flow(path, rule))
    if isinstance(node, yaml.SequenceNode):
        return _behind(text, _end(node), f"{' ' * node.start_mark.column}- {item}", end)
    if isinstance(node, yaml.MappingNode):
        return _behind(text, _end(node), _block(path, item, node.start_mark.column, end), end)
    column = 0 if key is None else key.start_mark.column + 2
    return _behind(text, len(text) if key is None else key.end_mark.index, _block(path, item, column, end), end)


def _block(path: Sequence[str], item: str, column: int, end: str) -> str:
    """The keys that are missing and the item, a line each."""
    lines = [f"{' ' * (column + 2 * depth)}{name}:" for depth, name in enumerate(path)]
    return end.join([*lines, f"{' ' * (column + 2 * len(path))}- {item}"])


def _flow(path: Sequence[str], rule: str) -> str:
    """The same in one line of brackets."""
    made = json.dumps(rule, ensure_ascii=False)
    for depth, name in enumerate(reversed(path)):
        made = f'"{name}": {made if depth else f"[{made}]"}'
        made = made if depth == len(path) - 1 else f"{{{made}}}"
    return made


def _into_flow(node: "yaml.CollectionNode", added: str) -> tuple[int, str]:
    if not node.value:
        return node.start_mark.index + 1, added
    last = node.value[-1]
    return (last[1] if isinstance(last, tuple) else last).end_mark.index, f", {added}"


def _end(node: "yaml.Node") -> int:
    """Where what is written of a node ends; a block itself ends only where the next one begins."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style:
        last = node.value[-1]
        if isinstance(last, tuple):
            key, value = last
            node = key if isinstance(value, yaml.ScalarNode) and not value.value and not value.style else value
        else:
            node = last
    end: int = node.end_mark.index
    return end


def _behind(text: str, at: int, lines: str, end: str) -> tuple[int, str]:
    """Lines behind the one that a place is in, with what stands there behind it."""
    if at and text[at - 1] == "\n":  # a text of several lines ends where the next line begins
        return at, lines + end
    found = text.find("\n", at)
    if found < 0:
        return len(text), f"{end if text.strip(chr(0xFEFF)) else ''}{lines}{end}"
    return found + 1, lines + end


def _replace(path: Path, before: bytes | None, after: bytes) -> None:
    """Put the new content in the place of the old, unless that became something else meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = path.stat() if before is not None else None
    if old is not None and not (old.st_mode & 0o222 and os.access(path, os.W_OK)):
        raise PermissionError(0, "it is read-only")
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            if old is not None:
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)
        if read_bytes(path) != before:
            raise OSError(0, "it was changed this very moment; try again")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
