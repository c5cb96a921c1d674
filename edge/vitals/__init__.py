"""What can be measured: codes, units, quantities, readings, and the limits a value must keep."""
