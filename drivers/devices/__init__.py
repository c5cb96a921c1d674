"""One folder for each device family."""
