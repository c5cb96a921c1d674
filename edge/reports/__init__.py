"""Pages of paper. Drawn in a process of its own: agent and screens never load what draws them."""
