"""The face without a screen: writers for `tui-agent invoke`."""
