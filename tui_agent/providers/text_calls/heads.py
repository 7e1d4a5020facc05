"""Whether a text that has only begun can still become a call, so that no other text is held back."""

import re
from typing import Final, NamedTuple

from tui_agent.providers.text_calls.names import Toolbox
from tui_agent.providers.text_calls.shapes import FIRST_KEYS, NAME_KEYS

LONGEST: Final = 400
"""Characters after which nothing more is learnt from how a text begins."""

_KEY = re.compile(r"\{\s*(?:\{\s*)?(?P<quote>[\"'])(?P<key>\w*)(?P<end>[\"']?)")
_OPENING = re.compile(r"\{\s*(?:\{\s*)?$")
_NAMED = re.compile(rf"[\"'](?:{'|'.join(NAME_KEYS)})[\"']\s*:\s*[\"'](?P<name>[^\"'\n]{{0,90}})(?P<end>[\"'])")
_FUNCTION = re.compile(r"<(?:function|invoke)(?:=|\s+name=)[\"']?(?P<name>[\w.:-]{0,80})(?P<end>[\"'>\s]?)")
_WORD = re.compile(r"(?:function(?=<)|(?P<name>[\w.:-]*))(?P<rest>.?)", re.DOTALL)
_REACT = re.compile(r"Action:[ \t]*`?(?P<name>[\w.:-]*)`?(?P<rest>.*)", re.DOTALL)
_SIGNS = ("<tool_call>", "<function_call>", "<function_calls>", "<tool_calls>", "<tools>", "[TOOL_CALLS]", "<|", "<｜")


class Head(NamedTuple):
    """What is known from the beginning: `possible` None means too little; `name` is the tool, once it is there."""

    possible: bool | None
    name: str = ""


OPEN: Final = Head(None)
NO: Final = Head(False)


def judge(text: str, box: Toolbox, *, bare: bool = False) -> Head:
    """Judge the beginning of what stands in a fence, between tags or (`bare`) at the start of a line.

    More text never changes a judgement.
    """
    text = text.lstrip()[:LONGEST]
    if not text:
        return OPEN
    if text[0] == "{":
        return _object(text, box)
    if text[0] == "[" and not _begins_a_sign(text):
        inner = text[1:].lstrip()
        return OPEN if not inner else judge(inner, box, bare=bare) if inner[0] == "{" or inner[0].isalpha() else NO
    if text[0] in "<[":
        return _tag(text, box)
    if text.startswith("Action:"):
        return _action(text, box)
    if "Action:".startswith(text):
        return OPEN
    return _word(text, box, "({" if bare else "({<[ `\n")


def _object(text: str, box: Toolbox) -> Head:
    key = _KEY.match(text)
    if key is None:
        return OPEN if _OPENING.match(text) else NO
    if not key["end"] and key.end() == len(text):
        return OPEN if any(known.startswith(key["key"]) for known in FIRST_KEYS) else NO
    if key["key"] not in FIRST_KEYS:
        return NO
    named = _NAMED.search(text)
    if named is None:
        return OPEN
    name = box.find(named["name"])
    if name is None:
        return NO if key["key"] in NAME_KEYS else OPEN
    return Head(True, name)


def _tag(text: str, box: Toolbox) -> Head:
    function = _FUNCTION.match(text)
    if function is not None:
        return _named(function["name"], bool(function["end"]), box)
    if _begins_a_sign(text) or "<function=".startswith(text) or re.match(r"<(?:function|invoke)\s*[a-z]{0,4}=?$", text):
        return OPEN
    return OPEN if "<invoke name=".startswith(text) else NO


def _action(text: str, box: Toolbox) -> Head:
    action = _REACT.match(text)
    if action is None or not action["rest"]:
        return OPEN if action is not None and (not action["name"] or box.may_begin(action["name"])) else NO
    rest = action["rest"].lstrip()
    if box.find(action["name"]) is None or not (
        "Action Input:".startswith(rest[:13]) or rest.startswith("Action Input:")
    ):
        return NO
    given = rest.removeprefix("Action Input:").lstrip()
    if not rest.startswith("Action Input:") or not given:
        return OPEN
    return _named(action["name"], True, box) if given[0] == "{" else NO


def _word(text: str, box: Toolbox, followers: str) -> Head:
    """A name, and what has to follow it."""
    word = _WORD.match(text)
    if text.startswith("function<"):
        return OPEN
    if word is None or not word["name"]:
        return NO
    if word["name"] == "print" and word["rest"] == "(":
        return _word(text[6:], box, followers) if text[6:] else OPEN
    if word["name"] == "to" and word["rest"] == "=":
        return _word(text[3:], box, "({<[ `\n") if text[3:] else OPEN
    if word["rest"]:
        return _named(word["name"], True, box) if word["rest"] in followers else NO
    if any(start.startswith(word["name"]) for start in ("print", "function", "to")):
        return OPEN
    return _named(word["name"], False, box)


def _named(written: str, whole: bool, box: Toolbox) -> Head:
    if not whole:
        return OPEN if box.may_begin(written) else NO
    name = box.find(written)
    return NO if name is None else Head(True, name)


def _begins_a_sign(text: str) -> bool:
    return any(text.startswith(sign) or sign.startswith(text) for sign in _SIGNS)
