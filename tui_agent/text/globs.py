"""Glob patterns and .gitignore rules as regular expressions: pure, and the same wherever a search runs."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise, takewhile
from typing import Final, NamedTuple

MAX_PATTERN: Final = 1_000
MAX_ALTERNATIVES: Final = 100


def compile_glob(pattern: str) -> Callable[[str], object]:
    """A test for relative paths with `/` between components; what it gives is true or false.

    `*` and `?` stay inside a component, `**` spans any number of them, `[a-z]` and `[!a-z]` are sets, `{a,b}` are
    alternatives, a backslash takes the next character as it is. A pattern without `/` is looked for in every
    directory, as in .gitignore.

    Raises:
        ValueError: the pattern is empty, too long, has too many alternatives, or could leave the directory.
    """
    if not pattern or len(pattern) > MAX_PATTERN:
        raise ValueError("the pattern is empty" if not pattern else "the pattern is too long")
    try:
        alternatives = _alternatives(_tidied(pattern))
    except RecursionError as error:
        raise ValueError("the pattern has too many braces") from error
    if any(alternative.startswith("/") or ".." in alternative.split("/") for alternative in alternatives):
        raise ValueError("the pattern must stay inside the directory")
    expressions = (_expression(each if "/" in each else f"**/{each}") for each in alternatives)
    return re.compile("|".join(f"(?:{expression})" for expression in expressions), re.DOTALL).fullmatch


def name_globs(pattern: str) -> tuple[str, ...]:
    """Globs of `*` and ordinary characters for names without directories: each path that matches has such a name.

    They let through more than the pattern does; none at all when any name may match.
    """
    last = (each.rpartition("/")[2] for each in _alternatives(_tidied(pattern)))
    loose = {re.sub(r"(?:[\\[].*|[^\w.-])+", "*", each, flags=re.DOTALL) or "*" for each in last}
    return () if "*" in loose else tuple(sorted(loose))


def fixed_start(pattern: str) -> tuple[str, ...]:
    """The directories that each path that matches begins with, as far as they are plain names."""
    parts = _tidied(pattern).split("/")[:-1]
    return tuple(takewhile(re.compile(r"[A-Za-z0-9_.-]+").fullmatch, parts))


class IgnoreRule(NamedTuple):
    """One line of a .gitignore, over paths relative to its directory."""

    expression: re.Pattern[str]
    ignores: bool
    directories_only: bool


def parse_gitignore(text: str) -> tuple[IgnoreRule, ...]:
    """The rules of a .gitignore, gitignore(5); lines that are no pattern are passed over."""
    rules = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if not line.endswith("\\ "):
            line = line.rstrip(" ")
        if not line or line.startswith("#"):
            continue
        ignores = not line.startswith("!")
        pattern = line if ignores else line[1:]
        if pattern.startswith(("\\!", "\\#")):
            pattern = pattern[1:]
        directories_only = pattern.endswith("/")
        pattern = pattern.removesuffix("/")
        anchored = "/" in pattern
        pattern = pattern.removeprefix("/")
        if not pattern:
            continue
        if not anchored:
            pattern = f"**/{pattern}"
        if pattern.endswith("/**"):
            pattern += "/*"
        rules.append(IgnoreRule(re.compile(_expression(pattern), re.DOTALL), ignores, directories_only))
    return tuple(rules)


def judge(rules: Sequence[IgnoreRule], path: str, is_directory: bool) -> bool | None:
    """True: ignored; False: taken back by a `!` rule; None: no rule speaks of it. The last rule wins."""
    for rule in reversed(rules):
        if (is_directory or not rule.directories_only) and rule.expression.fullmatch(path):
            return rule.ignores
    return None


def _tidied(pattern: str) -> str:
    """Without the components that say nothing: `./`, and the second of two slashes."""
    first, *others = pattern.split("/")
    kept = [each for each in others[:-1] if each not in ("", ".")]
    return "/".join([*([] if first == "." else [first]), *kept, others[-1]]) if others else pattern


def _alternatives(pattern: str) -> list[str]:
    """The pattern with its `{a,b}` written out; an unclosed brace is an ordinary character."""
    open_at = -1
    depth = 0
    commas: list[int] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "{":
            if depth == 0:
                open_at, commas = position, []
            depth += 1
        elif character == "," and depth == 1:
            commas.append(position)
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                return _written_out(pattern, [open_at, *commas, position])
        position += 1
    return [pattern]


def _written_out(pattern: str, marks: list[int]) -> list[str]:
    head, tail = pattern[: marks[0]], pattern[marks[-1] + 1 :]
    choices = [pattern[start + 1 : end] for start, end in pairwise(marks)]
    result = [each for choice in choices for each in _alternatives(head + choice + tail)]
    if len(result) > MAX_ALTERNATIVES:
        raise ValueError("the pattern has too many alternatives")
    return result


def _expression(pattern: str) -> str:
    """One glob without braces as a regular expression for `fullmatch`.

    What `*` and `**` take is settled as soon as the fixed part behind them fits (nothing is lost by that), so that the
    time grows with the length and not with a power of it.
    """
    blocks: list[list[str]] = [[]]
    for part in pattern.split("/"):
        if part == "**":
            blocks.append([])
        else:
            blocks[-1].append(_component(part))
    if len(blocks) == 1:
        return "/".join(blocks[0])
    first, *middle, last = ("/".join(block) for block in blocks)
    settled = "".join(f"(?>(?:[^/]+/)*?{block}/)" for block in middle if block)
    end = f"(?:[^/]+/)*{last}" if blocks[-1] else ".*"
    return (f"{first}/" if blocks[0] else "") + settled + end


def _component(part: str) -> str:
    fixed = [""]  # what stands between the stars
    position = 0
    while position < len(part):
        character = part[position]
        position += 1
        if character == "*":
            fixed.append("")
        elif character == "?":
            fixed[-1] += "[^/]"
        elif character == "\\" and position < len(part):
            fixed[-1] += re.escape(part[position])
            position += 1
        elif (
            character == "["
            and (end := part.find("]", position + 1 + (part[position : position + 1] in ("!", "^")))) > 0
        ):
            fixed[-1] += _set(part[position:end])
            position = end + 1
        else:
            fixed[-1] += re.escape(character)
    if len(fixed) == 1:
        return fixed[0]
    first, *middle, last = fixed
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + f"[^/]*{last}"


def _set(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    body = inside[negated:]
    escaped = re.sub(r"(.)-(.)|.", _of_set, body, flags=re.DOTALL)
    if not escaped:
        return r"[^/]" if negated else r"(?!)"
    return f"(?!/)[{'^' if negated else ''}{escaped}]"


def _of_set(match: re.Match[str]) -> str:
    start, end = match[1], match[2]
    if start is None:
        return re.escape(match[0])
    return f"{re.escape(start)}-{re.escape(end)}" if start <= end else ""
