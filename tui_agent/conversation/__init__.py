"""Plain, frozen types that every room shares: messages, events, errors. Nothing here does I/O."""
