"""The patients whom simulators measure."""
