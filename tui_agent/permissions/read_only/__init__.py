"""Commands that change nothing, whatever their arguments are: known by name, option by option."""
