"""Large changes of files, for measuring diffs."""

import random

from tui_agent.workspace.changes import FileChange


def change(lines: int, edits: int) -> FileChange:
    """A file of code with scattered edits, insertions and removals."""
    chance = random.Random(7)
    before = [
        f"    value_{number} = compute(row[{number % 97}], scale={number})\n" if number % 12 else "\n"
        for number in range(lines)
    ]
    after = list(before)
    for place in sorted(chance.sample(range(lines), edits), reverse=True):
        kind = chance.randrange(3)
        if kind == 0:
            after[place] = after[place].rstrip("\n") + "  # edited\n"
        elif kind == 1:
            after.insert(place, f"    inserted_{place} = None\n")
        else:
            del after[place]
    old, new = "".join(before).encode(), "".join(after).encode()
    return FileChange("/project/big.py", "big.py", old, new, None)
