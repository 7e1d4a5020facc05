"""The command line; one module a subcommand, imported only when that subcommand runs."""
