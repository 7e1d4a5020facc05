"""The keys that this program itself uses, so that it writes them nowhere."""

from collections.abc import Iterable, Iterator
from typing import Final

SECRET: Final = "[secret]"

LEAST: Final = 6
"""Characters of the shortest value that counts as a secret: shorter ones cannot be told from ordinary words."""

_LEAST_OWN: Final = 8
"""The same for our own keys, which are also taken out of what a model is told: there a short one would do harm."""

STAND_INS: Final = frozenset(
    {"not-needed", "sk-no-key-required", "lm-studio", "no-key", "nokey", "unused", "placeholder"}
)
"""What people write where a server takes any key; words like these stand in messages too."""


class KnownKeys:
    """The keys that this program itself sends to model servers, as far as it has come across them.

    They are in nothing that it writes: not in a session, a log, an export or an error, and not in what a model is told.
    """

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()
        self._firsts: frozenset[str] = frozenset()
        self._longest = 0

    def add(self, keys: Iterable[str]) -> None:
        """Hide these from now on too; what is too short, or what people write in place of a key, is none."""
        wanted = [key for key in keys if key.strip().lower() not in STAND_INS]
        forms = {*self._forms, *written_forms(wanted, _LEAST_OWN)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._firsts = frozenset(form[0] for form in forms)
        self._longest = max(map(len, forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def hide(self, text: str) -> str:
        """The text with a mark in place of each of them. Takes microseconds where there is none."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, SECRET)
        return text

    def begun(self, text: str) -> int:
        """How many characters at the end may be the beginning of one."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[at] in self._firsts:
                rest = text[at:]
                if any(form.startswith(rest) for form in self._forms):
                    return len(rest)
        return 0


own_keys: Final = KnownKeys()
"""Those of this process."""


def written_forms(secrets: Iterable[str], least: int) -> Iterator[str]:
    """Each secret of at least so many characters as it may be written: as it is, line by line, quoted for an address,
    as JSON, as `repr`."""
    import json
    from urllib.parse import quote, quote_plus

    for secret in secrets:
        for text in {secret.strip(), *map(str.strip, secret.splitlines())}:
            if len(text) < least:
                continue
            raw = text.encode("utf-8", "replace")
            yield from (text, quote(raw), quote(raw, safe=""), quote_plus(raw), repr(text)[1:-1])
            yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
