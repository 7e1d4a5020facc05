"""What a program may send to a terminal, and what of foreign text may never be among it."""

import base64
import json
import re
from pathlib import Path

from benchmarks.terminal import Terminal

ROWS: list[dict[str, str]] = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data" / "terminal.jsonl").read_text().splitlines()
]


def _bounded(text: str) -> str:
    """A flood is one at 400 characters and 60 lines too, and is seen without scrolling for a minute."""
    text = text.replace("\n" * 100, "\n")
    return text if len(text) <= 400 else text[:200] + text[-200:]


TEXTS = {row["id"]: _bounded(row["text"]) for row in ROWS}
SHORT = {name: text for name, text in TEXTS.items() if len(text) < 80}

# A reader whose terminal knows them would never see these of a file name, a model or a title, nor what they do.
MORE = {
    "more-11": "&#27;[2J&#x9d;0;owned&#7;entities",
    "more-12": "\x1b**[2J**and Markdown",
    "more-13": "\x1b[8mconcealed\x1b[28m",
    "more-1": "\x1b]0;owned\x07title",
    "more-2": "\x1b]52;c;b3duZWQ=\x07clip",
    "more-3": "\x9b2Jc1-csi",
    "more-4": "\x9d0;owned\x9cc1-osc",
    "more-5": "bell\x07",
    "more-6": "over\rwritten",
    "more-7": "[@click=app.quit]click[/]",
    "more-8": "\x1b[2J\x1b[31mred",
    "more-9": "del\x7fete",
    "more-10": "one\u2028two",
}
TEXTS |= MORE
SHORT |= MORE

LITERAL = (
    '[link="file:///etc/passwd"]x[/link]',
    "a [/] b",
    "[/bold]",
    'arr[0] = x["a"][1]',
    "[@click=app.quit]click[/]",
)
"""Looks like markup of the screen's, and is text."""

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[ -/]*.", re.DOTALL
)
_CELLS = re.compile(r"\x1b\[[0-9;]*[mH]")
_OURS = re.compile(
    r"\x1b\[\?(?:1000|1003|1006|1015|1049|1004|2004|2048)h|\x1b\[\?(?:25|7)l|\x1b\[>25u|\x1b\[\?20(?:26|48)\$p"
    r"|\x1b\]22;(?:default|pointer|text)\x07"
)
"""What the screen sends besides text, colours and places, until it is left."""
_UNSHOWN = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_DRIVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200f]")


def tagged(texts: dict[str, str], between: str = "\n\n") -> str:
    """All texts, each behind its name."""
    return between.join(f"{name} {text}" for name, text in texts.items())


def without_sequences(raw: bytes) -> str:
    """What of the bytes is text."""
    return _SEQUENCE.sub("", raw.decode())


def problems(raw: bytes, *, copied: str | None = None) -> list[str]:
    """What is in the bytes of a running screen that no screen of ours sends; `copied` is to be in the clipboard."""
    found = []
    text = raw.decode()  # what is no UTF-8 raises
    clipboard = "" if copied is None else f"\x1b]52;c;{base64.b64encode(copied.encode()).decode()}\x07"
    if clipboard and clipboard not in text:
        found.append("the clipboard was given something else")
    for match in _SEQUENCE.finditer(text):
        sequence = match[0]
        if not _CELLS.fullmatch(sequence) and not _OURS.fullmatch(sequence) and sequence != clipboard:
            found.append(f"sequence {text[max(0, match.start() - 30) : match.end() + 30]!r}")
    rest = _SEQUENCE.sub("", text).replace("\r\n", "\n")
    found += [f"character {rest[max(0, at.start() - 30) : at.end() + 30]!r}" for at in _UNSHOWN.finditer(rest)]
    found += [f"{name}: {needle!r}" for name, needle in _needles() if needle in text.replace(clipboard, "")]
    return found


def printed_problems(printed: bytes) -> list[str]:
    """The same for a command that prints and draws nothing; a pty makes \\r\\n of its \\n."""
    text = printed.decode().replace("\r\n", "\n").replace("\t", " ")
    return [f"character {text[max(0, at.start() - 30) : at.end() + 30]!r}" for at in _UNSHOWN.finditer(text)]


def expect_clean(terminal: Terminal, *names: str, copied: str | None = None) -> None:
    """Every one of these texts came by on the screen, and nothing of any drove the terminal."""
    terminal.settle()
    raw = re.sub(rb"\x1b\[?[0-9;]*\Z", b"", bytes(terminal.raw))  # read in the middle of a sequence
    found = problems(raw, copied=copied)
    assert not found, f"{len(found)}: " + "\n".join(found[:8])
    text = without_sequences(raw)
    missing = [name for name in names if name not in text]
    assert not missing, f"never on the screen: {missing}\n{terminal.text}"
    # pyte takes the shape of the pointer (OSC 22) for a title (OSC 2).
    assert "owned" not in terminal.screen.title + terminal.screen.icon_name
    assert terminal.screen.charset == 0, "another character set"
    assert not terminal.screen.display[0].startswith("Approved by"), "drawn outside of its own area"


def _needles() -> list[tuple[str, str]]:
    """Each control character of the corpus with what is around it, as it must not arrive."""
    found = []
    for name, text in TEXTS.items():
        for match in _DRIVES.finditer(text):
            sequence = _SEQUENCE.match(text, match.start()) or match
            around = text[max(0, sequence.start() - 3) : sequence.end() + 4]
            if len(around) > len(sequence[0]) + 1 and around.strip("\r\n") == around:
                found.append((name, around))
    return found
