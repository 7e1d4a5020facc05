"""The engine: a session turns prompts into a stream of events."""
