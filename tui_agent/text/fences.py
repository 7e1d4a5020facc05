"""Code fences that a model puts around a text which is no Markdown."""

import re
from typing import Final

_OPENING: Final = re.compile(r"(?P<fence>`{3,}|~{3,})[^\n`]*\n")


def unfenced(text: str) -> str | None:
    """What stands inside the fence, when `text` is one fenced block and nothing else; otherwise None."""
    block = text.strip()
    opening = _OPENING.match(block)
    if opening is None or not block.endswith("\n" + opening["fence"]):
        return None
    body = block[opening.end() : max(opening.end(), len(block) - len(opening["fence"]) - 1)]
    return None if opening["fence"] in body else body
