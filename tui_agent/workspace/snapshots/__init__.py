"""What calls change in the project, kept so that it can be undone: looking, keeping, comparing, putting back."""
