"""The settings, typed. Field docstrings are the documentation that `config schema` prints.

The description of a constrained type completes the sentence "expected …" of an error.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tui_agent.conversation.events import Mode

Api = Literal["chat", "ollama", "embedded"]
ProfileName = Literal["auto", "small", "full"]
ToolCallStyle = Literal["auto", "native", "text", "off"]
SandboxName = Literal["auto", "bwrap", "docker", "off"]

Name = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)", description="a name of letters, digits and - _ ."),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$(?!\n)",
        description="an address that starts with http:// or https:// and has no user name, ? or #",
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="a number of seconds above 0, up to 86400")]
Retries = Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")]
Iterations = Annotated[int, Meta(ge=1, le=100_000, description="a whole number from 1 to 100000")]
Share = Annotated[float, Meta(ge=0.1, le=1, description="a share from 0.1 to 1")]
Tokens = Annotated[int, Meta(ge=256, le=100_000_000, description="a whole number of tokens, 256 or more")]
Count = Annotated[int, Meta(ge=1, le=10**15, description="a whole number of 1 or more")]
Money = Annotated[float, Meta(ge=0, le=10**9, description="an amount of money, 0 or more")]
Limit = Annotated[float, Meta(gt=0, le=10**9, description="an amount of money above 0")]
Currency = Annotated[str, Meta(min_length=1, max_length=8, description="a sign or a name of up to 8 characters")]
ModelName = Annotated[str, Meta(min_length=1, max_length=300, description="the name of a model, or *")]

SECRET_KEYS = frozenset({"default_api_key"})
"""Last parts of keys whose values are never shown."""


class Price(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model costs, in money for a million tokens."""

    input: Money
    """For the tokens of a request."""
    output: Money
    """For the tokens of a reply."""
    cached: Money | None = None
    """For those tokens of a request that the server had in its cache; default: as `input`."""


class ProviderSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language-model server."""

    base_url: Url = ""
    """Root of the API, with or without the trailing slash; `{region}` is filled from AWS_REGION. Required, but for
    `api: embedded`."""
    default_model: str = ""
    """Model to use when none is named; when empty, the first one that `/v1/models` lists."""
    models: tuple[str, ...] = ()
    """Models to offer; when empty they are discovered."""
    timeout: Seconds = 60.0
    """Seconds without a byte before giving up; not a limit on the whole answer."""
    max_retries: Retries = 3
    """How often a request that failed before anything was shown is sent again."""
    requires_api_key: bool = True
    """False for servers that take any key."""
    default_api_key: str = "not-needed"
    """Sent when no key is found and none is required."""
    api: Api = "chat"
    """Which protocol: `chat` is OpenAI chat completions, `ollama` the native Ollama API, `embedded` a model that runs
    inside tui-agent."""
    context_length: Tokens | None = None
    """The model's window in tokens: what Ollama and the embedded engine are told to give, and what counts for other
    servers that do not say."""
    api_key_env: str = ""
    """Environment variable that holds the key; default: NAME upper-cased, `-` and `.` as `_`, plus `_API_KEY`."""
    api_key_command: str = ""
    """A command whose first line of output is the key; it is run without a shell."""
    tool_calls: ToolCallStyle = "auto"
    """How the model is offered tools: `native` by the API, `text` in the prompt, `off` not at all. `auto` is by the
    API, takes calls that the model writes into its text too, and goes over to `text` for a model that takes no
    tools."""
    profile: ProfileName = "auto"
    """How much the model is given: `small` is few tools and a short prompt, for models that lose their way in more;
    `full` is everything; `auto` goes by the model's size and window."""
    model_file: str = ""
    """For `api: embedded`: a GGUF file to use in place of downloading one."""
    start_hint: str = ""
    """The command that starts this server, shown when nothing listens."""
    fetch_hint: str = ""
    """The command that fetches a model, shown when it is unknown; `{model}` is filled in."""
    prices: dict[ModelName, Price] = {}
    """What its models cost, for each million tokens; `"*"` stands for every model that is not named."""

    def __repr__(self) -> str:
        return f"ProviderSettings(base_url={self.base_url!r}, default_model={self.default_model!r}, api={self.api!r})"


class PermissionSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may run unasked, must ask, or is refused."""

    read_only_commands: Literal["ask", "allow"] = "ask"
    """Whether commands that provably only read run unasked; every other command asks unless a rule covers it."""
    allow: tuple[str, ...] = ()
    """What runs unasked: the first words of a command (`npm test`), `network(npm install)` to let it use the network of
    the sandbox too, `write(docs/**)`, `read(.env)` or `tool(NAME)`."""
    ask: tuple[str, ...] = ()
    """What always asks, even where an `allow` rule covers it."""
    deny: tuple[str, ...] = ()
    """What is refused, whatever else says otherwise."""
    expect: dict[str, Literal["allow", "ask", "deny"]] = {}
    """Examples, checked whenever the rules are loaded: a command, and what the rules have to say of it."""


class UiSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the terminal UI looks and behaves."""

    theme: Name = "slate"
    """Name of a theme file."""
    symbols: Literal["auto", "unicode", "ascii"] = "auto"
    """Which symbols to draw with; `auto` looks at the locale and TERM."""
    mouse: bool = True
    """False leaves the mouse to the terminal, so that its own selection works."""
    diff: Literal["auto", "unified", "split"] = "auto"
    """How diffs are laid out; `auto` goes by width."""
    thoughts: Literal["folded", "open"] = "folded"
    """Whether finished reasoning starts folded."""
    keys: dict[str, str] = {}
    """Key bindings by action id: `chat.interrupt: "escape"`; several keys separated by commas."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be configured."""

    provider: str = "auto"
    """Provider to start with; `auto` takes the first one that answers."""
    model: str = ""
    """Model to start with; default: the provider's."""
    mode: Mode = "ask"
    """Approval mode to start with."""
    sandbox: SandboxName = "auto"
    """What commands run in: `bwrap` (bubblewrap), `docker` (a container of DOCKER_IMAGE) or nothing (`off`). `auto` is
    bubblewrap where it works, else nothing."""
    max_iterations: Iterations = 50
    """Requests to the model in one turn before it stops."""
    max_turns: Count | None = None
    """Steps of the model, each a request and its reply, in one run of the program before it stops."""
    max_tokens: Count | None = None
    """Tokens, of requests and replies together, in one run of the program before it stops."""
    max_cost: Limit | None = None
    """Money in one run of the program before it stops; it needs `prices`."""
    currency: Currency = "$"
    """What the prices are in."""
    fallback: tuple[str, ...] = ()
    """Who answers, first to last, when the provider cannot be reached or is overloaded: `PROVIDER` or
    `PROVIDER/MODEL`. The conversation is sent there."""
    compact: Literal["auto", "manual"] = "auto"
    """Who makes room when a model's window is nearly full: `auto` cuts old results and lets the model summarise,
    `manual` waits for `/compact`."""
    compact_at: Share = 0.8
    """How full the window may be before `auto` makes room, as a share of it."""
    system_prompt: str = ""
    """Added to the system prompt of every session."""
    providers: dict[Name, ProviderSettings] = {}
    """Servers by name; entries of higher layers are merged key by key over the shipped ones."""
    permissions: PermissionSettings = PermissionSettings()
    """What may run unasked."""
    ui: UiSettings = UiSettings()
    """The terminal UI."""
