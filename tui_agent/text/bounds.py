"""Cut long text to its head and tail, saying how much is missing."""


def bound(text: str, *, max_lines: int, max_characters: int) -> str:
    """Return `text` when it fits, else its beginning and its end around `[… N lines, M characters left out …]`.

    About a third of the room goes to the head and the rest to the tail, where results and errors tend to be. The cut
    is at line ends; a single line that does not fit is cut inside. The result has at most `max_lines` lines and
    `max_characters` characters besides the note.
    """
    if max_lines < 2 or max_characters < 2:
        raise ValueError("a bound needs room for a head and a tail")
    if len(text) <= max_characters and text.count("\n") < max_lines:
        return text
    lines = text.split("\n")
    head = _fill(lines, max_lines // 3 or 1, max_characters // 3 or 1)
    first = "\n".join(head) if head else lines[0][: max_characters // 3 or 1]
    room = max_characters - len(first) - 1
    tail = _fill(lines[len(head) :][::-1], max_lines - (len(head) or 1), room)[::-1]
    last = "\n".join(tail) if tail else lines[-1][-room:] if room > 0 else ""
    left_out = text[len(first) : len(text) - len(last)].strip("\n")
    note = f"[… {_count(left_out.count(chr(10)) + 1, 'line')}, {_count(len(left_out), 'character')} left out …]"
    return "\n".join(part for part in (first, note, last) if part)


def _fill(lines: list[str], max_lines: int, max_characters: int) -> list[str]:
    """The first of `lines` that fit, counting a newline with each."""
    room = max_characters
    for index, line in enumerate(lines[:max_lines]):
        room -= len(line) + 1
        if room < 0:
            return lines[:index]
    return lines[:max_lines]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
