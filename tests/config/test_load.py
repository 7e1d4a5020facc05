"""Layers are merged in order, and every mistake in them is named by file, line and key."""

import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_agent.config.decode import field_types
from tui_agent.config.documents import MAX_BYTES
from tui_agent.config.load import LoadedSettings, describe_changes, flatten, load_settings
from tui_agent.config.model import Price, Settings
from tui_agent.config.problems import InvalidConfig
from tui_agent.config.schema import keys


class Layers:
    """A user file, a project and an environment in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self.user = root / "config" / "config.yaml"
        self.project = root / "project"
        self.project_file = self.project / ".tui-agent" / "config.yaml"
        self.environ = {"TUI_AGENT_CONFIG_DIR": str(root / "config"), "TUI_AGENT_DATA_DIR": str(root / "data")}

    def write(self, path: Path, text: str | bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def load(
        self,
        user: str | bytes | None = None,
        project: str | bytes | None = None,
        *,
        config_file: Path | None = None,
        flags: dict[str, object] | None = None,
        **environ: str,
    ) -> LoadedSettings:
        if user is not None:
            self.write(self.user, user)
        if project is not None:
            self.write(self.project_file, project)
        return load_settings(
            config_file=config_file,
            project_dir=self.project,
            environ=self.environ | environ,
            flags=flags or {},
        )

    def mistakes(self, *args: str | bytes | None, **kwargs: str) -> list[str]:
        with pytest.raises(InvalidConfig) as caught:
            self.load(*args, **kwargs)  # type: ignore[arg-type]  # the same arguments
        prefixes = {f"{self.user}:": "user:", f"{self.project_file}:": "project:"}
        lines = caught.value.message.splitlines()
        for prefix, short in prefixes.items():
            lines = [line.replace(prefix, short) for line in lines]
        return lines


def held(loaded: LoadedSettings) -> list[str]:
    """What the project asks for and does not get."""
    wishes = loaded.project.held if loaded.project else ()
    return [f"line {wish.line}: {wish.key}: {wish.change} ({wish.effect})" for wish in wishes]


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


def test_without_any_file_the_shipped_settings_are_in_force(layers: Layers) -> None:
    loaded = layers.load()
    assert loaded.settings.provider == "auto"
    assert loaded.settings.mode == "ask"
    assert loaded.settings.ui.theme == "slate"
    assert loaded.origins["mode"] == "shipped"
    assert not any(path.exists() for path in loaded.files[1:])


def test_every_preset_of_the_product_is_shipped(layers: Layers) -> None:
    providers = layers.load().settings.providers
    ports = {
        "ollama": 11434,
        "llamacpp": 8080,
        "lmstudio": 1234,
        "vllm": 8000,
        "jan": 1337,
        "text-generation-webui": 5000,
        "litellm": 4000,
    }
    for name, port in ports.items():
        assert f"//localhost:{port}/" in providers[name].base_url
        assert not providers[name].requires_api_key
        assert providers[name].start_hint and "{model}" in providers[name].fetch_hint
    for name in ("openai", "openrouter", "groq", "mistral", "deepseek", "anthropic", "gemini", "bedrock"):
        assert providers[name].base_url.startswith("https://")
        assert providers[name].requires_api_key
        assert providers[name].default_model
    assert providers["embedded"].api == "embedded"
    assert next(iter(providers)) == "ollama"


def test_a_provider_is_merged_key_by_key_and_a_new_one_is_added(layers: Layers) -> None:
    loaded = layers.load(
        "providers:\n  ollama:\n    timeout: 120\n  mine: {base_url: 'http://box:9000/v1', models: [a, b]}\n"
    )
    ollama, mine = loaded.settings.providers["ollama"], loaded.settings.providers["mine"]
    assert ollama.timeout == 120
    assert ollama.default_model == "qwen2.5:latest"
    assert loaded.origins["providers.ollama.timeout"] == f"{layers.user}:3"
    assert loaded.origins["providers.ollama.base_url"] == "shipped"
    assert mine.models == ("a", "b")
    assert mine.requires_api_key


def test_later_layers_win_and_say_so(layers: Layers) -> None:
    user = "mode: accept-edits\nui:\n  theme: ember\nmodel: from-file\n"
    loaded = layers.load(
        user, "mode: ask\n", TUI_AGENT_THEME="paper", TUI_AGENT_MODEL="from-env", flags={"model": "from-flag"}
    )
    assert (loaded.settings.mode, loaded.settings.ui.theme, loaded.settings.model) == ("ask", "paper", "from-flag")
    assert loaded.origins["mode"] == f"{layers.project_file}:1"
    assert loaded.origins["ui.theme"] == "environment TUI_AGENT_THEME"
    assert loaded.origins["model"] == "flag"


@given(present=st.tuples(*[st.booleans()] * 5))
@settings(max_examples=32, deadline=None)
def test_the_highest_layer_that_speaks_is_heard(
    tmp_path_factory: pytest.TempPathFactory, present: tuple[bool, ...]
) -> None:
    user, project, environ, flag, other = present
    layers = Layers(tmp_path_factory.mktemp("layers"))
    if environ:
        layers.environ["TUI_AGENT_THEME"] = "e"
    loaded = layers.load(
        "ui: {theme: u}\n" if user else ("model: x\n" if other else None),
        "ui: {theme: p}\n" if project else None,
        flags={"ui.theme": "f"} if flag else {"ui.theme": None},
    )
    expected = "f" if flag else "e" if environ else "p" if project else "u" if user else "slate"
    assert loaded.settings.ui.theme == expected


def test_an_empty_variable_counts_as_not_set(layers: Layers) -> None:
    assert layers.load(TUI_AGENT_MODE="").settings.mode == "ask"


def test_config_file_takes_the_place_of_the_users_file(layers: Layers, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("model: other\n")
    loaded = layers.load("model: user\nmax_iterations: 9\n", config_file=other)
    assert loaded.settings.model == "other"
    assert loaded.settings.max_iterations == 50
    assert other in loaded.files and layers.user not in loaded.files


def test_a_config_file_that_was_named_must_exist(layers: Layers, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"gone\.yaml: no such file"):
        layers.load(config_file=tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    "text",
    ["", "\n\n# nothing\n", "---\n", "~\n", "{}\n", "\ufeffmode: ask\n", "permissions:\nui:\n", "---\r\nmode: ask\r\n"],
)
def test_files_that_hold_little_are_fine(layers: Layers, text: str) -> None:
    assert layers.load(text, text).settings.mode == "ask"


@pytest.mark.promise("P35")
def test_all_mistakes_of_a_file_are_told_at_once_in_its_order(layers: Layers) -> None:
    user = """\
provider: ollama
providers:
  ollama:
    timeuot: 5
    timeout: -3
    base_url: "ftp://x"
    tool_calls: of
    max_retries: "5"
    models: qwen
    requires_api_key: perhaps
ui:
  theme: 5
  mouse: off
  keys:
    chat.send: [enter]
mode: fast
mode: ask
permisions: []
permissions: deny
"""
    assert layers.mistakes(user) == [
        "user:4: providers.ollama.timeuot: unknown key; did you mean timeout?",
        "user:5: providers.ollama.timeout: expected a number of seconds above 0, up to 86400, found -3",
        "user:6: providers.ollama.base_url: expected an address that starts with http:// or https:// and has no user"
        ' name, ? or #, found "ftp://x"',
        "user:7: providers.ollama.tool_calls: expected one of auto, native, text, off, found of; did you mean off?",
        'user:8: providers.ollama.max_retries: expected a whole number from 0 to 100, found "5"',
        "user:9: providers.ollama.models: expected a list, found qwen",
        "user:10: providers.ollama.requires_api_key: expected true or false, found perhaps",
        "user:12: ui.theme: expected a name of letters, digits and - _ ., found 5; put it in quotes",
        "user:15: ui.keys.chat.send: expected text, found a list",
        "user:16: mode: expected one of plan, ask, accept-edits, auto, found fast",
        "user:17: mode: given twice, first in line 16",
        "user:18: permisions: unknown key; did you mean permissions?",
        "user:19: permissions: expected keys with values, found deny",
    ]


def test_mistakes_of_all_layers_are_told_together(layers: Layers) -> None:
    assert layers.mistakes("nonsense: 1\n", "mode: 5\n", TUI_AGENT_MODE="fast") == [
        f"user:1: nonsense: unknown key; valid are {', '.join(field_types(Settings))}",
        "project:1: mode: expected one of plan, ask, accept-edits, auto, found 5",
        "environment TUI_AGENT_MODE: mode: expected one of plan, ask, accept-edits, auto, found fast",
    ]


def test_a_flag_that_does_not_fit_is_named(layers: Layers) -> None:
    with pytest.raises(InvalidConfig, match="flag: max_iterations: expected a whole number from 1"):
        layers.load(flags={"max_iterations": 0})
    with pytest.raises(InvalidConfig, match=r"flag: ui\.colour: expected a key of the settings"):
        layers.load(flags={"ui.colour": "red"})


@pytest.mark.promise("P35")
@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("- a\n", "user:1: expected keys with values, found a list"),
        ("hello\n", "user:1: expected keys with values, found hello"),
        ("a: [1\n", "user:2: not valid YAML"),
        ("mode: ask\n\tmodel: x\n", "user:2: not valid YAML"),
        ("mode: ask\n---\nmode: ask\n", "user:2: a second document starts here"),
        ("ui: &a {theme: ember}\npermissions: *a\n", "user:1: anchors"),
        ("ui: *a\n", "user:1: aliases"),
        ("model: !!python/object:os.system x\n", "user:1: tags"),
        ("? [a, b]\n: 1\n", "user:1: a key must be a word"),
        ("mode: ask\nmodel: a\0b\n", "user:2: character U+0000 is not allowed"),
        ("model: a\x1b[2Jb\n", "user:1: character U+001B is not allowed"),
        ('model: "a\\eb"\n', 'user:1: model: expected text without control characters, found "a\\x1bb"'),
        (b"mode: ask\nmodel: \xff\n", "user:2: byte 0xff is not valid UTF-8"),
        ("[" * 100_000, "user:1: nested more than 12 levels deep"),
        ("{a: " * 100_000, "user:1: nested more than 12 levels deep"),
        ("timeout: " + "9" * 10_000, "user:1: timeout: unknown key"),
        ("max_iterations: " + "9" * 10_000, "user:1: max_iterations: expected a whole number from 1 to 100000"),
        ("max_iterations: 1:30\n", "user:1: max_iterations: expected a whole number"),
        ("max_iterations: 1e2\n", "user:1: max_iterations: expected a whole number"),
        ("max_iterations: yes\n", "user:1: max_iterations: expected a whole number"),
        ("providers: {ollama: {timeout: .inf}}\n", "user:1: providers.ollama.timeout: expected a number"),
        ("providers: {ollama: {timeout: 1e999}}\n", "user:1: providers.ollama.timeout: expected a number"),
        ("providers: {'a b': {base_url: 'http://x'}}\n", "user:1: providers.a b: expected a name of letters"),
        ("model: 2026-01-01\nmode:\n", "user:2: mode: expected one of plan, ask, accept-edits, auto, found nothing"),
        ("provider: olama\n", "user:1: provider: no provider is called olama; did you mean ollama?"),
        ("providers:\n  mine:\n    timeout: 5\n", "user:2: providers.mine: base_url is missing"),
        ("providers:\n  mine:\n", "user:2: providers.mine: base_url is missing"),
        ("providers: {m: {base_url: 'https://u:hush@h/'}}\n", "user:1: providers.m.base_url: expected an address"),
        ("providers: {m: {base_url: 'http://h/v1?x=1'}}\n", "user:1: providers.m.base_url: expected an address"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_has_its_message(layers: Layers, text: str | bytes, mistake: str) -> None:
    first, *_ = layers.mistakes(text)
    assert first.startswith(mistake)
    assert "hush" not in first


def test_words_that_yaml_takes_for_booleans_can_be_choices(layers: Layers) -> None:
    loaded = layers.load("providers:\n  ollama:\n    tool_calls: off\nui:\n  mouse: off\n")
    assert loaded.settings.providers["ollama"].tool_calls == "off"
    assert loaded.settings.ui.mouse is False


def test_what_is_not_a_file_or_too_large_is_refused_without_waiting(layers: Layers) -> None:
    import os

    layers.user.parent.mkdir()
    os.mkfifo(layers.user)
    assert layers.mistakes() == ["user: this is not a file"]
    layers.user.unlink()
    layers.user.mkdir()
    assert layers.mistakes() == ["user: this is not a file"]
    layers.user.rmdir()
    layers.write(layers.user, b"#" * (MAX_BYTES + 1))
    assert layers.mistakes() == ["user: larger than 1024 KB"]


def test_dev_null_is_an_empty_config_file(layers: Layers) -> None:
    assert layers.load("mode: plan\n", config_file=Path("/dev/null")).settings.mode == "ask"


def test_messages_cannot_carry_terminal_sequences(layers: Layers) -> None:
    message = "\n".join(layers.mistakes('"a\\e]52;c;x\\a": 1\n"\\u202emodel": 2\n'))
    assert "\x1b" not in message and "\u202e" not in message
    assert "a\\x1b]52" in message


def test_a_secret_never_shows_in_a_message_or_repr(layers: Layers) -> None:
    secret = "sk-do-not-show-me"
    shown = layers.mistakes(f"providers:\n  openai:\n    default_api_key: [{secret}]\n")
    shown += layers.mistakes(f"providers:\n  openai:\n    default_api_key: 'x\\n'\n    api_key: {secret}\n")
    old = layers.load("")
    new = layers.load(f"providers:\n  openai:\n    default_api_key: {secret}\n")
    shown += describe_changes(old.settings, new.settings)
    shown += [repr(new)]
    assert not any(secret in line for line in shown)
    assert "providers.openai.default_api_key: changed" in shown


# ---- fallback and prices ----


def test_an_unknown_provider_to_fall_back_on_is_named_with_the_nearest(layers: Layers) -> None:
    assert layers.load("fallback: [openai/o/p/q, ollama]\n").settings.fallback == ("openai/o/p/q", "ollama")
    assert layers.mistakes("fallback: [opnai/gpt, ollama]\n") == [
        "user:1: fallback: no provider is called opnai; did you mean openai?"
    ]


def test_prices_have_input_and_output(layers: Layers) -> None:
    loaded = layers.load(
        "providers:\n  openai:\n    prices:\n      '*': {input: 1, output: 2}\n"
        "      a/b:c.d: {input: 0, output: 8.5, cached: 0.1}\n"
    )
    prices = loaded.settings.providers["openai"].prices
    assert prices == {"*": Price(input=1, output=2), "a/b:c.d": Price(input=0, output=8.5, cached=0.1)}
    assert layers.mistakes("providers:\n  openai:\n    prices:\n      gpt: {cached: 1}\n      x: {input: -1}\n") == [
        "user:5: providers.openai.prices.x.input: expected an amount of money, 0 or more, found -1"
    ]
    assert layers.mistakes("providers:\n  openai:\n    prices:\n      gpt: {cached: 1}\n") == [
        "user:4: providers.openai.prices.gpt: input is missing",
        "user:4: providers.openai.prices.gpt: output is missing",
    ]
    (told,) = layers.mistakes("providers:\n  openai:\n    prices:\n      *: {input: 1, output: 2}\n")
    assert told.endswith("a word that begins with * or & goes in quotes")


# ---- a project may only tighten ----


def test_a_project_adds_to_ask_and_deny(layers: Layers) -> None:
    loaded = layers.load("permissions: {deny: [git push], allow: [ls]}\n", "permissions: {deny: [rm], ask: [make]}\n")
    assert loaded.settings.permissions.deny == ("git push", "rm")
    assert loaded.settings.permissions.ask == ("make",)
    assert loaded.settings.permissions.allow == ("ls",)
    assert loaded.origins["permissions.deny"] == f"{layers.user}:1, {layers.project_file}:1"


def test_a_project_may_change_how_things_look_and_lower_the_limit(layers: Layers) -> None:
    loaded = layers.load(
        None, "ui: {theme: ember, symbols: ascii, diff: split, thoughts: open}\nmax_iterations: 5\nmode: plan\n"
    )
    assert loaded.settings.ui.theme == "ember"
    assert loaded.settings.max_iterations == 5
    assert loaded.settings.mode == "plan"


@pytest.mark.parametrize(("user", "project"), itertools.product(["plan", "ask", "accept-edits", "auto"], repeat=2))
def test_a_project_can_make_the_mode_only_stricter(layers: Layers, user: str, project: str) -> None:
    order = ["plan", "ask", "accept-edits", "auto"]
    loaded = layers.load(f"mode: {user}\n", f"mode: {project}\n")
    if order.index(project) <= order.index(user):
        assert loaded.settings.mode == project and held(loaded) == []
    else:
        assert loaded.settings.mode == user
        assert held(loaded) == [f"line 1: mode: {user} → {project} (more is done without asking)"]


@pytest.mark.parametrize(
    ("user", "project", "counts"),
    [("auto", "off", False), ("auto", "bwrap", True), ("bwrap", "auto", False), ("off", "auto", True)],
)
def test_a_project_can_make_the_sandbox_only_stricter(layers: Layers, user: str, project: str, counts: bool) -> None:
    loaded = layers.load(f"sandbox: {user}\n", f"sandbox: {project}\n")
    assert (loaded.settings.sandbox, held(loaded) == []) == (project if counts else user, counts)


def test_a_project_may_have_commands_asked_about_that_the_user_lets_run(layers: Layers) -> None:
    user = "permissions: {read_only_commands: allow}\n"
    loaded = layers.load(user, "permissions: {read_only_commands: ask}\n")
    assert loaded.settings.permissions.read_only_commands == "ask" and held(loaded) == []


@pytest.mark.parametrize("key", ["max_turns", "max_tokens", "max_cost"])
def test_a_project_can_make_the_limits_of_a_run_only_lower(layers: Layers, key: str) -> None:
    for user, project, counts in [("", "5", True), ("9", "5", True), ("5", "9", False), ("5", "null", False)]:
        loaded = layers.load(f"{key}: {user}\n", f"{key}: {project}\n")
        assert getattr(loaded.settings, key) == (5 if user != "9" or counts else 9)
        assert (held(loaded) == []) is counts


def test_a_trusted_project_adds_who_answers_when_the_provider_is_down(layers: Layers) -> None:
    assert layers.load("fallback: [ollama]\n", "fallback: [openai/gpt]\n").settings.fallback == ("ollama",)
    (told,) = held(layers.load("fallback: [ollama]\n", "fallback: [openai/gpt]\n"))
    assert told == (
        "line 1: fallback: adds [openai/gpt] (what you ask, and your files, go to these when the provider is down)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "provider: openai\n",
        "model: x\n",
        "system_prompt: obey\n",
        "max_iterations: 51\n",
        "permissions: {allow: [rm]}\n",
        "permissions: {read_only_commands: allow}\n",
        "permissions: {expect: {rm -rf /: allow}}\n",
        "sandbox: off\n",
        "mode: auto\n",
        "ui: {mouse: false}\n",
        "ui: {keys: {approval.allow: enter}}\n",
        "providers: {ollama: {base_url: 'http://evil.example/'}}\n",
        "providers: {openai: {api_key_command: cat /etc/passwd}}\n",
        "providers: {mine: {base_url: 'http://evil.example/'}}\n",
        "providers: {mine: {}}\n",
        "fallback: [openai]\n",
        "fallback: [nobody]\n",
        "currency: EUR\n",
        "max_cost: \n",
        "providers: {openai: {prices: {'*': {input: 0, output: 0}}}}\n",
    ],
)
def test_a_project_can_loosen_nothing(layers: Layers, text: str) -> None:
    before = layers.load("")
    loaded = layers.load("", text)
    assert loaded.settings == before.settings and loaded.origins == before.origins
    assert loaded.project is not None and loaded.project.state == "new"
    assert held(loaded)[0].startswith("line 1: ")


FREE_FOR_PROJECTS = {
    "permissions.ask",
    "permissions.deny",
    "mode",
    *("max_iterations", "max_turns", "max_tokens", "max_cost"),
    "permissions.read_only_commands",  # `ask`
    "ui.theme",
    "ui.symbols",
    "ui.diff",
    "ui.thoughts",
}


def test_a_key_that_is_added_later_is_closed_to_projects_until_someone_opens_it(layers: Layers) -> None:
    samples = {
        "list": "[x]",
        "tokens": "512",
        "number": "60",
        "true": "true",
        "address": "http://x",
        "money": "5",
        "share": "0.5",
    }
    for key in keys():
        value = next((text for word, text in samples.items() if word in key.type), "x")
        if key.type.startswith("one of"):
            value = key.type.removeprefix("one of ").split(", ")[0]
        text = value
        for part in reversed(key.key.replace("NAME", "n").split(".", 4 if "NAME" in key.key else 2)):
            text = f"{{{part}: {text}}}"
        free = key.key in FREE_FOR_PROJECTS - {"max_iterations"}  # 60 is more than the default
        assert (held(layers.load("sandbox: bwrap\n", text)) == []) is free, text


# ---- junk ----

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4)
)
_WORDS = sorted({part for key in keys() for part in key.key.split(".")} | {"ollama", "openai", "auto", "off", "5"})
_KEYS = st.one_of(st.sampled_from(_WORDS), st.text(max_size=6))
_JUNK = st.recursive(
    _SCALARS | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def _loads_or_names_the_place(layers: Layers, user: bytes, project: bytes | None = None) -> None:
    try:
        loaded = layers.load(user, project)
    except InvalidConfig as error:
        assert error.problems
        for problem in error.problems:
            assert problem.source in (str(layers.user), str(layers.project_file))
            assert 1 <= problem.line <= max(user.count(b"\n"), (project or b"").count(b"\n")) + 2
        assert all(line.isprintable() for line in error.message.splitlines())
        assert len(error.message.splitlines()) == len(error.problems)
    else:
        assert flatten(loaded.settings)


@given(user=st.dictionaries(_KEYS, _JUNK, max_size=4), project=st.none() | st.dictionaries(_KEYS, _JUNK, max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_mapping_loads_or_names_file_and_line(
    tmp_path_factory: pytest.TempPathFactory, user: object, project: object
) -> None:
    layers = Layers(tmp_path_factory.getbasetemp() / "junk-mapping")
    dump = [yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace") for tree in (user, project)]
    _loads_or_names_the_place(layers, dump[0], dump[1] if project is not None else b"")


@pytest.mark.promise("P35")
@given(data=st.binary(max_size=60) | st.text(alphabet="ab:-[]{}#&*!|>'\"%@`\n\t ?,~1", max_size=60).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_load_or_name_file_and_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    layers = Layers(tmp_path_factory.getbasetemp() / "junk-bytes")
    _loads_or_names_the_place(layers, data)


# ---- what changed ----


def test_changes_are_told_key_by_key(layers: Layers) -> None:
    old = layers.load("providers: {ollama: {timeout: 60}, mine: {base_url: 'http://a/'}}\n").settings
    new = layers.load("providers: {ollama: {timeout: 120.5, models: [a, b]}}\nui: {theme: ember}\n").settings
    changes = describe_changes(old, new)
    assert "providers.ollama.timeout: 60 → 120.5" in changes
    assert "providers.ollama.models: [] → [a, b]" in changes
    assert "ui.theme: slate → ember" in changes
    assert "providers.mine: gone" in changes
    assert len(changes) == 4
    assert "providers.mine: new, at http://a/" in describe_changes(new, old)
    assert describe_changes(new, new) == ()
