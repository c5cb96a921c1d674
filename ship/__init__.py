"""What is built of this tree to be installed elsewhere: its bill of materials, the package, the update."""
