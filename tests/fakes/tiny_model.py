"""A model of a few kilobytes, the wheels that hold its parts, and the program with nothing else in its catalogue.

By hand: `HF_ENDPOINT=http://127.0.0.1:PORT python -m tests.fakes.tiny_model models pull tiny`.
"""

import hashlib
import random
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tui_agent.cli.main import main
from tui_agent.providers.embedded import catalogue, partial
from tui_agent.providers.embedded.catalogue import EmbeddedModel, WheelParts

CONTENT = random.Random(1).randbytes(100_000)
WRONG = bytes(reversed(CONTENT))
PARTS = WheelParts("tiny-model-part", "0.1.0", 3, "tiny_model_part{part}/data/part{part:02}.bin", 40_000)
TINY = EmbeddedModel(
    name="tiny",
    title="Tiny 0.1K",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
    parameters=100,
    url="https://hub.invalid/tiny/resolve/main/tiny.gguf",
    parts=PARTS,
    good_for="nothing but tests",
    memory="100 kB of memory",
)


def part_of(content: bytes, part: int) -> bytes:
    """The bytes that belong into wheel `part`."""
    return content[(part - 1) * PARTS.part_size : part * PARTS.part_size]


def make_wheel(
    folder: Path, part: int, data: bytes, *, member: str = "", twice: bool = False, packed: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Write one wheel that pip takes; its code would leave a file `ran` in the current folder if it were imported."""
    name = f"tiny_model_part{part}"
    info = f"{name}-{PARTS.version}.dist-info"
    path = folder / f"{name}-{PARTS.version}-py3-none-any.whl"
    files = {
        f"{name}/__init__.py": b"open('ran', 'w').close()\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-model-part{part}\nVersion: 0.1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", packed) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        archive.writestr(member or PARTS.member_of(part), data)
        if twice:
            archive.writestr(f"{PARTS.member_of(part)}x", data)
    return path


def make_wheels(folder: Path, parts: Sequence[int] = (1, 2, 3), content: bytes = CONTENT) -> dict[str, str]:
    """Write wheels into `folder`; returns the environment in which pip finds these and nothing else."""
    folder.mkdir(exist_ok=True)
    for part in parts:
        make_wheel(folder, part, part_of(content, part))
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}


if __name__ == "__main__":
    catalogue.MODELS = (TINY,)
    partial.SYNC_BYTES = 10_000
    sys.exit(main())
