"""Whether a server refuses a request as longer than its window, and how large it says that this is.

The words are those of OpenAI and Azure, vLLM, SGLang, TGI, llama.cpp, Ollama, LM Studio, Anthropic, Gemini, Mistral,
Groq, xAI, Cerebras, Fireworks, Cohere, DeepSeek and OpenRouter.
"""

import re

_OVERFLOW = re.compile(
    r"context[_ ](length|window|size)|maximum context|context the overflows|longer than the maximum model length"
    r"|(prompt|input|request) (is )?too (long|large)|exceeds? the (available |maximum )?(context|number of tokens)"
    r"|exceed context limit|reduce the length|input token count|maximum prompt length|`inputs` (tokens|must have less)"
    r"|exceed_context_size|too many (input )?tokens",
    re.IGNORECASE,
)
_RATE = re.compile(r"tokens per (minute|day)|\bTPM\b|rate.?limit", re.IGNORECASE)

_NUMBER = r"[\s:=(`'\"\\]*(\d[\d,]{2,11})"
_WINDOWS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bn_ctx{_NUMBER}",
        rf"(?:context (?:length|window|size)|maximum model length|prompt length)(?: (?:of|is|only))*{_NUMBER}",
        rf"available context size{_NUMBER}",
        rf"model'?s? maximum context length:?{_NUMBER}",
        r"(\d[\d,]{2,11})(?: tokens?)? maximum context length",
        r"> (\d[\d,]{2,11})(?: maximum\b|, decrease)",
        rf"maximum number of tokens allowed{_NUMBER}",
        rf"must (?:be <=|have less than){_NUMBER}",
        rf"while limit is{_NUMBER}",
        rf"cannot exceed{_NUMBER}",
        rf"limit{_NUMBER}, requested \d",  # of the tokens in a minute: what is longer is never taken
    )
)
LEAST = 256
"""Tokens; a smaller number is no window."""


def is_overflow(status: int, said: str) -> bool:
    """Whether what a server said with this status means that the request is too long, not that there were too many."""
    return status == 413 or (_OVERFLOW.search(said) is not None and not (status == 429 or _RATE.search(said)))


def window_named(said: str) -> int | None:
    """The tokens that the server says it takes, if it does; `said` may be the whole body of its answer."""
    for pattern in _WINDOWS:
        if (found := pattern.search(said)) is not None:
            tokens = int(found[1].replace(",", ""))
            return tokens if tokens >= LEAST else None
    return None
