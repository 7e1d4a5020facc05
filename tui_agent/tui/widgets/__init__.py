"""Widgets: they show and report, and know no engine."""
