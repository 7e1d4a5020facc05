"""Finding other programs, but none that a project brings along."""

import os
import shutil
import sys
from pathlib import Path


def find_program(name: str, workspace: Path | None) -> str:
    """The program on the search path or beside our Python, or ""; never one that lies in the workspace."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    found = shutil.which(name, path=places)
    if found is None or not Path(found).is_absolute():
        return ""
    return "" if workspace and Path(found).resolve().is_relative_to(workspace) else found
