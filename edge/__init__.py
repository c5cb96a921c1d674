"""What the box is, whatever is plugged into it."""
