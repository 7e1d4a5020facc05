"""The transcript: one line-virtual widget over a document of blocks."""
