"""What the settings of a provider come to in this environment: its key, the variable that holds it, its address."""

import os
import re
import signal
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from tui_agent.config.model import Price, ProviderSettings, Settings
from tui_agent.config.problems import printable
from tui_agent.conversation.errors import ProviderError
from tui_agent.text.own_keys import own_keys

if TYPE_CHECKING:
    import subprocess

COMMAND_SECONDS = 10.0
DEFAULT_REGION = "us-east-1"

_REGION = re.compile(r"[A-Za-z0-9-]+")
_COMMAND_BYTES = 64 * 1024
_SHIPPED_OLLAMA = "http://localhost:11434/v1/"


class ApiKey(Struct, frozen=True):
    """A key and where it came from: "environment NAME", "command" or "default". Its value is never in its repr."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"ApiKey(source={self.source!r})"


def key_variable(name: str, settings: ProviderSettings) -> str:
    """The environment variable that holds the key of the provider `name`."""
    return settings.api_key_env or name.upper().replace("-", "_").replace(".", "_") + "_API_KEY"


def resolve_key(name: str, settings: ProviderSettings, environ: Mapping[str, str]) -> ApiKey:
    """The key to send: from the environment, else from the key command, else the default when none is required.

    A key command blocks for up to 10 seconds: call this in a thread when there is one.

    Raises:
        ProviderError: of kind "key", when there is none, the command fails, or the key cannot be sent.
    """
    variable = key_variable(name, settings)
    if value := environ.get(variable, "").strip():
        return _sendable(name, ApiKey(value, f"environment {variable}"))
    if settings.api_key_command:
        return _sendable(name, ApiKey(_command_key(name, settings.api_key_command, environ), "command"))
    if not settings.requires_api_key:
        return ApiKey(settings.default_api_key or "not-needed", "default")
    raise ProviderError(
        "key",
        f"API key not found for {printable(name)}",
        f"export {printable(variable)}=…\n"
        f"or, when this server takes any key, in config.yaml:\n"
        f"providers:\n  {printable(name)}:\n    requires_api_key: false",
    )


def configured_keys(settings: Settings, environ: Mapping[str, str]) -> set[str]:
    """The keys of all providers, whether they are used or not; what a key command would print is not among them.

    A default key counts when it has a digit in it: without one it is a word that any server takes.
    """
    found = {environ.get(key_variable(name, provider), "").strip() for name, provider in settings.providers.items()}
    defaults = (provider.default_api_key for provider in settings.providers.values())
    found.update(key for key in defaults if any(map(str.isdigit, key)))
    return found.difference(settings.providers)


def base_url(settings: ProviderSettings, environ: Mapping[str, str]) -> str:
    """The address with one trailing slash and its region filled in; empty for an embedded model.

    `OLLAMA_HOST` counts, as for Ollama's own client, as long as the shipped address was not changed.
    """
    url = settings.base_url
    if not url:
        return ""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    if not _REGION.fullmatch(region):
        region = DEFAULT_REGION
    url = url.rstrip("/").replace("{region}", region) + "/"
    if url == _SHIPPED_OLLAMA and (host := environ.get("OLLAMA_HOST", "").strip().strip("\"'")):
        return _ollama_url(host)
    return url


def price_of(settings: ProviderSettings, model: str) -> Price | None:
    """What a model of the provider costs; None when nothing says so."""
    return settings.prices.get(model) or settings.prices.get("*")


def is_loopback(url: str) -> bool:
    """Whether the server of an address runs on this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")


def _ollama_url(host: str) -> str:
    """`OLLAMA_HOST` as an address: [scheme://][host][:port][/path], default port 11434 (80 and 443 with a scheme)."""
    scheme, separator, rest = host.rpartition("://")
    scheme = scheme.lower() or "http"
    if scheme not in ("http", "https"):
        return _SHIPPED_OLLAMA
    address, _, path = rest.partition("/")
    bare, colon, port = address.rpartition(":")
    if not colon or port.endswith("]") or (":" in bare.strip("[]") and not bare.endswith("]")):
        bare, port = address, ""
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        port = {"http": "80", "https": "443"}[scheme] if separator else "11434"
    bare = bare.strip("[]")
    # Ollama's server is told to listen everywhere with these; a client has to name one machine.
    bare = {"": "localhost", "0.0.0.0": "localhost", "::": "::1"}.get(bare, bare)
    bare = f"[{bare}]" if ":" in bare else bare
    path = path.strip("/")
    return f"{scheme}://{bare}:{port}/{path + '/' if path else ''}v1/"


def _sendable(name: str, key: ApiKey) -> ApiKey:
    # Other characters cannot be part of an HTTP header; a line break would even start a new one.
    own_keys.add([key.value])
    if key.value.isascii() and key.value.isprintable() and " " not in key.value:
        return key
    raise ProviderError(
        "key",
        f"the API key for {printable(name)} from {key.source} has characters that no key has",
        "check it for spaces, quotes and line breaks",
    )


def _command_key(name: str, command: str, environ: Mapping[str, str]) -> str:
    import shlex
    import subprocess

    def failed(reason: str) -> ProviderError:
        message = f"the api_key_command of {printable(name)} {reason}"
        return ProviderError("key", message, "run the command in a shell to see why")

    try:
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            # Not where somebody works: `python -m …` would take modules from there, and a PATH with `.` programs.
            cwd="/",
            # Without our terminal it cannot draw a password prompt over the screen.
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a command line"
        raise failed(f"cannot start: {reason}") from None
    with process:
        try:
            output = _bounded_output(process)
        except BaseException:
            _end_group(process)
            raise
        if output is None:
            _end_group(process)
            raise failed(f"did not end within {COMMAND_SECONDS:g} seconds")
    if process.returncode:
        raise failed(f"failed with exit code {process.returncode}")
    first = output.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    if not first:
        raise failed("printed nothing")
    return first


def _bounded_output(process: "subprocess.Popen[bytes]") -> bytes | None:
    """What the process prints, cut at 64 KB; None when it has not ended in time."""
    import select
    import subprocess

    assert process.stdout is not None
    deadline = time.monotonic() + COMMAND_SECONDS
    output = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left)[0]:
            return None
        chunk = os.read(process.stdout.fileno(), _COMMAND_BYTES)
        if not chunk:
            try:
                process.wait(left)
            except subprocess.TimeoutExpired:
                return None
            return output
        if len(output) < _COMMAND_BYTES:
            output += chunk
    return None


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of it has ended meanwhile
