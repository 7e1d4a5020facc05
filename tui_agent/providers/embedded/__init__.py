"""The embedded model: what can be downloaded, the engine that runs it, and its provider client."""
