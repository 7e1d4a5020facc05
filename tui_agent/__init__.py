"""A coding assistant for the terminal; importing this package costs nothing until a name is used."""

__version__ = "0.1.0"
