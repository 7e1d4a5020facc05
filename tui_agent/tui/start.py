"""What the first screen says once it is known: who was found, who else was there, or what to do when nobody answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tui_agent.config.model import Settings
from tui_agent.config.providers import base_url, is_loopback, key_variable
from tui_agent.text.sanitize import one_line
from tui_agent.tui.host import Offer
from tui_agent.tui.welcome import Line, shortest

if TYPE_CHECKING:
    from tui_agent.agent.profile import Profile
    from tui_agent.providers.discovery import NothingToStart, StartChoice
    from tui_agent.providers.protocol import ProbeResult


def size(count: int) -> str:
    """Bytes for people, in units of ten: `491 MB`, `1.1 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 999_500_000 else f"{count / 1e6:.0f} MB"


class Places(NamedTuple):
    """What the settings come to in this environment: addresses by provider, the variables of keys, and how a local
    server is started."""

    addresses: Mapping[str, str]
    variables: tuple[str, ...]
    start_hint: str


def places(settings: Settings, environ: Mapping[str, str]) -> Places:
    """Where providers are and what they want."""
    addresses = {name: base_url(provider, environ) for name, provider in settings.providers.items()}
    keyed = [key_variable(name, it) for name, it in settings.providers.items() if it.requires_api_key]
    hints = [it.start_hint for name, it in settings.providers.items() if is_loopback(addresses[name]) and it.start_hint]
    return Places(addresses, tuple(keyed), hints[0] if hints else "")


def about_lines(
    start: "StartChoice | None", offer: Offer | None, profile: "Profile", where: Places, keys: Mapping[str, str]
) -> list[Line]:
    """What is said of the provider that answers; `offer` is its model when that runs here."""
    return [
        *(found_lines(start, where.addresses) if start is not None else ()),
        *(model_lines(offer) if offer is not None else ()),
        *profile_lines(profile, shortest(keys, "chat.profile")),
    ]


def nobody_lines(
    trouble: "NothingToStart",
    offer: Offer | None,
    fetching: Offer | None,
    where: Places,
    keys: Mapping[str, str],
) -> list[Line]:
    """What was looked for, and the ways on; the one that needs nothing comes last."""
    if fetching is not None:
        return fetching_lines(fetching, shortest(keys, "chat.interrupt"))
    lines = [*nothing_lines(trouble, where.addresses, where.variables), ()]
    lines += ways_lines(where.start_hint, where.variables[0] if where.variables else "", shortest(keys, "chat.look"))
    return [*lines, (), *offer_lines(offer, shortest(keys, "chat.fetch"))] if offer is not None else lines


def found_lines(start: "StartChoice", addresses: Mapping[str, str]) -> list[Line]:
    """How the provider was found, which others answer, and which keys were seen; `addresses` are URLs by provider."""
    here = any(result.provider == start.name for result in start.probes)
    lines = [_line(start.explanation, "faint")] if here else []
    others = [_answers(result, addresses) for result in start.probes if _is_other(result, start)]
    if others:
        lines.append(_line(f"also up: {', '.join(others)}", "faint"))
    unused = [f"{variable} ({name})" for variable, name in start.keys if name != start.name]
    if unused:
        verb = "is" if len(unused) == 1 else "are"
        lines.append(_line(f"{', '.join(unused)} {verb} set, not used", "faint"))
    return lines


def elsewhere_lines(start: "StartChoice", addresses: Mapping[str, str]) -> list[Line]:
    """That a key which happened to be there sends what is asked to somebody; nothing for what runs here."""
    if any(result.provider == start.name for result in start.probes):
        return []
    where = _address(addresses, start.name)
    owner = f"{start.name} ({where})" if where else start.name
    return [_line(f"{start.explanation}: what you ask goes to {owner}", "warning")]


def _is_other(result: "ProbeResult", start: "StartChoice") -> bool:
    return result.state == "up" and result.provider != start.name


def _answers(result: "ProbeResult", addresses: Mapping[str, str]) -> str:
    if not addresses.get(result.provider):
        return f"{one_line(result.provider)} is installed"
    count = len(result.models)
    models = "no model" if not count else f"{count} model" + ("s" if count > 1 else "")
    return f"{one_line(result.provider)} on {_address(addresses, result.provider)} with {models}"


def model_lines(offer: Offer) -> list[Line]:
    """What a model that runs here is and what it is good for."""
    return [
        _line(f"{offer.title} · {size(offer.size)} · runs on this machine", "faint"),
        _line(offer.good_for, "muted"),
    ]


def profile_lines(profile: "Profile", keys: str) -> list[Line]:
    """That the model is given little, why, and the key that changes it; nothing is said of the usual."""
    if profile.name != "small":
        return []
    return [
        (
            (f"small profile ({one_line(profile.why)}): few tools and a short prompt   ", "faint"),
            (keys, "muted"),
            (" changes it", "faint"),
        )
    ]


def nothing_lines(trouble: "NothingToStart", addresses: Mapping[str, str], variables: Sequence[str]) -> list[Line]:
    """What was looked for in vain; `variables` are the keys that would have been taken."""
    lines: list[Line] = [_line("no model answers here yet", "warning")]
    looked = [result for result in trouble.probes if addresses.get(result.provider)]
    if silent := _by_host([result.provider for result in looked if _silent(result)], addresses):
        lines.append(_line(f"nothing listens on {silent}", "faint"))
    lines += [
        ((_place(result, addresses), "muted"), (f" {_state(result)}", "faint"))
        for result in looked
        if not _silent(result)
    ]
    seen = {variable for variable, _ in trouble.keys}
    for variable, name in trouble.keys:
        lines.append(_line(f"{variable} is set ({name}), but cannot be used", "muted"))
    if unset := [variable for variable in variables if variable not in seen]:
        lines.append(_line(f"no key is set: {', '.join(unset)}", "faint"))
    return lines


def ways_lines(start_hint: str, variable: str, look: str) -> list[Line]:
    """What a user who has a server or a key does; `look` is the key that looks again."""
    lines: list[Line] = []
    if start_hint:
        lines.append((("start a server: ", "muted"), (start_hint, "text"), ("  then press ", "muted"), (look, "text")))
    if variable:
        lines.append(
            (("or leave, ", "muted"), (f"export {variable}=…", "text"), (" and start tui-agent again", "muted"))
        )
    return lines


def offer_lines(offer: Offer, fetch: str) -> list[Line]:
    """The model that can be fetched, with everything that speaks for or against it; `fetch` is the key that does it."""
    lines = [
        (("or run one here: ", "muted"), (one_line(offer.title), "text")),
        _line(offer.good_for, "muted"),
        _line(f"{size(offer.size)} to download · {offer.licence} · needs {offer.memory}", "muted"),
    ]
    if offer.problem:
        what: Line = ((offer.problem, "warning"), (f"; {offer.remedy}", "text"))
    elif offer.here:
        what = ((fetch, "accent+b"), (f" goes on with the download: {size(offer.here)} are here", "text"))
    else:
        what = ((fetch, "accent+b"), (f" downloads and starts it ({size(offer.size)})", "text"))
    return [*lines, what]


def fetching_lines(offer: Offer, stop: str) -> list[Line]:
    """While it is fetched: that one may go on typing, and that stopping loses nothing."""
    return [
        _line(f"getting {offer.title}", "text"),
        _line(offer.good_for, "muted"),
        (("what you send now waits for it   ", "muted"), (stop, "text"), (" stops; what is here is kept", "muted")),
    ]


def _silent(result: "ProbeResult") -> bool:
    return result.state == "down" and "refused" in result.detail


def _state(result: "ProbeResult") -> str:
    told = one_line((result.detail or result.hint).strip().partition("\n")[0])
    if result.state == "up":
        return f"is up, but has no model: {one_line(result.hint)}" if result.hint else "is up, but has no model"
    return f"answers, but is no model server: {told}" if result.state == "error" else f"does not answer: {told}"


def _by_host(names: Sequence[str], addresses: Mapping[str, str]) -> str:
    """Addresses of providers, the host said once: "localhost: 11434 (ollama), 8080 (llamacpp)"."""
    hosts: dict[str, list[str]] = {}
    for name in names:
        host, _, port = _address(addresses, name).rpartition(":")
        hosts.setdefault(host, []).append(f"{port} ({one_line(name)})")
    return "; ".join(": ".join(filter(None, (host, ", ".join(ports)))) for host, ports in hosts.items())


def _place(result: "ProbeResult", addresses: Mapping[str, str]) -> str:
    return f"{_address(addresses, result.provider)} ({one_line(result.provider)})"


def _address(addresses: Mapping[str, str], name: str) -> str:
    return one_line(urlsplit(addresses.get(name, "")).netloc)


def _line(text: str, role: str) -> Line:
    return ((one_line(text), role),)
