"""Take secrets, and what tells who and where a person is, out of text that others will read."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from tui_agent.text.own_keys import LEAST, SECRET, written_forms

USER: Final = "[user]"
HOST: Final = "[host]"

KEY_SHAPES: Final = re.compile(
    r"""
    \b(?:sk|gsk|pk|rk|xai|hf|key|pplx|nvapi|glpat|npm|pypi|r8|fw|tvly|dop_v1|lsv2|github_pat)[-_][\w*-]{8,}
    | \bgh[opusr]_[\w*-]{8,}
    | \bxox[a-z]-[\w-]{8,}
    | \bAIza[\w*-]{8,}
    | \bya29\.[\w-]{8,}
    | \b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{12,}
    | \b(?:ABSK|bedrock-api-key-)[\w+/=-]{16,}
    | \beyJ[\w-]{10,}(?:\.[\w-]*)*                # a JSON web token, or the beginning of one
    | (?<=Bearer\ )\S+
    """,
    re.VERBOSE,
)
"""Keys that are known by their look. Every alternative takes all it can, so that a search is linear."""

_IN_CONTEXT: Final = re.compile(
    r"""
    (?P<pem>
        -----BEGIN[ ][A-Z0-9 ]{1,40}-----.*?(?:-----END[ ][A-Z0-9 ]{1,40}-----|\Z)
    )
    | (?P<url>://)(?: [^\s/"'<>]{0,300}@ | [^\s:@"'<>]{1,100}:[^\s@"'<>]{1,200}@ )
    | (?P<header>\b(?:authorization|cookie|x-api-key)["']?\s{0,3}[:=]\s{0,3}["']?)(?:\w{1,20}[ ])?[^\s"',;]+
    | (?P<bearer>\bbearer[ ]{1,3})[^\s"',;]+
    | (?P<name>(?:api_?key|secret|token|passw(?:or)?d|passphrase|credentials?|access_?key)[\w.-]{0,40}["']?)
      (?P<is>\s{0,3}[:=]\s{0,3}["']?)
      (?: (?<==)[^\s"',;&]{4,} | (?<=["'])[^\s"']{4,} | (?=[^\s"',;&]{0,200}\d)[^\s"',;&]{6,} )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_PEM_TAIL: Final = re.compile(r"\A(?:(?!-----BEGIN ).)*-----END [A-Z0-9 ]{1,40}-----", re.DOTALL)
_OTHER_HOMES: Final = re.compile(r"(?<![\w.-])(/home|/Users|/var/home|/export/home)/[^/\s:\"']+")

_MARKS: Final = "|".join(map(re.escape, (SECRET, USER, HOST)))

_NO_NAME: Final = frozenset({"root", "localhost"})
"""Nobody's: replacing them would only make the text hard to read."""


def redactor(
    secrets: Iterable[str] = (), homes: Iterable[str] = (), users: Iterable[str] = (), hosts: Iterable[str] = ()
) -> Callable[[str], str]:
    """A pure function that takes these out of a text, and with them everything that looks like a key.

    `secrets` go in every way in which they may be written (in JSON, in an address, as `repr`), unless they are shorter
    than LEAST. Keys of known shape, values that are called a key, token or password, PEM blocks and the user part
    of addresses go as well. `homes` become `~`; `users` and `hosts` are found as whole words in any case.
    """
    hide = _replacing(_alternatives(written_forms(secrets, LEAST)), SECRET)
    at_home = _replacing(_paths(homes), "~")
    unname = _replacing(_words(users), USER)
    unplace = _replacing(_words(hosts), HOST)

    def redact(text: str) -> str:
        text = at_home(hide_keys(hide(text)))
        text = unplace(unname(_OTHER_HOMES.sub(rf"\1/{USER}", text)))
        # Once more: what was replaced may have stood in the middle of one.
        return hide(text)

    return redact


def hide_keys(text: str) -> str:
    """The text without what looks like a key, by its shape or by what it is called."""
    text = KEY_SHAPES.sub(SECRET, _PEM_TAIL.sub(SECRET, text))
    return _IN_CONTEXT.sub(_marked, text)


def redact_tree(value: object, redact: Callable[[str], str]) -> object:
    """A JSON value with every text in it redacted, the keys of objects too."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_tree(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(item, redact) for item in value]
    return value


def _marked(match: re.Match[str]) -> str:
    kept = (match["url"], match["header"], match["bearer"], (match["name"] or "") + (match["is"] or ""))
    before = next(filter(None, kept), "")
    return before + SECRET + ("@" if match["url"] else "")


def _paths(folders: Iterable[str]) -> str:
    found = _alternatives(folder.rstrip("/") for folder in folders)
    return found and rf"(?<![\w.-])(?:{found})(?=[/\s:\"')\],;]|\Z)"


def _words(names: Iterable[str]) -> str:
    found = _alternatives(name for name in names if len(name) > 1 and name.lower() not in _NO_NAME)
    # Letters and digits make a word; an underscore parts two.
    return found and rf"(?<![^\W_])(?i:{found})(?![^\W_])"


def _alternatives(texts: Iterable[str]) -> str:
    """A pattern for any of the texts, longest first; empty when there are none."""
    return "|".join(map(re.escape, sorted(filter(None, set(texts)), key=lambda text: (-len(text), text))))


def _replacing(pattern: str, mark: str) -> Callable[[str], str]:
    """A function that puts `mark` for what the pattern finds, but not inside of a mark."""
    if not pattern:
        return lambda text: text
    search = re.compile(f"{_MARKS}|{pattern}")
    return lambda text: search.sub(lambda match: match[0] if match[0] in (SECRET, USER, HOST) else mark, text)
