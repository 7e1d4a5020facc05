"""The prompts of a project, kept in a JSONL file without our own keys and walked with the arrow keys."""

import os
from collections import deque
from pathlib import Path
from threading import Lock

from tui_agent.text.own_keys import own_keys

KEPT = 1000
"""Entries that are remembered."""
LARGEST = 500_000
"""Characters of one entry that still go into the file."""
_READ = 8 * 1024 * 1024  # bytes of the file's end that are read at all


class PromptHistory:
    """Prompts from oldest to newest, with a place in them while the user walks.

    `load` and `save` do I/O and never raise for a file that cannot be read or written: then the history lives in
    memory only. The other methods are instant.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._entries: list[str] = []
        self._unsaved: deque[str] = deque()
        self._saving = Lock()
        self._back = 0  # 0 is the draft, 1 the newest entry
        self._edited: dict[int, str] = {}

    @property
    def entries(self) -> tuple[str, ...]:
        """All entries, oldest first."""
        return tuple(self._entries)

    def load(self) -> None:
        """Put what the file holds before what was added since; call it in a thread.

        Lines that are no entries are skipped. A file that has grown to twice what is read of it is rewritten with the
        newest entries.
        """
        if self._path is None:
            return
        try:
            with self._path.open("rb") as file:
                size = self._path.stat().st_size
                file.seek(max(0, size - _READ))
                lines = file.read().split(b"\n")
        except OSError:
            return
        stored = [text for line in lines if (text := _entry(line)) is not None][-KEPT:]
        self._entries = (stored + self._entries)[-KEPT:]
        if len(lines) > 2 * KEPT or size > 2 * _READ:
            _rewrite(self._path, stored)

    def add(self, text: str) -> bool:
        """Remember a prompt and end the walk; False when it is the newest entry already."""
        self._back = 0
        self._edited.clear()
        if not text.strip() or self._entries[-1:] == [text]:
            return False
        self._entries = [*self._entries, text][-KEPT:]
        self._unsaved.append(text)
        return True

    def save(self) -> None:
        """Append what was added and is not in the file yet, in order, also where several threads do it at once."""
        with self._saving:
            while self._unsaved:
                self._save(self._unsaved.popleft())

    def _save(self, text: str) -> None:
        """In a single write, so that two programs never mix their lines."""
        if self._path is None or len(text) > LARGEST:
            return
        line = _line(text)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except OSError:
            return

    def earlier(self, shown: str) -> str | None:
        """The prompt before the one shown, or None at the oldest; `shown` comes back when the user returns to it."""
        return self._go(self._back + 1, shown)

    def later(self, shown: str) -> str | None:
        """The prompt after the one shown, in the end the draft, or None when the draft is shown."""
        return self._go(self._back - 1, shown)

    def _go(self, back: int, shown: str) -> str | None:
        if not 0 <= back <= len(self._entries):
            return None
        self._edited[self._back] = shown
        self._back = back
        return self._edited.get(back, "" if back == 0 else self._entries[-back])


def _line(text: str) -> bytes:
    import json  # not before the first paint

    return json.dumps({"text": own_keys.hide(text)}).encode() + b"\n"


def _entry(line: bytes) -> str | None:
    import json

    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    text = value.get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) and text.strip() else None


def _rewrite(path: Path, entries: list[str]) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as output:
            output.writelines(map(_line, entries))
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
