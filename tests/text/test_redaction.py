"""No secret survives, however it is written and whatever stands around it, and ordinary text stays readable."""

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tui_agent.text.redaction import HOST, LEAST, SECRET, USER, hide_keys, redact_tree, redactor

ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("\n\"'=:/@ \\\x1b.-_[]~"), max_size=60)
SECRETS = st.text(st.characters(codec=None, exclude_characters="[]~"), min_size=LEAST, max_size=40).map(str.strip)
TOKEN = st.text(st.sampled_from("ABCdef0123456789"), min_size=20, max_size=40)
MARKS = f"{SECRET}{USER}{HOST}"


def usable(secret: str) -> bool:
    return len(secret) >= LEAST and secret not in MARKS


@given(SECRETS, ANY_TEXT, ANY_TEXT)
@example("aaaaaa", "aaa", "aaa")
@example("two words / slash", "", "")
@example("pä\"ss'wörd\\ \n2nd line", "", "")
def test_a_known_secret_never_survives_in_any_writing(secret, before, after):
    assume(usable(secret))
    redact = redactor([secret])
    raw = secret.encode("utf-8", "replace")
    writings = [secret, quote(raw), quote(raw, safe=""), quote_plus(raw), repr(secret), json.dumps(secret)]
    writings.append(json.dumps(secret, ensure_ascii=False))
    for text in writings:
        bare = text[1:-1] if text[:1] in "'\"" and text != secret else text
        assert bare not in redact(before + text + after)


@given(st.lists(SECRETS, max_size=4), ANY_TEXT)
def test_redacting_twice_changes_nothing_more(secrets, text):
    redact = redactor(secrets, ["/home/alice"], ["alice", "user", "secret"], ["box", "host"])
    once = redact(text + " ".join(secrets))
    assert redact(once) == once


@given(ANY_TEXT, st.lists(SECRETS, max_size=3))
def test_any_text_can_be_redacted(text, secrets):
    assert isinstance(redactor(secrets, [text], [text], [text])(text), str)


SHAPES = [
    "sk-{}", "sk-ant-api03-{}", "sk-or-v1-{}", "gsk_{}", "xai-{}", "hf_{}", "ghp_{}", "gho_{}", "github_pat_{}",
    "glpat-{}", "xoxb-{}", "AIza{}", "ya29.{}", "npm_{}", "ABSK{}", "nvapi-{}", "r8_{}", "pplx-{}",
    "eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", "Bearer {}", "bearer {}", "Authorization: Basic {}",
    "authorization: {}", '"x-api-key": "{}"', "Cookie: {}", "OPENAI_API_KEY={}", "api_key: {}", '"apiKey": "{}"',
    "password={}", "client_secret: '{}'", "AWS_SECRET_ACCESS_KEY={}", "?token={}&x=1", "https://user:{}@host/x",
    "https://{}@host/x", "http://user:p@{}@host/", "http://user:a/{}@host/", "postgres://u:{}@db:5432/x",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\nmore\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\ncut here",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@given(
    token=TOKEN, before=st.sampled_from(["", " ", "\n", "(", '"', "key "]), after=st.sampled_from(["", " ", "\n", ")"])
)
def test_what_looks_like_a_key_never_survives(shape, token, before, after):
    assume(any(character.isdigit() for character in token))
    text = before + shape.format(token) + after
    assert token not in hide_keys(text)
    assert token not in redactor()(text)


def test_an_aws_key_id_and_a_key_whose_beginning_was_cut_off_go() -> None:
    assert hide_keys("AKIAIOSFODNN7EXAMPLE") == SECRET
    assert hide_keys("c2Vj\ncmV0\n-----END RSA PRIVATE KEY-----\nrest") == f"{SECRET}\nrest"


@pytest.mark.parametrize(
    "text",
    [
        "requires_api_key: false",
        "api_key_env: OPENAI_API_KEY",
        "config.yaml:3: providers.x.default_api_key: expected text, found (hidden)",
        "export OPENAI_API_KEY=…",
        "API key not found for groq",
        "http://localhost:11434/v1/, 2 models, OPENAI_API_KEY is not set",
        "https://openrouter.ai/api/v1/",
        "max_tokens: 4096",
        "20261121-0945-3f9a1c",
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        "task-force risk-taker",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redactor(["unrelated-secret"], ["/home/alice"], ["alice"], ["box"])(text) == text


def test_home_user_and_host_are_replaced_as_whole_words() -> None:
    redact = redactor(
        homes=["/home/alice/", "/"], users=["alice", "root", "a"], hosts=["box", "box.example.org", "localhost"]
    )
    assert redact("/home/alice/x /home/alice: '/home/alice'") == "~/x ~: '~'"
    assert redact("/home/alicette /home/bob/x") == f"/home/{USER} /home/{USER}/x"
    assert redact("/data/alice/x by Alice, alice_2, malice") == f"/data/{USER}/x by {USER}, {USER}_2, malice"
    assert redact("BOX box.example.org inbox") == f"{HOST} {HOST} inbox"
    assert redact("root@localhost in /root, a word") == "root@localhost in /root, a word"


def test_a_secret_that_comes_about_by_redacting_goes_too() -> None:
    assert redactor(["~/wonderland"], ["/home/alice"])("/home/alice/wonderland") == SECRET


def test_short_values_are_no_secrets() -> None:
    assert redactor(["", "abc", "     "])("abc is a word") == "abc is a word"


def test_a_tree_is_redacted_in_keys_and_values() -> None:
    redact = redactor(["hunter2hunter2"])
    tree = {"hunter2hunter2": [1, None, True, {"x": ("y hunter2hunter2",)}]}
    assert redact_tree(tree, redact) == {SECRET: [1, None, True, {"x": [f"y {SECRET}"]}]}


@pytest.mark.parametrize(
    "piece",
    [
        "://a:", "-eyJ", "a", "-----BEGIN A-----", "-----END A----", "token", "api_key", "token=", "token: ",
        "secret.-", "/home", "bearer ", "sk-", "sk-a", "://", "password='", "Bearer", "@:", "authorization:",
    ],
)  # fmt: skip
def test_hostile_text_takes_no_more_than_linear_time(piece: str) -> None:
    redact = redactor(["hunter2hunter2"], ["/home/alice"], ["alice"], ["box"])

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        begun = time.process_time()
        redact(text)
        return time.process_time() - begun

    # Eight times the text: quadratic work would take 64 times as long.
    assert seconds(200_000) < 24 * max(seconds(25_000), 0.005)


def test_basic_credentials_go_as_a_whole() -> None:
    told = base64.b64encode(b"user:hunter2").decode()
    assert told not in hide_keys(f"> Authorization: Basic {told}")
