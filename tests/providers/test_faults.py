"""Faults over real HTTP: what is tried again, what is not, and what the user is told."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.fakes.chat_server import (
    DONE,
    ChatServer,
    Stall,
    reply_body,
    reply_calls,
    reply_error,
    reply_html,
    reply_reset,
    reply_steps,
    reply_text,
    text,
)
from tests.providers.support import HI, KEY, Naps, ask, end_of, error_of, provider_at, retries_of, text_of
from tests.stopwatch import Stopwatch
from tui_agent.conversation.errors import EXIT_UNREACHABLE, ProviderError
from tui_agent.providers.protocol import ChatRequest

Fake = type[ChatServer]

FREE_PORT = 1  # nothing listens on tcpmux

# ---- tried again ----


@pytest.mark.promise("P2")
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_passing_errors_are_tried_again_with_growing_waits_and_told(status: int, fake: Fake) -> None:
    naps = Naps()
    with fake([reply_error(status), reply_error(status), reply_text("yes")]) as server:
        events = await ask(server, naps=naps)
    assert text_of(events) == "yes"
    assert len(server.requests) == 3
    assert server.bodies[0] == server.bodies[2]
    assert [(r.attempt, r.attempts) for r in retries_of(events)] == [(1, 3), (2, 3)]
    assert [r.seconds for r in retries_of(events)] == naps.seconds == [0.5, 1.0]
    assert str(status) in retries_of(events)[0].reason


@pytest.mark.promise("P2")
async def test_waits_have_jitter_and_a_cap(fake: Fake) -> None:
    naps = Naps()
    with fake([reply_error(500)]) as server:
        provider = provider_at(server.url, naps, api=fake.api, jitter=0.5, max_retries=7)
        with pytest.raises(ProviderError):
            [event async for event in provider.stream(HI)]
        await provider.aclose()
    assert naps.seconds == [0.375, 0.75, 1.5, 3.0, 6.0, 6.0, 6.0]


@pytest.mark.promise("P1")
@pytest.mark.parametrize(
    ("said", "waited"),
    [("2", 2.0), ("0.5", 0.5), ("0", 0.0), ("-3", 0.0), ("3600", 60.0), ("soon", 0.5), ("nan", 0.5), ("", 0.5)],
)
async def test_retry_after_in_seconds_is_obeyed_up_to_a_minute(said: str, waited: float, fake: Fake) -> None:
    naps = Naps()
    with fake([reply_error(429, retry_after=said), reply_text("yes")]) as server:
        events = await ask(server, naps=naps)
    assert naps.seconds == [waited] == [r.seconds for r in retries_of(events)]


@pytest.mark.promise("P1")
@pytest.mark.parametrize("ahead", [-100, 20, 7200])
async def test_retry_after_as_a_date_is_obeyed_up_to_a_minute(ahead: int, fake: Fake) -> None:
    naps = Naps()
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    with fake([reply_error(503, retry_after=when), reply_text("yes")]) as server:
        await ask(server, naps=naps)
    assert naps.seconds == [pytest.approx(max(0, min(ahead, 60)), abs=3)]


@pytest.mark.promise("P2")
@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (2, 3)])
async def test_it_gives_up_after_the_configured_number_of_retries(retries: int, requests: int, fake: Fake) -> None:
    with fake([reply_error(503, "the model is still loading")]) as server:
        error = await error_of(server, max_retries=retries)
    assert len(server.requests) == requests
    assert (error.kind, error.status) == ("server", 503)
    assert error.message == "fake answered 503: the model is still loading"
    assert ("retried 2 times" in error.hint) == (retries == 2)


async def test_a_limit_that_does_not_pass_is_named(fake: Fake) -> None:
    with fake([reply_error(429, "Rate limit reached")]) as server:
        error = await error_of(server)
    assert (error.kind, error.status) == ("limited", 429)


async def test_a_server_that_says_do_not_retry_is_believed(fake: Fake) -> None:
    with fake([reply_error(429, "quota", headers={"x-should-retry": "false"})]) as server:
        await error_of(server)
    assert len(server.requests) == 1


@pytest.mark.promise("P5")
async def test_a_reset_before_the_first_token_is_tried_again(fake: Fake) -> None:
    with fake([reply_reset(), reply_text("yes")]) as server:
        assert text_of(await ask(server)) == "yes"


@pytest.mark.promise("P5")
async def test_resets_without_end_are_an_error_that_names_the_server(fake: Fake) -> None:
    with fake([reply_reset()]) as server:
        error = await error_of(server)
    assert error.kind == "unreachable"
    assert f"127.0.0.1:{server.port}" in error.message
    assert "fake serve" in error.hint


@pytest.mark.promise("P10")
@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b'data: {"error": "overloaded"}\n\n',
        b"event: error\ndata: overloaded\n\n",
        b'event: error\ndata: {"error": {"message": "overloaded", "code": 503}}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"message":"overloaded"}}]}\n\n',
        b"data: overloaded\n\n",
    ],
)
async def test_an_error_in_the_stream_is_tried_again_when_nothing_was_shown(frame: bytes) -> None:
    with ChatServer([reply_steps(frame, DONE), reply_text("yes")]) as server:
        events = await ask(server)
    assert text_of(events) == "yes"
    with ChatServer([reply_steps(frame, DONE)]) as server:
        error = await error_of(server)
    assert error.kind in ("server", "protocol")
    assert "overloaded" in error.message


@pytest.mark.promise("P10")
@pytest.mark.parametrize("frame", [b'data: {"error": {"message": "overloaded"}}\n\n', b"data: overloaded\n\n"])
async def test_an_error_after_text_ends_the_reply_and_is_not_shown_as_text(frame: bytes) -> None:
    with ChatServer([reply_steps(text("I was say"), frame, DONE)]) as server:
        events = await ask(server)
    assert text_of(events) == "I was say"
    assert end_of(events).finish == "incomplete"
    assert "overloaded" in end_of(events).error
    assert len(server.requests) == 1


async def test_a_numeric_code_in_a_stream_error_counts_as_the_status() -> None:
    with ChatServer([reply_steps(b'data: {"error": {"message": "no", "code": 401}}\n\n')]) as server:
        assert (await error_of(server)).kind == "key"
    assert len(server.requests) == 1


# ---- not tried again ----


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "request"),
        (401, "key"),
        (402, "request"),
        (403, "key"),
        (404, "request"),
        (413, "context"),
        (422, "request"),
    ],
)
async def test_refusals_are_final_and_carry_what_the_server_said(status: int, kind: str, fake: Fake) -> None:
    with fake([reply_error(status, "not like this")]) as server:
        error = await error_of(server)
    assert (error.kind, error.status) == (kind, status)
    assert "not like this" in error.message
    assert error.hint
    assert len(server.requests) == 1


@pytest.mark.promise("P3")
async def test_a_refused_key_names_its_variable(fake: Fake) -> None:
    with fake([reply_text("x")], api_key="another") as server:
        error = await error_of(server)
        assert "FAKE_API_KEY" in error.hint
        assert "MY_KEY" in (await error_of(server, api_key_env="MY_KEY")).hint
        assert "export FAKE_API_KEY=…" in (await error_of(server, requires_api_key=False)).hint


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, 'model "fake-modle" not found, try pulling it first'),
        (404, "model 'fake-modle2.5:7b-q4.0' not found"),
        (404, "The model `fake-modle` does not exist or you do not have access to it."),
        (403, "Project does not have access to model fake-modle: model not found"),
        (400, "fake-modle is not a valid model ID: invalid model"),
        (400, "Model Not Exist"),
        (400, "Invalid model: fake-modle"),
        (404, "models/fake-modle is not found for API version v1beta"),
        (400, "No models loaded. Please load a model."),
    ],
)
async def test_an_unknown_model_gets_the_command_that_fetches_it_and_the_nearest_names(
    status: int, message: str, fake: Fake
) -> None:
    with fake([reply_error(status, message)], models=["other", "fake-model", "qwen"]) as server:
        error = await error_of(server, ChatRequest("fake-modle", HI.messages))
    assert error.kind == "model"
    assert error.message == "Unknown model fake-modle on fake"
    assert "fake pull fake-modle" in error.hint
    assert "fake-model" in error.hint.split("it has: ")[1]


async def test_an_unknown_model_is_named_even_when_the_server_lists_none(fake: Fake) -> None:
    with fake([reply_error(404, "model not found")], models_reply=reply_error(500)) as server:
        error = await error_of(server, fetch_hint="")
    assert (error.kind, error.hint) == ("model", "see: tui-agent providers models fake")


@pytest.mark.promise("P3", "P23")
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."),
        (400, "the request exceeds the available context size. try increasing the context size"),
        (400, "The number of tokens to keep from the initial prompt is greater than the context length."),
        (400, "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "Please reduce the length of the messages or completion."),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        (400, "Input is too long for requested model."),
        (413, "Request Entity Too Large"),
        (500, "exceed_context_size_error"),
    ],
)
async def test_too_long_a_conversation_is_said_plainly(status: int, message: str, fake: Fake) -> None:
    with fake([reply_error(status, message)]) as server:
        error = await error_of(server)
    assert error.kind == "context"
    assert "fake" in error.message
    assert len(server.requests) == 1


async def test_a_rate_limit_in_tokens_is_not_taken_for_too_long_a_conversation(fake: Fake) -> None:
    said = "Request too large for model x on tokens per minute (TPM): Limit 6000, please reduce your message size"
    with fake([reply_error(429, said)]) as server:
        assert (await error_of(server)).kind == "limited"


async def test_a_model_without_tools_is_said_plainly(fake: Fake) -> None:
    with fake([reply_error(400, "registry.ollama.ai/library/gemma:2b does not support tools")]) as server:
        error = await error_of(server)
    assert error.kind == "request"
    assert "`tool_calls: text`" in error.hint and "`auto`" in error.hint


@pytest.mark.parametrize(
    ("status", "said", "switch"),
    [
        (
            400,
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            "vLLM with `--enable-auto-tool-choice --tool-call-parser hermes`",
        ),
        (500, "tools param requires --jinja flag", "llama-server with `--jinja`"),
    ],
)
async def test_tool_calling_that_was_not_switched_on_gets_the_switch_of_its_server(
    status: int, said: str, switch: str
) -> None:
    with ChatServer([reply_error(status, said)]) as server:
        error = await error_of(server)
    assert (error.kind, len(server.requests)) == ("request", 1)
    assert said in error.message
    assert switch in error.hint and "`tool_calls: text` under `providers: fake:`" in error.hint


@pytest.mark.promise("P10")
@pytest.mark.parametrize("status", [200, 404, 502])
async def test_a_web_page_is_not_an_answer(status: int, fake: Fake) -> None:
    with fake([reply_html(status)]) as server:
        error = await error_of(server)
    assert error.kind == {200: "protocol", 404: "request", 502: "server"}[status]
    assert "Welcome" in error.message
    assert "<" not in error.message


@pytest.mark.promise("P10")
@pytest.mark.parametrize("body", ["hello", "{}", '{"detail": "no such thing"}', '{"half": ', "[1, 2]"])
async def test_something_else_than_a_reply_is_not_an_answer(body: str, fake: Fake) -> None:
    with fake([reply_body(200, body)]) as server:
        error = await error_of(server)
    assert error.kind == "protocol"
    assert "base_url" in error.hint or "log" in error.hint


async def test_an_error_body_is_shown_bounded_safe_and_without_the_key(fake: Fake) -> None:
    said = f"bad key {KEY} and sk-abcdefgh12345678, \x1b]0;owned\x07\x1b[31mred\n\n" + "x" * 10_000_000
    with fake([reply_body(400, said, "text/plain")]) as server:
        error = await error_of(server)
    assert len(error.message) < 500
    assert "bad key [key] and [key], red" in error.message
    assert KEY not in f"{error!r} {error.hint} {error.__cause__!r} {error.__context__!r}"


async def test_an_error_body_without_end_is_not_read_to_the_end(fake: Fake) -> None:
    endless = reply_steps(b"out of order " * 20_000, Stall(comment_every=0.01))
    with fake([endless.but(status=400, content_type="text/plain")]) as server:
        error = await error_of(server)
    assert error.message.startswith("fake answered 400: out of order")


async def test_the_key_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture, fake: Fake) -> None:
    with caplog.at_level(0), fake([reply_error(500, f"key {KEY}"), reply_text("yes")]) as server:
        await ask(server)
    assert caplog.records
    assert KEY not in caplog.text


# ---- concessions ----


async def test_a_server_that_refuses_stream_options_is_asked_without_and_remembered() -> None:
    def old(body: dict[str, Any], number: int) -> Any:
        refused = "stream_options" in body
        return (
            reply_error(400, "Unrecognized request argument supplied: stream_options") if refused else reply_text("yes")
        )

    with ChatServer(old) as server:
        provider = provider_at(server.url)
        for _ in range(2):
            events = [event async for event in provider.stream(HI)]
            assert text_of(events) == "yes"
            assert retries_of(events) == []
        await provider.aclose()
    assert ["stream_options" in body for body in server.bodies] == [True, False, False]


async def test_a_server_that_wants_the_newer_limit_gets_it() -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    with ChatServer([reply_error(400, said), reply_text("yes")]) as server:
        assert text_of(await ask(server, ChatRequest("m", HI.messages, max_tokens=5))) == "yes"
    assert [body.get("max_completion_tokens") for body in server.bodies] == [None, 5]


async def test_a_server_that_refuses_the_choice_of_tools_gets_none_and_its_calls_are_dropped() -> None:
    replies = [reply_error(400, "tool_choice: extra inputs are not permitted"), reply_calls([("read_file", {})])]
    with ChatServer(replies) as server:
        events = await ask(server, ChatRequest("m", HI.messages, HI.tools, "none"))
    assert ["tool_choice" in body for body in server.bodies] == [True, False]
    assert (end_of(events).finish, end_of(events).calls) == ("stop", ())


async def test_a_concession_that_does_not_help_is_made_once() -> None:
    with ChatServer([reply_error(400, "stream_options are wrong")]) as server:
        assert (await error_of(server)).kind == "request"
    assert len(server.requests) == 2


# ---- unreachable ----


@pytest.mark.promise("P4")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_connection_refused_is_said_at_once_with_what_starts_the_server(host: str, fake: Fake) -> None:
    naps = Naps()
    watch = Stopwatch()
    with pytest.raises(ProviderError) as caught:
        await ask(f"http://{host}:{FREE_PORT}/v1/", naps=naps, api=fake.api)
    error = caught.value
    assert watch.seconds < 1
    assert naps.seconds == []
    assert error.kind == "unreachable"
    assert error.exit_code == EXIT_UNREACHABLE
    assert error.message == f"Connection refused to {host}:{FREE_PORT}"
    assert "fake" in error.hint
    assert "fake serve" in error.hint


async def test_without_a_command_that_starts_it_the_address_is_to_be_checked(fake: Fake) -> None:
    error = await error_of(f"http://localhost:{FREE_PORT}/v1/", start_hint="", api=fake.api)
    assert f"base_url` of provider fake (http://localhost:{FREE_PORT}/v1/)" in error.hint


@pytest.mark.promise("P4")
async def test_a_host_that_does_not_exist_is_named(fake: Fake) -> None:
    error = await error_of("http://no-such-host.invalid/v1/", api=fake.api)
    assert (error.kind, error.message) == ("unreachable", "Cannot find the host no-such-host.invalid (fake)")


@pytest.mark.promise("P4")
async def test_tls_to_a_server_without_tls_says_so(fake: Fake) -> None:
    with fake([reply_text("x")]) as server:
        error = await error_of(server.url.replace("http:", "https:"), api=fake.api)
    assert error.kind == "unreachable"
    assert "does not speak TLS" in error.message
    assert "http://" in error.hint


async def test_text_with_lone_surrogates_is_sent_all_the_same(fake: Fake) -> None:
    from tui_agent.conversation.messages import Message

    with fake([reply_text("yes")]) as server:
        assert text_of(await ask(server, ChatRequest("m", (Message("user", "a\udc80b\x00"),)))) == "yes"
    assert server.bodies[0]["messages"][0]["content"] == "a\ufffdb\x00"


# ---- silence ----


@pytest.mark.promise("P12")
async def test_silence_before_the_first_byte_is_a_time_out_that_shows_the_line_to_raise(fake: Fake) -> None:
    with fake([reply_steps(Stall())]) as server:
        error = await error_of(server, timeout=0.2)
    assert error.kind == "timeout"
    assert f"127.0.0.1:{server.port}" in error.message
    assert "0.2 s" in error.message
    assert "`timeout: 120` under `providers: fake:`" in error.hint
    assert len(server.requests) == 1


@pytest.mark.promise("P12")
async def test_silence_in_the_middle_keeps_what_came(fake: Fake) -> None:
    with fake([reply_steps(text("so"), Stall())]) as server:
        events = await ask(server, timeout=0.2)
    assert text_of(events) == "so"
    assert "sent nothing for 0.2 s" in end_of(events).error


@pytest.mark.promise("P12")
async def test_keep_alive_comments_do_not_hide_silence_for_ever(fake: Fake) -> None:
    with fake([reply_steps(Stall(comment_every=0.05))]) as server:
        error = await error_of(server, timeout=0.2)
    assert error.kind == "timeout"
    assert "keep-alives" in error.message


@pytest.mark.promise("P12")
async def test_a_slow_stream_is_not_silent(fake: Fake) -> None:
    with fake([reply_text("x" * 12, chunk=1).but(pace=20)]) as server:
        assert end_of(await ask(server, timeout=0.3)).finish == "stop"


# ---- the rest of the session ----


@pytest.mark.promise("P3", "P10")
async def test_after_an_error_the_same_provider_goes_on(fake: Fake) -> None:
    replies = [reply_error(400, "no"), reply_html(), reply_calls([("read_file", {})]), reply_text("yes")]
    with fake(replies) as server:
        provider = provider_at(server.url, api=fake.api)
        kinds: list[str] = []
        for _ in range(4):
            try:
                events = [event async for event in provider.stream(HI)]
                kinds.append(end_of(events).finish)
            except ProviderError as error:
                kinds.append(error.kind)
        await provider.aclose()
    assert kinds == ["request", "protocol", "tool_calls", "stop"]


async def test_several_requests_at_once_do_not_mix(fake: Fake) -> None:
    with fake(lambda body, number: reply_text(body["messages"][0]["content"] * 50, chunk=2)) as server:
        provider = provider_at(server.url, api=fake.api)

        async def talk(word: str) -> str:
            from tui_agent.conversation.messages import Message

            return text_of([e async for e in provider.stream(ChatRequest("m", (Message("user", word),)))])

        words = [f"<{i}>" for i in range(8)]
        assert await asyncio.gather(*map(talk, words)) == [word * 50 for word in words]
        await provider.aclose()
