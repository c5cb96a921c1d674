"""One file per command group; each imports its parts when it runs."""
