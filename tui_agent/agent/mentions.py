"""Which files of the project a prompt names: a small model forgets to look at them."""

import re
from collections.abc import Iterator

from tui_agent.conversation.errors import TuiAgentError
from tui_agent.workspace.paths import Workspace

MENTIONS = 3
CANDIDATES = 50

_PATH = re.compile(r"(?<![\w/.@:-])@?((?:\./)?(?:[\w-]+/)*(?:\.?[\w-]+(?:\.[\w-]+)+|\.[a-z][\w-]+)|[A-Z]{4,})(?![\w/])")


def named_paths(text: str) -> Iterator[str]:
    """What looks like the path of a file: words with a dot inside (`src/app.py`), and words such as README."""
    for place, found in enumerate(_PATH.finditer(text[:20_000])):
        if place == CANDIDATES:
            return
        yield found[1].removeprefix("./")


def mentioned_files(text: str, workspace: Workspace) -> tuple[str, ...]:
    """The files that a prompt names and that are there, in order, at most three; README also stands for README.md."""
    files: list[str] = []
    for named in named_paths(text):
        for path in (named,) if "." in named else (named, f"{named}.md", f"{named}.txt", f"{named}.rst"):
            if path not in files and _is_file(path, workspace):
                files.append(path)
                break
        if len(files) == MENTIONS:
            break
    return tuple(files)


def _is_file(path: str, workspace: Workspace) -> bool:
    try:
        return workspace.resolve(path).path.is_file()
    except (TuiAgentError, OSError):
        return False
