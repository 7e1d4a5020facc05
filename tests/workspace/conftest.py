"""What tests of snapshots begin with."""

from pathlib import Path

import pytest

from tests.workspace.snapshot_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
