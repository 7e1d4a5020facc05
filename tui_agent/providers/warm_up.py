"""Importing what asking a server takes, for those who hold a clock meanwhile."""


def import_client() -> None:
    """Import the HTTP client; blocks for some 60 ms, and for seconds on a machine that a model keeps busy."""
    import httpx2  # noqa: F401 - for its effect
