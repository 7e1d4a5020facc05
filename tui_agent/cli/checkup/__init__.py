"""What `tui-agent doctor` looks at: each module makes sections of rows, and nothing here prints."""
