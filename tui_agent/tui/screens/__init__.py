"""Screens: they decide; widgets only report."""
