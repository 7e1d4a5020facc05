"""The terminal face: screens and widgets on Textual."""
