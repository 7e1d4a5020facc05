"""The program on a real pty where no server runs, no key is set and no model is here."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.terminal import Terminal
from tests.fakes.file_server import FileServer, Give
from tests.fakes.tiny_model import CONTENT
from tests.processes import children
from tests.project import Machine

ROOT = Path(__file__).parents[2]
SERVERS = ("ollama", "llamacpp", "lmstudio", "vllm", "jan", "text-generation-webui", "litellm")


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="without the engine nothing is offered")
@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24), (40, 10)])
def test_one_key_begins_the_download_and_one_ends_it(tmp_path: Path, columns: int, rows: int) -> None:
    machine = Machine.under(tmp_path, {})
    nobody = {name: {"base_url": f"http://127.0.0.1:{port}/v1/"} for port, name in enumerate(SERVERS, start=1)}
    machine.configure({"provider": "auto", "providers": {**nobody, "embedded": {"default_model": "tiny"}}})
    with FileServer(CONTENT, [Give(stall_after=50_000)]) as hub:
        environ = {
            **machine.environ,
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": hub.url,
            "PIP_NO_INDEX": "1",
        }
        command = [sys.executable, "-m", "tests.fakes.tiny_model"]
        with Terminal(command, columns=columns, rows=rows, env=environ, cwd=str(machine.project)) as terminal:
            terminal.wait_for("f6 (downloads and starts it|download)")
            terminal.wait_for("100 kB of memory")
            terminal.send("keep me")
            terminal.wait_for("keep me")
            terminal.settle(0.6)
            terminal.send("\x1b[17~")  # f6
            terminal.wait_for(r"downloading tiny +50 %")
            assert hub.asked
            terminal.send("\x1b")
            terminal.wait_for("download stopped at 50 %")
            assert re.search("keep me", terminal.text)
            assert hub.gone.wait(10)
            terminal.send("\x11")  # ctrl+q
            assert terminal.wait_exit() == 0
            assert not children()
    assert (machine.home / "data" / "models" / "tiny.partial").exists()
