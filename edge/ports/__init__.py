"""What the agent asks of the outside, and how each of these may fail."""
