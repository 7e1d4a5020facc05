"""Whether a terminal can be trusted with characters beyond ASCII."""

from collections.abc import Mapping


def is_utf8(encoding: str, environ: Mapping[str, str]) -> bool:
    """Whether text goes out in UTF-8 to a locale that was not named C."""
    return encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig") and not _plain_locale(environ)


def _plain_locale(environ: Mapping[str, str]) -> bool:
    """Whether the user named the locale C or POSIX: Python answers UTF-8 there all the same (PEP 538, PEP 540)."""
    named = [environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)]
    # PEP 538 sets this one for us and our children.
    named = [value for value in named if value != "C.UTF-8"] if environ.get("LC_CTYPE") == "C.UTF-8" else named
    return bool(named) and named[0] in ("C", "POSIX")
