"""Measurements of the installed program; `python -m benchmarks.NAME` runs one."""

import os

# What is measured in this process is painted as often as in the program (`cli/chat.py`).
os.environ.setdefault("TEXTUAL_FPS", "240")
