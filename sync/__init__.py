"""The link between the van and the centre, both ends."""
