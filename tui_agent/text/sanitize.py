"""Make text from outside safe to show: nothing in it can drive the terminal or pretend to be something else."""

import re
from typing import Literal

ShowMode = Literal["output", "approval"]

# C0 without tab and newline, DEL, C1, lone surrogates.
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
# Line and paragraph separator: some terminals jump, some do not.
_SEPARATOR = "\u2028\u2029"
# Characters that change the order of letters on the screen (UAX #9).
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Invisible: soft hyphen, zero width, invisible operators, variation selectors, tags, annotation marks.
_INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Look like a space but are none.
_ODD_SPACE = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"
# What takes no place of its own: marks above and below a letter, generic ones and those of scripts that stack them
# (Hebrew, Arabic, Syriac, Thaana, N'Ko, Thai, Lao, Tibetan), selectors of variants, joiners. No word has more than four
# in a row; more run into the neighbouring lines.
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u302a-\u302d\u3099\u309a\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7"
    "\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    "\u0ec8-\u0ece\u0f71-\u0f7e\u0f80-\u0f84\ufb1e\ufe00-\ufe0f\U000e0100-\U000e01ef\u200b-\u200d\u2060-\u2064\ufeff]"
)

# Joiners and variation selectors with nothing before them to act on, and what is too much behind one; programs disagree
# about the width of these.
_STRAY = "(?<!\\S)[\u200d\ufe0f]+|(?<=\u200d)[\u200d\ufe0f]+|(?<=\ufe0f)\ufe0f+"

_SUSPECT = re.compile(f"[{_CONTROL}{_SEPARATOR}{_BIDI}]|{_MARK}{{5}}|{_STRAY}")
# Without those that have a slash, or a blank behind no number: they are hardly in use, and the unfinished beginning of
# one at the end of a name would take along what stands behind the name.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)(?:[0-?]+ ?)?[!-.]*[@-~]"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -.]+[0-~]"  # character sets and the like
    r"|\x1b[0-OQ-WYZ\\`-~]"  # two-character functions
)
_RETURNS = re.compile(r"(?<!\r)\r++(?=\n|\Z)")
_MAPPED = re.compile(f"[{_CONTROL}{_SEPARATOR}{_BIDI}]")
_EXCESS = re.compile(f"(?<={_MARK}{{4}}){_MARK}+|{_STRAY}")

_SHOWN = f"{_CONTROL}{_SEPARATOR}{_BIDI}{_INVISIBLE}{_ODD_SPACE}"
_HIDDEN = re.compile(f"[{_SHOWN}]|(?<={_MARK}{{4}}){_MARK}|(?<=[^\\s])\t")
_SPELLED = re.compile(f"[{_SHOWN}\t]|(?<={_MARK}{{4}}){_MARK}|<(?=U\\+[0-9A-F]{{4,6}}>)")
_SPELLING = re.compile(r"<U\+(?:10|0?[0-9A-F])?[0-9A-F]{4}>")
_RUN_OF_SPACES = re.compile(r"(?<=[^ \t\n]) {32,}|(?:(?<=\n)|\A) {80,}|\t{12,}|(?<=[^\s])\t+")


def sanitize(text: str, mode: ShowMode = "output") -> str:
    """Return `text` as it may be written to a screen; the result holds no control character but newline and tab.

    `output`: whole terminal sequences are removed, carriage returns at the end of a line go, other
    controls become visible symbols (U+2400 …, or U+FFFD for C1 and lone surrogates), bidirectional controls become
    `<U+XXXX>`, at most four marks stay on a letter, and joiners that join nothing go. A carriage return within a line
    is shown too: what a terminal would overwrite stays to be read. Lines are independent: sanitising line by line gives
    the same.

    `approval`: nothing is removed. Every control, bidirectional, zero-width, tag and odd-space character becomes
    `<U+XXXX>`, and so do tabs that do not indent, long runs of tabs or spaces (`<U+0020 ×200>`), and more than four
    marks on a letter.

    Both are idempotent.
    """
    if mode == "approval":
        return _HIDDEN.sub(_codepoint, _RUN_OF_SPACES.sub(_run, text))
    if not _SUSPECT.search(text):
        return text
    text = _SEQUENCE.sub("", text)
    if "\r" in text:
        text = _RETURNS.sub("", text)
    return _EXCESS.sub("", _MAPPED.sub(_symbol, text))


def is_safe(text: str) -> bool:
    """True when `output` sanitising leaves the text as it is; quicker to find out than to change it."""
    return not _SUSPECT.search(text)


def one_line(text: str) -> str:
    """Foreign text as it may stand in a row of a screen: sanitised as `output`, every run of white space one space.

    A carriage return is white space here.
    """
    return " ".join(sanitize(text.replace("\r", "\n")).split())


def hidden_count(text: str) -> int:
    """How many characters of `text` approval mode has to spell out because a reader would not see them."""
    runs = sum(len(match[0]) for match in _RUN_OF_SPACES.finditer(text))
    return runs + sum(1 for _ in _HIDDEN.finditer(_RUN_OF_SPACES.sub("", text)))


def spell_out(text: str) -> str:
    """`text` as it can be edited: every character that a reader would not see, tabs too, is written as `<U+XXXX>`.

    `read_back` gives the text again, whatever it is: what looks like such a spelling already is spelled out as well.
    """
    return _SPELLED.sub(_codepoint, text)


def read_back(text: str) -> str:
    """The text that was spelled out, with what was changed in it."""
    return _SPELLING.sub(lambda match: chr(int(match[0][3:-1], 16)), text)


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code in (0x2028, 0x2029):
        return "\u2424"
    if code < 0xA0 or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def _codepoint(match: re.Match[str]) -> str:
    return f"<U+{ord(match[0]):04X}>"


def _run(match: re.Match[str]) -> str:
    code, count = ord(match[0][0]), len(match[0])
    return f"<U+{code:04X}>" if count == 1 else f"<U+{code:04X} ×{count}>"
