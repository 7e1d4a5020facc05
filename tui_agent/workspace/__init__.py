"""Files of the working directory: confinement, reading, diffs, prepared changes and atomic writes."""
