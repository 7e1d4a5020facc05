"""Running processes: owned, bounded and killed as a tree."""
