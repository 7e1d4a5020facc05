"""Servers refuse what is too long in many words, and most say how much they take."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_agent.providers.overflow import is_overflow, window_named

SAID = [
    (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 10235 tokens. Please "
        "reduce the length of the messages.",
        8192,
    ),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 5012 tokens (4012 in the messages, "
        "1000 in the completion). Please reduce the length of the messages or completion.",
        4096,
    ),
    ("Your input exceeds the context window of this model. Please adjust your input and try again.", None),
    (
        "The decoder prompt (length 5234) is longer than the maximum model length of 4096. Make sure that "
        "`max_model_len` is no smaller than the number of text tokens.",
        4096,
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 "
        "tokens and your request has 1200 input tokens (5000 > 4096 - 1200).",
        4096,
    ),
    (
        "You passed 8193 input tokens and requested 1024 output tokens. However, the model's context length is only "
        "8192 tokens, resulting in a maximum input length of 7168 tokens. Please reduce the length of the input.",
        8192,
    ),
    ("request (26528 tokens) exceeds the available context size (16384 tokens), try increasing it", 16384),
    ("the request exceeds the available context size, try increasing it", None),
    (
        "Trying to keep the first 5207 tokens when context the overflows. However, the model is loaded with context "
        "length of only 4096 tokens, which is not enough.",
        4096,
    ),
    ("prompt is too long: 213462 tokens > 200000 maximum", 200000),
    (
        "input length and `max_tokens` exceed context limit: 199759 + 21333 > 200000, decrease input length or "
        "`max_tokens` and try again",
        200000,
    ),
    ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1048576),
    ("The input token count (1,200,000) exceeds the maximum number of tokens allowed 1,048,576.", 1048576),
    ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", 32768),
    ("Please reduce the length of the messages or completion. (context_length_exceeded)", None),
    (
        "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        8192,
    ),
    (
        "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens (38000 of "
        "text input, 2000 of tool input).",
        32768,
    ),
    ("This model's maximum prompt length is 131072 but the request contains 150000 tokens.", 131072),
    ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens", 4096),
    ("Input validation error: `inputs` must have less than 4095 tokens. Given: 5000", 4095),
    ("The input (9000 tokens) is longer than the model's context length (8192 tokens).", 8192),
    (
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of "
        "9000 tokens: 8000 tokens from the input messages and 1000 tokens for the completion.",
        8192,
    ),
    ("too many tokens: total number of tokens in this conversation cannot exceed 4096 - received 5000.", 4096),
    ("The prompt is too long: 140000, model maximum context length: 131071", 131071),
    ("Input is too long for requested model.", None),
]


@pytest.mark.promise("P23")
@pytest.mark.parametrize(("said", "window"), SAID)
def test_an_overflow_is_known_by_its_words_and_the_window_by_its_number(said: str, window: int | None) -> None:
    assert is_overflow(400, said)
    assert window_named(json.dumps({"error": {"message": said}})) == window


def test_the_window_of_llama_cpp_stands_beside_its_message() -> None:
    inner = {
        "code": 400,
        "message": "the request exceeds the available context size, try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9012,
        "n_ctx": 8192,
    }
    assert window_named(json.dumps({"error": inner})) == 8192
    assert window_named(json.dumps({"error": json.dumps({"error": inner})})) == 8192  # as Ollama hands it on


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 40000."),
        (400, "Rate limit reached: too many tokens"),
        (400, "messages: roles must alternate"),
        (500, "out of memory"),
    ],
)
def test_other_refusals_are_no_overflow(status: int, said: str) -> None:
    assert not is_overflow(status, said)


def test_a_request_that_is_larger_than_what_a_minute_may_have_is_an_overflow() -> None:
    said = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 8121, please reduce"
    assert is_overflow(413, said) and window_named(said) == 6000


@pytest.mark.parametrize("number", ["12", "0", "4.2"])
def test_what_is_no_window_is_not_taken_for_one(number: str) -> None:
    assert window_named(f"maximum context length is {number} tokens") is None


@given(st.text())
def test_nothing_a_server_says_breaks_the_reading(said: str) -> None:
    window_named(said)
    is_overflow(400, said)


@given(st.integers(256, 10**8), st.sampled_from([said for said, window in SAID if window and str(window) in said]))
def test_the_number_is_read_wherever_it_stands(number: int, said: str) -> None:
    window = str(next(window for known, window in SAID if known == said))
    assert window_named(said.replace(window, str(number))) == number
