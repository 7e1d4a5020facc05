"""Answers that are not the API's: redirects, and what is no HTTP."""

import pytest

from tests.fakes.chat_server import ChatServer, Reply, reply_body, reply_text
from tests.providers.support import error_of
from tui_agent.conversation.errors import EXIT_FAILED

Fake = type[ChatServer]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_told_and_nothing_is_sent_where_it_leads(status: int, fake: Fake) -> None:
    with fake([reply_text("I am another server")]) as other:
        target = f"{other.url}chat/completions"
        with fake([reply_body(status, "", "text/plain", {"Location": target})]) as server:
            error = await error_of(server)
    assert (len(server.requests), other.requests, other.others) == (1, [], [])
    assert f"({status}) to {target}" in error.message
    assert "base_url" in error.hint and server.url in error.hint
    assert error.exit_code == EXIT_FAILED


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (reply_body(200, b"plain", "text/event-stream", {"Content-Encoding": "gzip"}), "decompress"),
        (reply_body(200, b"x", "text/event-stream", {"X-Large": "a" * 200_000}), "too long"),
        (reply_body(200, b"x", "text\0/plain"), "header"),
        (reply_body(101, b"x"), "UPGRADE"),
    ],
    ids=["not the encoding it names", "endless header", "NUL in a header", "another protocol"],
)
async def test_what_is_no_http_is_said_and_not_taken_for_a_crash(reply: Reply, said: str, fake: Fake) -> None:
    with fake([reply]) as server:
        error = await error_of(server)
    assert len(server.requests) == 1
    assert "not valid HTTP" in error.message and said in error.message
    assert error.exit_code == EXIT_FAILED
