"""What the tests of the providers are given."""

import pytest

from tests.fakes.chat_server import ChatServer
from tests.fakes.ollama_server import OllamaServer


@pytest.fixture(params=[ChatServer, OllamaServer], ids=["chat", "ollama"])
def fake(request: pytest.FixtureRequest) -> type[ChatServer]:
    """The fake server of each protocol: what is asked of every provider is asked of each."""
    kind: type[ChatServer] = request.param
    return kind
