"""How bytes travel between the box and a device. The only input and output in this package."""
