"""The first screen: where you are and the three things to know."""

Line = tuple[tuple[str, str], ...]


def welcome_lines(version: str) -> tuple[Line, ...]:
    """Lines of (text, colour role) spans."""
    return (
        (("tui-agent", "accent"), (f" {version}", "faint")),
        (("every write and every command asks first; reading does not", "muted"),),
        (
            ("f2", "text"),
            (" model   ", "faint"),
            ("f3", "text"),
            (" sessions   ", "faint"),
            ("f1", "text"),
            (" all keys", "faint"),
        ),
    )
