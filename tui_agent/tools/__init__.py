"""What a model may do: the tools, their providers, and the executor that every call passes through."""
