"""The chain: what an entry is, how entries link, how to verify them."""
