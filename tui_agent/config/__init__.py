"""Typed settings, the layers they are loaded from, themes as data, and watching both for changes."""
