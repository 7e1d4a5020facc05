"""A folder like a large project's, for measuring searches: the same for the same number of files."""

import random
import re
from pathlib import Path
from typing import Final

RARE: Final = "needle_in_the_hay"
"""Stands in five files."""
ABSENT: Final = "nowhere_to_be_found"

_ENDINGS: Final = (".py",) * 6 + (".ts",) * 5 + (".tsx", ".js", ".js", ".json", ".md", ".css", ".go", ".rs", ".txt")
_WORDS: Final = re.findall(
    r"\w+",
    """return import self value index result error config request response session handler buffer update render state
    parse token stream window cursor select filter reduce connect retry timeout schema column record commit branch""",
)


def build(folder: Path, files: int) -> None:
    """Make `files` files below `folder`, which is empty: nine in ten are searched, the rest is ignored or hidden.

    Sizes are those of source files (median 2 kB), 30 bytes to 4 MB, some of them binary; there are links to files and
    to folders, and `.gitignore` files at several levels.
    """
    chance = random.Random(50_000)
    lines = [_line(chance) for _ in range(4_000)]
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".gitignore").write_text("node_modules/\n*.log\n/dist\n!keep.log\n__pycache__/\n*.py[co]\n")
    ignored = files // 12
    hidden = files // 60
    _fill(folder / "node_modules", ignored, 20, chance, lines)
    _fill(folder / ".cache", hidden, 10, chance, lines)
    packages = max(1, files // 2_500)
    rest = files - ignored - hidden
    for number in range(packages):
        package = folder / f"packages/part_{number:03}"
        share = rest // packages + (number < rest % packages)
        made = _fill(package, share, 14, chance, lines)
        (package / ".gitignore").write_text("build/\n*.tmp\n/local_*\n")
        if number < 5:
            with made[len(made) // 2].open("a") as file:
                file.write(f"    call({RARE})\n")
        (package / "linked").symlink_to("src" if number % 2 else "../..")
        (package / "linked.py").symlink_to(made[0])
    (folder / "data").mkdir()
    for number in range(max(1, files // 10_000)):
        (folder / f"data/big_{number}.csv").write_text("".join(chance.choices(lines, k=80_000)))
        (folder / f"data/image_{number}.bin").write_bytes(chance.randbytes(200_000))


def _fill(folder: Path, files: int, each: int, chance: random.Random, lines: list[str]) -> list[Path]:
    """Files in folders of about `each`, up to five levels deep."""
    made: list[Path] = []
    here = folder
    while len(made) < files:
        if len(made) % each == 0:
            depth = chance.randint(1, 5)
            names = (f"{chance.choice(_WORDS)}_{chance.randrange(4 if level < 3 else 30)}" for level in range(depth))
            here = folder.joinpath(*names)
            here.mkdir(parents=True, exist_ok=True)
        path = here / f"{chance.choice(_WORDS)}_{len(made)}{chance.choice(_ENDINGS)}"
        path.write_text("".join(chance.choices(lines, k=int(chance.lognormvariate(3.9, 1.1)) + 1)))
        made.append(path)
    return made


def _line(chance: random.Random) -> str:
    words = chance.choices(_WORDS, k=chance.randint(2, 8))
    return f"{'    ' * chance.randint(0, 3)}{words[0]} = {'.'.join(words[1:])}({chance.randrange(1000)})\n"
