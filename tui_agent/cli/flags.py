"""Flags that subcommands share."""

import argparse


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every subcommand takes."""
    group = parser.add_argument_group("shared options")
    group.add_argument("-w", "--working-dir", metavar="DIR", help="work in DIR instead of the current folder")
    group.add_argument("--config", metavar="FILE", help="read FILE instead of the user configuration")
    group.add_argument(
        "--log-level",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        default="WARNING",
        help="how much goes to the log file",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the flags of subcommands that run tools."""
    group = parser.add_argument_group("tools")
    group.add_argument(
        "--allowed-dirs", metavar="DIR", nargs="+", action="extend", default=[], help="folders tools may use as well"
    )
    group.add_argument("--no-commands", action="store_true", help="refuse every shell command")
    group.add_argument(
        "--sandbox",
        choices=("auto", "bwrap", "docker", "off"),
        help="what commands run in (default: the settings', auto = bubblewrap where it works, else nothing); "
        "docker takes a container of DOCKER_IMAGE and passes on the variables named in DOCKER_ENV_VARS",
    )
    add_permissions(parser)


def add_permissions(parser: argparse.ArgumentParser) -> None:
    """Add the flags that decide what runs unasked."""
    group = parser.add_argument_group("permissions")
    group.add_argument(
        "--command-allowlist",
        metavar="LIST",
        help='commands that run unasked, by their first words, with commas between: "npm test,git status"',
    )
    group.add_argument(
        "--read-only-commands",
        choices=("ask", "allow"),
        help="whether commands that provably only read run unasked (default: the settings', ask)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the flags of subcommands that talk to a model."""
    group = parser.add_argument_group("model")
    group.add_argument("--provider", metavar="NAME", help="provider to start with")
    group.add_argument("--model", metavar="NAME", help="model to start with")
    group.add_argument("--max-iterations", metavar="N", type=positive, help="requests to the model in one turn")
    group = parser.add_argument_group("limits", "for this run; the history of a resumed session does not count")
    group.add_argument("--max-turns", metavar="N", type=positive, help="stop after N steps of the model")
    group.add_argument("--max-tokens", metavar="N", type=positive, help="stop after N tokens, requests and replies")
    group.add_argument(
        "--max-cost",
        metavar="MONEY",
        type=above_zero,
        help="stop when so much is spent; needs `prices:` in config.yaml",
    )


def positive(text: str) -> int:
    """A whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text[:40]!a}")
    return number


def above_zero(text: str) -> float:
    """An amount above 0."""
    try:
        amount = float(text)
    except ValueError:
        amount = 0.0
    if not 0 < amount < float("inf"):
        raise argparse.ArgumentTypeError(f"must be an amount above 0, not {text[:40]!a}")
    return amount
