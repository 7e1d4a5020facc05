"""Clients for language-model servers; the only room that speaks to the network."""
