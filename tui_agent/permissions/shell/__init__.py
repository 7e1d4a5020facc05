"""What a shell command line consists of, as far as that can be known without running it."""
