"""The tools that come with the program, one module a group."""
