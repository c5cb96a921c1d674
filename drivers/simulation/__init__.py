"""The patients whom simulators measure. Training realm only; nothing here is a recording of anybody."""
