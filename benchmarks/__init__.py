"""Measurements of the installed program; `python -m benchmarks.NAME` runs one."""
